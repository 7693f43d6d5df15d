<?php
// Prints what the application itself says of its version, database, migrations, drivers and log. Reads only.

function backout_env_file($app): array
{
    $path = $app->environmentFilePath();
    $values = [];
    if (is_readable($path)) {
        try {
            $values = Dotenv\Dotenv::parse((string) file_get_contents($path));
        } catch (Throwable $thrown) {
            return ['path' => $path, 'readable' => false, 'database' => null, 'real_path' => null, 'connection' => null, 'url_database' => null, 'other_login' => []];
        }
    }
    $url = ($values['DB_URL'] ?? '') ?: ($values['DATABASE_URL'] ?? '');
    $from_url = $url === '' ? null : (new Illuminate\Support\ConfigurationUrlParser())->parseConfiguration(['url' => $url]);
    $settings = backout_writing_part(backout_default_connection($app['config'])[1]);
    $login = ['DB_HOST' => 'host', 'DB_PORT' => 'port', 'DB_USERNAME' => 'username', 'DB_PASSWORD' => 'password'];
    $other = array_filter(array_keys($login), function ($name) use ($login, $settings, $values) {
        $used = $settings[$login[$name]] ?? null;
        return isset($values[$name]) && is_scalar($used) && (string) $used !== (string) $values[$name];
    });
    return [
        'path' => $path,
        'readable' => is_readable($path),
        'other_login' => array_values($other),
        'connection' => $values['DB_CONNECTION'] ?? null,
        'database' => $values['DB_DATABASE'] ?? null,
        'real_path' => realpath($values['DB_DATABASE'] ?? '/no such file') ?: null,
        'url_database' => isset($from_url['database']) ? (string) $from_url['database'] : null,
    ];
}

function backout_database_facts($app): array
{
    $config = $app['config'];
    list($name, $settings) = backout_default_connection($config);
    $facts = [
        'connection' => $name,
        'driver' => (string) ($settings['driver'] ?? ''),
        'database' => (string) ($settings['database'] ?? ''),
        'inode' => null,
        'device' => null,
        'host' => is_array($settings['host'] ?? null) ? implode(',', $settings['host']) : ($settings['host'] ?? null),
        'port' => isset($settings['port']) ? (string) $settings['port'] : null,
        'has_username' => !empty($settings['username']),
        'prefix' => (string) ($settings['prefix'] ?? ''),
        'url_used' => !empty($config->get("database.connections.$name.url")),
        'read_write_split' => isset($settings['read']) || isset($settings['write']),
        'problem' => null,
    ];
    try {
        return array_merge($facts, backout_database($app['db']->connection()));
    } catch (Throwable $thrown) {
        $facts['problem'] = backout_problem($thrown);
        return $facts;
    }
}

// Tells whether a connection of that name leads to the default database. Null is the default connection.
function backout_is_default_database($config, $name): bool
{
    list($default, $here) = backout_default_connection($config);
    if ($name === null || $name === '' || $name === $default) {
        return true;
    }
    $there = (new Illuminate\Support\ConfigurationUrlParser())->parseConfiguration((array) $config->get("database.connections.$name"));
    foreach (['driver', 'host', 'port', 'database', 'unix_socket'] as $key) {
        if (($here[$key] ?? null) != ($there[$key] ?? null)) {
            return false;
        }
    }
    return true;
}

// The name of a table of the default database as the server has it.
function backout_whole_name($config, string $table): string
{
    return (string) (backout_default_connection($config)[1]['prefix'] ?? '') . $table;
}

// Tables that hold the program's run-time state: [role, table, in use by default?, in the default database?, exists?].
function backout_runtime_tables($app, bool $connected): array
{
    $config = $app['config'];
    $found = [];
    foreach ((array) $config->get('queue.connections', []) as $name => $queue) {
        if (($queue['driver'] ?? '') === 'database') {
            $found[] = ['jobs', $queue['table'] ?? 'jobs', $name === $config->get('queue.default'), $queue['connection'] ?? null];
        }
    }
    $found[] = ['job_batches', $config->get('queue.batching.table', 'job_batches'), true, $config->get('queue.batching.database')];
    if (strpos((string) $config->get('queue.failed.driver', 'database'), 'database') === 0) {
        $found[] = ['failed_jobs', $config->get('queue.failed.table', 'failed_jobs'), true, $config->get('queue.failed.database')];
    }
    $uses_sessions = $config->get('session.driver') === 'database';
    $found[] = ['sessions', $config->get('session.table', 'sessions'), $uses_sessions, $config->get('session.connection')];
    foreach ((array) $config->get('cache.stores', []) as $name => $store) {
        if (($store['driver'] ?? '') === 'database') {
            $is_used = $name === $config->get('cache.default') || $name === $config->get('app.maintenance.store');
            $found[] = ['cache', $store['table'] ?? 'cache', $is_used, $store['connection'] ?? null];
            $found[] = ['cache_locks', $store['lock_table'] ?? 'cache_locks', $is_used, $store['lock_connection'] ?? $store['connection'] ?? null];
        }
    }
    $tables = [];
    foreach ($found as $one) {
        list($role, $table, $in_use, $name) = $one;
        $is_here = backout_is_default_database($config, $name);
        $exists = $connected && $is_here ? $app['db']->connection()->getSchemaBuilder()->hasTable($table) : null;
        $whole = $is_here ? backout_whole_name($config, (string) $table) : (string) $table;
        $tables[] = ['role' => $role, 'table' => $whole, 'in_use' => $in_use, 'in_default_database' => $is_here, 'exists' => $exists];
    }
    return $tables;
}

