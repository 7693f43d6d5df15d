<?php

use Illuminate\Database\Migrations\Migration;
use Illuminate\Database\Schema\Blueprint;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Schema;

return new class extends Migration
{
    /** All nullable strings on invoices. */
    private array $fields = ['billing_name', 'billing_vat'];

    public function up(): void
    {
        $existing = array_values(array_filter(
            $this->fields,
            fn (string $field) => Schema::hasColumn('invoices', $field)
        ));

        if ($existing === []) {
            return;
        }

        $needsBilling = ! Schema::hasColumn('invoices', 'billing');

        Schema::table('invoices', function (Blueprint $table) use ($existing, $needsBilling) {
            if ($needsBilling) {
                $table->json('billing')->nullable();
            }

            $table->dropColumn($existing);
        });

        DB::table('invoices')->whereNull('billing')->chunkById(500, function ($invoices) {
            foreach ($invoices as $invoice) {
                DB::table('invoices')->where('id', $invoice->id)->update([
                    'billing' => json_encode([
                        'billing_name' => $invoice->billing_name ?? null,
                        'billing_vat' => $invoice->billing_vat ?? null,
                    ]),
                ]);
            }
        });
    }

    public function down(): void
    {
        foreach ($this->fields as $field) {
            if (! Schema::hasColumn('invoices', $field)) {
                Schema::table('invoices', function (Blueprint $table) use ($field) {
                    $table->string($field)->nullable();
                });
            }
        }

        if (! Schema::hasColumn('invoices', 'billing')) {
            return;
        }

        DB::table('invoices')->whereNotNull('billing')->chunkById(500, function ($invoices) {
            foreach ($invoices as $invoice) {
                $billing = json_decode($invoice->billing, true);

                DB::table('invoices')->where('id', $invoice->id)->update([
                    'billing_name' => $billing['billing_name'] ?? null,
                    'billing_vat' => $billing['billing_vat'] ?? null,
                ]);
            }
        });

        Schema::table('invoices', function (Blueprint $table) {
            $table->dropColumn('billing');
        });
    }
};
