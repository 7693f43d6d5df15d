<?php

use Illuminate\Database\Migrations\Migration;
use Illuminate\Database\Schema\Blueprint;
use Illuminate\Support\Facades\Schema;

/**
 * Renames only. The values stay in place, so there is no copy step and no
 * dropColumn() anywhere in this file.
 */
class RenamePaymentReferenceColumns extends Migration
{
    public function up()
    {
        if (! Schema::hasTable('payments')) {
            return;
        }

        if ($this->shouldRename('ref', 'provider_reference')) {
            Schema::table('payments', function (Blueprint $table) {
                $table->renameColumn('ref', 'provider_reference');
            });
        }

        if ($this->shouldRename('memo', 'internal_note')) {
            Schema::table('payments', function (Blueprint $table) {
                $table->renameColumn('memo', 'internal_note');
            });
        }
    }

    public function down()
    {
        if (! Schema::hasTable('payments')) {
            return;
        }

        if ($this->shouldRename('internal_note', 'memo')) {
            Schema::table('payments', function (Blueprint $table) {
                $table->renameColumn('internal_note', 'memo');
            });
        }

        if ($this->shouldRename('provider_reference', 'ref')) {
            Schema::table('payments', function (Blueprint $table) {
                $table->renameColumn('provider_reference', 'ref');
            });
        }
    }

    private function shouldRename(string $from, string $to): bool
    {
        $hasFrom = Schema::hasColumn('payments', $from);
        $hasTo = Schema::hasColumn('payments', $to);

        if ($hasFrom && $hasTo) {
            throw new LogicException("payments has both {$from} and {$to}; will not guess which dropColumn to run.");
        }

        return $hasFrom;
    }
}
