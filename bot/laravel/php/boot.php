<?php
// Shared by every script of this folder: boots the console kernel of the application in the current folder and prints
// one line `BACKOUT1:<json>`. Plain PHP 7.4, for Laravel 6 to 13. Nothing is written to the application's log.

function backout_answer(array $answer, int $status)
{
    $GLOBALS['backout_answered'] = true;
    $flags = JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE | JSON_PARTIAL_OUTPUT_ON_ERROR;
    // Standard output itself, because what the application echoes is thrown away; a line break first, because the application
    // may have written half a line to it.
    file_put_contents('php://stdout', "\nBACKOUT1:" . json_encode($answer, $flags) . "\n");
    exit($status);
}

// What went wrong, without a value: a database's message holds SQL and rows, so only names known by pattern are kept.
function backout_problem(Throwable $problem): array
{
    $cause = $problem;
    while ($cause->getPrevious() !== null) {
        $cause = $cause->getPrevious();
    }
    $where = $problem->getFile() . ':' . $problem->getLine();
    foreach (array_merge([['file' => $problem->getFile(), 'line' => $problem->getLine()]], $problem->getTrace()) as $frame) {
        $file = $frame['file'] ?? '';
        if (strpos($file, getcwd() . '/') === 0 && strpos($file, getcwd() . '/vendor/') !== 0) {
            $where = $file . ':' . ($frame['line'] ?? 0);
            break;
        }
    }
    $is_sql = $cause instanceof PDOException;
    return [
        'class' => get_class($problem),
        'cause' => get_class($cause),
        'sqlstate' => $is_sql ? (string) $cause->getCode() : null,
        'driver_code' => $is_sql && isset($cause->errorInfo[1]) ? (string) $cause->errorInfo[1] : null,
        'where' => $where,
        'reason' => backout_reason($cause, $is_sql),
    ];
}

function backout_reason(Throwable $cause, bool $is_sql)
{
    if (!$is_sql) {
        // PHP's own errors name classes and functions; UnhandledMatchError alone prints a value.
        $is_plain = $cause instanceof Error && get_class($cause) !== 'UnhandledMatchError';
        // Laravel's own refusals of a configuration (no such database file, driver, connection) hold names only.
        $is_setup = strpos($cause->getFile(), '/Illuminate/') !== false && $cause instanceof InvalidArgumentException;
        return $is_plain || $is_setup ? substr(strtok($cause->getMessage(), "\n"), 0, 300) : null;
    }
    $known = '/no such (?:table|column|index): [\w.]+|(?:table|index) "?\w+"? already exists|duplicate column name: \w+'
        . '|Unknown column \'[\w.]+\'|Table \'[\w.]+\' (?:doesn\'t exist|already exists)|Duplicate column name \'\w+\''
        . '|(?:relation|column) "\w+"(?: of relation "\w+")? (?:does not exist|already exists)'
        . '|(?:UNIQUE|NOT NULL) constraint failed: [\w., ]+|FOREIGN KEY constraint failed|database is locked'
        . '|attempt to write a readonly database|unable to open database file|Connection refused|could not find driver/';
    return preg_match($known, $cause->getMessage(), $found) ? $found[0] : null;
}

function backout_request(): array
{
    $request = json_decode((string) base64_decode($GLOBALS['backout_request'], true), true);
    if (!is_array($request)) {
        backout_answer(['refused' => 'the request was not received whole; nothing was run'], 3);
    }
    return $request;
}

// Every log channel leads to $stream: a record that Backout causes never reaches the application's log.
function backout_divert_logs($config, string $stream)
{
    $GLOBALS['backout_logging'] = (array) $config->get('logging', []);
    $channel = ['driver' => 'monolog', 'handler' => Monolog\Handler\StreamHandler::class, 'with' => ['stream' => $stream]];
    $names = array_merge(array_keys((array) $config->get('logging.channels', [])), ['null', 'deprecations', 'backout']);
    $config->set('logging.channels', array_fill_keys($names, $channel));
    // Laravel falls back to this path of its own accord when a channel cannot be made.
    $config->set('logging.channels.emergency', $channel + ['path' => $stream]);
    $config->set('logging.default', 'backout');
}

// Returns [application, problem at start or null]. $configure gets the configuration before any provider sees it.
function backout_boot(string $log_stream, array $words, ?callable $configure = null): array
{
    if (!is_file('vendor/autoload.php') || !is_file('bootstrap/app.php')) {
        backout_answer(['refused' => 'no Laravel application in ' . getcwd() . ' (vendor/autoload.php, bootstrap/app.php)'], 3);
    }
    // What a program read from standard input lacks, and what packages look at: the words of an artisan call.
    defined('STDIN') || define('STDIN', fopen('php://stdin', 'r'));
    defined('STDOUT') || define('STDOUT', fopen('php://stdout', 'w'));
    defined('STDERR') || define('STDERR', fopen('php://stderr', 'w'));
    $_SERVER['argv'] = $GLOBALS['argv'] = $words;
    $_SERVER['argc'] = $GLOBALS['argc'] = count($words);
    defined('LARAVEL_START') || define('LARAVEL_START', microtime(true));
    $problem = null;
    $app = null;
    try {
        require_once getcwd() . '/vendor/autoload.php';
        $app = require getcwd() . '/bootstrap/app.php';
        $app->afterBootstrapping(Illuminate\Foundation\Bootstrap\LoadConfiguration::class, function ($app) use ($log_stream, $configure) {
            backout_divert_logs($app['config'], $log_stream);
            $configure === null || $configure($app['config']);
        });
        $app->make(Illuminate\Contracts\Console\Kernel::class)->bootstrap();
    } catch (Throwable $thrown) {
        $problem = backout_problem($thrown);
    }
    // A provider that reads a lost column fails at start; the facts can still be read then.
    if ($app === null || !isset($GLOBALS['backout_logging']) || !$app->bound('db')) {
        backout_answer(['failed' => $problem ?? ['class' => 'none', 'reason' => 'the application did not start']], 1);
    }
    return [$app, $problem];
}

