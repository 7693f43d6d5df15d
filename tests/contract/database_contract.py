"""What holds for every engine behind the Database port: asked through the real reader, on real databases.

A test module of an engine gives the fixture `scene`: a live database with two tables of the shape below, and a host.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest

from bot.model.database import SetAside
from bot.model.errors import FailedError, ReaderRefusalError
from bot.model.site_check import Preset, SiteCheck
from bot.ports.database import Database, Work
from bot.ports.host import JobState
from bot.runbook.checks import LIVE, OTHER, asked_on, number_of, questions
from tests.fakes.host import FakeHost

T = TypeVar("T")
TAG = "20260131030000-0123abcd"
_BOOKS = (
    "create table books (id integer not null primary key, author_id integer not null, title varchar(50), pages integer, "
    "foreign key (author_id) references authors (id) on delete cascade)"
)
SHAPE = (
    "create table authors (id integer not null primary key, name varchar(50) not null)",
    _BOOKS,
    "create table migrations (id integer not null primary key, migration varchar(191) not null, batch integer not null)",
    "insert into authors values (1, 'A'), (2, 'B')",
    "insert into books values (1, 1, 'one', 10), (2, 1, null, 20), (3, 2, 'three', 30)",
    "insert into migrations values (1, '2026_01_01_000000_first', 1)",
)
LARAVELS_OWN = (
    "create table failed_jobs (id integer not null primary key, payload text, failed_at varchar(30) not null)",
    "insert into failed_jobs values (1, 'it''s \"; drop table books; --', '2026-01-02 02:00:00')",
    "insert into failed_jobs values (2, null, '2026-01-02 02:00:00')",
    "insert into failed_jobs values (3, 'a line\nand a\ttab, \u00e9\U0001f600', '2026-01-02 02:00:00')",
    "create table cache (KEY varchar(99) not null primary key, value varchar(99), expiration integer)",
    "insert into cache values ('x_framework/schedule-6f1e', 'b:1;', 1), ('x_framework:down', 'b:1;', 2)",
)


@dataclass
class Scene:
    """One engine's live database on a host. `run` executes SQL on the live database as the application does.

    `put_back` has the engine's own client read a file. `client` is a server's, which stays open as long as its input does.
    """

    database: Database
    live: str
    host: FakeHost
    run: Callable[[str], None]
    secret: str
    put_back: Callable[[str], None]
    client: Sequence[str] = ()
    client_env: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Return Backout's folder of the site on the host."""
        return self.host.link.home / ".backout/sites/shop"

    async def ask(self, work: Work[T]) -> T:
        """Return the answer to a read-only question."""
        return work.read(await self.host.reader(work.verb, work.request))

    async def job(self, key: str, work: Work[T]) -> T:
        """Return the answer of a detached job."""
        root = str(self.folder / "jobs")
        await self.host.reader_job(root, key, work.verb, work.request)
        for _ in range(600):
            status = await self.host.job_status(root, key)
            if status.state is not JobState.RUNNING:
                break
            await asyncio.sleep(0.05)
        answer = json.loads(await self.host.job_output(root, key, "stdout"))
        assert answer.get("ok"), answer
        return work.read(answer)


