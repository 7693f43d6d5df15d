<?php
// site: sqlite 3.40, laravel 8.83.26, cascades playlists=tracks

class DropMood extends Migration
{
    public function up()
    {
        if (Schema::hasColumn('playlists', 'mood')) {
            // next: no_chunks
            DB::table('tags')->insertUsing(['playlist_id', 'name'], DB::table('playlists')->select('id', 'mood'));
            Schema::table('playlists', function (Blueprint $table) {
                $table->dropColumn('mood'); // <- sqlite_rebuild_cascades
            });
        }
    }

    public function down()
    {
        Schema::table('playlists', function (Blueprint $table) {
            $table->string('mood')->nullable();
        });
        // next: raw_sql no_chunks
        DB::update('update playlists set mood = (select name from tags where tags.playlist_id = playlists.id limit 1)');
    }
}
