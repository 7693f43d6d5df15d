"""A backup is loaded whole or not at all, whatever its rows and names look like."""

from __future__ import annotations

import bz2
import gzip
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from adapters.host_reader.answers import Refusal
from adapters.host_reader.inspect_sqlite import read_sqlite_file
from adapters.host_reader.sqlite_splitter import statements
from adapters.host_reader.sqlite_verbs import sqlite_fingerprint, sqlite_load
from tests.unit.rows.shapes import INDEXES, build_before, rows, run, value

HOSTILE = """
CREATE TABLE "a""b; --" (id INTEGER PRIMARY KEY AUTOINCREMENT, "select" TEXT, raw BLOB, f REAL, big INTEGER);
INSERT INTO "a""b; --" ("select", raw, f, big) VALUES
    ('it''s; -- not /* the end', X'00FF27', 0.1, 9223372036854775807),
    ('line
COMMIT;
-- Dump completed on 2025', NULL, 1e300, -9223372036854775808), ('', X'', -0.5, 0), ('ünï 😀', NULL, NULL, NULL);
CREATE TABLE audit (what TEXT);
CREATE TRIGGER seen AFTER INSERT ON "a""b; --" BEGIN
    INSERT INTO audit VALUES ('a; END;'); UPDATE audit SET what = CASE WHEN 1 THEN 'x' ELSE what END; END;
CREATE VIEW v AS SELECT "select" FROM "a""b; --";
CREATE TABLE w (k TEXT PRIMARY KEY, n) WITHOUT ROWID;
INSERT INTO w VALUES ('k', 1), ('l', '1');
"""


def dump(path: Path) -> bytes:
    """Return what the real sqlite3 program writes as `.dump`."""
    return subprocess.run(["sqlite3", str(path), ".dump"], check=True, capture_output=True).stdout


def load(backup: Path, target: Path, **more: Any) -> dict[str, Any]:
    request = {"backup": str(backup), "target": str(target), "page_size": 4096, "encoding": "UTF-8", **more}
    return sqlite_load(request)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.sqlite"
    build_before(path)
    run(path, HOSTILE)
    return path


@pytest.mark.parametrize("packing", ["plain", "gz", "bz2", "zip", "zst"])
def test_a_dump_gives_back_the_same_content(source: Path, packing: str, tmp_path: Path) -> None:
    """Loaded from a dump, packed or not, the content has the source's fingerprint."""
    backup, text = tmp_path / "backup", dump(source)
    if packing == "zip":
        with zipfile.ZipFile(backup, "w") as archive:
            archive.writestr("dump.sql", text)
    elif packing == "zst":
        backup.write_bytes(subprocess.run(["zstd", "-q"], input=text, check=True, capture_output=True).stdout)
    else:
        backup.write_bytes({"plain": bytes, "gz": gzip.compress, "bz2": bz2.compress}[packing](text))
    loaded = load(backup, tmp_path / "scratch")
    assert loaded["fingerprint"] == sqlite_fingerprint({"path": str(source)})["fingerprint"]
    assert [row["migration"] for row in loaded["migrations"]] == ["a_first", "b_second"]
    assert loaded["foreign_key_violations"] == {}


@pytest.mark.parametrize("packed", [False, True])
def test_a_database_file_is_a_backup_too(source: Path, packed: bool, tmp_path: Path) -> None:
    """A copy of the file itself loads with another page size and the same content."""
    backup = tmp_path / "backup"
    backup.write_bytes(gzip.compress(source.read_bytes()) if packed else source.read_bytes())
    loaded = load(backup, tmp_path / "scratch", page_size=8192)
    assert loaded["fingerprint"] == sqlite_fingerprint({"path": str(source)})["fingerprint"]
    assert loaded["page_size"] == 8192


def test_page_size_encoding_and_marks_are_the_live_ones(source: Path, tmp_path: Path) -> None:
    """What a dump does not carry is taken from the request, so that the cut-over finds equal layouts."""
    backup = tmp_path / "backup.sql"
    backup.write_bytes(dump(source))
    load(backup, tmp_path / "scratch", page_size=1024, encoding="UTF-16le", user_version=7)
    found = [
        value(tmp_path / "scratch", f"PRAGMA {name}") for name in ("page_size", "encoding", "user_version")
    ]
    assert found == [1024, "UTF-16le", 7]


