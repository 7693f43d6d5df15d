@extends('layout')

@section('content')
  <h2>{{ $photo->filename }}</h2>
  <p class="caption">{{ $photo->caption }}</p>
  <form method="post" action="/photos/{{ $photo->id }}">
    @method('PATCH') <input name="caption" value="{{ $photo->caption }}"> <button>Save</button>
  </form>
  <form method="post" action="/photos/{{ $photo->id }}">@method('DELETE') <button>Delete</button></form>
  <ol>
    @foreach ($photo->comments as $comment)
      <li>{{ $comment->body }}</li>
    @endforeach
  </ol>
  <form method="post" action="/photos/{{ $photo->id }}/comments">
    <input name="body"> <button>Comment</button>
  </form>
@endsection
