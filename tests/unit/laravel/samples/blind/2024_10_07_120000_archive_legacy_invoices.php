<?php

use Illuminate\Database\Migrations\Migration;
use Illuminate\Database\Schema\Blueprint;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Schema;

class ArchiveLegacyInvoices extends Migration
{
    const LEGACY = 'legacy_invoices';
    const ARCHIVE = 'invoice_archive';
    const COLUMNS = ['id', 'number', 'customer_name', 'amount_cents'];

    public function up()
    {
        $this->ensureTable(self::ARCHIVE);
        $this->removeTable(self::LEGACY);
        $this->copyRows(self::LEGACY, self::ARCHIVE);
    }

    public function down()
    {
        $this->ensureTable(self::LEGACY);
        $this->copyRows(self::ARCHIVE, self::LEGACY);
        $this->removeTable(self::ARCHIVE);
    }

    private function ensureTable(string $name): void
    {
        if (Schema::hasTable($name)) {
            return;
        }

        Schema::create($name, function (Blueprint $table) {
            $table->id();
            $table->string('number')->nullable();
            $table->string('customer_name')->nullable();
            $table->bigInteger('amount_cents')->nullable();
        });
    }

    private function copyRows(string $from, string $to): void
    {
        if (! Schema::hasTable($from)) {
            return;
        }

        $max = (int) DB::table($from)->max('id');

        for ($start = 1; $start <= $max; $start += 1000) {
            DB::table($to)->insertUsing(
                self::COLUMNS,
                DB::table($from)
                    ->select(self::COLUMNS)
                    ->whereBetween('id', [$start, $start + 999])
                    ->whereNotIn('id', DB::table($to)->select('id'))
            );
        }
    }

    private function removeTable(string $name): void
    {
        Schema::dropIfExists($name);
    }
}
