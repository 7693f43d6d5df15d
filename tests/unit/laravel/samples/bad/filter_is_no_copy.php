<?php
// site: mariadb 10.6.16, laravel 9.0.0

return new class extends Migration
{
    public function up(): void
    {
        if (Schema::hasColumn('vehicles', 'remarks')) {
            DB::table('vehicles')->whereNotNull('remarks')->update(['has_remarks' => true]); // <- no_chunks
            Schema::table('vehicles', function (Blueprint $table) {
                $table->dropColumn('remarks'); // <- dropped_without_copy
            });
        }
    }

    public function down(): void // <- down_restores_no_data
    {
        Schema::table('vehicles', function (Blueprint $table) {
            $table->text('remarks')->nullable();
        });
    }
};