class DatabaseContract:
    """The suite; each engine's test module makes a subclass of it."""

    async def test_facts_tell_counts_keys_and_migrations(self, scene: Scene) -> None:
        """Rows, NULLs, what cascades and which migrations ran are told as they are, with the place and its identity."""
        facts = await scene.ask(scene.database.facts(scene.live))
        assert facts.engine == scene.database.engine
        assert facts.rows == {"authors": 2, "books": 3, "migrations": 1}
        assert facts.nulls["books"]["title"] == 1
        assert facts.migrations == (("2026_01_01_000000_first", 1),)
        assert facts.cascading_children == {"authors": ("books",)}
        assert (facts.path, bool(facts.identity), facts.size_bytes > 0) == (scene.live, True, True)

    async def test_a_sample_changes_with_a_write_alone(self, scene: Scene) -> None:
        """Two samples without a write agree; a committed write makes another."""
        first = await scene.ask(scene.database.sample(scene.live))
        assert await scene.ask(scene.database.sample(scene.live)) == first
        scene.run("update books set pages = 11 where id = 1")
        assert await scene.ask(scene.database.sample(scene.live)) != first

    async def test_a_safety_backup_is_known_by_its_content(self, scene: Scene) -> None:
        """A copy has the live database's fingerprint and counts, and live is found changed after a write."""
        place = scene.database.safety_place(str(scene.folder / "safety"), "shop", TAG)
        copy = await scene.job("copy", scene.database.copy(scene.live, place))
        assert (copy.path, copy.rows) == (place, {"authors": 2, "books": 3, "migrations": 1})
        assert await scene.ask(scene.database.fingerprint(place)) == copy.fingerprint
        assert await scene.ask(scene.database.fingerprint(scene.live)) == copy.fingerprint
        scene.run("delete from books where id = 3")
        assert await scene.ask(scene.database.fingerprint(scene.live)) != copy.fingerprint

    async def test_scratch_is_there_only_once_it_was_made(self, scene: Scene) -> None:
        """A scratch database is told to be there after it was copied from the safety backup, with the same content."""
        safety = scene.database.safety_place(str(scene.folder / "safety"), "shop", TAG)
        scratch = scene.database.scratch_place(str(scene.folder / "scratch"), "repair", TAG)
        assert not await exists(scene, scratch)
        made = await scene.job("safety", scene.database.copy(scene.live, safety))
        copy = await scene.job("scratch", scene.database.copy(safety, scratch))
        assert await exists(scene, scratch)
        assert (copy.path, copy.fingerprint) == (scratch, made.fingerprint)

    async def test_scratch_is_removed_and_live_never(self, scene: Scene) -> None:
        """A scratch that is not needed is removed, twice without harm; live is refused and stays as it is."""
        scratch = scene.database.scratch_place(str(scene.folder / "scratch"), "drill", TAG)
        made = await scene.job("scratch", scene.database.copy(scene.live, scratch))

        assert await scene.ask(scene.database.drop(scratch))
        assert await scene.ask(scene.database.drop(scratch))
        with pytest.raises(FailedError, match="of Backout's own"):
            await scene.ask(scene.database.drop(scene.live))

        assert not await exists(scene, scratch)
        assert await scene.ask(scene.database.fingerprint(scene.live)) == made.fingerprint

    async def test_the_loss_table_names_what_went_and_what_came(self, scene: Scene) -> None:
        """Rows that are gone, new or changed, and the values of a dropped column, are counted by key."""
        scratch = scene.database.scratch_place(str(scene.folder / "scratch"), "baseline", TAG)
        await scene.job("scratch", scene.database.copy(scene.live, scratch))
        scene.run("delete from books where id = 3")
        scene.run("insert into books values (4, 1, 'four', 40)")
        scene.run("alter table books drop column pages")
        loss = await scene.job("compare", scene.database.compare(scratch, scene.live, ["migrations"], None))
        books = next(table for table in loss.tables if table.table == "books")
        assert (books.rows_before, books.rows_after, books.missing, books.new) == (3, 3, 1, 1)
        (pages,) = [column for column in books.columns if column.column == "pages"]
        assert (pages.status, loss.verdict, loss.values_lost >= 2) == ("dropped", "loss", True)

    async def test_a_cut_over_brings_the_scratch_and_its_undo_the_safety_backup(self, scene: Scene) -> None:
        """Production's content becomes that of scratch, and by the undo that of before; the same request twice is one."""
        safety = scene.database.safety_place(str(scene.folder / "safety"), "shop", TAG)
        scratch = scene.database.scratch_place(str(scene.folder / "scratch"), "repair", TAG)
        good = await scene.job("scratch", scene.database.copy(scene.live, scratch))
        scene.run("update books set title = 'spoilt'")
        bad = await scene.job("safety", scene.database.copy(scene.live, safety))
        mode = (await scene.ask(scene.database.facts(scene.live))).journal_mode
        change = scene.database.cut_over(
            source=scratch,
            live=scene.live,
            source_fingerprint=good.fingerprint,
            live_fingerprint=bad.fingerprint,
            journal_mode=mode,
        )
        assert (await scene.job("cut", change)).fingerprint == good.fingerprint
        assert (await scene.job("again", change)).already
        assert await scene.ask(scene.database.fingerprint(scene.live)) == good.fingerprint
        back = scene.database.cut_over(
            source=safety,
            live=scene.live,
            source_fingerprint=bad.fingerprint,
            live_fingerprint=good.fingerprint,
            journal_mode=mode,
        )
        assert (await scene.job("undo", back)).fingerprint == bad.fingerprint

    async def test_orphans_and_checks_are_counted(self, scene: Scene) -> None:
        """Foreign keys that hold have no orphans; a check's number is compared with what is expected."""
        assert sum((await scene.ask(scene.database.orphans(scene.live, 30))).values()) == 0
        check = {"name": "books", "sql": "select count(*) from books", "expect": 3}
        (result,) = await scene.ask(scene.database.checks(scene.live, [check], 30))
        assert (result.passed, result.value) == (True, 3)

    async def test_the_presets_are_answered(self, scene: Scene) -> None:
        """Each preset is answered on every engine; what is not there is told from what is."""
        checks = (
            SiteCheck(name="same", preset=Preset.SAME_COUNT, table="books", other_table="authors"),
            SiteCheck(name="linked", preset=Preset.ALL_LINKED, table="books", column="title"),
            SiteCheck(name="kept", preset=Preset.KEPT, table="books", column="title"),
            SiteCheck(
                name="orphans",
                preset=Preset.NO_ORPHANS,
                table="books",
                column="author_id",
                other_table="authors",
            ),
            SiteCheck(
                name="childless",
                preset=Preset.NO_CHILDLESS,
                table="authors",
                other_table="books",
                other_column="author_id",
            ),
            SiteCheck(name="table", preset=Preset.TABLE_PRESENT, table="books"),
            SiteCheck(name="no table", preset=Preset.TABLE_PRESENT, table="posts"),
            SiteCheck(name="column", preset=Preset.COLUMN_PRESENT, table="books", column="pages"),
            SiteCheck(name="no column", preset=Preset.COLUMN_PRESENT, table="books", column="cover"),
            SiteCheck(name="ran", preset=Preset.MIGRATION_RAN, migration="2026_01_01_000000_first"),
            SiteCheck(name="pending", preset=Preset.MIGRATION_RAN, migration="2026_01_02_000000_next"),
        )
        asked = asked_on(checks, scene.database.engine, "migrations")
        found = {}
        for side in (LIVE, OTHER):
            answers = await scene.ask(scene.database.checks(scene.live, questions(asked, side), 30))
            found[side] = {one.name: one for one in answers}
        numbers = {one.name: number_of(one, found[LIVE]) for one in asked}
        assert numbers == {
            "same": 3,
            "linked": 1,
            "kept": 2,
            "orphans": 0,
            "childless": 0,
            "table": 1,
            "no table": 0,
            "column": 1,
            "no column": 0,
            "ran": 1,
            "pending": 0,
        }
        assert number_of(asked[0], found[OTHER]) == 2

    async def test_rows_set_aside_are_kept_and_can_be_put_back(self, scene: Scene) -> None:
        """Just the rows that are meant go, in one transaction; the private file puts them back as they were."""
        mark = "`" if scene.database.engine in ("mysql", "mariadb") else '"'
        for statement in LARAVELS_OWN:
            scene.run(statement.replace("KEY", f"{mark}key{mark}"))
        whole = await scene.ask(scene.database.fingerprint(scene.live))
        wanted = [{"table": "failed_jobs"}, {"table": "cache", "key_holds": "framework/schedule-"}]
        folder = str(scene.folder / "kept")
        kept = await scene.job("aside", scene.database.set_aside(scene.live, wanted, folder, TAG))
        assert [(one.table, one.rows) for one in kept] == [("failed_jobs", 3), ("cache", 1)]
        assert all(is_private_and_as_told(one) for one in kept)
        rows = (await scene.ask(scene.database.facts(scene.live))).rows
        assert (rows["failed_jobs"], rows["cache"], rows["books"]) == (0, 1, 3)
        for one in kept:
            scene.put_back(one.file)
        assert await scene.ask(scene.database.fingerprint(scene.live)) == whole

    async def test_nothing_is_set_aside_where_other_rows_hang_on_it(self, scene: Scene) -> None:
        """A table to which others refer is refused by name, and so is one that is not there; all stays as it was."""
        whole = await scene.ask(scene.database.fingerprint(scene.live))
        for table, why in (("authors", "Rows of books hang on authors"), ("nothing", "no table nothing")):
            work = scene.database.set_aside(scene.live, [{"table": table}], str(scene.folder / "kept"), TAG)
            with pytest.raises(ReaderRefusalError, match=why):
                await scene.ask(work)
        assert await scene.ask(scene.database.fingerprint(scene.live)) == whole

    async def test_no_secret_is_left_on_the_host_or_told(self, scene: Scene) -> None:
        """After a read and a job the password stands in no answer and in no file of the host but the application's own."""
        facts = scene.database.facts(scene.live)
        told = json.dumps(await scene.host.reader(facts.verb, facts.request))
        place = scene.database.safety_place(str(scene.folder / "safety"), "shop", TAG)
        await scene.job("copy", scene.database.copy(scene.live, place))
        assert scene.secret not in told
        assert scene.secret not in json.dumps(facts.request)
        assert scene.secret not in "\n".join(scene.host.link.lines)
        left = [path for path in scene.folder.rglob("*") if path.is_file()]
        assert left
        assert [path.name for path in left if scene.secret.encode() in path.read_bytes()] == []
        assert [path.name for path in left if path.stat().st_mode & 0o077] == []


def is_private_and_as_told(one: SetAside) -> bool:
    """Return whether a kept file is its owner's alone, and has the hash that was told."""
    file = Path(one.file)
    return (
        file.stat().st_mode & 0o777 == 0o600 and hashlib.sha256(file.read_bytes()).hexdigest() == one.sha256
    )


async def exists(scene: Scene, place: str) -> bool:
    """Return whether a scratch database is there, as the service asks it."""
    try:
        return await scene.ask(scene.database.exists(place))
    except ReaderRefusalError as error:
        if error.kind != "not_found":
            raise
        return False
