<?php

// Debian's framework is on PHP's include path; there is no composer on this host. The tests put another in its place where
// BACKOUT_TEST_LARAVEL names one; its own classes of App\ must not be found before the album's.
require_once 'Illuminate/autoload.php';

spl_autoload_register(static function (string $class): void {
    if (strncmp($class, 'App\\', 4) === 0) {
        $file = dirname(__DIR__).'/app/'.str_replace('\\', '/', substr($class, 4)).'.php';
        if (is_file($file)) {
            require $file;
        }
    }
}, true, true);
