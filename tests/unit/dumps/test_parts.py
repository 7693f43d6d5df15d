"""A dump that is read in parts, each by a scanner of its own, gives what one scanner gives that reads it whole."""

from __future__ import annotations

import re
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.dumps.hazards import FOREIGN_TEXT
from bot.dumps.manifest import Reading
from bot.dumps.scanner import DumpScanner
from tests.examples import examples

BEGINS = re.compile(rb";\n(?=INSERT INTO )")
MYSQL_HEAD = b"-- MySQL dump 10.13  Distrib 8.0.36\n-- Host: localhost    Database: album\n"
END = b"-- Dump completed on 2026-11-22 15:53:01\n"
HOSTILE = [
    b"'",
    b"''",
    b'"',
    b"\\",
    b"\\\\",
    b"\\'",
    b"\\n",
    b"\n",
    b"\r\n",
    b";",
    b";\n",
    b");\n",
    b"),(",
    b"),\n(",
    b"(",
    b"))",
    b"--",
    b"/*",
    b"*/",
    b"\0",
    b"\xff",
    "größe 画像".encode(),
    b"x" * 300,
    END,
    b";\nINSERT INTO `t` VALUES (1,'a');\n",
    b";\nINSERT INTO `t` VALUES ",
    b";\nINSERT INTO t VALUES(1);\n",
    b"\nDELIMITER ;;\n",
    b"\nCOMMIT;\n",
    b"mysqldump: Error 2013: Lost connection\n",
]
VALUES = st.lists(st.sampled_from(HOSTILE), max_size=4).map(b"".join)


def mysql_text(value: bytes) -> bytes:
    for sign, escaped in (
        (b"\\", b"\\\\"),
        (b"'", b"\\'"),
        (b"\n", b"\\n"),
        (b"\r", b"\\r"),
        (b"\0", b"\\0"),
    ):
        value = value.replace(sign, escaped)
    return b"'" + value + b"'"


def sqlite_text(value: bytes) -> bytes:
    return b"'" + value.replace(b"'", b"''") + b"'"


def raw_text(value: bytes) -> bytes:
    """As a tool writes it that escapes too little."""
    return b"'" + value + b"'"


def mysql_statement(table: bytes, rows: list[bytes], between: bytes) -> bytes:
    head = b"INSERT INTO `%s` VALUES" % table + (b"\n" if b"\n" in between else b" ")
    return head + between.join(b"(1,%s,NULL)" % row for row in rows) + b";\n"


def sqlite_statement(table: bytes, rows: list[bytes], _: bytes) -> bytes:
    return b"".join(b"INSERT INTO %s VALUES(1,replace(%s,'\\n',char(10)));\n" % (table, row) for row in rows)


OTHER = [
    b"\n--\n-- Table structure\n--\n",
    b"CREATE TABLE `t` (\n  `a` int,\n  `b` text\n);\n",
    b"CREATE TABLE migrations (id int, migration text, batch int);\n",
    b"INSERT INTO migrations VALUES (1,'2024_01_01_000000_a',1);\n",
    b"INSERT INTO migrations (id, migration, batch) VALUES (2,'2024_01_02_000000_b',2);\n",
    b"CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET a = ';';\nINSERT INTO u VALUES (1);\nEND;\n",
    b"DELIMITER ;;\nCREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW BEGIN DELETE FROM u;\nINSERT INTO u VALUES (1);\nEND ;;\nDELIMITER ;\n",
    b"/* not rows;\nINSERT INTO t VALUES (7);\n*/\n",
    b"/*!40101 SET NAMES gbk */;\n",
    b"UNLOCK TABLES;\n",
    b"/*!50001 CREATE VIEW `v` AS SELECT 1 */;\n",
    b"INSERT INTO t SELECT 1;\nINSERT INTO u VALUES (5);\n",
    b"INSERT INTO t DEFAULT VALUES;\nINSERT INTO u VALUES (5);\n",
    b"warning: something\n",
]


