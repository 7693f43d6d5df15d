"""The zoo: good and broken backups, each with the word it must get. `python -m tests.zoo.make FOLDER` writes it out.

SQLite's specimens come from a small real database through the real `sqlite3` program. MySQL's and PostgreSQL's are
made by hand in the layouts of mariadb-dump 10.11.19, mysqldump 8.0 and pg_dump 15.18 (see `texts.py`).
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.zoo import texts

VERIFIED, REFUSED, COULD_NOT_VERIFY = "VERIFIED", "REFUSED", "COULD NOT VERIFY"
BAD = "2025_11_25_120000_convert_pictures"
EARLIER = [
    "2024_01_01_000000_create_albums",
    "2024_01_02_000000_create_pictures",
    "2025_02_01_000000_add_notes",
]
HOSTILE_NAME = """a 'quoted"; -- name\nof (two) lines"""
HOSTILE_VALUES = [
    "it's; -- Dump completed on 2026-11-22 15:53:01",
    "a\nCOMMIT;\n",
    "),(",
    "'); DROP TABLE pictures; --",
    ");\nINSERT INTO pictures VALUES(9,9,'x');\n",
    "back\\slash\\'",
    "ROLLBACK; -- due to errors",
    '"double" `back` [square] $tag$',
    "/* not closed",
]
LIVE_TABLES = ["migrations", "albums", "pictures", "notes", "bundles", HOSTILE_NAME]


@dataclass(frozen=True)
class Specimen:
    """One file of the zoo, the word it must get, and the site it is inspected for."""

    name: str
    word: str
    engine: str = "sqlite"
    before: str = BAD

    def request(self, folder: Path) -> dict[str, Any]:
        return {
            "path": str(folder / self.name),
            "before": self.before,
            "expect": {
                "engine": self.engine,
                "tables": LIVE_TABLES,
                "database": "album",
                "migrations": [*EARLIER, BAD],
            },
        }


def make_database(path: Path, migrations: list[str], *, rows: int = 40, prefix: str = "") -> None:
    """Write a small site's database, hostile names and values in it."""
    quoted = '"' + HOSTILE_NAME.replace('"', '""') + '"'
    database = sqlite3.connect(path)
    with database:
        database.executescript(
            "create table migrations(id integer primary key autoincrement, migration text not null, batch integer);"
            f"create table {prefix}albums(id integer primary key, name text);"
            f"create table {prefix}pictures(id integer primary key, album_id integer references {prefix}albums, note text);"
            f"create table {prefix}notes(id integer primary key, body text);"
            f"create index {prefix}by_album on {prefix}pictures(album_id);"
            f"create trigger {prefix}keep after delete on {prefix}albums begin "
            f"insert into {prefix}notes(body) values('gone; END;'); select case when 1 then 2 end; end;"
            f"create table {quoted}(x text);"
        )
        for number, name in enumerate(migrations, start=1):
            database.execute("insert into migrations(migration, batch) values(?, ?)", (name, number))
        database.execute(f"insert into {prefix}albums values(1, 'one')")
        for number in range(rows):
            value = HOSTILE_VALUES[number % len(HOSTILE_VALUES)]
            database.execute(f"insert into {prefix}pictures(album_id, note) values(1, ?)", (value,))
            database.execute(f"insert into {quoted} values(?)", (value,))
    database.close()


def sqlite_program(database: Path, command: str) -> bytes:
    """Return what the real sqlite3 program prints."""
    return subprocess.run(["sqlite3", str(database), command], check=True, capture_output=True).stdout


def statement_ends(dump: bytes) -> list[int]:
    """Return where each statement of a dump ends, told by SQLite itself (`sqlite3.complete_statement`)."""
    ends, begin = [], 0
    for place, code in enumerate(dump, start=1):
        if code == ord(";") and sqlite3.complete_statement(dump[begin:place].decode()):
            ends.append(place)
            begin = place
    return ends


