<?php

use Illuminate\Database\Migrations\Migration;
use Illuminate\Database\Schema\Blueprint;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Schema;

/**
 * Orders carried the shipping address inline. Every order with an address
 * gets exactly one shipment row; all three source columns were nullable.
 */
return new class extends Migration
{
    public function up(): void
    {
        if (! Schema::hasTable('orders')) {
            return;
        }

        if (! Schema::hasTable('shipments')) {
            Schema::create('shipments', function (Blueprint $table) {
                $table->id();
                $table->unsignedBigInteger('order_id')->unique();
                $table->string('street')->nullable();
                $table->string('city')->nullable();
                $table->string('postcode')->nullable();
                $table->timestamps();
            });
        }

        $old = ['shipping_street', 'shipping_city', 'shipping_postcode'];

        if (Schema::hasColumns('orders', $old)) {
            DB::table('orders')
                ->where(function ($query) use ($old) {
                    foreach ($old as $column) {
                        $query->orWhereNotNull($column);
                    }
                })
                // order_id is unique: a second run skips orders already copied.
                ->whereNotExists(function ($query) {
                    $query->from('shipments')->whereColumn('shipments.order_id', 'orders.id');
                })
                ->chunkById(500, function ($orders) {
                    $rows = $orders->map(fn ($order) => [
                        'order_id' => $order->id,
                        'street' => $order->shipping_street,
                        'city' => $order->shipping_city,
                        'postcode' => $order->shipping_postcode,
                        'created_at' => now(),
                        'updated_at' => now(),
                    ])->all();

                    DB::table('shipments')->insert($rows);
                });
        }

        $present = array_values(array_filter($old, fn ($column) => Schema::hasColumn('orders', $column)));

        if ($present !== []) {
            Schema::table('orders', function (Blueprint $table) use ($present) {
                $table->dropColumn($present);
            });
        }
    }

    public function down(): void
    {
        if (! Schema::hasTable('shipments')) {
            return;
        }

        foreach (['shipping_street', 'shipping_city', 'shipping_postcode'] as $column) {
            if (! Schema::hasColumn('orders', $column)) {
                Schema::table('orders', function (Blueprint $table) use ($column) {
                    $table->string($column)->nullable();
                });
            }
        }

        DB::table('shipments')->chunkById(500, function ($shipments) {
            foreach ($shipments as $shipment) {
                DB::table('orders')->where('id', $shipment->order_id)->update([
                    'shipping_street' => $shipment->street,
                    'shipping_city' => $shipment->city,
                    'shipping_postcode' => $shipment->postcode,
                ]);
            }
        });

        Schema::dropIfExists('shipments');
    }
};
