<?php
// site: mysql 5.7.44, laravel 8.40.0

class AddTierToMembers extends Migration
{
    public function up()
    {
        $columns = Schema::getColumnListing('members');

        Schema::table('members', function (Blueprint $table) use ($columns) {
            if (! in_array('tier', $columns, true)) {
                $table->string('tier', 20)->default('basic');
            }
        });

        $index = DB::select("SHOW INDEX FROM members WHERE Key_name = 'members_tier'");
        if (empty($index)) {
            Schema::table('members', function (Blueprint $table) {
                $table->index('tier', 'members_tier');
            });
        }
    }

    public function down()
    {
        Schema::table('members', function (Blueprint $table) {
            $table->dropIndex('members_tier');
            $table->dropColumn('tier');
        });
    }
}
