<?php
// site: mysql 8.0.35, laravel 12.0.0

return new class extends Migration
{
    public function up(): void
    {
        $count = DB::table('leads')->whereNull('owner_id')->count();
        dd($count); // <- ends_php
    }

    public function down(): void // <- down_throws
    {
        throw new RuntimeException('This migration cannot be reversed.');
    }
};
