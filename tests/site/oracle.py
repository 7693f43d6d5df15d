"""Says whether a recovered production holds what it must, row by row. It shares no code with the product.

    python -m tests.site.oracle FOLDER [--final corrected|repaired|swapped] [--online] [--json]

What is expected is computed from two things kept apart from the production: `oracle/before.sqlite`, a copy taken
right before the deployment, and `oracle/since.json`, each row written after it. Differences are named by primary
key and column, never by value. The last line is `oracle: agrees` (exit status 0) or `oracle: disagrees: …` (1).

A database on a server is first copied, by `oracle_export.py` and the engine's own client, into a file like `before`.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Row = dict[str, Any]
Rows = dict[Any, Row]

KEYS_SHOWN = 20
BAD_MIGRATION = "2025_11_25_120000_convert_photos_to_multi_photo_posts"
# What the queue owns: here the rows of now count, not the rows of the backup.
RUNTIME_TABLES = ("jobs", "failed_jobs")
POST_COLUMNS = ("id", "caption", "display_date", "created_at", "updated_at")


@dataclass(kw_only=True)
class Finding:
    """What was found in one table: how many rows it holds, and every difference, by key."""

    rows: int = 0
    differences: list[str] = field(default_factory=list)

    def say(self, what: str, keys: Iterable[Any]) -> None:
        """Add one kind of difference, when there is any key to it."""
        named = sorted((str(key) for key in keys), key=lambda text: (len(text), text))
        if named:
            more = ", …" if len(named) > KEYS_SHOWN else ""
            self.differences.append(f"{len(named)} {what} ({', '.join(named[:KEYS_SHOWN])}{more})")


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What of a table's structure must survive: columns, foreign keys, and the columns of each index.

    `details` are the columns in the words of a server's engine: type, default, collation; none for SQLite.
    """

    columns: frozenset[str]
    foreign_keys: frozenset[tuple[str, str, str, str]]  # column, parent table, parent column, on delete
    indexes: frozenset[tuple[bool, tuple[str, ...]]]  # unique, columns
    details: frozenset[str] = frozenset()


class Database:
    """One database file, opened so that it cannot be changed."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        self._connection.row_factory = sqlite3.Row

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def query(self, sql: str) -> list[sqlite3.Row]:
        """Return the rows of a query."""
        return self._connection.execute(sql).fetchall()

    def tables(self) -> set[str]:
        """Return the names of all tables but SQLite's own."""
        names = self.query(
            "select name from sqlite_master where type = 'table' and name not like 'sqlite\\_%' escape '\\'"
        )
        return {row["name"] for row in names} - {"~details"}

    def rows(self, table: str, key: tuple[str, ...]) -> Rows:
        """Return every row of a table by its key: the value of one column, or the values of several."""
        return keyed((dict(row) for row in self.query(f'select * from "{table}"')), key)

    def shape(self, table: str) -> Shape:
        """Return the structure of a table."""
        columns = self.query(f'select name from pragma_table_info("{table}")')
        keys = self.query(f'select "from", "table", "to", on_delete from pragma_foreign_key_list("{table}")')
        indexes = self.query(f'select name, "unique" from pragma_index_list("{table}")')
        return Shape(
            columns=frozenset(row[0] for row in columns),
            foreign_keys=frozenset(tuple(row) for row in keys),
            indexes=frozenset((bool(row[1]), self.index_columns(row[0])) for row in indexes),
            details=self.details(table),
        )

    def details(self, table: str) -> frozenset[str]:
        """Return a table's columns in the words of the server's engine, nothing for SQLite's own file."""
        if not self.query("select 1 from sqlite_master where name = '~details'"):
            return frozenset()
        rows = self.query('select table_name, detail from "~details"')
        return frozenset(row["detail"] for row in rows if row["table_name"] == table)

    def index_columns(self, index: str) -> tuple[str, ...]:
        """Return the columns of an index, in its order."""
        return tuple(row[0] for row in self.query(f'select name from pragma_index_info("{index}")'))

    def sequences(self) -> dict[str, int]:
        """Return the highest id that SQLite remembers having given, by table."""
        return {row["name"]: row["seq"] for row in self.query("select name, seq from sqlite_sequence")}


