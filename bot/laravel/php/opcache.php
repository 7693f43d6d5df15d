<?php
// Prints how the web server's PHP keeps compiled code, by the configuration files that lie beside those of the command line.
// Reads only; the application is not started.

function backout_opcache_of(array $files): array
{
    $found = ['opcache.enable' => '1', 'opcache.validate_timestamps' => '1', 'opcache.revalidate_freq' => '2'];
    $is_loaded = PHP_VERSION_ID >= 80500;
    foreach ($files as $file) {
        $values = (array) @parse_ini_file($file, false, INI_SCANNER_RAW);
        $is_loaded = $is_loaded || strpos(implode(' ', (array) ($values['zend_extension'] ?? '')), 'opcache') !== false;
        // A pool of FPM has its own values: php_admin_value[opcache.enable] = 0.
        foreach ([$values, $values['php_value'] ?? [], $values['php_flag'] ?? [], $values['php_admin_value'] ?? [], $values['php_admin_flag'] ?? []] as $part) {
            $found = array_merge($found, array_intersect_key(array_filter((array) $part, 'is_string'), $found));
        }
    }
    $is_on = function (string $name) use ($found) {
        return in_array(strtolower(trim($found[$name])), ['1', 'on', 'yes', 'true'], true);
    };
    return [
        'on' => $is_loaded && $is_on('opcache.enable'),
        'looks' => $is_on('opcache.validate_timestamps'),
        'every_s' => max(0, (int) $found['opcache.revalidate_freq']),
    ];
}

// Configuration files by the kind of PHP: Debian has a folder for each, elsewhere one file is for all.
function backout_php_files(string $loaded, array $scanned): array
{
    if (basename(dirname($loaded)) !== 'cli') {
        $pools = array_merge(glob('/etc/php-fpm.d/*.conf') ?: [], glob('/usr/local/etc/php-fpm.d/*.conf') ?: []);
        $files = array_merge(array_filter([$loaded]), $scanned);
        return $files === [] ? [] : ['PHP' => array_merge($files, $pools)];
    }
    $found = [];
    foreach (['fpm', 'apache2', 'cgi', 'litespeed'] as $kind) {
        $folder = dirname($loaded, 2) . '/' . $kind;
        if (is_file("$folder/php.ini")) {
            $found[$kind] = array_merge(["$folder/php.ini"], glob("$folder/conf.d/*.ini") ?: [], glob("$folder/pool.d/*.conf") ?: []);
        }
    }
    return $found;
}

$request = backout_request();
$kinds = backout_php_files(
    (string) ($request['loaded'] ?? php_ini_loaded_file()),
    array_filter(array_map('trim', explode(',', (string) php_ini_scanned_files())))
);
$answer = [];
foreach ($kinds as $kind => $files) {
    $answer[] = ['kind' => (string) $kind] + backout_opcache_of($files);
}
backout_answer(['opcache' => $answer], 0);
