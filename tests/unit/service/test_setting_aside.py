"""Jobs, sessions and locks leave production only after a person's yes; they are kept, told, and asked about again."""

from __future__ import annotations

from typing import Any

import pytest

from bot.model.event import Kind
from bot.runbook.guards import reopen_objections
from bot.runbook.waiting_work import LEFT_ITEM
from bot.service.operations.waiting import ask_what_is_left
from tests.playbooks.story import DEPLOYED_STORY, FREEZE_BROKEN, moment
from tests.unit.service.night import Night
from tests.unit.service.office import START
from tests.unit.service.told_host import No, facts_answer

PURPOSE = f"manual:{LEFT_ITEM}"
KEPT = {
    "table": "failed_jobs",
    "rows": 1,
    "file": "/home/deploy/.backout/sites/shop/kept/failed_jobs-1.sql",
    "size_bytes": 80,
    "sha256": "a" * 64,
}
WAITING = [
    {"role": "failed_jobs", "table": "failed_jobs", "rows": 1},
    {"role": "sessions", "table": "sessions", "rows": 2},
]
CHECKED = DEPLOYED_STORY.and_then(
    moment(Kind.DATA_CHECKED, passed=True, waiting=WAITING),
    moment(Kind.APP_TESTED, passed=True, manual_items=[LEFT_ITEM]),
)


def table(role: str) -> dict[str, Any]:
    return {"role": role, "table": role, "in_use": True, "in_default_database": True, "exists": True}


@pytest.fixture
async def asked(night: Night) -> Night:
    """A site that stands still, with a failed job and two sessions, about which a person is asked."""
    await night.office.tell(CHECKED)
    night.host.app["maintenance"]["is_down"] = True
    night.host.app["runtime_tables"] = [table("failed_jobs"), table("sessions")]
    night.host.answers["set_aside"] = {"tables": [KEPT]}
    night.host.answers["check"] = {"checks": []}
    told_rows(night, failed_jobs=0, sessions=2)
    question = ask_what_is_left(await night.office.state(), START)
    assert question is not None
    await night.office.asked(question)
    return night


def told_rows(night: Night, **rows: int) -> None:
    """Tell how many rows the tables have once something was set aside."""
    plain = {"nulls": {}, "foreign_keys": [], "key": ["id"]}
    night.host.answers["facts"] = facts_answer() | {
        "tables": {name: {"rows": number, **plain} for name, number in rows.items()}
    }


async def test_what_was_set_aside_is_told_and_the_rest_is_asked_again(asked: Night) -> None:
    """The timeline names person, rows, file and hash; until the rest is decided it stands against opening."""
    await asked.press(PURPOSE, "aside_failed_jobs")
    (entry,) = await asked.office.timeline(Kind.ROWS_SET_ASIDE)
    assert (entry.actor, entry.data["what"], entry.data["kept"]) == ("Anna", "failed_jobs", [KEPT])
    assert f"1 of failed_jobs in {KEPT['file']}" in entry.text
    assert reopen_objections(await asked.office.state()) == (f"nobody has confirmed: {LEFT_ITEM}",)
    again = await asked.asked(PURPOSE)
    assert again.question == "When it opens: may 2 sessions stay as they are?"
    assert [choice.key for choice in again.choices] == ["ok", "bad", "aside_sessions"]
    assert (await asked.press(PURPOSE, "ok")) is None
    assert reopen_objections(await asked.office.state()) == ()


async def test_with_nothing_left_there_is_no_more_to_confirm(asked: Night) -> None:
    """When the last kind is set aside the item is settled, and nobody is asked a second time."""
    told_rows(asked, failed_jobs=0, sessions=0)
    await asked.press(PURPOSE, "aside_sessions")
    assert reopen_objections(await asked.office.state()) == ()
    assert [one.purpose for one in await asked.office.open_decisions()] == []


@pytest.mark.parametrize("is_down", [False, None])
async def test_nothing_is_taken_out_of_an_application_that_is_not_down(
    asked: Night, is_down: bool | None
) -> None:
    """A site that is open, or of which that is not known, keeps its rows, and the person is told."""
    asked.host.app["maintenance"]["is_down"] = is_down
    done = await asked.press(PURPOSE, "aside_sessions")
    assert done is not None
    assert "not in maintenance mode" in str(done.result)
    assert await asked.office.timeline(Kind.ROWS_SET_ASIDE) == []


async def test_a_refusal_of_the_database_leaves_it_undecided(asked: Night) -> None:
    """Where somebody holds a lock nothing is taken out, that is told, and the same is asked again."""
    asked.host.answers["set_aside"] = No("busy", "live is locked by another process. Nothing was changed.")
    done = await asked.press(PURPOSE, "aside_sessions")
    assert done is not None
    assert "locked by another process" in str(done.result)
    assert (await asked.asked(PURPOSE)).id.endswith(".2")
    assert reopen_objections(await asked.office.state()) == (f"nobody has confirmed: {LEFT_ITEM}",)


async def test_a_press_while_the_site_may_write_is_refused(asked: Night) -> None:
    """Once the freeze is broken the button changes nothing; the question stays."""
    await asked.office.goes_on(FREEZE_BROKEN)
    decision = await asked.asked(PURPOSE)
    reply = await asked.office.clicks("anna", decision.id, "aside_sessions")
    assert (reply.ok, "needs a proven freeze" in reply.text) == (False, True)
