<?php

use Illuminate\Database\Migrations\Migration;
use Illuminate\Database\Schema\Blueprint;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Schema;

/*
 * audit_logs.message (VARCHAR(255) NULL) becomes audit_logs.body (TEXT NULL).
 * About 40 million rows in production, written to around the clock.
 */
return new class extends Migration
{
    public function up(): void
    {
        if (! Schema::hasColumn('audit_logs', 'body')) {
            Schema::table('audit_logs', function (Blueprint $table) {
                $table->text('body')->nullable();
            });
        }

        if (! Schema::hasColumn('audit_logs', 'message')) {
            return;
        }

        DB::statement('UPDATE audit_logs SET body = message WHERE body IS NULL');

        Schema::table('audit_logs', function (Blueprint $table) {
            $table->dropColumn('message');
        });
    }

    public function down(): void
    {
        if (! Schema::hasColumn('audit_logs', 'message')) {
            Schema::table('audit_logs', function (Blueprint $table) {
                // TEXT, as entries written since up() may exceed 255 characters.
                $table->text('message')->nullable();
            });
        }

        if (! Schema::hasColumn('audit_logs', 'body')) {
            return;
        }

        DB::table('audit_logs')->whereNotNull('body')->chunkById(1000, function ($logs) {
            foreach ($logs as $log) {
                DB::table('audit_logs')->where('id', $log->id)->update(['message' => $log->body]);
            }
        });

        Schema::table('audit_logs', function (Blueprint $table) {
            $table->dropColumn('body');
        });
    }
};
