<?php

use Illuminate\Database\Migrations\Migration;
use Illuminate\Database\Schema\Blueprint;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Schema;

return new class extends Migration
{
    public function up(): void
    {
        Schema::create('subscriptions', function (Blueprint $table) {
            $table->id();
            $table->unsignedBigInteger('user_id')->unique();
            $table->string('plan')->nullable();
            $table->date('renews_on')->nullable();
        });

        DB::table('users')
            ->where(fn ($q) => $q->whereNotNull('plan')->orWhereNotNull('plan_renews_on'))
            ->chunkById(500, function ($users) {
                DB::table('subscriptions')->insert($users->map(fn ($user) => [
                    'user_id' => $user->id,
                    'plan' => $user->plan,
                    'renews_on' => $user->plan_renews_on,
                ])->all());
            });

        Schema::table('users', function (Blueprint $table) {
            $table->dropColumn(['plan', 'plan_renews_on']);
        });
    }

    public function down(): void
    {
        Schema::table('users', function (Blueprint $table) {
            $table->string('plan')->nullable();
            $table->date('plan_renews_on')->nullable();
        });

        DB::table('subscriptions')->chunkById(500, function ($subscriptions) {
            foreach ($subscriptions as $subscription) {
                DB::table('users')->where('id', $subscription->user_id)->update([
                    'plan' => $subscription->plan,
                    'plan_renews_on' => $subscription->renews_on,
                ]);
            }
        });

        Schema::drop('subscriptions');
    }
};
