"""The oracle on MariaDB and PostgreSQL: it agrees with a perfect recovery, and names each single damage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.site.clone import clone_production
from tests.site.fixtures import template_on
from tests.site.history import git
from tests.site.oracle import conclusion, judge, main
from tests.site.production import Production, artisan, session, stop
from tests.site.sessions import Session
from tests.site.since import Record

FEW = 400


def put(live: Session, table: str, row: dict[str, Any]) -> None:
    """Add one row with the id it has."""
    live.insert_many(table, tuple(row), [tuple(row.values())])


def make_repaired(site: Production) -> None:
    """Make, in the old shape, the perfect database: the backup loaded by the superuser, and every write since."""
    assert site.server is not None
    superuser, name = site.server.superuser(), site.server.name
    pg = superuser.driver == "pgsql"
    superuser.to("postgres" if pg else "mysql").run(f"drop database {name};")
    superuser.to("postgres" if pg else "mysql").run(f"create database {name}{' owner album' if pg else ''};")
    superuser.run(site.good_backup.read_text(encoding="utf-8"))
    since = Record.load(site.oracle_path / "since.json")
    with closing(session(site)) as live:
        for upload in since.uploads:
            photo = {name: value for name, value in upload["photo"].items() if name != "post_id"}
            put(live, "photos", photo | {"caption": upload["post"]["caption"]})
        for table, rows in (("comments", since.comments), ("photo_tag", since.tagged)):
            for row in rows:
                put(live, table, row)
        for edit in since.edits:
            columns = edit["photo"] | {k: v for k, v in edit["post"].items() if k == "caption"}
            settings = ", ".join(f"{name} = ?" for name in columns)
            live.query(f"update photos set {settings} where id = ?", *columns.values(), edit["photo_id"])
        for photo in since.deleted_photos:
            live.query("delete from photo_tag where photo_id = ?", photo)
            live.query("delete from photos where id = ?", photo)
        for job in since.jobs_done:
            live.query("delete from jobs where id = ?", job)
        for job in since.jobs:
            put(live, "jobs", job)
        live.raise_number("migrations", 7)


@pytest.fixture(params=("mariadb", "postgresql"))
def repaired(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> Iterator[Production]:
    """Return a running production that was recovered by hand, perfectly, and has the old shape."""
    template = template_on(tmp_path_factory, request.param, FEW)
    site = clone_production(template.folder, tmp_path / "production")
    try:
        make_repaired(site)
        yield site
    finally:
        stop(site.folder)


def wrong_tables(site: Production) -> set[str]:
    """Return the names under which the oracle found something."""
    return {name for name, found in judge(site.folder, "corrected").items() if found.differences}


TYPES = {
    "mariadb": "alter table tags modify name varchar(100) collate utf8mb4_unicode_ci not null",
    "postgresql": "alter table tags alter column name type varchar(100)",
}
LOW = {
    "mariadb": "alter table failed_jobs auto_increment = 1",
    "postgresql": "select setval('failed_jobs_id_seq', 1, false)",
}

# What is done, and the one name under which it must be found; no two make the same table wrong.
DAMAGE = (
    ("update posts set caption = null where id = 350", "posts"),
    ("delete from comments where id = 30", "comments"),
    ("delete from photo_tag where photo_id = 300 and tag_id < 21", "photo_tag"),
    ("update users set name = 'Person 7 ' where id = 7", "users"),
    ("delete from jobs where id = 3", "jobs"),
    ("delete from migrations where batch = 3", "migrations"),
    ("delete from failed_jobs", "failed_jobs"),
    (LOW, "sqlite_sequence"),
    (TYPES, "tags"),
    ("alter table photos drop column location", "photos"),
    ("create table photos_aside (id integer)", "photos_aside"),
)


def test_it_agrees_with_a_perfect_recovery_and_names_each_damage(repaired: Production) -> None:
    """Before and after the corrected migration it agrees; then each damage is found under its own table, and no more."""
    assert conclusion(judge(repaired.folder, "repaired")) == "oracle: agrees"
    git(repaired.app_path, "pull", "--quiet", "--ff-only", "origin", "main")
    artisan(repaired, "migrate", "--force")
    assert conclusion(judge(repaired.folder, "corrected")) == "oracle: agrees"
    with closing(session(repaired)) as live:
        for statement, _ in DAMAGE:
            live.query(statement[repaired.database] if isinstance(statement, dict) else statement)
    assert wrong_tables(repaired) == {table for _, table in DAMAGE}


def test_it_tells_an_orphan_and_no_value(repaired: Production, capsys: pytest.CaptureFixture[str]) -> None:
    """A comment whose photo is missing is named by its key; what stands in a row is never printed."""
    assert repaired.server is not None
    removed = "alter table comments drop constraint comments_photo_id_foreign"
    if repaired.database == "mariadb":
        removed = "alter table comments drop foreign key comments_photo_id_foreign"
    repaired.server.superuser().run(
        f"{removed}; update comments set photo_id = 99999, body = 'a secret' where id = 30;"
    )
    assert main([str(repaired.folder), "--final", "repaired"]) == 1
    shown = capsys.readouterr().out
    assert "comments: 1 foreign keys missing" in shown
    assert "1 changed (30: body photo_id)" in shown
    assert "secret" not in shown
