<?php

use Illuminate\Database\Migrations\Migration;
use Illuminate\Database\Schema\Blueprint;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Log;
use Illuminate\Support\Facades\Schema;

class MoveUserProfileFieldsToProfilesTable extends Migration
{
    private const USERS = 'users';
    private const PROFILES = 'profiles';
    private const BATCH = 250;

    public function up()
    {
        // Do not call $table->dropColumn(['bio', 'website']) up here: the
        // profiles table has to be filled first.
        $this->createProfiles();

        if (! $this->usersHaveOldFields()) {
            Log::info('profiles: nothing to copy, dropColumn already done');
            $this->removeOldFields();

            return;
        }

        Log::info('profiles: copying before dropColumn("bio", "website")');

        $this->copyToProfiles();
        $this->removeOldFields();
    }

    public function down()
    {
        $this->restoreOldFields();

        if (Schema::hasTable(self::PROFILES)) {
            $this->copyBackToUsers();
            Schema::drop(self::PROFILES);
        }
    }

    private function removeOldFields(): void
    {
        foreach (['bio', 'website'] as $field) {
            if (Schema::hasColumn(self::USERS, $field)) {
                Schema::table(self::USERS, function (Blueprint $table) use ($field) {
                    $table->dropColumn($field);
                });
            }
        }
    }

    private function usersHaveOldFields(): bool
    {
        return Schema::hasColumn(self::USERS, 'bio')
            && Schema::hasColumn(self::USERS, 'website');
    }

    private function createProfiles(): void
    {
        if (Schema::hasTable(self::PROFILES)) {
            return;
        }

        Schema::create(self::PROFILES, function (Blueprint $table) {
            $table->id();
            $table->unsignedBigInteger('user_id')->unique();
            $table->text('bio')->nullable();
            $table->string('website')->nullable();
        });
    }

    private function copyToProfiles(): void
    {
        DB::table(self::USERS)->select('id', 'bio', 'website')->chunkById(self::BATCH, function ($users) {
            foreach ($users as $user) {
                DB::table(self::PROFILES)->updateOrInsert(
                    ['user_id' => $user->id],
                    ['bio' => $user->bio, 'website' => $user->website]
                );
            }
        });
    }

    // Both columns were nullable on users originally.
    private function restoreOldFields(): void
    {
        if (! Schema::hasColumn(self::USERS, 'bio')) {
            Schema::table(self::USERS, function (Blueprint $table) {
                $table->text('bio')->nullable();
            });
        }

        if (! Schema::hasColumn(self::USERS, 'website')) {
            Schema::table(self::USERS, function (Blueprint $table) {
                $table->string('website')->nullable();
            });
        }
    }

    private function copyBackToUsers(): void
    {
        DB::table(self::PROFILES)->chunkById(self::BATCH, function ($profiles) {
            foreach ($profiles as $profile) {
                DB::table(self::USERS)
                    ->where('id', $profile->user_id)
                    ->update(['bio' => $profile->bio, 'website' => $profile->website]);
            }
        });
    }
}
