<?php
// site: mysql 8.0.35, laravel 10.0.0

return new class extends Migration
{
    public function up(): void
    {
        DB::table('subscriptions')
            ->whereNull('plan_id')
            ->orderBy('id')
            ->chunk(100, function ($rows) { // <- chunk_skips_rows
                foreach ($rows as $row) {
                    $plan = DB::table('plans')->where('code', $row->plan_code)->value('id');
                    DB::table('subscriptions')->where('id', $row->id)->update(['plan_id' => $plan]);
                }
            });
    }

    public function down(): void
    {
        DB::table('subscriptions')->update(['plan_id' => null]); // <- no_chunks
    }
};
