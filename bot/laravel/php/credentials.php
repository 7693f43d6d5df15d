<?php
// Prints how the application reaches its default database, password included, as its own configuration resolves it (cached
// or not). Run on the host by the row reader alone, which keeps what it reads there. Reads only, and does not connect.
// Request: app_path.

// One setting as text, the first of a list (several hosts), null where there is none.
function backout_setting($value)
{
    $value = is_array($value) ? (array_values($value)[0] ?? null) : $value;
    return $value === null || $value === false || is_array($value) ? null : (string) $value;
}

$request = backout_request();
if (!@chdir($request['app_path'])) {
    backout_answer(['refused' => "there is no folder {$request['app_path']}; nothing was run"], 3);
}
list($app) = backout_boot('/dev/null', ['artisan']);
list($name, $settings) = backout_default_connection($app['config']);
$settings = backout_writing_part($settings);
$found = [];
foreach (['driver', 'host', 'port', 'unix_socket', 'username', 'password', 'database', 'charset', 'prefix', 'sslmode'] as $key) {
    $found[$key] = backout_setting($settings[$key] ?? null);
}
// A search path may be a list; Laravel below 9 calls it `schema`.
$paths = $settings['search_path'] ?? $settings['schema'] ?? null;
$found['search_path'] = is_array($paths) ? implode(',', $paths) : backout_setting($paths);
foreach (['sslcert', 'sslkey', 'sslrootcert'] as $key) {
    $found[$key] = backout_setting($settings[$key] ?? null);
}
foreach ($found as $key => $value) {
    // JSON holds UTF-8 only; a password that is changed on the way would be refused by the server without a reason.
    if ($value !== null && !preg_match('//u', $value)) {
        backout_answer(['refused' => "the setting $key of the connection $name is not UTF-8; nothing was run"], 3);
    }
}
backout_answer(['credentials' => $found], 0);
