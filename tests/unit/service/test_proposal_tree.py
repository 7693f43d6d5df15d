"""The corrected commit is rehearsed in a folder of its own, in which the application does not find its live database."""

from __future__ import annotations

import copy

import pytest

from bot.model.codec import to_json
from bot.model.event import Kind
from bot.ports.host import Command, Completed, JobState, JobStatus
from tests.playbooks.story import ALIGNED_STORY, PLAN_HASH, Story, moment
from tests.unit.laravel.test_answer_and_facts import printed
from tests.unit.model.test_values import PLAN
from tests.unit.service.night import Night
from tests.unit.service.test_ways_on import COPY
from tests.unit.service.told_host import EARLIER, No, ToldHost, loss_answer

HEAD, OFFERED, FILE = "1" * 40, "2" * 40, "2025_01_04_000000_mended"
SAID = {
    "status": f"# branch.oid {HEAD}\0# branch.head main\0",
    "rev-parse": f"{OFFERED}\n",
    "rev-list": "0\t1\n",
    "log": f"\x1e{OFFERED}\x1fA\x1f2026-01-01T10:00:00+00:00\x1fmend\0\ndatabase/migrations/{FILE}.php\0",
    "diff": f"A\0database/migrations/{FILE}.php\0",
    "show": "<?php return new class { function up() {} };",
}
NOT_FOUND = {"class": "QueryException", "cause": "PDOException", "sqlstate": None, "driver_code": None}


RAN = {
    "target": {"database": "/s"},
    "target_after": {"database": "/s"},
    "exit_code": 0,
    "output": "",
    "problem": None,
    "rows_before": [[1, EARLIER, 1]],
    "rows_after": [[1, EARLIER, 1], [2, FILE, 2]],
    "tables_before": {},
    "tables_after": {},
    "duration_s": 0.1,
}
KEY = "comments(thing_id) -> things"


def restored(**orphans: int) -> Story:
    """Return an incident after its restore; the copy that went live had these orphans."""
    planned = moment(Kind.PLAN_MADE, **{**to_json(PLAN), "plan_hash": PLAN_HASH})
    rehearsed = moment(Kind.REHEARSED, plan_hash=PLAN_HASH, proven=True, orphans={KEY: orphans["before"]})
    changed = {Kind.PLAN_MADE: planned, Kind.REHEARSED: rehearsed}
    return Story(*(changed.get(one[0], one) for one in ALIGNED_STORY.moments))


class TreeHost(ToldHost):
    """A host whose application has its database in a folder that git does not hold, as new applications on SQLite have.

    `changed` is a file that differs from the deployed commit, `prefix` the application's folder in its repository. `at_work`
    are the folders in which something of the rehearsal ran.
    """

    changed = ""
    prefix = ""

    def __init__(self) -> None:
        super().__init__()
        self.at_work: set[str] = set()

    async def run(self, command: Command) -> Completed:
        plain = await super().run(command)
        entry = f"1 .M N... 100644 100644 100644 {HEAD} {HEAD} {self.changed}\0" if self.changed else ""
        words = [
            text + (entry if verb == "status" else "")
            for verb, text in SAID.items()
            if command.argv[0] == "git" and verb in command.argv
        ]
        said = words[0] if words else plain.stdout
        if "--show-prefix" in command.argv:
            said = f"{self.prefix}\n"
        if "/tree-" in str(command.cwd):
            self.at_work.add(str(command.cwd))
            said = printed({"facts": self._beside()})
        return Completed(command="", exit_status=0, stdout=said, stderr="", duration_s=0.0)

    def _beside(self) -> dict[str, object]:
        beside = copy.deepcopy(self.app)
        names = (EARLIER, FILE)
        beside["migration_files"] = [{"name": n, "path": f"/tree/{n}.php", "sha256": "0" * 64} for n in names]
        beside["migration_rows"] = None
        beside["database"]["problem"] = {**NOT_FOUND, "where": "x.php:1", "reason": None}
        return beside

    async def start_job(self, root: str, key: str, command: Command) -> JobStatus:
        said = printed({"run": RAN}) if "migrate" in command.argv else ""
        if "migrate" in command.argv:
            self.at_work.add(str(command.cwd))
        self._ended[key] = JobStatus(key=key, state=JobState.DONE, exit_status=0, duration_s=0.1, stdout=said)
        return self._ended[key]


@pytest.fixture
def host(night: Night) -> TreeHost:
    told = TreeHost()
    told.app["migration_rows"] = [[1, EARLIER, 1]]
    night.host = told
    night.parts.hosts.host = told
    return told


async def test_what_ran_is_asked_of_the_live_application(night: Night, host: TreeHost) -> None:
    """The tree's application has no migrations table at hand; the commit is rehearsed all the same, on a copy of live."""
    await night.office.tell(ALIGNED_STORY)
    host.answers["copy"] = No("no_space", "The disk is full.")  # the rehearsal got as far as its copy
    await night.run("propose")
    stopped = [entry.text for entry in await night.office.timeline(Kind.STEP_FAILED)]
    assert len(stopped) == 1
    assert "The disk is full." in stopped[0]


@pytest.mark.parametrize(("before", "offered"), [(3, True), (2, False)])
async def test_only_more_orphans_stop_a_commit(
    before: int, offered: bool, night: Night, host: TreeHost
) -> None:
    """Rows that had no parent before are no reason; one more is, and both numbers are told."""
    await night.office.tell(restored(before=before))
    host.answers["copy"] = COPY
    host.answers["compare"] = loss_answer("none")
    key = {"table": "comments", "columns": ["thing_id"], "parent": "things", "violations": 3}
    host.answers["orphans"] = {"foreign_keys": [key]}
    await night.run("propose")
    asked = [one.purpose for one in await night.office.open_decisions()]
    assert asked == (["deploy"] if offered else ["propose"])
    if not offered:
        body = (await night.asked("propose")).body
        assert f"3 orphans in {KEY} (2 were there before)" in body


@pytest.mark.parametrize("prefix", ["", "apps/shop/"])
async def test_an_application_in_a_folder_of_its_repository_is_rehearsed_there(
    prefix: str, night: Night, host: TreeHost
) -> None:
    """The work tree is the whole repository; what is asked and migrated is the application in it."""
    host.prefix = prefix
    await night.office.tell(restored(before=0))
    host.answers["copy"] = COPY
    host.answers["compare"] = loss_answer("none")
    host.answers["orphans"] = {"foreign_keys": []}
    await night.run("propose")
    assert [one.purpose for one in await night.office.open_decisions()] == ["deploy"]
    assert len(host.at_work) == 1
    (folder,) = host.at_work
    assert folder.partition("/tree-")[2].partition("/")[2] == prefix.rstrip("/")


async def test_code_changed_on_the_host_is_told_before_anything_is_rehearsed(
    night: Night, host: TreeHost
) -> None:
    """What a checkout would be refused for is known at once, with its name and what helps; nothing is fetched for it."""
    await night.office.tell(ALIGNED_STORY)
    host.changed = "app/Hotfix.php"
    await night.run("propose")
    body = (await night.asked("propose")).body
    assert "app/Hotfix.php" in body
    assert "git stash" in body
    assert await night.office.timeline(Kind.CORRECTED_PROPOSED) == []
