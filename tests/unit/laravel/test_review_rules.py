"""Single rules of the review: what locks on which engine and version, and which writing of a check or a copy is understood."""

from __future__ import annotations

import pytest

from bot.laravel.review import review_migration
from bot.laravel.versions import parse_version

HEAD = "<?php\nreturn new class extends Migration {\npublic function up() {\n"
BIG = {"parcels": 3_000_000, "depots": 40}


def codes(
    body: str, driver: str = "mysql", *, version: str = "", rows: dict[str, int] | None = None
) -> set[str]:
    source = f"{HEAD}{body}\n}}\npublic function down() {{ $this->undo(); }}\n}};\n"
    found = review_migration(
        source, driver=driver, version=parse_version("11.0.0"), engine_version=version, rows=rows
    )
    return {one.code for one in found if one.line > 3}


def table(calls: str, name: str = "parcels") -> str:
    return f"Schema::table('{name}', function (Blueprint $table) {{ {calls} }});"


@pytest.mark.parametrize(
    ("driver", "version", "calls"),
    [
        ("mysql", "8.0.35", "$table->bigInteger('weight')->change();"),
        ("mysql", "8.0.35", "$table->fullText('note');"),
        ("mysql", "8.0.35", "$table->foreign('depot_id')->references('id')->on('depots');"),
        ("mysql", "8.0.35", "$table->integer('total')->storedAs('a + b');"),
        ("mysql", "5.7.44", "$table->string('tag')->nullable();"),
        ("mariadb", "10.2.44", "$table->string('tag')->nullable();"),
        ("pgsql", "15.4", "$table->bigInteger('weight')->change();"),
        ("pgsql", "15.4", "$table->index('weight');"),
        ("pgsql", "15.4", "$table->string('tag')->nullable()->unique();"),
        ("pgsql", "15.4", "$table->uuid('token')->default(DB::raw('gen_random_uuid()'));"),
        ("pgsql", "10.23", "$table->string('tag')->default('x');"),
        ("pgsql", "15.4", "$table->foreign('depot_id')->references('id')->on('depots');"),
    ],
)
def test_what_locks_a_big_table_is_named(driver: str, version: str, calls: str) -> None:
    """The same statement is told on a table of three million rows and not on one of forty."""
    assert "locks_table" in codes(table(calls), driver, version=version, rows=BIG)
    assert "locks_table" not in codes(table(calls, "depots"), driver, version=version, rows=BIG)


@pytest.mark.parametrize(
    ("driver", "version", "calls"),
    [
        ("mysql", "8.0.35", "$table->string('tag')->nullable();"),
        ("mysql", "8.0.35", "$table->index('weight');"),
        ("mariadb", "10.11.6", "$table->string('tag')->nullable()->index();"),
        ("pgsql", "15.4", "$table->string('tag')->default('x');"),
        ("pgsql", "15.4", "$table->index('weight')->online();"),
        ("sqlite", "3.45", "$table->index('weight');"),
    ],
)
def test_what_goes_on_beside_the_visitors_is_not(driver: str, version: str, calls: str) -> None:
    """What the engine does at once or beside other work is not called a lock."""
    assert "locks_table" not in codes(table(calls), driver, version=version, rows=BIG)


@pytest.mark.parametrize(
    "check",
    [
        "if (! Schema::hasColumn('parcels', 'tag')) { %s }",
        "if (Schema::hasColumn('parcels', 'tag') === false) { %s }",
        "if (Schema::hasColumn('parcels', 'tag')) { return; } %s",
        "if (Schema::hasColumn('parcels', 'tag')) { Log::info('there'); } else { %s }",
        "$there = Schema::hasColumn('parcels', 'tag'); if (! $there) { %s }",
        "if (! in_array('tag', Schema::getColumnListing('parcels'))) { %s }",
        "if (! Schema::hasColumns('parcels', ['tag'])) { %s }",
        "foreach (['tag'] as $name) { if (! Schema::hasColumn('parcels', $name)) { %s } }",
        "match (Schema::hasColumn('parcels', 'tag')) { true => null, false => tap(1, function () { %s }) };",
        "DB::transaction(function () { if (! Schema::hasColumn('parcels', 'tag')) { %s } });",
    ],
)
def test_every_writing_of_a_check_is_understood(check: str) -> None:
    """A check counts however it is written, and only for the column that it asks for."""
    add = "Schema::table('parcels', fn (Blueprint $table) => $table->string('tag')->nullable());"
    assert "no_column_check" not in codes(check.replace("%s", add))
    assert "no_column_check" in codes(
        check.replace("%s", add).replace("'tag')->nullable", "'label')->nullable")
    )


