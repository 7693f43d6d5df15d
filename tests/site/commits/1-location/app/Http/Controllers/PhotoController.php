<?php

namespace App\Http\Controllers;

use App\Models\Photo;
use Illuminate\Http\Request;
use Illuminate\Routing\Controller;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Str;

class PhotoController extends Controller
{
    public function index()
    {
        return view('index', ['photos' => Photo::orderByDesc('id')->limit(24)->get()]);
    }

    public function show(Photo $photo)
    {
        return view('show', ['photo' => $photo]);
    }

    public function store(Request $request)
    {
        $photo = DB::transaction(function () use ($request) {
            return Photo::create([
                'user_id' => 1,
                'filename' => $this->keep($request),
                'caption' => $request->input('caption'),
                'location' => $request->input('location'),
            ]);
        });

        return redirect('/photos/'.$photo->id);
    }

    public function update(Request $request, Photo $photo)
    {
        $photo->update($request->only('caption', 'location'));

        return redirect('/photos/'.$photo->id);
    }

    public function destroy(Photo $photo)
    {
        DB::transaction(function () use ($photo) {
            $photo->tags()->detach();
            $photo->delete();
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
