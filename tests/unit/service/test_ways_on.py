"""A rehearsal that did not come to an end says what is so now, and each way on is a button."""

from __future__ import annotations

from typing import Any

import pytest

from bot.model.event import Kind
from bot.runbook.escalation import FOREIGN_KEYS
from bot.runbook.guards import refuse_check
from bot.service.operations.ways_on import ask_way_on, state_now
from tests.playbooks.story import ALIGNED_STORY, LISTED, Story, backup, moment
from tests.unit.service.night import SAFE, Night
from tests.unit.service.told_host import BAD, No

COPY = {
    "target": "/home/deploy/scratch/two.sqlite",
    "size_bytes": 5_000,
    "sha256": "c" * 64,
    "fingerprint": "e" * 64,
    "tables": {"things": 10},
}


async def choices(night: Night) -> list[str]:
    return [choice.key for choice in (await night.asked("way-on")).choices]


async def test_a_rollback_that_fails_has_a_way_without_one(night: Night) -> None:
    """The state is told (nothing was rolled back on production), and one press rehearses a recovery without a rollback."""
    await night.office.tell(SAFE)
    night.host.answers["copy"] = COPY
    night.host.app["migration_files"] = []
    await night.run("plan", strategy="repair")
    asked = await night.asked("way-on")
    assert "not in the deployed code" in asked.body
    assert "Nothing was rolled back on production" in asked.body
    assert await choices(night) == ["salvage", "swap", "dba", "wait"]
    started = await night.press("way-on", "salvage")
    assert started is not None
    assert (started.kind, started.args["strategy"]) == ("plan", "salvage")
    assert (await night.office.state()).causes["rollback"]


async def test_a_repair_that_is_not_possible_asks_the_same(night: Night) -> None:
    """Where the bad migration is not the last one, the ways without a rollback are buttons too."""
    await night.office.tell(SAFE)
    night.host.app["migration_rows"] += [[3, "2025_01_04_000000_later", 3]]
    await night.run("plan", strategy="repair", estimate_seen=True)
    first = (await night.asked("way-on")).choices[0]
    assert first.args == {"strategy": "salvage", "estimate_seen": True}


async def test_foreign_keys_in_the_way_are_named(night: Night) -> None:
    """Which keys they are, that no check is switched off, and the way that is left."""
    await night.office.tell(SAFE)
    night.host.answers["load"] = No(FOREIGN_KEYS, "Foreign keys do not hold: comments(photo_id): 3 rows.")
    await night.run("plan", strategy="salvage")
    asked = await night.asked("way-on")
    assert "comments(photo_id): 3 rows" in asked.body
    assert "never switched off" in asked.body
    assert await choices(night) == ["swap", "dba", "wait"]


async def test_other_failures_ask_nothing(night: Night) -> None:
    """A full disk is mended, not gone around."""
    await night.office.tell(SAFE)
    night.host.answers["load"] = No("no_space", "The disk is full.")
    await night.run("plan", strategy="salvage")
    assert await night.office.open_decisions() == []


async def test_without_a_corrected_commit_the_incident_can_go_on(night: Night) -> None:
    """Where git has none to give (nothing pushed, no repository) it can be left out by a press, and the data be checked."""
    await night.office.tell(ALIGNED_STORY)
    await night.run("propose", commit="abc")
    asked = await night.asked("propose")
    assert "is the folder a git repository" in asked.body
    assert [(c.key, c.starts) for c in asked.choices] == [
        ("again", "propose"),
        ("skip", "skip_deploy"),
        ("wait", None),
    ]
    assert asked.choices[0].args == {"commit": "abc"}
    assert refuse_check(await night.office.state()) is not None
    await night.press("propose", "skip")
    assert refuse_check(await night.office.state()) is None
    assert await night.office.open_decisions() == []


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ({}, {"strategy": "salvage", "path": "/backups/old.sql"}),
        ({"strategy": "swap"}, {"strategy": "swap", "path": "/backups/old.sql"}),
        ({"strategy": "swap", "path": "old.sql"}, {"strategy": "swap", "path": "/backups/good.sql"}),
    ],
)
def test_another_verified_backup_is_offered(args: dict[str, Any], expected: dict[str, Any]) -> None:
    """A second VERIFIED backup is a way on; a refused one never is."""
    listed = moment(
        Kind.BACKUPS_LISTED,
        backups=[backup("good.sql", recommended=True), backup("cut.sql", "REFUSED"), backup("old.sql")],
    )
    asked = ask_way_on(FOREIGN_KEYS, "keys", Story(listed).state(), args)
    (other,) = [choice for choice in asked.choices if choice.key == "other"]
    assert other.args == expected
    assert "other" not in [c.key for c in ask_way_on(FOREIGN_KEYS, "x", Story(LISTED).state(), {}).choices]


def test_the_state_is_that_of_production() -> None:
    """What a person asks first at that moment: is it down, was anything changed, what stands in the migrations table."""
    told = state_now(SAFE.state())
    assert told == (
        "production is down and frozen, its data and code were not changed; "
        f"{BAD} is recorded as run, as before; the safety backup is /safety/one.sqlite"
    )
