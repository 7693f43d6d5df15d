<?php
// Puts the application into maintenance, or takes it out, and prints its state before and after.
// Request: action "down", "up" or "state", parameters of that artisan command, secret (the bypass secret, or null).
// The secret comes by standard input and is never printed: an argument would show in the list of processes.

function backout_flag_data($app): array
{
    $file = $app->storagePath() . '/framework/down';
    $data = is_file($file) ? json_decode((string) file_get_contents($file), true) : null;
    if (method_exists($app, 'maintenanceMode') && $app->isDownForMaintenance()) {
        $data = $app->maintenanceMode()->data();
    }
    return is_array($data) ? $data : [];
}

// A second `down` ignores its options up to Laravel 12, and `up` would open the site for a moment. So the secret is put
// into the flag that stands there, by a rename: at no time is the flag missing or half written.
function backout_adopt_secret($app, string $secret)
{
    $data = array_merge(backout_flag_data($app), ['secret' => $secret]);
    $file = $app->storagePath() . '/framework/down';
    if (is_file($file)) {
        $part = $file . '.part';
        if (file_put_contents($part, json_encode($data, JSON_PRETTY_PRINT)) !== false) {
            chmod($part, fileperms($file) & 0777);
            rename($part, $file);
        }
    } elseif (method_exists($app, 'maintenanceMode')) {
        $app->maintenanceMode()->activate($data);
    }
}

$request = backout_request();
list($app, $boot_problem) = backout_boot('/dev/null', ['artisan', $request['action']]);
$before = backout_maintenance($app);
$problem = null;
$exit_code = null;
$kernel = $app->make(Illuminate\Contracts\Console\Kernel::class);
$secret = $request['secret'] ?? null;
try {
    if ($request['action'] !== 'state') {
        $GLOBALS['backout_has_begun'] = true;
        $options = $request['action'] === 'down' && $secret !== null ? ['--secret' => $secret] : [];
        $exit_code = $kernel->call($request['action'], $request['parameters'] + $options);
    }
    if ($request['action'] === 'down' && $secret !== null && $before['is_down'] === true) {
        backout_adopt_secret($app, $secret);
    }
    $is_ours = $secret !== null && (backout_flag_data($app)['secret'] ?? null) === $secret;
} catch (Throwable $thrown) {
    $problem = backout_problem($thrown);
    $is_ours = false;
}
clearstatcache();
backout_answer(['maintenance' => [
    'before' => $before,
    'after' => backout_maintenance($app),
    'exit_code' => $exit_code,
    'secret_is_ours' => $is_ours,
    'problem' => $problem ?? $boot_problem,
]], 0);
