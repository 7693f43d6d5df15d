<?php
// site: mysql 8.0.35, laravel 12.0.0

return new class extends Migration
{
    public function up(): void
    {
        if (! Schema::hasTable('shipment_addresses')) {
            Schema::create('shipment_addresses', function (Blueprint $table) {
                $table->id();
                $table->foreignId('shipment_id')->index();
                $table->text('address');
            });
        }
        if (Schema::hasColumn('shipments', 'address')) {
            DB::table('shipments')->where('state', 'open')->chunkById(1000, function ($shipments) {
                DB::table('shipment_addresses')->insert($shipments->map(fn ($s) => [ // <- copy_is_partial
                    'shipment_id' => $s->id,
                    'address' => $s->address,
                ])->all());
            });
            Schema::table('shipments', fn (Blueprint $table) => $table->dropColumn('address'));
        }
    }

    public function down(): void
    {
        Schema::table('shipments', fn (Blueprint $table) => $table->text('address')->nullable());
        DB::table('shipment_addresses')->chunkById(1000, function ($rows) {
            foreach ($rows as $row) {
                DB::table('shipments')->where('id', $row->shipment_id)->update(['address' => $row->address]);
            }
        });
        Schema::drop('shipment_addresses');
    }
};
