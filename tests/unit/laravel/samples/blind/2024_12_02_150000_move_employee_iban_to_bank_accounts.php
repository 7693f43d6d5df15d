<?php

use Illuminate\Database\Eloquent\Model;
use Illuminate\Database\Migrations\Migration;
use Illuminate\Database\Schema\Blueprint;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Schema;

class MoveEmployeeIbanToBankAccounts extends Migration
{
    public function up(): void
    {
        if (! Schema::hasColumn('employees', 'iban')) {
            return;
        }

        if (! Schema::hasTable('bank_accounts')) {
            Schema::create('bank_accounts', function (Blueprint $table) {
                $table->id();
                $table->unsignedBigInteger('employee_id')->unique();
                $table->string('iban', 34);
            });
        }

        $employees = new class extends Model {
            protected $table = 'employees';
        };

        $employees->newQuery()->whereNotNull('iban')->chunkById(100, function ($batch) {
            foreach ($batch as $employee) {
                DB::table('bank_accounts')->updateOrInsert(
                    ['employee_id' => $employee->id],
                    ['iban' => $employee->iban]
                );
            }
        });

        Schema::table('employees', function (Blueprint $table) {
            $table->dropColumn('iban');
        });
    }

    public function down(): void
    {
        // The accounts live in bank_accounts from now on.
    }
}
