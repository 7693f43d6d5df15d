<?php
// site: mysql 8.0.35, laravel 10.10.0, rows tickets=240000

namespace Database\Migrations;

use Illuminate\Database\Eloquent\Model;

class OldTicket extends Model
{
    protected $table = 'tickets';
    public $timestamps = false;
}

return new class extends Migration
{
    public function up(): void
    {
        Schema::whenTableDoesntHaveColumn('tickets', 'status_id', function (Blueprint $table) {
            $table->unsignedBigInteger('status_id')->nullable();
        });

        OldTicket::query()->whereNull('status_id')->chunkById(500, function ($tickets) {
            foreach ($tickets as $ticket) {
                $ticket->status_id = $ticket->status === 'open' ? 1 : 2;
                $ticket->save();
            }
        });
    }

    public function down(): void
    {
        Schema::whenTableHasColumn('tickets', 'status_id', function (Blueprint $table) {
            $table->dropColumn('status_id');
        });
    }
};