@pytest.mark.parametrize(
    "copy",
    [
        "DB::table('labels')->insertUsing(['text'], DB::table('parcels')->select('note'));",
        "DB::statement('INSERT INTO labels (text) SELECT note FROM parcels');",
        "DB::statement('UPDATE parcels SET label = note');",
        "DB::table('parcels')->update(['label' => DB::raw('note')]);",
        "DB::statement('CREATE TABLE labels AS SELECT * FROM parcels');",
        "foreach (DB::table('parcels')->cursor() as $p) { DB::table('labels')->insert(['text' => trim($p->note ?? '')]); }",
        "foreach (DB::table('parcels')->pluck('note', 'id') as $id => $note) { DB::table('labels')->insert(compact('note')); }",
        "DB::table('parcels')->select('note as text')->lazyById()->each(fn ($p) => DB::table('labels')->insert(['text' => $p->text]));",
        "DB::table('parcels')->chunkById(9, function ($all) { DB::table('labels')->insert($all->map(fn ($p) => ['text' => $p->note])->all()); });",
        "DB::table('parcels')->orderBy('id')->chunk(9, function ($all) { $rows = []; foreach ($all as $p) { $rows[] = (array) $p; } DB::table('old')->insert($rows); });",
        "Parcel::query()->lazyById()->each(function ($p) { $l = new Label; $l->text = $p->note; $l->save(); });",
    ],
)
def test_every_writing_of_a_copy_is_followed(copy: str) -> None:
    """A copy counts by where its values come from, before the drop; after it, it comes too late."""
    drop = table("$table->dropColumn('note');")
    assert "dropped_before_copy" not in codes(copy + drop)
    assert not {"dropped_without_copy", "copy_not_seen"} & codes(copy + drop)
    assert "dropped_before_copy" in codes(drop + copy)


@pytest.mark.parametrize(
    "other",
    [
        "DB::table('parcels')->whereNotNull('note')->update(['has_note' => true]);",
        "DB::statement('UPDATE parcels SET has_note = 1 WHERE note IS NOT NULL');",
        "foreach (DB::table('parcels')->cursor() as $p) { DB::table('labels')->insert(['n' => strlen($p->note)]); }",
        "foreach (DB::table('parcels')->cursor() as $p) { Log::info($p->note); /* $p->note */ DB::table('labels')->insert(['text' => 'note']); }",
        "DB::table('parcels')->update(['note' => null]);",
    ],
)
def test_a_mere_mention_is_no_copy(other: str) -> None:
    """A filter, a length, a log line, a comment or a key that names the column keeps none of its data."""
    assert {"dropped_without_copy", "copy_not_seen"} & codes(other + table("$table->dropColumn('note');"))


def test_a_new_column_needs_a_value_for_the_rows_that_are_there() -> None:
    """NOT NULL without default is told where rows are there, and not for a table that is empty or new."""
    calls = "$table->string('tag');"
    assert "not_null_without_default" in codes(table(calls), "pgsql", rows=BIG)
    assert "not_null_without_default" in codes(table(calls), "mysql")
    assert "not_null_without_default" not in codes(table(calls), "pgsql", rows={"parcels": 0})
    assert "not_null_without_default" not in codes(
        f"Schema::create('parcels', function ($table) {{ {calls} }});"
    )
    assert "not_null_without_default" not in codes(table("$table->string('tag')->default('');"), "pgsql")
