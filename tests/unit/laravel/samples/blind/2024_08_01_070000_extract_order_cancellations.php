<?php

declare(strict_types=1);

use Illuminate\Database\Migrations\Migration;
use Illuminate\Database\Query\Builder;
use Illuminate\Database\Schema\Blueprint;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Schema;

return new class extends Migration
{
    private const CHUNK = 2000;

    public function up(): void
    {
        if (! Schema::hasTable('order_cancellations')) {
            Schema::create('order_cancellations', function (Blueprint $table): void {
                $table->id();
                $table->unsignedBigInteger('order_id')->unique();
                $table->string('reason')->nullable();
                $table->dateTime('cancelled_at')->nullable();
            });
        }

        $hasReason = Schema::hasColumn('orders', 'cancel_reason');
        $hasDate = Schema::hasColumn('orders', 'cancelled_at');

        if ($hasReason && $hasDate) {
            $max = (int) DB::table('orders')->max('id');

            for ($start = 1; $start <= $max; $start += self::CHUNK) {
                DB::table('order_cancellations')->insertUsing(
                    ['order_id', 'reason', 'cancelled_at'],
                    DB::table('orders')
                        ->select('id', 'cancel_reason', 'cancelled_at')
                        ->whereBetween('id', [$start, $start + self::CHUNK - 1])
                        ->where(fn (Builder $q) => $q->whereNotNull('cancel_reason')->orWhereNotNull('cancelled_at'))
                        ->whereNotExists(
                            fn (Builder $q) => $q->from('order_cancellations')
                                ->whereColumn('order_cancellations.order_id', 'orders.id')
                        )
                );
            }
        }

        if ($hasReason) {
            Schema::table('orders', function (Blueprint $table): void {
                $table->dropColumn('cancel_reason');
            });
        }

        if ($hasDate) {
            Schema::table('orders', function (Blueprint $table): void {
                $table->dropColumn('cancelled_at');
            });
        }
    }

    public function down(): void
    {
        if (! Schema::hasColumn('orders', 'cancel_reason')) {
            Schema::table('orders', function (Blueprint $table): void {
                $table->string('cancel_reason')->nullable();
            });
        }

        if (! Schema::hasColumn('orders', 'cancelled_at')) {
            Schema::table('orders', function (Blueprint $table): void {
                $table->dateTime('cancelled_at')->nullable();
            });
        }

        if (! Schema::hasTable('order_cancellations')) {
            return;
        }

        DB::table('order_cancellations')->chunkById(self::CHUNK, function ($cancellations): void {
            foreach ($cancellations as $cancellation) {
                DB::table('orders')->where('id', $cancellation->order_id)->update([
                    'cancel_reason' => $cancellation->reason,
                    'cancelled_at' => $cancellation->cancelled_at,
                ]);
            }
        });

        Schema::drop('order_cancellations');
    }
};
