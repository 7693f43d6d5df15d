<?php
// site: mariadb 10.6.16, laravel 11.0.0

return new class extends Migration
{
    public function up(): void
    {
        if (Schema::hasTable('staff') && ! Schema::hasTable('employees')) {
            Schema::rename('staff', 'employees');
        }
        if (Schema::hasColumn('employees', 'tel')) {
            Schema::table('employees', function (Blueprint $table) {
                $table->renameColumn('tel', 'phone');
            });
        }
    }

    public function down(): void
    {
        if (Schema::hasColumn('employees', 'phone')) {
            Schema::table('employees', function (Blueprint $table) {
                $table->renameColumn('phone', 'tel');
            });
        }
        if (! Schema::hasTable('staff')) {
            Schema::rename('employees', 'staff');
        }
    }
};
