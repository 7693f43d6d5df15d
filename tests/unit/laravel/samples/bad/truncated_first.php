<?php
// site: mysql 8.0.35, laravel 10.3.0

return new class extends Migration
{
    public function up(): void
    {
        DB::transaction(function () {
            DB::table('cart_items')->truncate(); // <- deleted_before_copy deletes_rows
            DB::table('order_items')->insertUsing( // <- no_chunks
                ['product_id', 'quantity'],
                DB::table('cart_items')->select('product_id', 'quantity')
            );
        });
    }

    public function down(): void
    {
        // next: no_chunks
        DB::table('cart_items')->insertUsing(['product_id', 'quantity'], DB::table('order_items')->select('product_id', 'quantity'));
    }
};
