<?php
// site: mysql 8.0.35, laravel 11.0.0, rows payments=5100000

return new class extends Migration
{
    public function up(): void
    {
        Schema::table('payments', function (Blueprint $table) {
            $table->decimal('amount', 20, 4)->nullable()->change(); // <- locks_table
        });
    }

    public function down(): void
    {
        Schema::table('payments', function (Blueprint $table) {
            $table->decimal('amount', 10, 2)->nullable()->change(); // <- locks_table
        });
    }
};
