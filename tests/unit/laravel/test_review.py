"""The reading of a migration's source."""

from __future__ import annotations

from bot.laravel.review import Finding, Severity, review_migration
from bot.laravel.versions import parse_version

HEAD = "<?php\nreturn new class extends Migration {\n"
BAD = (
    HEAD
    + """    public function up(): void {
        Schema::create('pages', function (Blueprint $table) { $table->id(); $table->text('title')->nullable(); });
        Schema::table('albums', function (Blueprint $table) {
            $table->dropColumn('title');
        });
        foreach (DB::table('albums')->get() as $album) {
            DB::table('pages')->insert(['title' => $album->title ?? null]);
        }
    }
    public function down(): void {
        Schema::table('albums', function (Blueprint $table) { $table->string('title')->nullable(); });
        Schema::dropIfExists('pages');
    }
};
"""
)
GOOD = (
    HEAD
    + """    public function up(): void {
        if (! Schema::hasTable('pages')) {
            Schema::create('pages', function (Blueprint $table) { $table->id(); $table->text('title')->nullable(); });
        }
        if (Schema::hasColumn('albums', 'title')) {
            $this->copyTitles();
            DB::statement('ALTER TABLE albums DROP COLUMN title');
        }
    }
    private function copyTitles(): void {
        DB::table('albums')->orderBy('id')->chunk(500, function ($albums) {
            foreach ($albums as $album) {
                DB::table('pages')->insert(['title' => $album->title]);
            }
        });
    }
    public function down(): void {
        Schema::table('albums', function (Blueprint $table) { $table->string('title')->nullable(); });
        DB::statement('UPDATE albums SET title = (SELECT title FROM pages WHERE pages.id = albums.id)');
        Schema::dropIfExists('pages');
    }
};
"""
)


def review(
    source: str, version: str = "8.83.26", children: dict[str, list[str]] | None = None
) -> dict[str, Finding]:
    found = review_migration(
        source, driver="sqlite", version=parse_version(version), cascading_children=children
    )
    return {finding.code: finding for finding in found}


def with_up(body: str, down: str = "Schema::dropIfExists('x');") -> str:
    return f"{HEAD}public function up() {{\n{body}\n}}\npublic function down() {{\n{down}\n}}\n}};\n"


def test_a_drop_before_the_copy_stops() -> None:
    """The bad order is found at its line, with the line of the copy that comes too late."""
    found = review(BAD, children={"albums": ["notes"]})
    assert found["dropped_before_copy"].severity is Severity.STOP
    assert found["dropped_before_copy"].line == 6
    assert "line 9" in found["dropped_before_copy"].message
    assert found["sqlite_rebuild_cascades"].severity is Severity.STOP
    assert "notes" in found["sqlite_rebuild_cascades"].message
    assert {"no_table_check", "no_column_check"} <= set(found)
    assert found["down_restores_no_data"].severity is Severity.WARN


def test_the_right_order_is_seen_through_a_helper_method() -> None:
    """A copy in a method of its own, before a native drop, with checks and a real down, has nothing that stops."""
    found = review(GOOD, children={"albums": ["notes"]})
    assert not [finding for finding in found.values() if finding.severity is Severity.STOP]
    assert found["copied_before_drop"].severity is Severity.OK
    assert found["repeatable"].severity is Severity.OK
    assert found["real_down"].severity is Severity.OK
    assert "sqlite_rebuild" not in found
    assert "raw_sql" in found


def test_the_rebuild_is_a_matter_of_version_driver_and_children() -> None:
    """R12: only SQLite below Laravel 11 with tables that cascade; unknown ones are a warning."""
    assert "sqlite_rebuild_cascades" not in review(BAD, "11.0.0", {"albums": ["notes"]})
    assert "sqlite_rebuild" in review(BAD)
    assert not {"sqlite_rebuild", "sqlite_rebuild_cascades"} & set(review(BAD, children={"albums": []}))
    mysql = review_migration(BAD, driver="mysql", version=parse_version("8.0.0"))
    assert not [one for one in mysql if one.code.startswith("sqlite")]
    off = with_up(
        "Schema::disableForeignKeyConstraints();\nSchema::table('albums', function ($t) { $t->dropColumn('a'); });"
    )
    assert review(off, children={"albums": ["notes"]})["sqlite_rebuild"].severity is Severity.WARN


