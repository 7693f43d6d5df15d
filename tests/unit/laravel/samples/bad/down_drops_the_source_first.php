<?php
// site: pgsql 13.10, laravel 10.20.0

return new class extends Migration
{
    public $withinTransaction = false;

    public function up(): void
    {
        if (! Schema::hasTable('course_texts')) {
            Schema::create('course_texts', function (Blueprint $table) {
                $table->id();
                $table->unsignedBigInteger('course_id');
                $table->text('syllabus')->nullable();
            });
        }
        if (Schema::hasColumn('courses', 'syllabus')) {
            foreach (DB::table('courses')->select('id', 'syllabus')->cursor() as $course) {
                DB::table('course_texts')->updateOrInsert(['course_id' => $course->id], ['syllabus' => $course->syllabus]);
            }
            Schema::table('courses', fn (Blueprint $t) => $t->dropColumn('syllabus'));
        }
    }

    public function down(): void
    {
        Schema::table('courses', fn (Blueprint $t) => $t->text('syllabus')->nullable());
        Schema::dropIfExists('course_texts'); // <- down_drops_before_copy
        foreach (DB::table('course_texts')->cursor() as $text) {
            DB::table('courses')->where('id', $text->course_id)->update(['syllabus' => $text->syllabus]);
        }
    }
};
