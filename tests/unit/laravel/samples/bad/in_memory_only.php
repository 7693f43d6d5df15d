<?php
// site: mysql 8.0.35, laravel 11.1.0

return new class extends Migration
{
    public function up(): void
    {
        $emails = DB::table('users')->whereNotNull('billing_email')->pluck('billing_email', 'id'); // <- no_chunks

        if (Schema::hasColumn('users', 'billing_email')) {
            Schema::table('users', fn (Blueprint $table) => $table->dropColumn('billing_email')); // <- copy_in_memory
        }

        foreach ($emails as $id => $email) {
            DB::table('billing_profiles')->updateOrInsert(['user_id' => $id], ['email' => $email]);
        }
    }

    public function down(): void
    {
        Schema::table('users', fn (Blueprint $table) => $table->string('billing_email')->nullable());
        DB::table('billing_profiles')->chunkById(500, function ($profiles) {
            foreach ($profiles as $profile) {
                DB::table('users')->where('id', $profile->user_id)->update(['billing_email' => $profile->email]);
            }
        });
    }
};
