@extends('layout')

@section('content')
  <form method="post" action="/photos" enctype="multipart/form-data">
    <input type="file" name="photo"> <input name="caption" placeholder="caption"> <button>Upload</button>
  </form>
  <ul>
    @foreach ($photos as $photo)
      <li>
        <a href="/photos/{{ $photo->id }}">{{ $photo->filename }}</a>
        <small>{{ $photo->created_at }}</small>
        <div class="caption">{{ $photo->caption }}</div>
      </li>
    @endforeach
  </ul>
@endsection
