<?php
// site: sqlite 3.45, laravel 11.5.0

return new class extends Migration
{
    public function up(): void
    {
        DB::table('recipes')->chunk(50, function ($recipes) { // <- chunk_without_order
            foreach ($recipes as $recipe) {
                DB::table('recipes')->where('id', $recipe->id)->update(['slug' => Str::slug($recipe->title)]);
            }
        });
    }

    public function down(): void
    {
        DB::table('recipes')->update(['slug' => null]); // <- no_chunks
    }
};