def test_a_dump_cut_anywhere_is_refused(source: Path, tmp_path: Path) -> None:
    """Cut at any statement or at any twentieth of its length, the dump leaves no scratch."""
    text = dump(source)
    cuts = {len(text) * part // 20 for part in range(20)}
    cuts |= {place + 2 for place in range(0, len(text) - 10, 97) if text[place : place + 2] == b";\n"}
    cuts |= {len(text) - len(b"COMMIT;\n"), len(text.rstrip()) - 2}
    for cut in cuts:
        backup = tmp_path / "cut.sql"
        backup.write_bytes(text[:cut])
        with pytest.raises(Refusal) as refused:
            load(backup, tmp_path / "scratch")
        assert refused.value.kind == "damaged"
    assert not list(tmp_path.glob("scratch*"))


@pytest.mark.parametrize(
    "tail",
    [
        b"ROLLBACK; -- due to errors\n",
        b"COMMIT;\nDELETE FROM users;\n",
        b"ATTACH '/etc/x' AS x;\nCOMMIT;\n",
        b"SELECT load_extension('x');\nCOMMIT;\n",
        b"PRAGMA writable_schema=ON;\nINSERT INTO sqlite_master VALUES('table','x','x',0,'CREATE TABLE x(a)');COMMIT;\n",
        b"INSERT INTO nowhere VALUES('secret');\nCOMMIT;\n",
    ],
)
def test_a_dump_that_failed_or_reaches_out_is_refused(source: Path, tail: bytes, tmp_path: Path) -> None:
    """A failed dump, statements after its end, other databases, extensions: nothing is kept and no content is told."""
    backup = tmp_path / "bad.sql"
    backup.write_bytes(dump(source).rsplit(b"COMMIT;", 1)[0] + tail)
    with pytest.raises(Refusal) as refused:
        load(backup, tmp_path / "scratch")
    assert refused.value.kind == "damaged"
    assert "secret" not in refused.value.message
    assert not (tmp_path / "scratch").exists()


def test_damaged_packing_is_refused(source: Path, tmp_path: Path) -> None:
    """A gzip stream cut short is no backup, although a part of it could be read."""
    backup = tmp_path / "backup.gz"
    backup.write_bytes(gzip.compress(dump(source))[:-20])
    with pytest.raises(Refusal) as refused:
        load(backup, tmp_path / "scratch")
    assert refused.value.kind == "damaged"


@pytest.mark.parametrize("as_text", [True, False])
def test_search_and_map_indexes_are_loaded(source: Path, as_text: bool, tmp_path: Path) -> None:
    """A backup with virtual tables, a file or a `.dump`, is loaded whole, and the counts of its manifest hold."""
    run(source, INDEXES)
    backup = tmp_path / "backup"
    backup.write_bytes(dump(source) if as_text else source.read_bytes())
    counted = read_sqlite_file(source, "migrations", None).reading.manifest.tables
    expect = {"tables": {name: entry.rows for name, entry in counted.items()}}
    assert {"searched", "a map's"} < counted.keys()
    answer = load(backup, tmp_path / "loaded.sqlite", expect=expect)
    assert answer["fingerprint"] == sqlite_fingerprint({"path": str(source)})["fingerprint"]
    found = "SELECT (SELECT count(*) FROM searched WHERE searched MATCH 'place'), (SELECT count(*) FROM \"a map's\")"
    assert rows(tmp_path / "loaded.sqlite", found) == [(60, 1)]


@pytest.mark.parametrize(
    "values",
    [
        "('table','x','x',0,'CREATE VIRTUAL TABLE x USING csv(filename=''/etc/passwd'')')",
        "('table','x','x',0,'CREATE VIRTUAL TABLE x USING csv(data='' using fts5(a) '')')",
        "('table','x','x',0,'CREATE TABLE x (a)')",
        "('trigger','x','users',0,'CREATE TRIGGER x AFTER INSERT ON users BEGIN SELECT 1; END')",
    ],
)
def test_nothing_else_is_written_into_the_schema(source: Path, values: str, tmp_path: Path) -> None:
    """What stands in the schema's own table comes from statements that make it, or the dump is refused."""
    columns = "sqlite_schema(type,name,tbl_name,rootpage,sql)"
    more = f"PRAGMA writable_schema=ON;\nINSERT INTO {columns}VALUES{values};\nCOMMIT;\n"
    (tmp_path / "backup").write_bytes(dump(source).replace(b"COMMIT;\n", more.encode()))
    with pytest.raises(Refusal):
        load(tmp_path / "backup", tmp_path / "loaded.sqlite")
    assert not (tmp_path / "loaded.sqlite").exists()


def test_other_counts_than_the_manifest_are_refused(source: Path, tmp_path: Path) -> None:
    """A load that has one row less than the manifest says is not kept."""
    backup = tmp_path / "backup.sql"
    backup.write_bytes(dump(source))
    with pytest.raises(Refusal) as refused:
        load(backup, tmp_path / "scratch", expect={"tables": {"pictures": 61}})
    assert "60 rows" in refused.value.message
    assert load(backup, tmp_path / "scratch", expect={"tables": {"pictures": 60}})["tables"]["pictures"] == 60


def test_orphans_of_the_backup_are_counted(source: Path, tmp_path: Path) -> None:
    """Rows that pointed nowhere in the backup already are told per foreign key."""
    run(source, "PRAGMA foreign_keys=OFF; DELETE FROM pictures WHERE id = 3;")
    backup = tmp_path / "backup.sql"
    backup.write_bytes(dump(source))
    assert load(backup, tmp_path / "scratch")["foreign_key_violations"] == {
        "remarks(picture_id) -> pictures": 2
    }


def test_bytes_that_are_no_utf8_survive(tmp_path: Path) -> None:
    """Text of any bytes comes back as it was."""
    source = tmp_path / "source"
    run(source, "CREATE TABLE t (v TEXT); INSERT INTO t VALUES (CAST(X'66FF27E9' AS TEXT));")
    backup = tmp_path / "backup.sql"
    backup.write_bytes(dump(source))
    load(backup, tmp_path / "scratch")
    assert value(tmp_path / "scratch", "SELECT hex(v) || typeof(v) FROM t") == "66FF27E9text"


def test_newer_dumps_write_control_characters_with_unistr(tmp_path: Path) -> None:
    """The form that sqlite3 3.50 writes (hand-made here) is read by older libraries too."""
    backup = tmp_path / "backup.sql"
    backup.write_text(
        "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE t(v TEXT);\n"
        "INSERT INTO t VALUES(unistr('a\\u000ab\\\\c'));\nCOMMIT;\n"
    )
    load(backup, tmp_path / "scratch")
    assert value(tmp_path / "scratch", "SELECT v FROM t") == "a\nb\\c"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_statements_do_not_depend_on_how_the_text_is_cut(size: int) -> None:
    """Pieces of any size give the same statements."""
    pieces = [HOSTILE[start : start + size] for start in range(0, len(HOSTILE), size)]
    assert list(statements(pieces)) == list(statements([HOSTILE]))
    assert len(list(statements([HOSTILE]))) == 7
