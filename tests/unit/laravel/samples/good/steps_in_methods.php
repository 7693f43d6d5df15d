<?php
// site: mysql 8.0.35, laravel 8.83.27

class MoveAmountsToLines extends Migration
{
    private $lines = 'invoice_lines';
    protected const INVOICES = 'invoices';

    public function up()
    {
        $this->createLines();
        $this->copyAmounts();
        $this->dropAmount();
    }

    private function createLines()
    {
        if (Schema::hasTable($this->lines)) {
            return;
        }

        Schema::create($this->lines, function (Blueprint $table) {
            $table->bigIncrements('id');
            $table->unsignedBigInteger('invoice_id')->unique();
            $table->decimal('amount', 12, 2)->default(0);
        });
    }

    private function copyAmounts()
    {
        if (! $this->hasAmount()) {
            return;
        }

        DB::table(self::INVOICES)->orderBy('id')->chunk(1000, function ($invoices) {
            $rows = [];
            foreach ($invoices as $invoice) {
                $rows[] = ['invoice_id' => $invoice->id, 'amount' => $invoice->amount];
            }
            DB::table($this->lines)->insertOrIgnore($rows);
        });
    }

    private function dropAmount()
    {
        if ($this->hasAmount()) {
            Schema::table(self::INVOICES, function (Blueprint $table) {
                $table->dropColumn('amount');
            });
        }
    }

    private function hasAmount(): bool
    {
        return Schema::hasColumn(self::INVOICES, 'amount');
    }

    public function down()
    {
        if (! $this->hasAmount()) {
            Schema::table(self::INVOICES, function (Blueprint $table) {
                $table->decimal('amount', 12, 2)->default(0);
            });
        }

        DB::table($this->lines)->orderBy('id')->chunk(1000, function ($lines) {
            foreach ($lines as $line) {
                DB::table(self::INVOICES)->where('id', $line->invoice_id)->update(['amount' => $line->amount]);
            }
        });

        Schema::dropIfExists($this->lines);
    }
}
