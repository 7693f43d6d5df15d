"""The oracle agrees with a perfect recovery and with nothing less."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.site.clone import clone_production
from tests.site.fixtures import production, production_template
from tests.site.history import git
from tests.site.oracle import conclusion, judge, main
from tests.site.production import Production, artisan, build, copy_database, session, stop
from tests.site.since import Record, Visitors

__all__ = ["production", "production_template"]


def insert(database: sqlite3.Connection, table: str, row: dict[str, Any]) -> None:
    """Add one row."""
    marks = ", ".join("?" * len(row))
    database.execute(f"insert into {table} ({', '.join(row)}) values ({marks})", tuple(row.values()))


def raise_sequence(database: sqlite3.Connection, table: str, highest: int) -> None:
    """Let the table's next id be above this one."""
    database.execute("update sqlite_sequence set seq = max(seq, ?) where name = ?", (highest, table))


def take_over_queue(database: sqlite3.Connection, since: Record) -> None:
    """Bring the queue to its state of now."""
    database.executemany("delete from jobs where id = ?", [(identifier,) for identifier in since.jobs_done])
    for job in since.jobs:
        insert(database, "jobs", job)


def make_repaired(site: Production) -> None:
    """Make by hand, in the old shape, the perfect database: the copy of before, and every write since."""
    since = Record.load(site.oracle_path / "since.json")
    copy_database(site.oracle_path / "before.sqlite", site.database_path)
    with closing(sqlite3.connect(site.database_path)) as database, database:
        database.execute("pragma foreign_keys = on")
        for upload in since.uploads:
            photo = {name: value for name, value in upload["photo"].items() if name != "post_id"}
            insert(database, "photos", photo | {"caption": upload["post"]["caption"]})
        for table, rows in (("comments", since.comments), ("photo_tag", since.tagged)):
            for row in rows:
                insert(database, table, row)
        for edit in since.edits:
            columns = edit["photo"] | {k: v for k, v in edit["post"].items() if k == "caption"}
            settings = ", ".join(f"{name} = ?" for name in columns)
            database.execute(
                f"update photos set {settings} where id = ?", (*columns.values(), edit["photo_id"])
            )
        for identifier in since.deleted_photos:
            database.execute("delete from photo_tag where photo_id = ?", (identifier,))
            database.execute("delete from photos where id = ?", (identifier,))
        take_over_queue(database, since)
        raise_sequence(database, "migrations", 7)


def make_corrected(site: Production) -> None:
    """Make the perfect database of the new shape: the perfect one of the old shape, really migrated."""
    make_repaired(site)
    git(site.app_path, "pull", "--quiet", "--ff-only", "origin", "main")
    artisan(site, "migrate", "--force")


def make_swapped(site: Production) -> None:
    """Make the backup's copy with the queue of now, and no id to be given twice."""
    since = Record.load(site.oracle_path / "since.json")
    copy_database(site.oracle_path / "before.sqlite", site.database_path)
    with closing(sqlite3.connect(site.database_path)) as database, database:
        take_over_queue(database, since)
        raise_sequence(database, "migrations", 7)
        for table in ("photo", "comment"):
            rows = since.comments if table == "comment" else [upload["photo"] for upload in since.uploads]
            raise_sequence(database, f"{table}s", max(row["id"] for row in rows))


MAKERS = {"repaired": make_repaired, "corrected": make_corrected, "swapped": make_swapped}


@pytest.fixture(scope="module")
def perfect(
    production_template: Production, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Production]:
    """Return a perfect production for each way a recovery may end."""
    sites = {}
    for final, make in MAKERS.items():
        folder = tmp_path_factory.mktemp("perfect") / final
        sites[final] = clone_production(production_template.folder, folder, run=False)
        make(sites[final])
    return sites


def damaged(perfect: Production, folder: Path, statements: Sequence[str]) -> Path:
    """Return a folder that the oracle can judge: the perfect production's database after these statements."""
    (folder / "oracle").mkdir()
    for name in ("before.sqlite", "since.json"):
        (folder / "oracle" / name).symlink_to(perfect.oracle_path / name)
    values = json.loads((perfect.folder / "production.json").read_text(encoding="utf-8"))
    values["database_path"] = str(folder / "live.sqlite")
    (folder / "production.json").write_text(json.dumps(values), encoding="utf-8")
    copy_database(perfect.database_path, folder / "live.sqlite")
    with closing(sqlite3.connect(folder / "live.sqlite")) as database, database:
        for statement in statements:
            assert database.execute(statement).rowcount != 0, "the damage must change something"
    return folder


def wrong_tables(folder: Path, final: str) -> set[str]:
    """Return the names under which the oracle found something."""
    return {name for name, found in judge(folder, final).items() if found.differences}


