<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>{{ config('app.name') }}</title>
  <style>
    body { font: 16px/1.5 sans-serif; margin: 2rem auto; max-width: 46rem; padding: 0 1rem; }
    li { margin-bottom: .75rem; }
    .caption { white-space: pre-wrap; }
    small { color: #666; }
  </style>
</head>
<body>
  <h1><a href="/">{{ config('app.name') }}</a></h1>
  @yield('content')
</body>
</html>
