<?php

use Illuminate\Database\Migrations\Migration;
use Illuminate\Database\Schema\Blueprint;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Schema;

/*
 * invoices.total is DECIMAL(12,2) NULL (drafts have no total yet).
 * It becomes invoices.total_cents BIGINT NULL. Two decimals only, so the
 * conversion is exact in both directions.
 */
return new class extends Migration
{
    private int $step = 1000;

    public function up(): void
    {
        if (! Schema::hasColumn('invoices', 'total_cents')) {
            Schema::table('invoices', fn (Blueprint $table) => $table->bigInteger('total_cents')->nullable());
        }

        if (! Schema::hasColumn('invoices', 'total')) {
            return;
        }

        $this->inIdRanges(function (int $from, int $to) {
            DB::statement(
                'UPDATE invoices SET total_cents = ROUND(total * 100)
                  WHERE id BETWEEN ? AND ? AND total IS NOT NULL AND total_cents IS NULL',
                [$from, $to]
            );
        });

        Schema::table('invoices', fn (Blueprint $table) => $table->dropColumn('total'));
    }

    public function down(): void
    {
        if (! Schema::hasColumn('invoices', 'total')) {
            Schema::table('invoices', fn (Blueprint $table) => $table->decimal('total', 12, 2)->nullable());
        }

        if (! Schema::hasColumn('invoices', 'total_cents')) {
            return;
        }

        $this->inIdRanges(function (int $from, int $to) {
            DB::statement(
                'UPDATE invoices SET total = total_cents / 100.0
                  WHERE id BETWEEN ? AND ? AND total_cents IS NOT NULL',
                [$from, $to]
            );
        });

        Schema::table('invoices', fn (Blueprint $table) => $table->dropColumn('total_cents'));
    }

    private function inIdRanges(callable $work): void
    {
        $last = (int) DB::table('invoices')->max('id');

        for ($from = 1; $from <= $last; $from += $this->step) {
            $work($from, $from + $this->step - 1);
        }
    }
};
