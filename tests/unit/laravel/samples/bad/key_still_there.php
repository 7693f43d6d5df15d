<?php
// site: mysql 8.0.35, laravel 9.10.0

return new class extends Migration
{
    public function up(): void
    {
        if (! Schema::hasTable('warehouses')) {
            Schema::create('warehouses', function (Blueprint $table) {
                $table->id();
                $table->string('name');
            });
        }
        if (! Schema::hasColumn('stock_items', 'warehouse_id')) {
            Schema::table('stock_items', function (Blueprint $table) {
                $table->foreignId('warehouse_id')->nullable()->constrained()->nullOnDelete();
            });
        }
    }

    public function down(): void
    {
        Schema::dropIfExists('warehouses'); // <- down_key_in_the_way
        if (Schema::hasColumn('stock_items', 'warehouse_id')) {
            Schema::table('stock_items', fn (Blueprint $table) => $table->dropConstrainedForeignId('warehouse_id'));
        }
    }
};
