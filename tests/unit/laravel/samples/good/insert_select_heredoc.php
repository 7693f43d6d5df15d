<?php
// site: mysql 8.0.35, laravel 10.0.0, rows appointments=40000 notes=12000

return new class extends Migration
{
    public function up(): void
    {
        if (Schema::hasColumn('appointments', 'internal_note')) {
            // next: raw_sql
            DB::statement(<<<'SQL'
                INSERT INTO notes (appointment_id, body)
                SELECT a.id, a.internal_note
                FROM appointments a
                LEFT JOIN notes n ON n.appointment_id = a.id
                WHERE a.internal_note IS NOT NULL AND n.id IS NULL
            SQL);

            Schema::table('appointments', function (Blueprint $table) {
                $table->dropColumn('internal_note');
            });
        }
    }

    public function down(): void
    {
        if (! Schema::hasColumn('appointments', 'internal_note')) {
            Schema::table('appointments', function (Blueprint $table) {
                $table->text('internal_note')->nullable();
            });
        }
        // next: raw_sql
        DB::statement('UPDATE appointments a JOIN notes n ON n.appointment_id = a.id SET a.internal_note = n.body');
    }
};
