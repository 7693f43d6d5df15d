"""A mysqldump stream is cut into the same statements as a token-by-token reader cuts it, whatever its rows hold."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.host_reader.answers import Refusal
from adapters.host_reader.mysql.ddl import disabled_event, take_apart, without_definer
from adapters.host_reader.mysql.splitter import Plain, Rows, Splitter, flat
from bot.dumps.tokens import MYSQL, statement_end
from tests.examples import examples

LIMIT = 1 << 20
TRICKY = [
    "'",
    "\\",
    ";",
    "\n",
    ";\n",
    "--",
    "-- ",
    "/*",
    "*/",
    "#",
    '"',
    "`",
    "(",
    ")",
    "),(",
    "),\n(",
    "x",
    "next value",
]
values = st.lists(st.sampled_from([*TRICKY, "INSERT INTO `t` VALUES ", ",", "é", " a "]), max_size=12).map(
    "".join
)


def escaped(value: str, raw_lines: bool) -> str:
    """Return a value as mysqldump writes it, or with raw line ends as some other programs do."""
    value = value.replace("\\", "\\\\").replace("'", "\\'").replace('"', '\\"')
    return "'" + (value if raw_lines else value.replace("\n", "\\n")) + "'"


def split(text: bytes, size: int = LIMIT, limit: int = LIMIT) -> list[Rows | Plain]:
    """Return the statements of a dump that comes in pieces of this size."""
    return list(Splitter((text[at : at + size] for at in range(0, len(text), size)), limit).statements())


def rows_in(statements: list[Rows | Plain]) -> bytes:
    """Return all rows, as one list."""
    return b",".join(
        each.body[:-1].replace(b"),\n(", b"),(") for each in statements if isinstance(each, Rows)
    )


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(st.tuples(values, values), min_size=1, max_size=6), st.booleans(), st.booleans())
def test_rows_come_out_as_they_went_in(
    rows: list[tuple[str, str]], raw_lines: bool, one_by_one: bool
) -> None:
    """One statement for all rows or one for each: the same rows in the same order, with nothing lost or joined wrongly."""
    texts = [f"(-1,{escaped(a, raw_lines)},{escaped(b, raw_lines)},NULL,0xAF,1e-5)" for a, b in rows]
    head = "INSERT INTO `t` VALUES "
    dump = "".join(f"{head}{text};\n" for text in texts) if one_by_one else f"{head}{','.join(texts)};\n"
    found = split(("CREATE TABLE `t` (a int);\n" + dump + "UNLOCK TABLES;\n").encode())
    assert found[0] == Plain(b"CREATE TABLE `t` (a int)")
    assert found[-1] == Plain(b"UNLOCK TABLES")
    assert all(isinstance(each, Rows) and each.table == "t" for each in found[1:-1])
    if raw_lines:  # a line end inside a value may look like one between rows here
        assert len(rows_in(found)) == len(",".join(texts).encode().replace(b"),\n(", b"),("))
    else:
        assert rows_in(found) == ",".join(texts).encode()


@settings(max_examples=examples(300), deadline=None)
@given(
    st.lists(st.sampled_from(["(1,'a')", ",", "(2)", "f(", " ", "'b'", *TRICKY]), max_size=12).map("".join)
)
def test_what_the_fast_way_takes_is_one_statement(body: str) -> None:
    """Whatever stands behind VALUES: what the fast way takes for one statement ends there token by token too."""
    text = b"(" + body.encode() + b";"
    if flat(text, b"", 1):
        assert statement_end(text, 0, MYSQL) == len(text)
        assert b"(" not in re.sub(
            rb"\([^()]*\)", b"", re.sub(rb"'(?:[^'\\]|\\.|'')*'", b"", text, flags=re.DOTALL)
        )


DUMP = rb"""/*M!999999\- enable the sandbox mode */
-- MariaDB dump 10.19
/*!40101 SET NAMES utf8mb4 */;
CREATE TABLE `t` (`id` int, `v` text DEFAULT ';' COMMENT 'it''s; --') /* ; */;
INSERT INTO `t` VALUES
(1,'a;\n'),
(2,'\\');
REPLACE INTO `t` (`id`, `v`) VALUES (3,'b');
INSERT  IGNORE INTO `t` VALUES (4,"double ; 'quoted'"), (5 , _binary 'x');
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`b`*/ /*!50003 TRIGGER x BEFORE INSERT ON t FOR EACH ROW BEGIN SET @a = ';;'; END */;;
DELIMITER ;
# a comment; with a semicolon
-- Dump completed on 2025-01-01
"""


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
def test_statements_do_not_depend_on_how_the_stream_is_cut(size: int) -> None:
    """Blocks of any size give the same statements; IGNORE and REPLACE, which would hide a row, become INSERT."""
    found = split(DUMP, size)
    assert found == split(DUMP)
    heads = [each.head for each in found if isinstance(each, Rows)]
    assert heads == [
        b"INSERT INTO `t` VALUES\n", b"INSERT INTO `t` (`id`, `v`) VALUES\n", b"INSERT INTO `t` VALUES\n"
    ]  # fmt: skip
    assert [each.text[:20] for each in found if isinstance(each, Plain)] == [
        b"/*!40101 SET NAMES u", b"CREATE TABLE `t` (`i", b"/*!50003 CREATE*/ /*"
    ]  # fmt: skip


def test_the_end_marker_counts_only_where_it_is_the_last_thing() -> None:
    """A dump with a head needs its end marker; one in a value, or before other statements, is none."""
    for text, whole in (
        (DUMP, True),
        (DUMP.replace(b"-- Dump completed", b"-- Dump"), False),
        (DUMP + b"UNLOCK TABLES;\n", False),
        (DUMP.replace(b"-- MariaDB dump", b"-- other").replace(b"-- Dump completed", b"-- x"), True),
    ):
        splitter = Splitter([text], LIMIT)
        assert list(splitter.statements())
        assert splitter.whole is whole


def test_a_dump_cut_inside_a_statement_is_damaged() -> None:
    """Wherever it is cut, what is left is a whole number of statements, a missing marker, or a refusal."""
    headed = DUMP.index(b"-- MariaDB dump ") + len(b"-- MariaDB dump ")
    marked = DUMP.index(b"-- Dump completed") + len(b"-- Dump completed")
    for cut in range(1, len(DUMP)):
        splitter = Splitter([DUMP[:cut]], LIMIT)
        kind = refusal_of(splitter)
        whole = kind is None and splitter.whole
        assert kind in (None, "damaged")
        assert not whole or cut >= marked or cut < headed


def refusal_of(splitter: Splitter) -> str | None:
    """Return the kind of refusal that a dump ends with, None where it is read to its end."""
    try:
        list(splitter.statements())
    except Refusal as refusal:
        return refusal.kind
    return None


@pytest.mark.parametrize(
    "values",
    [
        "(1,now())", "(1,(SELECT 1))", "(NEXT VALUE FOR `live`.`s`)", "(1) ON DUPLICATE KEY UPDATE a=f()", "(1) RETURNING a",
        "(1),('a),(2') ON DUPLICATE KEY UPDATE a=f('),(')",
    ],
)  # fmt: skip
def test_rows_that_are_computed_are_refused(values: str) -> None:
    """Functions, queries and clauses among the values are what no dump program writes."""
    with pytest.raises(Refusal, match="computes rows of t"):
        split(f"INSERT INTO t VALUES {values};\n".encode())


@pytest.mark.parametrize("tail", ["", ";\n"])
def test_a_statement_longer_than_the_limit_is_refused_early(tail: str) -> None:
    """No more than the limit and a block is kept of a statement that has no end in sight."""
    read = 0

    def blocks() -> object:
        nonlocal read
        yield b"INSERT INTO t VALUES (1,'"
        for _ in range(100):
            read += 1
            yield b"x" * 100_000
        yield b"')" + tail.encode()

    with pytest.raises(Refusal, match="max_allowed_packet of 1000000 bytes"):
        list(Splitter(blocks(), 1_000_000).statements())  # type: ignore[arg-type]
    assert read < 40


def test_a_table_is_taken_apart_and_can_be_put_together() -> None:
    """Keys that are needed while rows come stay; the others and the foreign keys are added after."""
    text = (
        b"CREATE TABLE `t` (\n  `n` int NOT NULL AUTO_INCREMENT,\n  `a` int COMMENT 'KEY (`x`), ',\n  `b` text,\n"
        b"  PRIMARY KEY (`a`,`n`),\n  UNIQUE KEY `u` (`a`),\n  KEY `n` (`n`),\n  KEY `k` (`b`(20)) USING BTREE,\n"
        b"  FULLTEXT KEY `f` (`b`),\n  CONSTRAINT `c` CHECK (`a` in (1,2)),\n"
        b"  CONSTRAINT `FOREIGN` FOREIGN KEY (`a`) REFERENCES `p` (`id`) ON DELETE CASCADE\n) ENGINE=InnoDB AUTO_INCREMENT=7"
    )
    parts = take_apart(text, "t")
    assert parts.indexes == (b"UNIQUE KEY `u` (`a`)", b"KEY `k` (`b`(20)) USING BTREE")
    assert parts.foreign_keys == (
        b"CONSTRAINT `FOREIGN` FOREIGN KEY (`a`) REFERENCES `p` (`id`) ON DELETE CASCADE",
    )
    assert re.findall(rb"\n  (\w+)", parts.create) == [b"PRIMARY", b"KEY", b"FULLTEXT", b"CONSTRAINT"]
    assert parts.create.endswith(b"\n) ENGINE=InnoDB AUTO_INCREMENT=7")
    assert parts.sharable
    assert parts.adding((b"KEY `x` (`y`)",)) == b"ALTER TABLE `t` ADD KEY `x` (`y`)"


def test_definers_of_others_are_dropped_in_the_head_only() -> None:
    """A definer in a conditional comment goes; the word in a body or a text stays, and so does the current user's own."""
    text = b"/*!50003 CREATE*/ /*!50017 DEFINER=`ro``ot`@`%`*/ /*!50003 TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET @a = 'DEFINER=`x`' */"
    assert without_definer(text, "app@%") == (text.replace(b"DEFINER=`ro``ot`@`%`", b""), "ro`ot@%")
    assert without_definer(text, "ro`ot@%") == (text, None)


@pytest.mark.parametrize(
    ("written", "made"),
    [
        (b"ON COMPLETION NOT PRESERVE ENABLE DO SELECT 'ENABLE'", b"ON COMPLETION NOT PRESERVE DISABLE DO SELECT 'ENABLE'"),
        (b"COMMENT 'DO ENABLE' DO SELECT 1", b"DISABLE COMMENT 'DO ENABLE' DO SELECT 1"),
        (b"DISABLE DO SELECT 1", b"DISABLE DO SELECT 1"),
    ],
)  # fmt: skip
def test_events_are_made_disabled(written: bytes, made: bytes) -> None:
    """Whatever the definition says, the event does not run; words in its comment and body are left alone."""
    head = b"CREATE EVENT `e` ON SCHEDULE EVERY 1 DAY "
    assert disabled_event(head + written) == (head + made, not written.startswith(b"DISABLE"))
