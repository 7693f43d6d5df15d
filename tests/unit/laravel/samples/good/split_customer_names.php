<?php
// site: mysql 8.0.35, laravel 11.9.0, rows customers=48000

use Illuminate\Database\Migrations\Migration;
use Illuminate\Database\Schema\Blueprint;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Schema;

return new class extends Migration
{
    public function up(): void
    {
        Schema::table('customers', function (Blueprint $table) {
            if (! Schema::hasColumn('customers', 'first_name')) {
                $table->string('first_name')->nullable()->after('id');
            }
            if (! Schema::hasColumn('customers', 'last_name')) {
                $table->string('last_name')->nullable()->after('first_name');
            }
        });

        if (! Schema::hasColumn('customers', 'full_name')) {
            return;
        }

        // Never dd() here, and never DB::table('customers')->get().
        DB::table('customers')->whereNull('first_name')->chunkById(500, function ($customers) {
            foreach ($customers as $customer) {
                [$first, $last] = array_pad(explode(' ', $customer->full_name, 2), 2, null);
                DB::table('customers')->where('id', $customer->id)->update([
                    'first_name' => $first,
                    'last_name' => $last,
                ]);
            }
        });

        Schema::table('customers', fn (Blueprint $table) => $table->dropColumn('full_name'));
    }

    public function down(): void
    {
        if (! Schema::hasColumn('customers', 'full_name')) {
            Schema::table('customers', fn (Blueprint $table) => $table->string('full_name')->nullable());
        }
        foreach (DB::table('customers')->lazyById() as $customer) {
            DB::table('customers')->where('id', $customer->id)
                ->update(['full_name' => trim($customer->first_name . ' ' . $customer->last_name)]);
        }
        Schema::table('customers', function (Blueprint $table) {
            $table->dropColumn(['first_name', 'last_name']);
        });
    }
};
