"""The fingerprint is equal for equal content and for nothing else."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.host_reader.sqlite_verbs import sqlite_fingerprint
from tests.examples import examples
from tests.unit.rows.shapes import run

VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.binary(max_size=8),
)
ROWS = st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=12)


def build(path: Path, rows: list[tuple[Any, Any]], page_size: int = 4096) -> str:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA page_size={page_size}")
        connection.execute("CREATE TABLE t (a, b)")
        connection.executemany("INSERT INTO t VALUES (?, ?)", rows)
        connection.commit()
    return str(sqlite_fingerprint({"path": str(path)})["fingerprint"])


@settings(max_examples=examples(40), deadline=None)
@given(ROWS, st.randoms(use_true_random=False), st.sampled_from([512, 8192]))
def test_order_and_page_layout_do_not_count(
    rows: list[tuple[Any, Any]], shuffle: random.Random, page_size: int
) -> None:
    """The same rows in another order on pages of another size have the same fingerprint."""
    other = list(rows)
    shuffle.shuffle(other)
    with TemporaryDirectory() as folder:
        assert build(Path(folder, "a"), rows) == build(Path(folder, "b"), other, page_size)


@settings(max_examples=examples(40), deadline=None)
@given(ROWS, st.data())
def test_any_single_change_counts(rows: list[tuple[Any, Any]], data: st.DataObject) -> None:
    """One other value, by content or only by type, gives another fingerprint."""
    place = data.draw(st.integers(0, len(rows) - 1))
    value = data.draw(VALUES)
    # SQLite stores -0.0 as it is but gives 0.0 back for whole-number reals in some layouts; zero is zero.
    if repr(value).replace("-0.0", "0.0") == repr(rows[place][0]).replace("-0.0", "0.0"):
        return
    changed = [(value, row[1]) if number == place else row for number, row in enumerate(rows)]
    with TemporaryDirectory() as folder:
        assert build(Path(folder, "a"), rows) != build(Path(folder, "b"), changed)


def test_types_are_told_apart(tmp_path: Path) -> None:
    """1, '1', 1.0, NULL, the empty text and the empty blob are six different values."""
    found = {build(tmp_path / str(n), [(value, 0)]) for n, value in enumerate([1, "1", 1.0, None, "", b""])}
    assert len(found) == 6


def test_text_that_is_no_utf8_is_hashed_by_its_bytes(tmp_path: Path) -> None:
    """Two different broken texts have two fingerprints, and a good text has one that does not depend on its neighbours."""
    for number, raw in enumerate(("ff", "fe")):
        run(
            tmp_path / str(number),
            f"CREATE TABLE t (a, b); INSERT INTO t VALUES (CAST(X'{raw}' AS TEXT), 'é');",
        )
    first, second = (sqlite_fingerprint({"path": str(tmp_path / str(n))})["tables"]["t"] for n in (0, 1))
    assert first["checksum"] != second["checksum"]


def test_indexes_triggers_and_counters_count(tmp_path: Path) -> None:
    """A dropped index, a dropped trigger and a counter set back each give another fingerprint."""
    path = tmp_path / "db"
    run(
        path,
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT); INSERT INTO t (v) VALUES ('x');"
        "CREATE INDEX i ON t (v); CREATE TRIGGER r AFTER INSERT ON t BEGIN UPDATE t SET v = 'y'; END;",
    )
    seen = {sqlite_fingerprint({"path": str(path)})["fingerprint"]}
    for change in ("UPDATE sqlite_sequence SET seq = 9", "DROP INDEX i", "DROP TRIGGER r"):
        run(path, change)
        seen.add(sqlite_fingerprint({"path": str(path)})["fingerprint"])
    assert len(seen) == 4


def test_left_out_tables_may_change(tmp_path: Path) -> None:
    """Rows and counter of a table that is left out do not count; those of the others do."""
    path = tmp_path / "db"
    run(
        path,
        "CREATE TABLE jobs (id INTEGER PRIMARY KEY AUTOINCREMENT); CREATE TABLE t (id INTEGER PRIMARY KEY);",
    )
    request = {"path": str(path), "except_tables": ["jobs"]}
    before = sqlite_fingerprint(request)["fingerprint"]
    run(path, "INSERT INTO jobs VALUES (5)")
    assert sqlite_fingerprint(request)["fingerprint"] == before
    run(path, "INSERT INTO t VALUES (5)")
    assert sqlite_fingerprint(request)["fingerprint"] != before
