<?php
// Runs one artisan command in the same process that has proved which database it will change; else runs nothing.
// Request: command, parameters, expect {driver, database, inode|null}, is_scratch, and the locks expect_last
// (name of the last migration that ran), expect_pending (names, in order) and expect_sha256 (path to hash of the approved
// file), each null where it does not apply; numbers, the path of a file with the last number that each table ever gave;
// counts_tables, false for a command that writes no table of people's data.

// In a rehearsal nothing may be reached but the scratch database: queues and broadcasts are dropped, mail and cache
// stay in memory; other databases, Redis and file disks are made unusable, so that a migration that wants them fails
// with a reason instead of changing what people use. This is stronger than the environment: it covers every name.
function backout_isolate($config, array $expect)
{
    list($default, $settings) = backout_default_connection($config);
    $settings = backout_writing_part($settings);
    unset($settings['url']);
    $settings['database'] = $expect['database'];
    $side = backout_side($expect);
    if ($side !== null) {
        // The side schema alone: with the live one behind it, `drop table if exists` would find live's table.
        $GLOBALS['backout_live_schemas'] = (array) ($settings['search_path'] ?? $settings['schema'] ?? 'public');
        $settings = array_merge($settings, ['database' => $side[0], 'search_path' => $side[1], 'schema' => $side[1]]);
    }
    $blocked = ['driver' => 'blocked-in-a-rehearsal', 'database' => '', 'prefix' => ''];
    $connections = array_fill_keys(array_keys((array) $config->get('database.connections')), $blocked);
    $config->set('database.connections', array_merge($connections, [$default => $settings]));
    $config->set('database.redis', []);
    foreach (['queue.connections' => ['driver' => 'null'], 'broadcasting.connections' => ['driver' => 'null'],
        'cache.stores' => ['driver' => 'array'], 'mail.mailers' => ['transport' => 'array'], 'filesystems.disks' => $blocked] as $key => $value) {
        $config->set($key, array_fill_keys(array_keys((array) $config->get($key, [])), $value));
    }
    $config->set('session.driver', 'array');
    $config->set('mail.driver', 'array');
    $config->set('queue.failed', ['driver' => 'null']);
}

// Returns [database, schema] where scratch is a schema of Backout's own in the live database (`database.schema`), or null.
// The environment names no database that there is, so that a program which a migration starts itself reaches none.
function backout_side(array $expect)
{
    $is_side = $expect['driver'] === 'pgsql' && preg_match('/^(.+)\.(backout_[a-z0-9_]+)$/s', $expect['database'], $found);
    return $is_side ? [$found[1], $found[2]] : null;
}

// A migration that names the live schema itself would reach the live tables from a side schema. Returns why not, or null.
function backout_side_refusal($app, array $request)
{
    if (backout_side($request['expect']) === null) {
        return null;
    }
    $names = preg_split('/[\s,"]+/', implode(',', $GLOBALS['backout_live_schemas'] ?? []) . ',public', -1, PREG_SPLIT_NO_EMPTY);
    $pattern = '/(?<![\w.$])"?(?:' . implode('|', array_map('preg_quote', array_unique($names))) . ')"?\s*\.\s*["\w{$]/i';
    foreach (backout_migration_files($app, (array) ($request['parameters']['--path'] ?? [])) as $name => $path) {
        $is_asked = in_array($path, (array) ($request['parameters']['--path'] ?? []), true)
            || in_array($name, $request['expect_pending'] ?? [], true) || $name === ($request['expect_last'] ?? null);
        if ($is_asked && preg_match($pattern, (string) file_get_contents($path))) {
            return "the migration $name names the schema of the live tables itself, and would reach them";
        }
    }
    return null;
}

// Returns why the command must not run, or null.
function backout_target_refusal(array $found, array $expect)
{
    $is_same = $found['database'] === $expect['database'] && $found['driver'] === $expect['driver'];
    if ($found['driver'] === 'sqlite') {
        $there = @stat($expect['database']);
        $is_same = $found['driver'] === $expect['driver'] && $there !== false && $found['database'] === realpath($expect['database'])
            && $found['inode'] === $there['ino'] && $found['device'] === $there['dev'];
    }
    if (!$is_same) {
        return "the application is connected to {$found['driver']} {$found['database']}, not to {$expect['driver']} {$expect['database']}";
    }
    if (isset($expect['inode']) && $found['inode'] !== $expect['inode']) {
        return "the file {$found['database']} was replaced by another one since it was looked at";
    }
    return null;
}

function backout_lock_refusal($app, array $request, $rows)
{
    if (isset($request['expect_last'])) {
        $last = $rows ? $rows[count($rows) - 1][1] : 'none';
        if ($last !== $request['expect_last']) {
            return "the last migration that ran is $last, not {$request['expect_last']}";
        }
    }
    foreach ($request['expect_sha256'] ?? [] as $path => $sha256) {
        if (!is_file($path) || hash_file('sha256', $path) !== $sha256) {
            return "the migration file $path is not the approved one";
        }
    }
    if (isset($request['expect_pending'])) {
        if (!$rows) {
            return 'the migrations table is missing or empty: migrating would build the schema anew';
        }
        $files = backout_migration_files($app, (array) ($request['parameters']['--path'] ?? []));
        $pending = array_values(array_diff(array_keys($files), array_column($rows, 1)));
        if ($pending !== $request['expect_pending']) {
            return 'the pending migrations are not the approved ones: ' . implode(', ', $pending);
        }
    }
    return null;
}

