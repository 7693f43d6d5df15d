"""A data migration is told apart from one that only changes the structure, and an analysis from Laravel's own words."""

from __future__ import annotations

import pytest

from bot.laravel.analysis import analysis_words, data_line, unexplained_line

HEAD = "<?php\nreturn new class extends Migration\n{\n"
COPY = "DB::table('orders')->update(['total' => DB::raw('net + tax')]);"
ANALYSIS = (
    "// Analysis: orders has 1.2 million rows; total is computed from net and tax.\n"
    "    // Nothing is dropped; down() clears total again.\n"
)


def migration(up: str, comment: str = "") -> str:
    return f"{HEAD}    {comment}    public function up()\n    {{\n        {up}\n    }}\n}};\n"


def test_a_change_of_the_structure_needs_no_analysis() -> None:
    """Where no row is written there is nothing to analyse."""
    source = migration("Schema::create('orders', function (Blueprint $table) { $table->id(); });")
    assert (data_line(source), unexplained_line(source)) == (None, None)


def test_a_data_migration_without_a_word_is_named_by_its_line() -> None:
    """The line is that of the first write."""
    assert unexplained_line(migration(COPY)) == 6


def test_an_analysis_before_the_data_is_enough() -> None:
    """A dozen words above the method explain the migration."""
    assert unexplained_line(migration(COPY, ANALYSIS)) is None


@pytest.mark.parametrize(
    "comment",
    [
        "/**\n     * Run the migrations.\n     *\n     * @return void what a tool reads and nobody else ever looks at it\n     */\n",
        "// Fix totals.\n",
        "// DB::table('orders')->where('total', null)->update(['total' => 0, 'net' => 0, 'tax' => 0]);\n",
    ],
    ids=["stub", "too short", "disabled code"],
)
def test_what_is_no_analysis(comment: str) -> None:
    """Laravel's stub, two words, and code that was switched off explain nothing."""
    assert unexplained_line(migration(COPY, comment)) is not None


def test_words_after_the_data_do_not_count() -> None:
    """What stands behind the first write was not thought before it."""
    source = migration(COPY) + ANALYSIS
    assert analysis_words(source, 6) == 0
    assert analysis_words(source, 99) >= 12


def test_words_in_a_string_are_no_comment() -> None:
    """Only comments are read, not what looks like one in a text."""
    text = "$note = '// one two three four five six seven eight nine ten eleven twelve thirteen';\n        "
    assert unexplained_line(migration(text + COPY)) == 7
