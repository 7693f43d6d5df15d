<?php

use Illuminate\Database\Eloquent\Model;
use Illuminate\Database\Migrations\Migration;
use Illuminate\Database\Schema\Blueprint;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Schema;

return new class extends Migration
{
    public function up(): void
    {
        // Step 1: new structure
        if (! Schema::hasTable('posts')) {
            Schema::create('posts', function (Blueprint $table) {
                $table->id();
                $table->text('caption')->nullable();
                $table->date('display_date')->nullable();
            });
        }

        if (! Schema::hasColumn('photos', 'post_id')) {
            Schema::table('photos', function (Blueprint $table) {
                $table->unsignedBigInteger('post_id')->nullable();
            });
        }

        // Step 2: one post per photo that is not linked yet
        if (Schema::hasColumn('photos', 'caption') && Schema::hasColumn('photos', 'taken_on')) {
            $this->photos()->newQuery()->whereNull('post_id')->chunkById(200, function ($photos) {
                foreach ($photos as $photo) {
                    DB::transaction(function () use ($photo) {
                        $post = $this->posts()->newInstance();
                        $post->caption = $photo->caption;
                        $post->display_date = $photo->taken_on;
                        $post->save();

                        $photo->post_id = $post->getKey();
                        $photo->save();
                    });
                }
            });
        }

        // Step 3: old structure
        foreach (['caption', 'taken_on'] as $column) {
            if (Schema::hasColumn('photos', $column)) {
                Schema::table('photos', function (Blueprint $table) use ($column) {
                    $table->dropColumn($column);
                });
            }
        }
    }

    public function down(): void
    {
        if (! Schema::hasColumn('photos', 'caption')) {
            Schema::table('photos', function (Blueprint $table) {
                $table->text('caption')->nullable();
            });
        }

        if (! Schema::hasColumn('photos', 'taken_on')) {
            Schema::table('photos', function (Blueprint $table) {
                $table->date('taken_on')->nullable();
            });
        }

        if (Schema::hasTable('posts') && Schema::hasColumn('photos', 'post_id')) {
            $this->refuseIfPostsWouldBeLost();

            $this->posts()->newQuery()->chunkById(200, function ($posts) {
                foreach ($posts as $post) {
                    $this->photos()->newQuery()->where('post_id', $post->getKey())->update([
                        'caption' => $post->caption,
                        'taken_on' => $post->display_date,
                    ]);
                }
            });

            Schema::table('photos', function (Blueprint $table) {
                $table->dropColumn('post_id');
            });
        }

        Schema::dropIfExists('posts');
    }

    private function refuseIfPostsWouldBeLost(): void
    {
        $empty = DB::table('posts')
            ->whereNotExists(fn ($q) => $q->from('photos')->whereColumn('photos.post_id', 'posts.id'))
            ->exists();

        if ($empty) {
            throw new RuntimeException('There are posts without photos; they have no place in the old schema.');
        }
    }

    // Local models, so later changes in App\Models cannot break this migration.
    private function photos(): Model
    {
        return new class extends Model
        {
            protected $table = 'photos';
            public $timestamps = false;
        };
    }

    private function posts(): Model
    {
        return new class extends Model
        {
            protected $table = 'posts';
            public $timestamps = false;
        };
    }
};
