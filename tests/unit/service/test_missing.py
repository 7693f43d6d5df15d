"""Data still missing after the recovery: compared with the other backups by one press; what nobody can bring back is ticked off."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from bot.model.event import Kind
from bot.model.step import Step
from bot.service.operations.missing import ask_what_is_missing
from bot.service.operations.reentering import ask_to_reenter, still_to_ask, swapped_away, to_reenter
from tests.playbooks.story import CUT_OVER, JUST_OPENED, PLAN_HASH, backup, moment, step_done
from tests.unit.service.night import SAFE, Night
from tests.unit.service.office import Office

OLD = backup("old.sqlite", rows={"things": 14}, completed="2025-01-01T02:03:04+00:00")
USED = backup(
    "night.sqlite", rows={"things": 10}, recommended=True, sha256="b" * 64, mtime="2025-01-02T03:00:00+00:00"
)
LISTED = moment(Kind.BACKUPS_LISTED, backups=[USED, OLD])
LISTS = [
    {"what": "unknown", "name": "things.text", "count": 3, "keys": [7, 8, 9], "file": "/lists/a.jsonl"},
    {"what": "aside", "name": "notes", "count": 40, "keys": [], "file": None},
]


async def test_one_press_tells_which_backup_has_more(night: Night) -> None:
    """The backup, its time and how many rows more; before the cut-over one more press plans with it."""
    await night.office.tell(SAFE.and_then(LISTED))
    await night.office.asked(ask_what_is_missing(["7 rows are gone"]))
    compared = await night.press("data-missing", "compare")
    assert compared is not None
    assert compared.result == {"holders": ["/backups/old.sqlite"]}
    messages = await night.office.store.read(lambda tx: tx.messages("inc-shop-1"))
    (shown,) = [m.message for m in messages if m.message.slot == "data-missing"]
    assert shown.table is not None
    assert shown.table.rows == (("old.sqlite", "2025-01-01 02:03", "things 4"),)
    assert dict(shown.facts)["in no backup"].startswith("from 2025-01-02 03:00 UTC")
    (choice, *_) = (await night.asked("data-missing")).choices
    assert (choice.starts, choice.args) == ("plan", {"strategy": "salvage", "path": "/backups/old.sqlite"})


async def test_after_the_cut_over_the_undo_comes_first(night: Night) -> None:
    """A plan needs the state from before: no button promises one that would be refused."""
    await night.office.tell(SAFE.and_then(LISTED, CUT_OVER, step_done(Step.RESTORE)))
    await night.run("compare_backups")
    assert [c.starts for c in (await night.asked("data-missing")).choices] == [
        "propose_undo",
        "escalate",
        None,
    ]


async def test_it_can_be_typed_once_backups_were_looked_at(office: Office) -> None:
    """`/backups compare` is refused while there is nothing to compare, and says what comes first."""
    await office.tell(JUST_OPENED)
    assert "First: /backups list" in (await office.types("anna", "/backups compare")).text
    await office.goes_on(LISTED)
    assert (await office.types("anna", "/backups compare")).ok
    assert [o.kind for o in await office.operations()] == ["compare_backups"]


def test_lists_come_from_what_the_reader_says() -> None:
    """Each list keeps its count, a few keys and its file; a table that goes away as a whole is counted."""
    listed = {"count": 2, "keys": [1, 2], "file": "/lists/x.jsonl"}
    salvaged: dict[str, Any] = {
        "unmapped_lists": {"posts.caption": listed},
        "unknown": {},
        "not_salvaged": {"things": listed},
        "collisions": {},
    }
    assert [(one["what"], one["name"]) for one in to_reenter(salvaged)] == [
        ("unmapped", "posts.caption"),
        ("not_salvaged", "things"),
    ]
    swap = {
        "rows_would_be_lost": {"things": {"new": 2, "lists": {"new": listed, "changed": {"count": 0}}}},
        "tables_aside": {"notes": 40, "empty": 0},
    }
    assert [(one["what"], one["name"], one["count"]) for one in swapped_away(swap)] == [
        ("new", "things", 2),
        ("aside", "notes", 40),
    ]


async def test_each_list_is_ticked_off_by_a_person(office: Office) -> None:
    """The question names how many, the first keys and the file with all of them, and who ticked it stands in the timeline."""
    rehearsed = moment(Kind.REHEARSED, plan_hash=PLAN_HASH, proven=True, totals={}, reasons=[], lists=LISTS)
    await office.tell(SAFE.and_then(rehearsed, CUT_OVER))
    asked = [await office.asked(question) for question in ask_to_reenter(LISTS)]
    assert [one.purpose for one in asked] == ["reenter:notes:aside", "reenter:things.text:unknown"]
    assert "/lists/a.jsonl" in asked[1].body
    assert (await office.clicks("anna", asked[1].id, "entered")).ok
    answered = (await office.timeline(Kind.DECISION_ANSWERED))[-1]
    assert (answered.actor, answered.data["answer"]) == ("Anna", "entered")


def test_many_lists_do_not_flood_the_channel() -> None:
    """The four longest lists have a question each, all others one, with the longest of them: five at most."""
    many = [
        {"what": "new", "name": f"t{n}", "count": n, "keys": [n], "file": f"/lists/{n}"} for n in range(1, 31)
    ]
    asked = ask_to_reenter(many)
    assert [one.purpose for one in asked] == [
        *(f"reenter:t{n}:new" for n in (30, 29, 28, 27)),
        "reenter:others",
    ]
    assert asked[-1].question == "To re-enter by hand: 351 more in 26 smaller lists. Are all of them done?"
    assert all(f"/lists/{n} on" in asked[-1].body for n in range(15, 27))
    assert "and 14 more; all of them stand in the report" in asked[-1].body
    assert len(ask_to_reenter(many[:5])) == 5
    assert "reenter:others" not in {one.purpose for one in ask_to_reenter(many[:5])}


async def test_nobody_is_asked_twice_what_was_re_entered(office: Office) -> None:
    """What was asked since the cut-over is not asked when the application opens again; after another cut-over it is."""
    rehearsed = moment(Kind.REHEARSED, plan_hash=PLAN_HASH, proven=True, totals={}, reasons=[], lists=LISTS)
    await office.tell(SAFE.and_then(rehearsed, CUT_OVER))
    before = await office.store.read(lambda tx: tx.now())
    asked = [await office.asked(question) for question in ask_to_reenter(LISTS)[:1]]
    assert (await office.clicks("anna", asked[0].id, "given_up")).ok

    async def left(since: datetime) -> list[str]:
        return [
            one.purpose
            for one in await office.store.read(lambda tx: still_to_ask(tx, "inc-shop-1", LISTS, since))
        ]

    assert await left(before) == ["reenter:things.text:unknown"]
    later = await office.store.read(lambda tx: tx.now()) + timedelta(seconds=1)
    assert await left(later) == ["reenter:notes:aside", "reenter:things.text:unknown"]