def _zip(data: bytes, path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("dump.sql", data)


def _zstd(data: bytes, path: Path) -> None:
    path.write_bytes(subprocess.run(["zstd", "-qc"], input=data, check=True, capture_output=True).stdout)


PACKERS: dict[str, Callable[[bytes, Path], object]] = {
    "gz": lambda data, path: path.write_bytes(gzip.compress(data)),
    "bz2": lambda data, path: path.write_bytes(bz2.compress(data)),
    "xz": lambda data, path: path.write_bytes(lzma.compress(data)),
    "zip": _zip,
    "zst": _zstd,
}


def _cut_dumps(folder: Path, dump: bytes) -> Iterator[Specimen]:
    """A dump cut behind every statement but the last, and at every per cent."""
    whole = len(dump.rstrip())
    places = {*statement_ends(dump), *(len(dump) * part // 100 for part in range(1, 100))}
    for place in sorted(place for place in places if place < whole):
        name = f"cut-at-{place:06d}.sql"
        (folder / name).write_bytes(dump[:place])
        yield Specimen(name, REFUSED)


def _packed_dumps(folder: Path, dump: bytes) -> Iterator[Specimen]:
    """Each compression: whole, cut before it was compressed, cut after, and with one byte changed."""
    for suffix, pack in PACKERS.items():
        pack(dump, folder / f"good.sql.{suffix}")
        yield Specimen(f"good.sql.{suffix}", VERIFIED)
        pack(dump[: len(dump) * 2 // 3], folder / f"cut-before.sql.{suffix}")
        yield Specimen(f"cut-before.sql.{suffix}", REFUSED)
        packed = (folder / f"good.sql.{suffix}").read_bytes()
        for name, damaged in (
            ("cut-after-half", packed[: len(packed) // 2]),
            ("cut-by-one-byte", packed[:-1]),
            ("one-byte-changed", _flipped(packed, len(packed) // 2)),
        ):
            (folder / f"{name}.sql.{suffix}").write_bytes(damaged)
            yield Specimen(f"{name}.sql.{suffix}", REFUSED)


def _flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :]


def _database_files(folder: Path, site: Path) -> Iterator[Specimen]:
    """SQLite files: good, packed, cut, damaged, with a write-ahead file beside."""
    data = site.read_bytes()
    (folder / "good.sqlite").write_bytes(data)
    yield Specimen("good.sqlite", VERIFIED)
    (folder / "good.sqlite.gz").write_bytes(gzip.compress(data))
    yield Specimen("good.sqlite.gz", VERIFIED)
    for part in (1, 10, 25, 50, 75, 90, 99):
        (folder / f"cut-{part}.sqlite").write_bytes(data[: len(data) * part // 100])
        yield Specimen(f"cut-{part}.sqlite", REFUSED)
    root_page = data[:4096] + b"\xff" * 512 + data[4096 + 512 :]
    (folder / "damaged.sqlite").write_bytes(root_page)
    yield Specimen("damaged.sqlite", REFUSED)
    (folder / "wal-beside.sqlite").write_bytes(data)
    (folder / "wal-beside.sqlite-wal").write_bytes(b"x" * 4096)
    yield Specimen("wal-beside.sqlite", COULD_NOT_VERIFY)


def _wrong_dumps(folder: Path, site: Path, dump: bytes) -> Iterator[Specimen]:
    """Whole files that are the wrong ones."""
    after, other, bare = folder / "after.db", folder / "other.db", folder / "bare.db"
    make_database(after, [*EARLIER, BAD])
    make_database(other, ["2020_05_05_000000_create_shop", "2021_05_05_000000_create_orders"], prefix="shop_")
    make_database(bare, EARLIER, rows=0)
    # Only the migrations table keeps its rows, as in Laravel's schema dumps.
    for table in ("albums", "notes"):
        sqlite_program(bare, f"delete from {table}")
    files = {
        "empty.sql": b"",
        "schema-only.sql": sqlite_program(site, ".schema"),
        "structure-and-migrations.sql": sqlite_program(bare, ".dump"),
        "other-site.sql": sqlite_program(other, ".dump"),
        "after-the-migration.sql": sqlite_program(after, ".dump"),
        "one-table-only.sql": sqlite_program(site, ".dump albums"),
        "two-in-one.sql": dump + dump,
        "rollback.sql": dump[: dump.rindex(b"COMMIT;")] + b"ROLLBACK; -- due to errors\n",
        "attach.sql": dump.replace(b"BEGIN TRANSACTION;\n", b"BEGIN TRANSACTION;\nATTACH 'x' AS y;\n", 1),
        "dot-command.sql": b".shell true\n" + dump,
        "a-picture.jpg": b"\xff\xd8\xff\xe0" + bytes(range(256)) * 8,
        "a-page.sql": b"<html><body>404 Not Found</body></html>\n",
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
        yield Specimen(name, REFUSED)
    for extra in (after, other, bare):
        extra.unlink()


def _good_dumps(folder: Path, site: Path, dump: bytes) -> Iterator[Specimen]:
    (folder / "good.sql").write_bytes(dump)
    yield Specimen("good.sql", VERIFIED)
    (folder / "good-no-last-line-end.sql").write_bytes(dump.rstrip())
    yield Specimen("good-no-last-line-end.sql", VERIFIED)
    (folder / "named-like-nothing").write_bytes(dump)
    yield Specimen("named-like-nothing", VERIFIED)
    older = folder / "older.db"
    make_database(older, EARLIER[:2])
    (folder / "older.sql").write_bytes(sqlite_program(older, ".dump"))
    yield Specimen("older.sql", VERIFIED)
    older.unlink()
    # Older programs, and newer ones told so, write line ends inside values as they are.
    (folder / "raw-line-ends.sql").write_bytes(sqlite_program(site, ".dump --newlines"))
    yield Specimen("raw-line-ends.sql", VERIFIED)


def _text_dumps(folder: Path) -> Iterator[Specimen]:
    for name, engine, word, data in texts.specimens():
        (folder / name).write_bytes(data)
        yield Specimen(name, word, engine)
        if word == VERIFIED:
            whole = len(data.rstrip())
            for part in range(1, 100):
                # Behind the last row only words that say nothing are lost; before it every cut must be seen.
                cut = len(data) * part // 100
                if cut < min(whole, data.rindex(b"complete")):
                    (folder / f"cut-{part:02d}-{name}").write_bytes(data[:cut])
                    yield Specimen(f"cut-{part:02d}-{name}", REFUSED, engine)


def make_zoo(folder: Path) -> list[Specimen]:
    """Write every specimen into `folder` and return them with their expected words."""
    site = folder / "site.db"
    make_database(site, EARLIER)
    dump = sqlite_program(site, ".dump")
    specimens = [
        *_good_dumps(folder, site, dump),
        *_wrong_dumps(folder, site, dump),
        *_cut_dumps(folder, dump),
        *_packed_dumps(folder, dump),
        *_database_files(folder, site),
        *_text_dumps(folder),
    ]
    site.unlink()
    return specimens


def main() -> None:
    """Write the zoo and the list of expected words."""
    folder = Path(sys.argv[1])
    if shutil.which("sqlite3") is None:
        raise SystemExit("the zoo needs the sqlite3 program")
    folder.mkdir(parents=True, exist_ok=True)
    specimens = make_zoo(folder)
    (folder / "zoo.json").write_text(
        json.dumps([asdict(specimen) for specimen in specimens], indent=1), encoding="utf-8"
    )
    print(f"{len(specimens)} specimens in {folder}")


if __name__ == "__main__":
    main()
