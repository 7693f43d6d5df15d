<?php
// site: mysql 8.0.35, laravel 10.10.0, rows tickets=240000 statuses=6

use App\Models\Ticket;

return new class extends Migration
{
    public function up(): void
    {
        if (! Schema::hasColumn('tickets', 'status_id')) {
            Schema::table('tickets', function (Blueprint $table) {
                $table->unsignedBigInteger('status_id')->nullable()->after('id');
            });
        }

        $ids = DB::table('statuses')->pluck('id', 'name');

        Ticket::all() // <- uses_models no_chunks
            ->each(function (Ticket $ticket) use ($ids) {
                $ticket->status_id = $ids[$ticket->status];
                $ticket->save();
            });
    }

    public function down(): void
    {
        if (Schema::hasColumn('tickets', 'status_id')) {
            Schema::table('tickets', fn (Blueprint $table) => $table->dropColumn('status_id'));
        }
    }
};