function backout_default_connection($config): array
{
    $name = (string) $config->get('database.default');
    return [$name, (new Illuminate\Support\ConfigurationUrlParser())->parseConfiguration((array) $config->get("database.connections.$name"))];
}

// The part of a connection that writes, flat: `write` where reading and writing are split, the first of several.
function backout_writing_part(array $settings): array
{
    $part = (array) ($settings['write'] ?? []);
    $part = is_array($part[0] ?? null) ? $part[0] : $part;
    unset($settings['read'], $settings['write']);
    return array_merge($settings, $part);
}

// The database that the connection itself says it is in: real path, inode and device for SQLite, the name elsewhere.
function backout_database($connection): array
{
    $driver = $connection->getDriverName();
    $pdo = $connection->getPdo();
    if ($driver === 'sqlite') {
        foreach ($pdo->query('PRAGMA database_list')->fetchAll(PDO::FETCH_ASSOC) as $row) {
            if ($row['name'] === 'main') {
                $path = $row['file'] === '' ? ':memory:' : (realpath($row['file']) ?: $row['file']);
            }
        }
        $stat = @stat($path);
        return ['driver' => $driver, 'database' => $path, 'inode' => $stat ? $stat['ino'] : null, 'device' => $stat ? $stat['dev'] : null];
    }
    // A scratch of PostgreSQL may be a schema of Backout's own beside the live tables: `database.schema`.
    $side = "select case when current_schema() ~ '^backout_' then current_database() || '.' || current_schema() else current_database() end";
    $questions = ['pgsql' => $side, 'sqlsrv' => 'select db_name()'];
    $name = $pdo->query($questions[$driver] ?? 'select database()')->fetchColumn();
    return ['driver' => $driver, 'database' => (string) $name, 'inode' => null, 'device' => null];
}

function backout_migrations_table($config): string
{
    $table = $config->get('database.migrations', 'migrations');
    return (string) (is_array($table) ? ($table['table'] ?? 'migrations') : $table);
}

// Rows in the order in which they ran, or null where the table is missing. One that Laravel below 5.4 made has no `id`; then
// they are numbered here.
function backout_migration_rows($app)
{
    $connection = $app['db']->connection();
    $table = backout_migrations_table($app['config']);
    if (!$connection->getSchemaBuilder()->hasTable($table)) {
        return null;
    }
    $rows = $connection->table($table)->orderBy('batch')->orderBy('migration')->get();
    return array_map(function ($number, $row) {
        return [(int) ($row->id ?? $number + 1), (string) $row->migration, (int) $row->batch];
    }, array_keys($rows->all()), $rows->all());
}

// Migration files by name, in the order in which they would run; a file of $more wins over one of the same name.
function backout_migration_files($app, array $more = []): array
{
    $migrator = $app['migrator'];
    return $migrator->getMigrationFiles(array_merge($migrator->paths(), [$app->databasePath('migrations')], $more));
}

// Where the application stands in maintenance, without the bypass secret itself.
function backout_maintenance($app): array
{
    $config = $app['config'];
    $driver = method_exists($app, 'maintenanceMode') ? (string) $config->get('app.maintenance.driver', 'file') : 'file';
    $file = $app->storagePath() . '/framework/down';
    $data = is_file($file) ? json_decode((string) file_get_contents($file), true) : null;
    $problem = null;
    try {
        $is_down = $app->isDownForMaintenance();
        if ($is_down && method_exists($app, 'maintenanceMode')) {
            $data = $app->maintenanceMode()->data();
        }
    } catch (Throwable $thrown) {
        $is_down = null;
        $problem = backout_problem($thrown);
    }
    $data = is_array($data) ? $data : [];
    return [
        'is_down' => $is_down,
        'driver' => $driver,
        'store' => $driver === 'cache' ? (string) ($config->get('app.maintenance.store') ?: $config->get('cache.default')) : null,
        'flag_path' => $file,
        'has_flag_file' => is_file($file),
        'retry_s' => isset($data['retry']) ? (int) $data['retry'] : null,
        'status' => isset($data['status']) ? (int) $data['status'] : null,
        'has_secret' => isset($data['secret']) && $data['secret'] !== '',
        'except' => array_values((array) ($data['except'] ?? [])),
        'problem' => $problem,
    ];
}

// The application's own output is thrown away in pieces, so that it neither mixes with the answer nor fills memory.
ob_start(static function () {
    return '';
}, 4096);

register_shutdown_function(function () {
    if (empty($GLOBALS['backout_answered'])) {
        $last = error_get_last();
        $where = $last === null ? null : $last['file'] . ':' . $last['line'];
        $key = empty($GLOBALS['backout_has_begun']) ? 'failed' : 'unknown';
        backout_answer([$key => ['class' => $last === null ? 'exit' : 'FatalError', 'where' => $where,
            'reason' => 'the program ended before it could answer']], 1);
    }
});
