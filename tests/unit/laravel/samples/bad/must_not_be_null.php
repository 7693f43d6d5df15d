<?php
// site: pgsql 14.9, laravel 9.19.0, rows members=51000

return new class extends Migration
{
    public function up()
    {
        if (Schema::hasColumn('members', 'tier')) {
            return;
        }

        Schema::table('members', function (Blueprint $table) {
            $table->string('tier', 20); // <- not_null_without_default
            $table->timestamp('tier_since')->nullable();
        });
    }

    public function down()
    {
        Schema::table('members', function (Blueprint $table) {
            $table->dropColumn(['tier', 'tier_since']);
        });
    }
};
