<?php
// site: mysql 8.0.35, laravel 10.0.0

return new class extends Migration
{
    public function up(): void
    {
        Artisan::call('migrate:fresh', ['--force' => true]); // <- wipes_database
    }

    public function down(): void
    {
        Schema::dropAllTables(); // <- wipes_database
    }
};