@pytest.mark.parametrize("final", MAKERS)
def test_it_agrees_with_a_perfect_recovery(perfect: dict[str, Production], final: str) -> None:
    """Every table is right: the oracle agrees, for each way a recovery may end."""
    assert conclusion(judge(perfect[final].folder, final)) == "oracle: agrees"


@pytest.mark.parametrize("final", MAKERS)
def test_it_disagrees_with_the_broken_state(production_template: Production, final: str) -> None:
    """The state after the bad migration is none of the states that are expected."""
    assert "comments" in wrong_tables(production_template.folder, final)


@pytest.mark.parametrize(
    ("made", "final"), [("repaired", "corrected"), ("swapped", "repaired"), ("corrected", "swapped")]
)
def test_it_tells_the_ends_apart(perfect: dict[str, Production], made: str, final: str) -> None:
    """A state that is perfect for one end is not taken for another."""
    assert wrong_tables(perfect[made].folder, final)


CORRECTED_DAMAGE = {
    "one comment removed": (["delete from comments where id = 300"], {"comments"}),
    "one comment since removed": (["delete from comments where id = 405"], {"comments"}),
    "one comment too many": (
        ["insert into comments select 9999, photo_id, body, null, null from comments limit 1"],
        {"comments"},
    ),
    "a comment on another photo": (
        ["update comments set photo_id = photo_id + 1 where id = 300"],
        {"comments"},
    ),
    "a comment with a key used again": (
        ["update comments set created_at = '2026-01-01 00:00:00' where id = 300"],
        {"comments"},
    ),
    "a comment of another type": (
        ["update comments set body = cast(body as blob) where id = 300"],
        {"comments"},
    ),
    "one caption changed": (["update posts set caption = caption || ' ' where id = 700"], {"posts"}),
    "one caption lost": (["update posts set caption = null where id = 700"], {"posts"}),
    "no caption turned into an empty one": (["update posts set caption = '' where id = 4"], {"posts"}),
    "an empty caption turned into none": (["update posts set caption = null where caption = ''"], {"posts"}),
    "a caption of an upload lost": (["update posts set caption = null where id = 2021"], {"posts"}),
    "a caption typed since undone": (
        ["update posts set caption = 'old' where caption like 'typed anew%'"],
        {"posts"},
    ),
    "two captions changed over": (
        [
            "update photos set post_id = -1 where id = 700",
            "update photos set post_id = 700 where id = 701",
            "update photos set post_id = 701 where id = 700",
        ],
        {"posts"},
    ),
    "a post's day changed": (["update posts set display_date = null where id = 700"], {"posts"}),
    "a photo without its post": (["update photos set post_id = null where id = 700"], {"posts"}),
    "two photos on one post": (["update photos set post_id = 701 where id = 700"], {"posts"}),
    "a stray post": (["insert into posts (caption) values ('stray')"], {"posts"}),
    "one location lost": (["update photos set location = null where id = 700"], {"photos"}),
    "a location edited since undone": (
        ["update photos set location = 'old' where location like 'moved;%'"],
        {"photos"},
    ),
    "an upload gone": (
        [
            "delete from photos where id = 2025",
            "delete from comments where photo_id = 2025",
            "delete from posts where id = 2025",
        ],
        {"photos", "posts", "comments"},
    ),
    "a photo deleted by people is back": (
        [
            "insert into posts (id) values (11)",
            "insert into photos (id, user_id, filename, post_id) values (11, 1, 'back.jpg', 11)",
        ],
        {"photos", "posts"},
    ),
    "a tag taken off": (["delete from photo_tag where photo_id = 300 and tag_id < 21"], {"photo_tag"}),
    "a user renamed": (["update users set name = 'x' where id = 7"], {"users"}),
    "a tag too many": (["insert into tags (name) values ('x')"], {"tags"}),
    "a job that was done is back": (
        ["insert into jobs values (1, 'default', '{}', 0, null, 0, 0)"],
        {"jobs"},
    ),
    "a queued job gone": (["delete from jobs where id = 3"], {"jobs"}),
    "a failed job gone": (["delete from failed_jobs"], {"failed_jobs"}),
    "the migration not recorded": (["delete from migrations where batch = 3"], {"migrations"}),
    "the migration recorded twice": (
        ["insert into migrations (migration, batch) select migration, 3 from migrations where batch = 3"],
        {"migrations"},
    ),
    "the good migration not recorded": (["delete from migrations where batch = 2"], {"migrations"}),
    "an id of photos given twice": (
        ["update sqlite_sequence set seq = 2039 where name = 'photos'"],
        {"sqlite_sequence"},
    ),
    "an id of comments given twice": (
        ["update sqlite_sequence set seq = 400 where name = 'comments'"],
        {"sqlite_sequence"},
    ),
    "no memory of ids": (["delete from sqlite_sequence where name = 'users'"], {"sqlite_sequence"}),
    "a table left over": (["create table photos_aside (id integer)"], {"photos_aside"}),
    "a table gone": (["drop table failed_jobs"], {"failed_jobs"}),
    "the old column left over": (["alter table photos add column caption text"], {"photos"}),
    "a column gone": (["alter table photos drop column location"], {"photos"}),
    "an index gone": (["drop index photos_filename_unique"], {"photos"}),
    "the foreign key gone": (
        [
            "create table c (id integer primary key autoincrement not null, photo_id integer not null, body text not null, created_at datetime, updated_at datetime)",
            "insert into c select * from comments",
            "drop table comments",
            "alter table c rename to comments",
            "create index comments_photo_id_index on comments (photo_id)",
        ],
        {"comments"},
    ),
    "an orphan": (["update comments set photo_id = 999999 where id = 300"], {"comments", "file"}),
}


