<?php
// site: pgsql 16.1, laravel 11.31.0, rows events=8400000 devices=300

return new class extends Migration
{
    public function up(): void
    {
        Schema::table('events', function (Blueprint $table) {
            $table->index(['device_id', 'recorded_at'], 'events_device_time'); // <- locks_table
        });
        Schema::table('devices', function (Blueprint $table) {
            $table->index('serial');
        });
    }

    public function down(): void
    {
        Schema::table('events', fn (Blueprint $table) => $table->dropIndex('events_device_time'));
        Schema::table('devices', fn (Blueprint $table) => $table->dropIndex(['serial']));
    }
};
