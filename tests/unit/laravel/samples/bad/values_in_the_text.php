<?php
// site: mariadb 10.11.6, laravel 8.83.27

class FillDisplayNames extends Migration
{
    public function up()
    {
        foreach (DB::table('artists')->cursor() as $artist) {
            DB::statement("UPDATE artists SET display_name = '" . $artist->name . "' WHERE id = " . $artist->id); // <- raw_sql data_in_sql
        }
    }

    public function down()
    {
        DB::table('artists')->update(['display_name' => null]); // <- no_chunks
    }
}
