<?php

namespace App\Http\Controllers;

use App\Models\Photo;
use App\Models\Post;
use Illuminate\Http\Request;
use Illuminate\Routing\Controller;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Str;

class PhotoController extends Controller
{
    public function index()
    {
        return view('index', ['photos' => Photo::with('post')->orderByDesc('id')->limit(24)->get()]);
    }

    public function show(Photo $photo)
    {
        return view('show', ['photo' => $photo]);
    }

    public function store(Request $request)
    {
        $photo = DB::transaction(function () use ($request) {
            $post = Post::create(['caption' => $request->input('caption'), 'display_date' => now()]);

            return Photo::create([
                'user_id' => 1,
                'filename' => $this->keep($request),
                'location' => $request->input('location'),
                'post_id' => $post->id,
                'created_at' => $post->created_at,
                'updated_at' => $post->updated_at,
            ]);
        });

        return redirect('/photos/'.$photo->id);
    }

    public function update(Request $request, Photo $photo)
    {
        DB::transaction(function () use ($request, $photo) {
            $now = now();
            $photo->post->update($request->only('caption') + ['updated_at' => $now]);
            $photo->update($request->only('location') + ['updated_at' => $now]);
        });

        return redirect('/photos/'.$photo->id);
    }

    public function destroy(Photo $photo)
    {
        DB::transaction(function () use ($photo) {
            $post = $photo->post;
            $photo->tags()->detach();
            $photo->delete();
            $post->delete();
        });

        return redirect('/');
    }

    public function comment(Request $request, Photo $photo)
    {
        $photo->comments()->create(['body' => (string) $request->input('body')]);

        return redirect('/photos/'.$photo->id);
    }

    private function keep(Request $request): string
    {
        $name = $request->input('filename', Str::uuid().'.jpg');
        if ($request->hasFile('photo')) {
            $request->file('photo')->storeAs('photos', $name);
        }

        return $name;
    }
}