// Log files of the default channel; a daily channel writes to the file of today in the application's time zone.
function backout_log_files(array $logging, $name, array $seen = []): array
{
    $channel = (array) ($logging['channels'][$name] ?? []);
    $driver = $channel['driver'] ?? '';
    if ($driver === 'stack' && !in_array($name, $seen, true)) {
        $files = [];
        $members = is_array($channel['channels'] ?? null) ? $channel['channels'] : explode(',', (string) ($channel['channels'] ?? ''));
        foreach ($members as $member) {
            $files = array_merge($files, backout_log_files($logging, trim($member), array_merge($seen, [$name])));
        }
        return $files;
    }
    if (($driver !== 'single' && $driver !== 'daily') || empty($channel['path'])) {
        return [];
    }
    $path = $channel['path'];
    $end = pathinfo($path, PATHINFO_EXTENSION);
    $stem = $end === '' ? $path : substr($path, 0, -strlen($end) - 1);
    $today = $stem . '-' . date('Y-m-d') . ($end === '' ? '' : '.' . $end);
    return [['channel' => (string) $name, 'driver' => $driver, 'configured_path' => $path, 'path' => $driver === 'daily' ? $today : $path]];
}

function backout_rollback_prohibited()
{
    $class = 'Illuminate\Database\Console\Migrations\RollbackCommand';
    if (!property_exists($class, 'prohibitedFromRunning')) {
        return null;
    }
    $property = new ReflectionProperty($class, 'prohibitedFromRunning');
    $property->setAccessible(true);
    return (bool) $property->getValue();
}

list($app, $boot_problem) = backout_boot('/dev/null', ['artisan']);
try {
    $config = $app['config'];
    $database = backout_database_facts($app);
    $connected = $database['problem'] === null;
    $files = [];
    foreach (backout_migration_files($app) as $name => $path) {
        $files[] = ['name' => (string) $name, 'path' => realpath($path) ?: $path, 'sha256' => (string) @hash_file('sha256', $path)];
    }
    $facts = [
        'laravel_version' => $app->version(),
        'php_version' => PHP_VERSION,
        'base_path' => $app->basePath(),
        'storage_path' => $app->storagePath(),
        'environment' => (string) $app->environment(),
        'debug' => (bool) $config->get('app.debug'),
        'url' => (string) $config->get('app.url'),
        'timezone' => (string) $config->get('app.timezone'),
        'database' => $database,
        'env_file' => backout_env_file($app),
        'config_cached' => $app->configurationIsCached(),
        'routes_cached' => $app->routesAreCached(),
        'events_cached' => $app->eventsAreCached(),
        'maintenance' => backout_maintenance($app),
        'cache_store' => (string) $config->get('cache.default'),
        'cache_driver' => (string) $config->get('cache.stores.' . $config->get('cache.default') . '.driver'),
        'session_driver' => (string) $config->get('session.driver'),
        'queue_driver' => (string) $config->get('queue.connections.' . $config->get('queue.default') . '.driver'),
        'runtime_tables' => backout_runtime_tables($app, $connected),
        'log_files' => backout_log_files($GLOBALS['backout_logging'], $GLOBALS['backout_logging']['default'] ?? ''),
        'migrations_table' => backout_whole_name($config, backout_migrations_table($config)),
        'migration_files' => $files,
        'migration_rows' => $connected ? backout_migration_rows($app) : null,
        'rollback_prohibited' => backout_rollback_prohibited(),
        'has_tinker' => class_exists('Laravel\Tinker\TinkerServiceProvider'),
        'boot_problem' => $boot_problem,
    ];
} catch (Throwable $thrown) {
    backout_answer(['failed' => backout_problem($thrown)], 1);
}
backout_answer(['facts' => $facts], 0);
