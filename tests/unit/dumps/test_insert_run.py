"""Rows are counted exactly, whatever the values hold and however the stream is cut into blocks."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.dumps.manifest import PRESENT, Manifest
from bot.dumps.outline import Outline, outline
from bot.dumps.scanner import DumpScanner
from tests.examples import examples

PIECES = st.lists(
    st.sampled_from(
        [
            "'",
            "''",
            "),(",
            ");\n",
            ";\n",
            "\nCOMMIT;\n",
            '\nINSERT INTO "t" VALUES(',
            "\\",
            "--",
            "/*",
            "a",
            "\n",
            "(",
            "))",
            '"',
        ]
    ),
    max_size=6,
).map("".join)
NAMES = st.sampled_from(["t", "it's", "a;b", "x(y", "two\nlines", 'q"q', "select"])


def scanned(text: bytes, dump_format: str, block_bytes: int) -> Manifest:
    scanner = DumpScanner(dump_format)
    for place in range(0, len(text), block_bytes):
        scanner.feed(text[place : place + block_bytes])
    return scanner.finish().manifest


def sqlite_literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def mysql_literal(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


@settings(max_examples=examples(150), deadline=None)
@given(
    tables=st.dictionaries(NAMES, st.lists(PIECES, max_size=8), max_size=4), block_bytes=st.integers(1, 90)
)
def test_sqlite_rows_are_counted_exactly(tables: dict[str, list[str]], block_bytes: int) -> None:
    """Each table of a SQLite dump has as many rows as were written, and the end is seen as the end."""
    text = "BEGIN TRANSACTION;\n"
    for name, values in tables.items():
        quoted = '"' + name.replace('"', '""') + '"'
        text += f"CREATE TABLE {quoted}(x);\n"
        text += "".join(f"INSERT INTO {quoted} VALUES({sqlite_literal(value)});\n" for value in values)
    text += "COMMIT;\n"

    manifest = scanned(text.encode(), "sqlite_dump", block_bytes)

    assert {name: entry.rows for name, entry in manifest.tables.items()} == {
        n: len(v) for n, v in tables.items()
    }
    assert manifest.end_marker == PRESENT


@settings(max_examples=examples(150), deadline=None)
@given(
    tables=st.dictionaries(NAMES, st.lists(PIECES, min_size=1, max_size=8), max_size=4),
    block_bytes=st.integers(1, 90),
    following=st.sampled_from([",", ",\n"]),
)
def test_mysql_row_lists_are_counted_exactly(
    tables: dict[str, list[str]], block_bytes: int, following: str
) -> None:
    """Each table of a MySQL dump has as many rows as its row lists hold, on one line or on many."""
    text = "-- MySQL dump 10.13  Distrib 8.0.36\n"
    for name, values in tables.items():
        quoted = "`" + name.replace("`", "``") + "`"
        rows = following.join(f"(1,{mysql_literal(value)},NULL)" for value in values)
        text += f"CREATE TABLE {quoted} (a int);\nINSERT INTO {quoted} (`a`, `b`) VALUES {rows};\n"
    text += "-- Dump completed on 2026-11-22 15:53:01\n"

    manifest = scanned(text.encode(), "mysql_dump", block_bytes)

    assert {name: entry.rows for name, entry in manifest.tables.items()} == {
        n: len(v) for n, v in tables.items()
    }
    assert manifest.end_marker == PRESENT


def test_a_big_run_is_counted_over_many_windows() -> None:
    """A run that is longer than every window is one table with all its rows, in blocks of any size."""
    rows = "".join(f"INSERT INTO t VALUES({n},'it''s (text) {n}');\n" for n in range(60_000))
    text = f"BEGIN TRANSACTION;\nCREATE TABLE t(a, b);\n{rows}CREATE INDEX i ON t(a);\nCOMMIT;\n".encode()

    manifest = scanned(text, "sqlite_dump", 1 << 20)

    assert manifest.tables["t"].rows == 60_000
    assert manifest.tables["t"].columns == ["a", "b"]
    assert manifest.schema_objects["indexes"] == 1


def test_nested_calls_in_a_value_list_are_one_row() -> None:
    """SQLite's `replace(…,char(10))` forms do not count as rows."""
    rows = "INSERT INTO t VALUES(1,replace('a\\nb','\\n',char(10)));\n" * 5
    text = f"BEGIN TRANSACTION;\nCREATE TABLE t(a, b);\n{rows}COMMIT;\n".encode()

    assert scanned(text, "sqlite_dump", 7).tables["t"].rows == 5


