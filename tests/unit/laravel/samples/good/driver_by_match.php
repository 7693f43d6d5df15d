<?php
// site: pgsql 15.2, laravel 11.0.0, rows readings=9000000

return new class extends Migration
{
    public $withinTransaction = false;

    public function up(): void
    {
        match (DB::getDriverName()) {
            // next: raw_sql
            'pgsql' => DB::statement('CREATE INDEX CONCURRENTLY IF NOT EXISTS readings_taken_at ON readings (taken_at)'),
            'mysql' => DB::statement('ALTER TABLE readings MODIFY taken_at DATETIME(6)'),
            default => Schema::table('readings', fn (Blueprint $table) => $table->index('taken_at')),
        };
    }

    public function down(): void
    {
        DB::statement('DROP INDEX CONCURRENTLY IF EXISTS readings_taken_at'); // <- raw_sql
    }
};
