<?php
// site: pgsql 15.2, laravel 11.0.0, rows readings=9000000

return new class extends Migration
{
    public function up(): void
    {
        match (DB::getDriverName()) {
            'pgsql' => DB::statement('CREATE INDEX CONCURRENTLY IF NOT EXISTS readings_taken_at ON readings (taken_at)'), // <- raw_sql concurrently_in_transaction
            'mysql' => DB::statement('ALTER TABLE readings ADD INDEX readings_taken_at (taken_at), LOCK=NONE'),
        };
    }

    public function down(): void
    {
        DB::statement('DROP INDEX IF EXISTS readings_taken_at'); // <- raw_sql
    }
};
