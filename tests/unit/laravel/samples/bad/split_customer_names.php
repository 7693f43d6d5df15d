<?php
// site: mysql 8.0.35, laravel 11.9.0

use Illuminate\Database\Migrations\Migration;
use Illuminate\Database\Schema\Blueprint;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Schema;

return new class extends Migration
{
    /**
     * Copies full_name into first_name and last_name before dropping it.
     */
    public function up(): void
    {
        if (! Schema::hasColumn('customers', 'first_name')) {
            Schema::table('customers', function (Blueprint $table) {
                $table->string('first_name')->nullable();
                $table->string('last_name')->nullable();
            });
        }

        if (Schema::hasColumn('customers', 'full_name')) {
            Schema::table('customers', function (Blueprint $table) {
                $table->dropColumn('full_name'); // <- dropped_before_copy
            });
        }

        DB::table('customers')->chunkById(500, function ($customers) {
            foreach ($customers as $customer) {
                [$first, $last] = array_pad(explode(' ', $customer->full_name, 2), 2, null);
                DB::table('customers')->where('id', $customer->id)
                    ->update(['first_name' => $first, 'last_name' => $last]);
            }
        });
    }

    public function down(): void
    {
        Schema::table('customers', function (Blueprint $table) {
            $table->string('full_name')->nullable();
        });
        DB::table('customers')->chunkById(500, function ($customers) {
            foreach ($customers as $customer) {
                DB::table('customers')->where('id', $customer->id)
                    ->update(['full_name' => trim("{$customer->first_name} {$customer->last_name}")]);
            }
        });
        Schema::table('customers', function (Blueprint $table) {
            $table->dropColumn(['first_name', 'last_name']);
        });
    }
};
