<?php
// site: pgsql 16.1, laravel 11.31.0, rows devices=300 device_kinds=0

return new class extends Migration
{
    public function up(): void
    {
        Schema::hasTable('device_kinds') or Schema::create('device_kinds', function (Blueprint $table) {
            $table->id();
            $table->string('name')->unique();
        });
        $missing = ! Schema::hasColumn('devices', 'kind_id');
        if ($missing) {
            Schema::table('devices', function (Blueprint $table) {
                $table->foreignId('kind_id')->nullable()->constrained('device_kinds');
            });
        }
        foreach (DB::table('devices')->get() as $device) {
            DB::table('device_kinds')->insertOrIgnore(['name' => $device->kind]);
            $kind = DB::table('device_kinds')->where('name', $device->kind)->value('id');
            DB::table('devices')->where('id', $device->id)->update(['kind_id' => $kind]);
        }
    }

    public function down(): void
    {
        if (Schema::hasColumn('devices', 'kind_id')) {
            Schema::table('devices', function (Blueprint $table) {
                $table->dropForeign(['kind_id']);
                $table->dropColumn('kind_id');
            });
        }
        Schema::dropIfExists('device_kinds');
    }
};
