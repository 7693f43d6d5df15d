<?php
// site: mysql 8.0.35, laravel 9.52.0

return new class extends Migration {
    public function up() {
        foreach (['starts_at', 'ends_at'] as $column) {
            if (! Schema::hasColumn('bookings', $column)) {
                Schema::table('bookings', fn (Blueprint $table) => $table->dateTime($column)->nullable());
            }
        }
        if (Schema::hasColumn('bookings', 'period')) {
            $this->splitPeriods();
            Schema::table('bookings', function (Blueprint $table) {
                $table->dropColumn('period');
            });
        }
    }

    public function down() { // <- down_incomplete
        Schema::table('bookings', function (Blueprint $table) {
            $table->string('period')->nullable();
        });
        DB::table('bookings')->lazyById()->each(function (object $booking) {
            DB::table('bookings')->where('id', $booking->id)->update(['period' => "{$booking->starts_at}/{$booking->ends_at}"]);
        });
        Schema::table('bookings', function (Blueprint $table) {
            $table->dropColumn('starts_at');
        });
    }

    private function splitPeriods(): void
    {
        foreach (DB::table('bookings')->lazyById(300) as $booking) {
            $parts = explode('/', $booking->period);
            DB::table('bookings')->where('id', $booking->id)->update(['starts_at' => $parts[0], 'ends_at' => $parts[1] ?? null]);
        }
    }
};