@st.composite
def dumps(draw: st.DrawFn) -> tuple[str, bytes]:
    """Draw a dump's format and its text: rows with hostile values between other statements, and sometimes a damaged one."""
    kind = draw(st.sampled_from(["mysql_dump", "sqlite_dump"]))
    written, statement = (
        (mysql_text, mysql_statement) if kind == "mysql_dump" else (sqlite_text, sqlite_statement)
    )
    written = draw(st.sampled_from([written, written, written, raw_text]))
    pieces = [draw(st.sampled_from([MYSQL_HEAD, b""]))]
    for _ in range(draw(st.integers(0, 9))):
        if draw(st.integers(0, 3)):
            rows = [written(value) for value in draw(st.lists(VALUES, min_size=1, max_size=5))]
            pieces.append(
                statement(draw(st.sampled_from([b"t", b"u"])), rows, draw(st.sampled_from([b",", b",\n"])))
            )
        else:
            pieces.append(draw(st.sampled_from(OTHER)))
    text = b"".join(pieces) + draw(st.sampled_from([END, b"COMMIT;\n", b""]))
    return kind, text[: draw(st.integers(0, len(text)))] if draw(st.integers(0, 4)) == 0 else text


def told(scanner: DumpScanner) -> tuple[object, list[str]]:
    """Return what decides; of a dump that is refused for damage or foreign text in it nothing else is believed."""
    reading: Reading = scanner.finish()
    if reading.manifest.damage:
        return reading.manifest.damage, []
    codes = sorted(hazard.code for hazard in reading.hazards)
    if FOREIGN_TEXT.code in codes:
        return FOREIGN_TEXT.code, []
    return reading.manifest, codes


def feed(scanner: DumpScanner, text: bytes, block_bytes: int) -> DumpScanner:
    for place in range(0, len(text), block_bytes):
        scanner.feed(text[place : place + block_bytes])
    return scanner


@settings(max_examples=examples(400), deadline=None)
@given(dump=dumps(), block_bytes=st.integers(1, 200))
def test_where_blocks_end_changes_nothing(dump: tuple[str, bytes], block_bytes: int) -> None:
    """A dump gives the same in blocks of any size."""
    kind, text = dump

    assert told(feed(DumpScanner(kind), text, block_bytes)) == told(feed(DumpScanner(kind), text, 1 << 20))


@settings(max_examples=examples(400), deadline=None)
@given(dump=dumps(), block_bytes=st.integers(16, 4000), chosen=st.lists(st.booleans(), max_size=12))
@example(
    dump=(
        "mysql_dump",
        MYSQL_HEAD + b"INSERT INTO `t` VALUES (1,'a;\nINSERT INTO `t` VALUES (2),(3);\n');\n",
    ),
    block_bytes=4000,
    chosen=[True],
)
@example(
    dump=(
        "mysql_dump",
        MYSQL_HEAD
        + b"INSERT INTO `t` VALUES (1,'');\nINSERT INTO `t` VALUES (1,'';\nINSERT INTO `t` VALUES ',NULL);\n"
        + END,
    ),
    block_bytes=16,
    chosen=[False, True],
)
def test_parts_joined_are_the_whole(dump: tuple[str, bytes], block_bytes: int, chosen: list[bool]) -> None:
    """Wherever a part begins behind what looks like a statement's end, joined or refused, all is as read in one go."""
    kind, text = dump
    begins = [match.end() for match, take in zip(BEGINS.finditer(text), chosen, strict=False) if take]
    places = [0, *begins, len(text)]
    whole = DumpScanner(kind)
    for number, (begin, end) in enumerate(pairwise(places)):
        part = text[begin:end]
        if not number or not whole.join(feed(whole.later(), part, block_bytes)):
            feed(whole, part, block_bytes)

    assert told(whole) == told(feed(DumpScanner(kind), text, 1 << 20))
