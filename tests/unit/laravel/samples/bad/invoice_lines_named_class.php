<?php
// site: mysql 5.7.44, laravel 8.83.27

use Illuminate\Database\Migrations\Migration;
use Illuminate\Database\Schema\Blueprint;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Schema;

class CreateInvoiceLinesTable extends Migration
{
    public function up()
    {
        Schema::create('invoice_lines', function (Blueprint $table) { // <- no_table_check
            $table->bigIncrements('id');
            $table->unsignedBigInteger('invoice_id');
            $table->decimal('amount', 12, 2)->default(0);
        });

        $invoices = DB::table('invoices')->get(); // <- no_chunks
        foreach ($invoices as $invoice) {
            DB::table('invoice_lines')->insert([
                'invoice_id' => $invoice->id,
                'amount' => $invoice->amount,
            ]);
        }

        Schema::table('invoices', function (Blueprint $table) {
            $table->dropColumn('amount'); // <- no_column_check
        });
    }

    public function down() // <- down_restores_no_data
    {
        Schema::table('invoices', function (Blueprint $table) {
            $table->decimal('amount', 12, 2)->default(0);
        });
        Schema::dropIfExists('invoice_lines');
    }
}