@pytest.mark.parametrize(
    ("row", "broken"),
    [
        ("(1,replace('a\\nb','\\n',char(10)))", False),
        ("(1,replace('a (b)\\n','\\n',char(10)),'')", False),
        ("(1,f(g(h('x'),()),''),'it''s')", False),
        ("(1,'two (\nlines')", True),
    ],
)
def test_calls_within_a_row_are_no_rows_and_hide_no_broken_line(row: str, broken: bool) -> None:
    """However deep calls stand in a row, it is one row; a line that ends within one or its strings is told."""
    found = outline(f"{row},\n{row};\n".encode(), inside=False, depth=0, backslash=False)

    assert (found.rows, found.depth, found.ends, found.inside) == (2, 0, 1, False)
    assert found.broken_line is broken


def read_by_sign(data: str, *, inside: bool, depth: int, backslash: bool) -> Outline:
    """Return the outline as a reader finds it that goes sign by sign."""
    rows = ends = place = 0
    in_string, in_row, between = False, False, ""
    while place < len(data):
        sign = data[place]
        if backslash and sign == "\\" and data[place + 1] in "\\'":
            place += 2
            continue
        place += 1
        if sign == "'":
            inside = not inside
        elif inside:
            in_string |= sign == "\n"
        elif sign == "(":
            rows, depth, between = rows + (depth == 0), depth + 1, between + sign
        elif sign == ")":
            in_row |= depth == 0
            depth, between = max(depth - 1, 0), between + sign
        elif sign in ";\n":
            in_row |= depth > 0
            depth = 0 if sign == ";" else depth
            ends, between = ends + (sign == ";"), between + sign
    bare = "\n;" in between or "\n\n" in between.replace(";\n", "")
    return Outline(rows, depth, ends, inside, False, in_string or in_row or bare)


@settings(max_examples=examples(1000), deadline=None)
@given(
    data=st.text(alphabet="'();\n\\a,", max_size=60)
    | st.lists(st.sampled_from(["()", "('a'),", "(1)\n", "(2);\n", "((),(()))", "'(", "\\'", "\n", ";"])).map(
        "".join
    ),
    inside=st.booleans(),
    depth=st.integers(0, 2),
    backslash=st.booleans(),
)
def test_the_outline_is_what_reading_sign_by_sign_gives(
    data: str, inside: bool, depth: int, backslash: bool
) -> None:
    """Rows, depth, ends, broken lines and the state of the string equal those of a reader that goes sign by sign."""
    while backslash and (len(data) - len(data.rstrip("\\"))) % 2:
        data = data[:-1]
    found = outline(data.encode(), inside=inside, depth=depth, backslash=backslash)
    wanted = read_by_sign(data, inside=inside, depth=depth, backslash=backslash)

    assert found._replace(end_in_string=False) == wanted


@settings(max_examples=examples(300), deadline=None)
@given(data=st.text(alphabet="';\na", max_size=30), inside=st.booleans())
def test_an_end_of_a_statement_within_a_string_is_never_missed(data: str, inside: bool) -> None:
    """Where a string holds a semicolon with a line end behind it, the outline says that ends cannot be told by looks."""
    parts = data.split("'")[int(not inside) :: 2]

    assert outline(data.encode(), inside=inside, depth=0, backslash=False).end_in_string or not any(
        ";\n" in part for part in parts
    )


@settings(max_examples=examples(300), deadline=None)
@given(
    rows=st.lists(
        st.lists(st.sampled_from(["", "a", "\\n", "\\\\.", "\\N", "."]), min_size=3, max_size=3), max_size=30
    ),
    block_bytes=st.integers(1, 90),
    names=st.sampled_from(["(a, b, c) ", ""]),
)
def test_rows_of_copy_are_counted_exactly(rows: list[list[str]], block_bytes: int, names: str) -> None:
    """Each line up to the end of the block is a row, in blocks of any size, with and without the columns' names."""
    lines = "".join("\t".join(row) + "\n" for row in rows)
    text = f"CREATE TABLE t (a text, b text, c text);\nCOPY t {names}FROM stdin;\n{lines}\\.\nCREATE TABLE u (a int);\n"

    manifest = scanned(text.encode(), "pg_plain", block_bytes)

    assert {name: entry.rows for name, entry in manifest.tables.items()} == {"t": len(rows), "u": 0}


def test_a_short_line_in_the_middle_of_copy_is_told_and_counted() -> None:
    """A line with another number of values among thousands of whole ones is still a row, and blocks the dump."""
    lines = "1\ta\t\\N\n" * 20_000 + "pg_dump: error\n" + "2\tb\t\\N\n" * 20_000
    text = f"CREATE TABLE t (a int, b text, c text);\nCOPY t (a, b, c) FROM stdin;\n{lines}\\.\n"
    scanner = DumpScanner("pg_plain")
    scanner.feed(text.encode())
    reading = scanner.finish()

    assert reading.manifest.tables["t"].rows == 40_001
    assert [hazard.code for hazard in reading.hazards] == ["foreign_text"]