// Rows per table, counted through the same connection: a table that shrinks stops the plan.
function backout_table_rows($connection): array
{
    $driver = $connection->getDriverName();
    $questions = [
        'sqlite' => "select name from sqlite_master where type = 'table' and name not like 'sqlite~_%' escape '~' order by name",
        'pgsql' => "select table_name from information_schema.tables where table_schema = current_schema() and table_type = 'BASE TABLE' order by 1",
    ];
    $usual = "select table_name from information_schema.tables where table_schema = database() and table_type = 'BASE TABLE' order by 1";
    $mark = in_array($driver, ['mysql', 'mariadb'], true) ? '`' : '"';
    $pdo = $connection->getPdo();
    $rows = [];
    foreach ($pdo->query($questions[$driver] ?? $usual)->fetchAll(PDO::FETCH_COLUMN) as $table) {
        $quoted = $mark . str_replace($mark, $mark . $mark, $table) . $mark;
        $rows[(string) $table] = (int) $pdo->query("select count(*) from $quoted")->fetchColumn();
    }
    return $rows;
}

// A table that a migration makes again must not give numbers that the state put aside had given: links to them are out in
// the world (HAZARDS R2). Its counter is raised as soon as it is made, before the migration itself puts rows in.
function backout_count_on($connection, $path)
{
    $kept = is_string($path) && is_file($path) ? json_decode((string) file_get_contents($path), true) : null;
    $numbers = is_array($kept['numbers'] ?? null) ? $kept['numbers'] : [];
    $name = '(?:`(?:[^`]|``)+`|"(?:[^"]|"")+"|[\w$]+)';
    $made = "/^\\s*create\\s+table\\s+(?:if\\s+not\\s+exists\\s+)?((?:$name\\s*\\.\\s*)?($name))/i";
    $connection->listen(function ($query) use ($connection, $numbers, $made) {
        $is_ours = $query->connectionName === $connection->getName() && !$connection->pretending();
        if (!$is_ours || !preg_match($made, $query->sql, $found)) {
            return;
        }
        $above = (int) ($numbers[str_replace(['``', '""'], ['`', '"'], trim($found[2], '`"'))] ?? 0);
        // Through PDO itself, so that no program that listens takes it for a statement of the migration.
        $pdo = $connection->getPdo();
        if ($above > 0 && $connection->getDriverName() === 'pgsql') {
            $sequences = $pdo->prepare('select s from (select pg_get_serial_sequence(a.attrelid::regclass::text, a.attname) s from pg_attribute a'
                . ' where a.attrelid = to_regclass(?) and a.attnum > 0 and not a.attisdropped) x where s is not null');
            $sequences->execute([$found[1]]);
            foreach ($sequences->fetchAll(PDO::FETCH_COLUMN) as $sequence) {
                $pdo->query('select setval(' . $pdo->quote($sequence) . ", greatest($above, last_value)) from $sequence");
            }
        } elseif ($above > 0) {
            backout_raise_counter($pdo, $found[1], $above + 1);
        }
    });
}

// A table that does not count is left as it is.
function backout_raise_counter($pdo, $table, $next)
{
    $shown = $pdo->query("show create table $table")->fetchColumn(1);
    if (preg_match('/^\s*`.*\bAUTO_INCREMENT\b/mi', (string) $shown)) {
        $pdo->exec("alter table $table auto_increment = $next");
    }
}

$request = backout_request();
$expect = $request['expect'];
$counts_tables = $request['counts_tables'] ?? true;
list($app, $boot_problem) = backout_boot('php://stderr', ['artisan', $request['command']], function ($config) use ($request, $expect) {
    empty($request['is_scratch']) || backout_isolate($config, $expect);
});
if ($boot_problem !== null) {
    backout_answer(['failed' => $boot_problem], 1);
}
try {
    if (isset($request['parameters']['--database'])) {
        backout_answer(['refused' => 'another connection was asked for with --database; nothing was run'], 3);
    }
    $connection = $app['db']->connection();
    $target = backout_database($connection);
    $refusal = backout_target_refusal($target, $expect);
    $rows_before = $refusal === null ? backout_migration_rows($app) : null;
    $refusal = $refusal ?? backout_side_refusal($app, $request) ?? backout_lock_refusal($app, $request, $rows_before);
    if ($refusal !== null) {
        backout_answer(['refused' => "$refusal; nothing was run", 'target' => $target], 3);
    }
    $tables_before = $counts_tables ? backout_table_rows($connection) : [];
    backout_count_on($connection, $request['numbers'] ?? null);
} catch (Throwable $thrown) {
    backout_answer(['failed' => backout_problem($thrown)], 1);
}

$problem = null;
$exit_code = null;
$kernel = $app->make(Illuminate\Contracts\Console\Kernel::class);
$begun = hrtime(true);
$GLOBALS['backout_has_begun'] = true;
try {
    $exit_code = $kernel->call($request['command'], $request['parameters'] + ['--no-interaction' => true]);
} catch (Throwable $thrown) {
    $problem = backout_problem($thrown);
}
$duration_s = (hrtime(true) - $begun) / 1e9;

try {
    // Values in SQL literals are masked; `--pretend` prints them.
    $output = preg_replace("/'(?:[^'\\\\]|''|\\\\.)*'/s", "'?'", (string) $kernel->output()) ?? '';
    $connection = $app['db']->connection();
    $answer = [
        'target' => $target,
        'target_after' => backout_database($connection),
        'exit_code' => $exit_code,
        'output' => substr($output, 0, 8192),
        'problem' => $problem,
        'rows_before' => $rows_before,
        'rows_after' => backout_migration_rows($app),
        'tables_before' => (object) $tables_before,
        'tables_after' => (object) ($counts_tables ? backout_table_rows($connection) : []),
        'duration_s' => $duration_s,
    ];
} catch (Throwable $thrown) {
    backout_answer(['unknown' => backout_problem($thrown), 'problem' => $problem], 1);
}
backout_answer(['run' => $answer], $exit_code === 0 ? 0 : 1);
