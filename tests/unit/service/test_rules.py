"""The runbook's last part through the service: what the host says ends in a call, or in none."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from bot.model.event import Kind
from bot.model.step import Step
from tests.playbooks.story import CUT_OVER, INTENT, JUST_OPENED, Moment, Story, moment, step_failed
from tests.unit.service.night import SAFE, Night
from tests.unit.service.told_host import (
    BAD,
    EARLIER,
    LIVE,
    No,
    backup_answer,
    facts_answer,
    loss_answer,
)

LIMIT_BYTES = 1_000_000_000


async def told(night: Night, story: Story = JUST_OPENED) -> Night:
    await night.office.tell(story)
    return night


async def test_a_usual_loss_calls_nobody(night: Night) -> None:
    """One migration, a small database, a verified backup: the on-call engineer goes on alone."""
    await told(night)
    assert (await night.run("assess")).result == {"verdict": "loss"}
    assert await night.called() == []


@pytest.mark.parametrize(
    ("answers", "rule"),
    [
        ({"facts": facts_answer(LIMIT_BYTES + 1)}, "large-database"),
        ({"find": {"files": [], "complete": True}}, "backup-unsure"),
        ({"inspect": backup_answer("COULD NOT VERIFY")}, "backup-unsure"),
        ({"inspect": backup_answer(migrations=())}, "several-migrations"),
        ({"facts": No("damaged", f"{LIVE} is no sound SQLite database.")}, "corruption"),
        ({"compare": No("damaged", f"{LIVE} is no sound SQLite database.")}, "corruption"),
        ({"load": No("damaged", "The loaded backup failed SQLite's quick check.")}, "corruption"),
        ({"load": No("foreign_keys", "FOREIGN KEY constraint failed.")}, "foreign-keys"),
    ],
)
async def test_what_the_assessment_finds(night: Night, answers: dict[str, Any], rule: str) -> None:
    """Each rule fires on what the host says, in the same transaction as the finding, and leads to a call."""
    await told(night)
    night.host.answers |= answers
    await night.run("assess")
    assert await night.called() == [rule]


@pytest.mark.parametrize("moments", [(CUT_OVER,), (INTENT,)])
async def test_after_the_cut_over_no_good_migration_is_blamed(
    night: Night, moments: tuple[Moment, ...]
) -> None:
    """The last migration that is recorded after a restore is a good one: the assessment keeps the one that was found before."""
    (assessed,) = [one for one in SAFE.moments if one[0] is Kind.ASSESSED][-1:]
    at = {**assessed[3], "migrated_at": "2025-01-03T09:00:00+00:00"}
    await told(night, SAFE.and_then(moment(Kind.ASSESSED, **at), *moments))
    night.host.app["migration_rows"] = night.host.app["migration_rows"][:1]
    night.host.answers["compare"] = loss_answer("none")
    await night.run("assess")
    found = (await night.office.timeline(Kind.ASSESSED))[-1]
    assert (found.data["bad_migration"], found.data["migrated_at"]) == (BAD, "2025-01-03T09:00:00+00:00")
    shown = await night.office.store.read(lambda tx: tx.messages("inc-shop-1"))
    (step,) = [one.message.body for one in shown if one.message.slot == "step-1"]
    assert (BAD in step, "not the last one recorded now" in step) == (True, True)
    if moments == (CUT_OVER,):
        (asked,) = [one for one in await night.office.open_decisions() if one.purpose == "assessed"]
        assert asked.choices[0].args == {"outcome": "recovered"}
        assert "holds the restored data" in asked.body


async def test_a_large_database_that_lost_nothing_calls_nobody(night: Night) -> None:
    """Nobody is woken for a size alone: it matters where something must be restored."""
    await told(night)
    night.host.answers |= {"facts": facts_answer(LIMIT_BYTES + 1), "compare": loss_answer("none")}
    await night.run("assess")
    assert await night.called() == []


async def test_a_restore_that_fails_twice(night: Night) -> None:
    """The first failure is the engineer's, the second the DBA's too."""
    await told(night, SAFE)
    night.host.answers["load"] = No("no_space", "The disk is full.")
    await night.run("plan", strategy="salvage")
    assert await night.called() == []
    await night.run("plan", strategy="salvage")
    assert await night.called() == ["restore-failed"]


async def test_a_repair_that_was_never_possible_is_no_failure(night: Night) -> None:
    """Where the bad migration is not the last one, another strategy is the way, not the DBA."""
    await told(night, SAFE)
    night.host.app["migration_rows"] += [[3, "2025_01_04_000000_later", 3]]
    for _ in range(2):
        await night.run("plan", strategy="repair")
    assert "Repair is not possible" in (await night.office.timeline(Kind.STEP_FAILED))[-1].text
    assert await night.called() == []


async def test_faults_of_backout_itself_count_too(night: Night) -> None:
    """A fault that ends an operation without a word of its own is a failed restore like any other."""
    await told(night, SAFE.and_then(step_failed(Step.RESTORE)))
    night.host.answers["compare"] = RuntimeError("a fault in the program")
    assert await night.called() == []
    assert "internal fault" in str((await night.run("plan", strategy="salvage")).error)
    assert await night.called() == ["restore-failed"]


async def test_what_a_person_stops_is_no_failure(night: Night) -> None:
    """Cancelled twice, a restore has failed not once."""
    await told(night, SAFE)
    hanging = asyncio.Event()

    async def hang(*_: Any, **__: Any) -> Any:
        hanging.set()
        await asyncio.sleep(60)

    night.host.wait_job = hang  # type: ignore[method-assign]  # a job that runs on
    for _ in range(2):
        hanging.clear()
        running = await night.begin("plan", strategy="salvage")
        await hanging.wait()
        await night.engine.cancel(running)
        await night.engine.wait(running, timedelta(seconds=250))
    assert len(await night.office.timeline(Kind.OPERATION_CANCELLED)) == 2
    assert await night.called() == []


async def test_foreign_keys_in_the_way_of_the_restore(night: Night) -> None:
    """Rows that would point nowhere in the rehearsed copy call the DBA at the first time."""
    await told(night, SAFE)
    night.host.answers["load"] = No("foreign_keys", "Foreign keys of scratch do not hold: things: 3 rows.")
    await night.run("plan", strategy="salvage")
    assert await night.called() == ["foreign-keys"]


async def test_a_rule_is_told_once_and_a_new_one_calls_again(night: Night) -> None:
    """The second assessment of the same state calls nobody anew; a second finding does."""
    await told(night)
    night.host.answers["facts"] = facts_answer(LIMIT_BYTES + 1)
    for _ in range(2):
        assert (await night.run("assess")).result == {"verdict": "loss"}
    assert await night.called() == ["large-database"]
    assert len(await night.office.timeline(Kind.ESCALATED)) == 1
    night.host.answers["inspect"] = backup_answer(migrations=())
    await night.run("assess")
    assert await night.called() == ["large-database", "several-migrations"]
    assert EARLIER in str(night.host.app["migration_rows"])
