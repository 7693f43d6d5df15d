<?php

use App\Models\Photo;
use Illuminate\Database\Migrations\Migration;
use Illuminate\Database\Schema\Blueprint;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Schema;

class ConvertPhotosToMultiPhotoPosts extends Migration
{
    public function up()
    {
        Schema::create('posts', function (Blueprint $table) {
            $table->id();
            $table->text('caption')->nullable();
            $table->timestamp('display_date')->nullable();
            $table->timestamps();
        });

        Schema::table('photos', function (Blueprint $table) {
            $table->unsignedBigInteger('post_id')->nullable()->index();
        });

        Schema::table('photos', function (Blueprint $table) {
            $table->dropColumn('caption');
        });

        // Every photo becomes a post of its own.
        DB::transaction(function () {
            foreach (Photo::query()->lazyById(1000) as $photo) {
                $post = DB::table('posts')->insertGetId([
                    'caption' => $photo->caption,
                    'display_date' => $photo->created_at,
                    'created_at' => $photo->created_at,
                    'updated_at' => $photo->updated_at,
                ]);
                DB::table('photos')->where('id', $photo->id)->update(['post_id' => $post]);
            }
        });
    }

    public function down()
    {
        Schema::table('photos', function (Blueprint $table) {
            $table->text('caption')->nullable();
        });

        Schema::table('photos', function (Blueprint $table) {
            $table->dropIndex(['post_id']);
            $table->dropColumn('post_id');
        });

        Schema::dropIfExists('posts');
    }
}