def test_a_missing_or_empty_down_stops() -> None:
    """A down() that is not there, does nothing, or leaves a change is named."""
    create = "Schema::create('x', function ($t) { $t->id(); });"
    assert "no_down" in review(with_up(create, "// nothing"))
    assert "no_down" in review(f"{HEAD}public function up() {{ {create} }}\n}};\n")
    assert "down_throws" in review(with_up(create, "throw new \\Exception('no');"))
    assert (
        review(with_up("Schema::table('a', function ($t) { $t->string('b'); });"))["down_incomplete"].severity
        is Severity.STOP
    )


def test_an_early_return_counts_as_a_check() -> None:
    """`if (Schema::hasTable(…)) return;` guards what follows."""
    body = "if (Schema::hasTable('x')) {\nreturn;\n}\nSchema::create('x', function ($t) { $t->id(); });"
    assert "repeatable" in review(with_up(body))


def test_a_copy_inside_a_transaction_is_still_ordered() -> None:
    """A closure around everything does not hide the order of what is in it."""
    body = "DB::transaction(function () {\nSchema::table('a', function ($t) { $t->dropColumn('b'); });\nDB::table('c')->update(['d' => DB::raw('b')]);\n});"
    assert review(with_up(body))["dropped_before_copy"].line == 5


def test_dangers_are_named() -> None:
    """Deleted rows, raw SQL, models, other connections and acts outside the database are each told once a line."""
    body = (
        "DB::table('a')->where('b', 1)->delete();\nDB::statement('TRUNCATE a');\nAlbum::where('x', 1)->update(['y' => 1]);\n"
        "DB::connection('other')->table('z')->get();\nStorage::delete('x');\nunlink('x');\n"
        "Schema::table('albums', function ($t) { $t->dropColumn(['one', 'two']); });"
    )
    findings = review_migration(with_up(body), driver="mysql", version=parse_version("12.0.0"))
    lines = {(finding.code, finding.line) for finding in findings}
    assert {
        ("deletes_rows", 4),
        ("deletes_rows", 5),
        ("raw_sql", 5),
        ("uses_models", 6),
        ("other_connection", 7),
    } <= lines
    assert {("acts_outside", 8), ("acts_outside", 9)} <= lines
    dropped = [one.message for one in findings if one.code in ("copy_not_seen", "dropped_without_copy")]
    assert any("albums.one" in message for message in dropped)
    assert any("albums.two" in message for message in dropped)


def test_broken_sources_are_told() -> None:
    """What PHP cannot read, and what is no migration, stops; nothing else is guessed about it."""
    assert set(review(BAD[:300])) == {"syntax"}
    assert set(review("<?php echo 1;")) == {"no_up"}
    assert set(review("")) == {"no_up"}
    assert "uses_models" not in review(
        "<?php class A { protected $connection = 'x'; public function up() {} public function down() {} }"
    )


def test_a_file_that_cannot_be_followed_stops_and_breaks_nothing() -> None:
    """Endless nesting and methods that call one another end in a finding or a reading, never in an error."""
    nested = with_up("$a = " + "[" * 5000 + "]" * 5000 + ";")
    assert review(nested)["too_deep"].severity is Severity.STOP
    round_trip = with_up("$this->down();", "$this->up();")
    assert review(round_trip)


def test_the_gravest_findings_come_first() -> None:
    """The person reads what stops before what warns."""
    found = review_migration(BAD, driver="sqlite", version=parse_version("8.0.0"))
    order = [list(Severity).index(one.severity) for one in found]
    assert order == sorted(order)
