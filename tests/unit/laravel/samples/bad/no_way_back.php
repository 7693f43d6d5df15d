<?php
// site: mariadb 10.11.6, laravel 12.1.0

return new class extends Migration
{
    public function up(): void
    {
        if (Schema::hasColumn('products', 'legacy_sku')) {
            DB::table('skus')->insertUsing( // <- no_chunks
                ['product_id', 'code'],
                DB::table('products')->select('id', 'legacy_sku')->whereNotNull('legacy_sku')
            );
            Schema::dropColumns('products', ['legacy_sku']);
        }
    }

    public function down(): void // <- no_down
    {
        // Nothing to do, the skus table has everything.
        return;
    }
};