def keyed(rows: Iterable[Row], key: tuple[str, ...]) -> Rows:
    """Return rows by their key."""
    if len(key) == 1:
        return {row[key[0]]: row for row in rows}
    return {tuple(row[name] for name in key): row for row in rows}


KEYS: dict[str, tuple[str, ...]] = {"photo_tag": ("photo_id", "tag_id"), "migrations": ("migration",)}


def key_of(table: str) -> tuple[str, ...]:
    """Return the columns that tell a row of a table from every other."""
    return KEYS.get(table, ("id",))


class Expected:
    """What every table must hold, computed from the copy of before and the record of since."""

    def __init__(self, before: Database, since: dict[str, Any], final: str, *, deployed: bool = True) -> None:
        self._before, self._since, self._final, self._deployed = before, since, final, deployed
        self._gone = set() if final == "swapped" else set(since["deleted_photos"])

    def tables(self) -> set[str]:
        """Return the names of the tables there must be."""
        return self._before.tables() | ({"posts"} if self._final == "corrected" else set())

    def rows(self, table: str) -> Rows:
        """Return the rows a table must hold, by key."""
        if table in RUNTIME_TABLES:
            return self._runtime_rows(table)
        rows = self._before.rows(table, key_of(table))
        if self._final == "swapped":
            return rows
        if table == "photos":
            return self.photos()
        if table == "comments":
            return self._on_photos_that_stay(rows, self._since["comments"], ("id",))
        if table == "photo_tag":
            return self._on_photos_that_stay(rows, self._since["tagged"], key_of("photo_tag"))
        if table == "migrations":
            return self._migrations(rows)
        return rows

    def photos(self) -> Rows:
        """Return the photos there must be, each with the caption it must have, wherever that is kept."""
        rows = self._before.rows("photos", ("id",))
        for upload in self._since["uploads"]:
            photo = {name: value for name, value in upload["photo"].items() if name != "post_id"}
            rows[photo["id"]] = photo | {"caption": upload["post"]["caption"]}
        for edit in self._since["edits"]:
            row = rows[edit["photo_id"]]
            row |= edit["photo"]
            row["caption"] = edit["post"].get("caption", row["caption"])
        return {key: row for key, row in rows.items() if key not in self._gone}

    def posts(self) -> Rows:
        """Return the post each photo must have, by the photo's id."""
        return {
            key: {
                "caption": photo["caption"],
                "display_date": photo["created_at"],
                "created_at": photo["created_at"],
                "updated_at": photo["updated_at"],
            }
            for key, photo in self.photos().items()
        }

    def shape(self, table: str) -> Shape:
        """Return the structure a table must have."""
        if table == "posts":
            return Shape(columns=frozenset(POST_COLUMNS), foreign_keys=frozenset(), indexes=frozenset())
        shape = self._before.shape(table)
        if table != "photos" or self._final != "corrected":
            return shape
        return Shape(
            columns=shape.columns - {"caption"} | {"post_id"},
            foreign_keys=shape.foreign_keys,
            indexes=shape.indexes | {(False, ("post_id",))},
            details=frozenset(detail for detail in shape.details if not detail.startswith("caption ")),
        )

    def highest_ids(self) -> dict[str, int]:
        """Return, by table, the highest id ever given to a row, whether or not the row is still there."""
        highest = self._before.sequences()
        if self._deployed:
            # The bad migration gave each photo a post; a table made again must not give these ids to new posts.
            highest["posts"] = len(self._before.rows("photos", ("id",)))
        for table in ("photo", "post"):
            ids = [upload[table]["id"] for upload in self._since["uploads"]]
            highest[f"{table}s"] = max([highest.get(f"{table}s", 0), *ids])
        for table in ("comments", "jobs"):
            highest[table] = max([highest.get(table, 0), *(row["id"] for row in self._since[table])])
        highest["migrations"] += 1 if self._deployed else 0
        return highest

    def _runtime_rows(self, table: str) -> Rows:
        rows = self._before.rows(table, ("id",))
        if table == "jobs":
            rows |= keyed(self._since["jobs"], ("id",))
            rows = {key: row for key, row in rows.items() if key not in self._since["jobs_done"]}
        return rows

    def _on_photos_that_stay(self, rows: Rows, newer: list[Row], key: tuple[str, ...]) -> Rows:
        together = rows | keyed(newer, key)
        return {key: row for key, row in together.items() if row["photo_id"] not in self._gone}

    def _migrations(self, rows: Rows) -> Rows:
        if self._final == "corrected":
            batch = 1 + max(row["batch"] for row in rows.values())
            rows[BAD_MIGRATION] = {"migration": BAD_MIGRATION, "batch": batch}
        return rows


