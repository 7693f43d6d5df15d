<?php
// site: mysql 8.0.35, laravel 11.0.0

return new class extends Migration
{
    public function up(): void
    {
        if (Schema::hasTable('audit_entries')) {
            Schema::create('audit_entries', function (Blueprint $table) { // <- check_inverted
                $table->id();
                $table->json('payload');
            });
        }
    }

    public function down(): void
    {
        Schema::dropIfExists('audit_entries');
    }
};
