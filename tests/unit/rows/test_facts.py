"""What is told of a live database, and that telling changes nothing."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from adapters.host_reader.answers import Refusal
from adapters.host_reader.sqlite_open import writing
from adapters.host_reader.sqlite_verbs import sqlite_facts, sqlite_fingerprint, sqlite_sample
from tests.unit.rows.shapes import build_before, run

HOSTILE = "select \"x'; --\n$(id)"


def test_facts_count_rows_nulls_keys_and_migrations(tmp_path: Path) -> None:
    """Counts, keys, foreign keys and the migrations rows are those of the database."""
    path = tmp_path / "db.sqlite"
    build_before(path)
    facts = sqlite_facts({"path": str(path)})
    pictures = facts["tables"]["pictures"]
    assert (pictures["rows"], pictures["nulls"]["note"], pictures["key"]) == (60, 20, ["id"])
    assert {key["parent"]: key["on_delete"] for key in facts["tables"]["remarks"]["foreign_keys"]} == {
        "pictures": "CASCADE",
        "remarks": "NO ACTION",
    }
    assert [row["migration"] for row in facts["migrations"]] == ["a_first", "b_second"]
    assert facts["file"]["size_bytes"] == path.stat().st_size
    assert facts["indexes"] == ["remarks_picture"]


def test_facts_hold_no_row_content(tmp_path: Path) -> None:
    """No value of any row is in the answer."""
    path = tmp_path / "db.sqlite"
    build_before(path)
    said = json.dumps(sqlite_facts({"path": str(path)}))
    assert not any(content in said for content in ("note 1", "remark 1", "example.org", "place 3"))


def test_a_table_of_another_name_for_migrations(tmp_path: Path) -> None:
    """Without its migrations table the answer is null, not an empty list."""
    path = tmp_path / "db.sqlite"
    build_before(path)
    assert sqlite_facts({"path": str(path), "migrations_table": "other"})["migrations"] is None


@pytest.mark.parametrize("verb", [sqlite_facts, sqlite_sample, sqlite_fingerprint])
def test_a_missing_file_is_never_created(tmp_path: Path, verb: object) -> None:
    """Looking at a path that does not exist refuses and leaves the folder empty."""
    with pytest.raises(Refusal) as refused:
        verb({"path": str(tmp_path / "none.sqlite")})  # type: ignore[operator]
    assert refused.value.kind == "not_found"
    assert list(tmp_path.iterdir()) == []


def test_names_and_paths_that_look_like_sql(tmp_path: Path) -> None:
    """Quotes, line breaks and percent signs in path, table and column are only names."""
    path = tmp_path / "a b'?#%41\n.sqlite"
    quoted = '"' + HOSTILE.replace('"', '""') + '"'
    run(
        path,
        f"CREATE TABLE {quoted} (id INTEGER PRIMARY KEY, {quoted} TEXT); INSERT INTO {quoted} VALUES (1, 'x');",
    )
    facts = sqlite_facts({"path": str(path)})
    assert facts["tables"][HOSTILE]["nulls"] == {"id": 0, HOSTILE: 0}
    assert sqlite_fingerprint({"path": str(path)})["tables"][HOSTILE]["rows"] == 1


def test_committed_rows_in_a_wal_are_seen(tmp_path: Path) -> None:
    """Rows that stand in the -wal only are counted."""
    path = tmp_path / "db.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        connection.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(50)])
        connection.commit()
        facts = sqlite_facts({"path": str(path)})
    assert (facts["tables"]["t"]["rows"], facts["journal_mode"]) == (50, "wal")


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_the_sample_changes_with_a_write_and_only_then(tmp_path: Path, mode: str) -> None:
    """Two samples agree while nothing is written, also after reading; a commit changes the sample."""
    path = tmp_path / "db.sqlite"
    run(
        path,
        f"PRAGMA journal_mode={mode}; CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1,'a');",
    )
    first = sqlite_sample({"path": str(path)})
    sqlite_facts({"path": str(path)})
    assert sqlite_sample({"path": str(path)}) == first
    run(path, "UPDATE t SET v = 'b';")
    assert sqlite_sample({"path": str(path)})["sample"] != first["sample"]


def test_generated_columns_and_tables_without_rowid(tmp_path: Path) -> None:
    """A generated column stores nothing and is left out; a table without rowid is counted by its key."""
    path = tmp_path / "db.sqlite"
    run(
        path,
        "CREATE TABLE g (a INTEGER, b INTEGER GENERATED ALWAYS AS (a * 2) STORED);"
        "CREATE TABLE w (k TEXT, n INT, PRIMARY KEY (n, k)) WITHOUT ROWID; INSERT INTO g (a) VALUES (1);",
    )
    facts = sqlite_facts({"path": str(path)})
    assert [column["name"] for column in facts["tables"]["g"]["columns"]] == ["a"]
    assert facts["tables"]["w"]["key"] == ["n", "k"]


def test_a_file_that_is_no_database_is_said_so(tmp_path: Path) -> None:
    """A text file gives a refusal in plain words."""
    path = tmp_path / "db.sqlite"
    path.write_text("no database " * 100)
    with pytest.raises(Refusal) as refused:
        sqlite_facts({"path": str(path)})
    assert refused.value.kind == "damaged"


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("INSERT INTO blocked_users (id, full_name) VALUES (2, 'x')", "refused"),
        ("INSERT INTO blocked_users (id) VALUES (3)", "refused"),
        ("INSERT INTO interrupted_jobs VALUES (1, 9)", "foreign_keys"),
        ("UPDATE blocked_users SET full_name = json_extract('{', '$')", "damaged"),
    ],
)
def test_a_name_is_not_taken_for_the_cause(statement: str, kind: str, tmp_path: Path) -> None:
    """What SQLite says is told by its own words: a table of blocked users with full names is neither locked nor full."""
    path = tmp_path / "live"
    run(
        path,
        "CREATE TABLE blocked_users (id INTEGER PRIMARY KEY, full_name TEXT NOT NULL UNIQUE);"
        "INSERT INTO blocked_users VALUES (1, 'x');"
        "CREATE TABLE interrupted_jobs (id INTEGER PRIMARY KEY, busy_id INTEGER REFERENCES blocked_users (id));",
    )
    with pytest.raises(Refusal) as refused, writing(str(path)) as connection:
        connection.executescript(f"PRAGMA foreign_keys=ON; {statement};")
    assert refused.value.kind == kind
    assert "no sound SQLite database" not in str(refused.value)