def compare_rows(finding: Finding, expected: Rows, live: Rows, ignored: frozenset[str] = frozenset()) -> None:
    """Add to a finding which rows are missing, stray or changed, and in which columns."""
    finding.say("missing", expected.keys() - live.keys())
    finding.say("stray", live.keys() - expected.keys())
    changed = {}
    for key in expected.keys() & live.keys():
        columns = changed_columns(expected[key], live[key], ignored)
        if columns:
            changed[key] = columns
    finding.say("changed", (f"{key}: {' '.join(columns)}" for key, columns in changed.items()))


def changed_columns(expected: Row, live: Row, ignored: frozenset[str]) -> list[str]:
    """Return the columns whose value or type is another one."""
    names = expected.keys() - ignored
    return sorted(name for name in names if name not in live or typed(expected[name]) != typed(live[name]))


def typed(value: Any) -> tuple[type, Any]:
    """Return a value with its type: 1, 1.0 and '1' are three things."""
    return type(value), value


def check_posts(finding: Finding, expected: Expected, live: Database) -> None:
    """Add to a finding what is wrong with the posts: each photo has one of its own, and there is no other."""
    posts, photos = live.rows("posts", ("id",)), live.rows("photos", ("id",))
    owners: dict[Any, list[Any]] = {}
    for key, photo in photos.items():
        owners.setdefault(photo.get("post_id"), []).append(key)
    by_photo = {
        key: posts[photo["post_id"]] for key, photo in photos.items() if photo.get("post_id") in posts
    }
    finding.rows = len(posts)
    finding.say("without a photo", posts.keys() - owners.keys())
    finding.say(
        "with several photos", (key for key, photos in owners.items() if key in posts and len(photos) > 1)
    )
    compare_rows(finding, expected.posts(), by_photo)


def check_shape(finding: Finding, expected: Shape, live: Shape) -> None:
    """Add to a finding what the table's structure lacks or has too much."""
    finding.say("columns missing", expected.columns - live.columns)
    finding.say("columns too many", live.columns - expected.columns)
    finding.say("foreign keys missing", expected.foreign_keys - live.foreign_keys)
    finding.say("indexes missing", (" ".join(columns) for _, columns in expected.indexes - live.indexes))
    finding.say("columns of another type", (detail.split()[0] for detail in expected.details - live.details))


def check_table(table: str, expected: Expected, live: Database, final: str) -> Finding:
    """Return what was found in one table."""
    finding = Finding()
    check_shape(finding, expected.shape(table), live.shape(table))
    if table == "posts":
        check_posts(finding, expected, live)
        return finding
    rows = live.rows(table, key_of(table))
    finding.rows = len(live.query(f'select 1 from "{table}"'))
    if finding.rows != len(rows):
        finding.differences.append(f"{finding.rows - len(rows)} rows more than there are keys")
    # The converted photos keep their caption in the post; a migration's id says nothing.
    ignored = {("photos", "corrected"): frozenset({"caption"})}.get((table, final), frozenset())
    compare_rows(finding, expected.rows(table), rows, frozenset({"id"}) if table == "migrations" else ignored)
    return finding


def check_sequences(expected: dict[str, int], live: dict[str, int], tables: set[str]) -> Finding:
    """Return which tables would give an id a second time."""
    finding = Finding(rows=len(live))
    finding.say("too low", (name for name in expected.keys() & tables if live.get(name, -1) < expected[name]))
    return finding


