<?php
// site: pgsql 15.4, laravel 10.48.0

return new class extends Migration
{
    public function up(): void
    {
        if (! Schema::hasTable('addresses')) {
            Schema::create('addresses', function (Blueprint $table) {
                $table->id();
                $table->foreignId('patient_id');
                $table->string('street')->nullable();
            });
        }

        // Copy street into addresses first: insert into addresses select street from patients
        DB::table('patients')->orderBy('id')->chunkById(200, function ($patients) {
            foreach ($patients as $patient) {
                // 'street' => $patient->street,
                Log::info("copying street of patient {$patient->street}");
                DB::table('addresses')->insert(['patient_id' => $patient->id, 'street' => 'street']);
            }
        });

        if (Schema::hasColumn('patients', 'street')) {
            Schema::table('patients', fn (Blueprint $table) => $table->dropColumn('street')); // <- copy_not_seen
        }
    }

    public function down(): void
    {
        Schema::table('patients', fn (Blueprint $table) => $table->string('street')->nullable());
        // note: raw_sql
        DB::statement('UPDATE patients SET street = a.street FROM addresses a WHERE a.patient_id = patients.id');
        Schema::dropIfExists('addresses');
    }
};
