<?php
// site: mysql 8.0.35, laravel 8.60.0

class MoveNotes extends Migration
{
    const SOURCE = 'appointments';

    public function up()
    {
        $table = self::SOURCE;

        // next: raw_sql no_column_check dropped_before_copy
        DB::unprepared(<<<SQL
            ALTER TABLE {$table}
                DROP COLUMN internal_note;
        SQL);

        // next: raw_sql no_chunks
        DB::statement(<<<SQL
            INSERT INTO notes (appointment_id, body)
            SELECT a.id, a.internal_note FROM {$table} AS a WHERE a.internal_note IS NOT NULL
        SQL);
    }

    public function down()
    {
        // next: raw_sql
        DB::statement('ALTER TABLE appointments ADD COLUMN internal_note TEXT NULL');
        // next: raw_sql no_chunks
        DB::statement('UPDATE appointments a JOIN notes n ON n.appointment_id = a.id SET a.internal_note = n.body');
    }
}
