<?php
// site: mariadb 10.11.6, laravel 9.52.0

return new class extends Migration
{
    private array $moved = ['street', 'city', 'zip'];

    public function up(): void
    {
        if (! Schema::hasTable('addresses')) {
            Schema::create('addresses', function (Blueprint $table) {
                $table->id();
                $table->foreignId('patient_id')->unique();
                foreach ($this->moved as $column) {
                    $table->string($column)->nullable();
                }
            });
        }

        $present = array_filter($this->moved, fn (string $column) => Schema::hasColumn('patients', $column));
        if ($present === []) {
            return;
        }

        DB::table('patients')->select(['id', ...$this->moved])->orderBy('id')->chunkById(200, function ($patients) {
            foreach ($patients as $patient) {
                DB::table('addresses')->updateOrInsert(
                    ['patient_id' => $patient->id],
                    ['street' => $patient->street, 'city' => $patient->city, 'zip' => $patient->zip],
                );
            }
        });

        Schema::table('patients', function (Blueprint $table) use ($present) {
            $table->dropColumn($present);
        });
    }

    public function down(): void
    {
        Schema::table('patients', function (Blueprint $table) {
            foreach ($this->moved as $column) {
                if (! Schema::hasColumn('patients', $column)) {
                    $table->string($column)->nullable();
                }
            }
        });
        DB::table('addresses')->chunkById(200, function ($addresses) {
            foreach ($addresses as $address) {
                DB::table('patients')->where('id', $address->patient_id)->update([
                    'street' => $address->street,
                    'city' => $address->city,
                    'zip' => $address->zip,
                ]);
            }
        });
        Schema::dropIfExists('addresses');
    }
};
