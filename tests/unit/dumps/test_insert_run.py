"""Rows are counted exactly, whatever the values hold and however the stream is cut into blocks."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.dumps.lanes import outline
from bot.dumps.manifest import PRESENT, Manifest
from bot.dumps.scanner import DumpScanner

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


@settings(max_examples=150, deadline=None)
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


@settings(max_examples=150, deadline=None)
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


@settings(max_examples=300, deadline=None)
@given(
    data=st.text(alphabet="'();\n\\a,", max_size=60),
    inside=st.booleans(),
    depth=st.integers(0, 2),
    backslash=st.booleans(),
)
def test_the_outline_is_what_reading_sign_by_sign_gives(
    data: str, inside: bool, depth: int, backslash: bool
) -> None:
    """Rows, depth, ends and the state of the string equal those of a reader that goes sign by sign."""
    while backslash and (len(data) - len(data.rstrip("\\"))) % 2:
        data = data[:-1]
    found = outline(data.encode(), inside=inside, depth=depth, backslash=backslash)

    rows, open_now, ends, within, place = 0, depth, 0, inside, 0
    while place < len(data):
        sign = data[place]
        place += 2 if backslash and sign == "\\" and data[place + 1] in "\\'" else 1
        if sign == "'":
            within = not within
        elif not within and sign == "(":
            rows, open_now = rows + (open_now == 0), open_now + 1
        elif not within and sign == ")":
            open_now -= 1
            if open_now < 0:
                return  # no dump closes what it did not open
        elif not within and sign == ";":
            ends += 1
    assert (found.rows, found.depth, found.ends, found.inside) == (rows, open_now, ends, within)
