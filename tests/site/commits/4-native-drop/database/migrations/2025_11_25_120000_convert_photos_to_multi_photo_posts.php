<?php

use Illuminate\Database\Migrations\Migration;
use Illuminate\Database\Schema\Blueprint;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Schema;

class ConvertPhotosToMultiPhotoPosts extends Migration
{
    public function up()
    {
        if (! Schema::hasTable('posts')) {
            Schema::create('posts', function (Blueprint $table) {
                $table->id();
                $table->text('caption')->nullable();
                $table->timestamp('display_date')->nullable();
                $table->timestamps();
            });
        }

        if (! Schema::hasColumn('photos', 'post_id')) {
            Schema::table('photos', function (Blueprint $table) {
                $table->unsignedBigInteger('post_id')->nullable()->index();
            });
        }

        // The data first: every photo becomes a post of its own, under the photo's id.
        if (Schema::hasColumn('photos', 'caption')) {
            DB::transaction(function () {
                DB::table('posts')->insertUsing(
                    ['id', 'caption', 'display_date', 'created_at', 'updated_at'],
                    DB::table('photos')
                        ->select('id', 'caption', 'created_at as display_date', 'created_at', 'updated_at')
                        ->whereNull('post_id')
                );
                DB::table('photos')->whereNull('post_id')->update(['post_id' => DB::raw('id')]);

                // PostgreSQL's sequence does not see ids that are given.
                if (DB::getDriverName() === 'pgsql') {
                    DB::select("select setval(pg_get_serial_sequence('posts', 'id'), max(id)) from posts");
                }
            });

            // Laravel 8 rebuilds a SQLite table to drop a column, and the comments go with the old one.
            // SQLite can drop a column itself since 3.35, in place.
            DB::statement('alter table photos drop column caption');
        }
    }

    public function down()
    {
        if (! Schema::hasColumn('photos', 'caption')) {
            Schema::table('photos', function (Blueprint $table) {
                $table->text('caption')->nullable();
            });
        }

        if (Schema::hasTable('posts')) {
            DB::table('photos')->whereNotNull('post_id')->update([
                'caption' => DB::raw('(select posts.caption from posts where posts.id = photos.post_id)'),
            ]);
        }

        if (Schema::hasColumn('photos', 'post_id')) {
            Schema::table('photos', function (Blueprint $table) {
                $table->dropIndex(['post_id']);
            });
            DB::statement('alter table photos drop column post_id');
        }

        Schema::dropIfExists('posts');
    }
}