def check_file(live: Database) -> Finding:
    """Return what SQLite says against the file, or the copy: damage, or rows whose parent is missing."""
    finding = Finding()
    if [row[0] for row in live.query("pragma integrity_check")] != ["ok"]:
        finding.differences.append("integrity_check fails")
    orphans = live.query("pragma foreign_key_check")
    finding.say("rows without their parent", (f"{row[0]} {row[1]}" for row in orphans))
    return finding


def check_online(app: Path, url: str) -> Finding:
    """Return whether maintenance is over and the first page answers 200."""
    finding = Finding()
    if (app / "storage" / "framework" / "down").exists():
        finding.differences.append("maintenance is on")
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            status = answer.status
    except urllib.error.HTTPError as error:
        with error:
            status = error.code
    except urllib.error.URLError:
        status = 0
    if status != 200:
        finding.differences.append(f"the first page answers {status or 'nothing'}")
    return finding


def judge(folder: Path, final: str = "corrected", *, online: bool = False) -> dict[str, Finding]:
    """Return what was found, by table, in the production below `folder`. Reads only."""
    production = json.loads((folder / "production.json").read_text(encoding="utf-8"))
    since = json.loads((folder / "oracle" / "since.json").read_text(encoding="utf-8"))
    with (
        closing(Database(folder / "oracle" / "before.sqlite")) as before,
        live_file(folder, production) as path,
        closing(Database(path)) as live,
    ):
        expected = Expected(before, since, final, deployed=production["migration"] != "none")
        findings = judge_database(expected, live, final)
    if online:
        findings["online"] = check_online(Path(production["app_path"]), production["url"])
    return findings


@contextmanager
def live_file(folder: Path, production: dict[str, Any]) -> Iterator[Path]:
    """Give the live database as a file: its own, or a copy of a server's that is removed again. Reads only."""
    if not production.get("server"):
        yield Path(production["database_path"])
        return
    with tempfile.TemporaryDirectory(prefix="oracle-") as place:
        copy = Path(place) / "live.sqlite"
        program = Path(__file__).with_name("oracle_export.py")
        subprocess.run([sys.executable, "-I", "-S", str(program), str(folder), str(copy)], check=True)
        yield copy


def judge_database(expected: Expected, live: Database, final: str) -> dict[str, Finding]:
    """Return what was found in each table that there is or must be, in the sequences, and in the file as a whole."""
    there, wanted = live.tables(), expected.tables()
    findings = {table: check_table(table, expected, live, final) for table in sorted(there & wanted)}
    for table in sorted(wanted - there):
        findings[table] = Finding(differences=["the table is missing"])
    for table in sorted(there - wanted):
        findings[table] = Finding(differences=["the table should not be there"])
    findings["sqlite_sequence"] = check_sequences(expected.highest_ids(), live.sequences(), there & wanted)
    findings["file"] = check_file(live)
    return findings


def conclusion(findings: dict[str, Finding]) -> str:
    """Return the last line: that the oracle agrees, or with what it does not."""
    wrong = [
        f"{name}: {'; '.join(found.differences)}" for name, found in findings.items() if found.differences
    ]
    return f"oracle: disagrees: {' | '.join(wrong)}" if wrong else "oracle: agrees"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.site.oracle")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--final", choices=("corrected", "repaired", "swapped"), default="corrected")
    parser.add_argument(
        "--online", action="store_true", help="also: maintenance is off and the site answers 200"
    )
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    findings = judge(chosen.folder, chosen.final, online=chosen.online)
    last = conclusion(findings)
    agrees = last == "oracle: agrees"
    if chosen.json:
        tables = {name: vars(found) for name, found in findings.items()}
        print(json.dumps({"agrees": agrees, "conclusion": last, "tables": tables}, indent=1))
        return 0 if agrees else 1
    for name, found in findings.items():
        print(f"{name}: {'; '.join(found.differences) or 'ok'} ({found.rows} rows)")
    print(last)
    return 0 if agrees else 1


if __name__ == "__main__":
    sys.exit(main())
