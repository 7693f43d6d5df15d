<?php

use Illuminate\Database\Migrations\Migration;
use Illuminate\Database\Schema\Blueprint;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Schema;

return new class extends Migration
{
    private const SETTINGS = ['locale', 'timezone'];

    public function up(): void
    {
        if (! Schema::hasTable('user_preferences')) {
            Schema::create('user_preferences', function (Blueprint $table) {
                $table->id();
                $table->unsignedBigInteger('user_id')->unique();
                $table->string('locale')->nullable();
                $table->string('timezone')->nullable();
            });
        }

        if (Schema::hasColumn('users', 'locale') && Schema::hasColumn('users', 'timezone')) {
            DB::table('users')->chunkById(500, function ($users) {
                foreach ($users as $user) {
                    DB::table('user_preferences')->updateOrInsert(
                        ['user_id' => $user->id],
                        ['locale' => $user->locale, 'timezone' => $user->timezone]
                    );
                }
            });
        }

        foreach (self::SETTINGS as $setting) {
            if (Schema::hasColumn('users', $setting)) {
                Schema::table('users', fn (Blueprint $table) => $table->dropColumn($setting));
            }
        }
    }

    /**
     * Puts the users table back to how it was.
     */
    public function down(): void
    {
        foreach (self::SETTINGS as $setting) {
            if (! Schema::hasColumn('users', $setting)) {
                Schema::table('users', fn (Blueprint $table) => $table->string($setting)->nullable());
            }
        }

        if (Schema::hasTable('user_preferences')) {
            Schema::drop('user_preferences');
        }
    }
};
