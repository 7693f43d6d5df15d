<?php
// site: mysql 8.0.35, laravel 12.0.0, rows payments=5100000

return new class extends Migration
{
    public function up(): void
    {
        if (! Schema::hasColumn('payments', 'currency')) {
            Schema::table('payments', fn (Blueprint $table) => $table->char('currency', 3)->default('EUR'));
        }
        $last = 0;
        do {
            $rows = DB::table('payments')->where('id', '>', $last)->orderBy('id')->limit(1000)->get();
            foreach ($rows as $row) {
                DB::table('payments')->where('id', $row->id)->update(['currency' => strtoupper(substr($row->account, 0, 3))]);
                $last = $row->id;
            }
        } while ($rows->isNotEmpty());
    }

    public function down(): void
    {
        if (Schema::hasColumn('payments', 'currency')) {
            Schema::table('payments', fn (Blueprint $table) => $table->dropColumn('currency'));
        }
    }
};