@pytest.mark.parametrize("name", CORRECTED_DAMAGE)
def test_it_names_each_single_damage(perfect: dict[str, Production], tmp_path: Path, name: str) -> None:
    """One thing is wrong in an otherwise perfect database: the oracle names its table and no other."""
    statements, tables = CORRECTED_DAMAGE[name]
    assert wrong_tables(damaged(perfect["corrected"], tmp_path, statements), "corrected") == tables


OTHER_DAMAGE = [
    ("repaired", "update photos set caption = null where id = 700", {"photos"}),
    ("repaired", "update photos set caption = 'old' where caption like 'typed anew%'", {"photos"}),
    ("repaired", "update photos set location = null where id = 700", {"photos"}),
    ("repaired", "delete from comments where id = 300", {"comments"}),
    ("repaired", "create table posts (id integer)", {"posts"}),
    ("repaired", "update sqlite_sequence set seq = 2039 where name = 'photos'", {"sqlite_sequence"}),
    ("swapped", "update photos set location = null where id = 700", {"photos"}),
    ("swapped", "delete from photos where id = 11", {"photos", "file"}),
    ("swapped", "delete from jobs", {"jobs"}),
    ("swapped", "update sqlite_sequence set seq = 2020 where name = 'photos'", {"sqlite_sequence"}),
    ("swapped", "update sqlite_sequence set seq = 6 where name = 'migrations'", {"sqlite_sequence"}),
]


@pytest.mark.parametrize(("final", "statement", "tables"), OTHER_DAMAGE)
def test_it_names_damage_in_the_old_shape(
    perfect: dict[str, Production], tmp_path: Path, final: str, statement: str, tables: set[str]
) -> None:
    """The same for a recovery that ends before the corrected migration."""
    assert wrong_tables(damaged(perfect[final], tmp_path, [statement]), final) == tables


def test_a_correct_deployment_needs_no_recovery(tmp_path: Path) -> None:
    """Where the right migration was deployed from the start, the oracle agrees, also after more writes."""
    site = build(tmp_path / "site", photos=2_000, migration="correct", run=False)
    assert conclusion(judge(site.folder)) == "oracle: agrees"
    visitors = Visitors(session(site), Record.load(site.oracle_path / "since.json"))
    photo = visitors.upload(caption="while the others look", location=None)
    visitors.comment(photo, "first")
    visitors.delete(500)
    visitors.close()
    assert conclusion(judge(site.folder)) != "oracle: agrees"
    visitors.record.save(site.oracle_path / "since.json")
    assert conclusion(judge(site.folder)) == "oracle: agrees"


def test_online_asks_the_site_itself(production: Production) -> None:
    """Maintenance left on, and a front that does not answer, are named."""
    assert judge(production.folder, online=True)["online"].differences == []
    artisan(production, "down")
    assert judge(production.folder, online=True)["online"].differences == [
        "maintenance is on",
        "the first page answers 503",
    ]
    artisan(production, "up")
    stop(production.folder)
    assert judge(production.folder, online=True)["online"].differences == ["the first page answers nothing"]


def test_the_program_prints_its_verdict_last_and_no_value(
    perfect: dict[str, Production], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 0 and `agrees`, or 1 with the table and the key; never what stands in a row."""
    assert main([str(perfect["corrected"].folder)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "oracle: agrees"
    statement = "update posts set caption = 'a secret' where id = 700"
    folder = damaged(perfect["corrected"], tmp_path, [statement])
    assert main([str(folder)]) == 1
    shown = capsys.readouterr().out
    assert shown.splitlines()[-1] == "oracle: disagrees: posts: 1 changed (700: caption)"
    assert "secret" not in shown


def test_the_program_runs_apart_and_speaks_json(perfect: dict[str, Production]) -> None:
    """As a program of its own it needs nothing but Python, and gives the same verdict as JSON."""
    path = Path(__file__).parents[1] / "site" / "oracle.py"
    command = [
        sys.executable,
        "-I",
        "-S",
        str(path),
        str(perfect["repaired"].folder),
        "--final",
        "repaired",
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["agrees"] is True
