<?php
// site: mysql 8.0.35, laravel 10.0.0

return new class extends Migration
{
    public function up(): void
    {
        if (Schema::hasTable('lessons')) { // <- check_skips_copy
            return;
        }
        Schema::create('lessons', function (Blueprint $table) {
            $table->id();
            $table->foreignId('module_id');
            $table->longText('body')->nullable();
        });
        DB::table('modules')->orderBy('id')->each(function ($module) {
            DB::table('lessons')->insert(['module_id' => $module->id, 'body' => $module->body]);
        });
        Schema::table('modules', function (Blueprint $table) {
            $table->dropColumn('body');
        });
    }

    public function down(): void
    {
        Schema::table('modules', fn (Blueprint $table) => $table->longText('body')->nullable());
        DB::table('lessons')->orderBy('id')->each(fn ($lesson) => DB::table('modules')
            ->where('id', $lesson->module_id)
            ->update(['body' => $lesson->body]));
        Schema::dropIfExists('lessons');
    }
};
