<?php
// site: sqlite 3.45, laravel 13.0.0

return new class extends Migration
{
    private const array COLUMNS = ['starts_at', 'ends_at'];

    public function up(): void
    {
        foreach (self::COLUMNS as $column) {
            Schema::hasColumn('bookings', $column) ?: Schema::table(
                'bookings',
                fn (Blueprint $table) => $table->dateTime($column)->nullable(),
            );
        }

        if (Schema::hasColumn('bookings', 'period')) {
            DB::transaction(function (): void {
                DB::table('bookings')->whereNull('starts_at')->lazyById(300)->each($this->split(...));
            });
            Schema::table('bookings', fn (Blueprint $table) => $table->dropColumn('period'));
        }
    }

    private function split(object $booking): void
    {
        [$start, $end] = explode('/', $booking->period) + [null, null];
        DB::table('bookings')->where('id', $booking->id)->update(['starts_at' => $start, 'ends_at' => $end]);
    }

    public function down(): void
    {
        if (! Schema::hasColumn('bookings', 'period')) {
            Schema::table('bookings', fn (Blueprint $table) => $table->string('period')->nullable());
        }
        DB::table('bookings')->lazyById(300)->each(
            fn (object $booking) => DB::table('bookings')->where('id', $booking->id)->update([
                'period' => "{$booking->starts_at}/{$booking->ends_at}",
            ]),
        );
        Schema::dropColumns('bookings', self::COLUMNS);
    }
};
