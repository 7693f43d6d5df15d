"""A timeline written as a story: what happened, moment by moment, and the state that it tells."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.model.event import GENESIS, Entry, Kind, NewEntry, chain
from bot.model.incident import Incident, fold
from bot.model.step import Step

INCIDENT = "inc-shop-1"
SITE = "shop"
BEGAN = datetime(2026, 1, 31, 3, 0, tzinfo=UTC)
PLAN_HASH = "a" * 64

Moment = tuple[Kind, str, str, dict[str, Any]]
"""Kind, actor, text, data."""


def moment(kind: Kind, text: str = "", actor: str = "backout", **data: Any) -> Moment:
    """Return one moment of a story."""
    return kind, actor, text or kind.value, data


class Story:
    """An incident told so far; each moment comes one minute after the one before. `and_then` gives a longer story."""

    def __init__(self, *moments: Moment) -> None:
        self.moments = moments

    def and_then(self, *moments: Moment) -> Story:
        """Return this story with more moments at its end."""
        return Story(*self.moments, *moments)

    def entries(self) -> list[Entry]:
        """Return the timeline as the store would have it."""
        last, entries = (0, GENESIS), []
        for number, (kind, actor, text, data) in enumerate(self.moments):
            new = NewEntry(kind=kind, text=text, actor=actor, data=data)
            entries += chain(INCIDENT, last, BEGAN + timedelta(minutes=number), [new])
            last = entries[-1].sequence, entries[-1].hash
        return entries

    def state(self) -> Incident:
        """Return the state that the story tells."""
        return fold(self.entries())


def step_done(step: Step, text: str = "done") -> Moment:
    """Return the moment in which a step is done."""
    return moment(Kind.STEP_DONE, text, step=int(step))


def step_started(step: Step) -> Moment:
    """Return the moment in which a step began."""
    return moment(Kind.STEP_STARTED, step=int(step))


def step_failed(step: Step, text: str = "failed", **data: Any) -> Moment:
    """Return the moment in which a step failed."""
    return moment(Kind.STEP_FAILED, text, step=int(step), **data)


def backup(name: str, word: str = "VERIFIED", **more: Any) -> dict[str, Any]:
    """Return one listed backup."""
    plain = {
        "path": f"/backups/{name}",
        "word": word,
        "reasons": [],
        "size_bytes": 1_000,
        "recommended": False,
    }
    return {**plain, **more}


OPENED = moment(Kind.INCIDENT_OPENED, "prices are gone", "Anna", site=SITE, title="prices are gone")
LISTED = moment(
    Kind.BACKUPS_LISTED, backups=[backup("good.sql", recommended=True), backup("cut.sql", "REFUSED")]
)
ASSESSED = moment(
    Kind.ASSESSED, bad_migration="2026_01_31_drop_prices", loss={"verdict": "loss"}, size_bytes=5
)
FROZEN = moment(Kind.FROZEN, proven=True, down_at=BEGAN.isoformat())
FREEZE_BROKEN = moment(Kind.FREEZE_BROKEN, "a queue worker writes")
SAFETY = moment(Kind.SAFETY_MADE, path="/safety/one.sqlite", sha256="5" * 64)
PLANNED = moment(Kind.PLAN_MADE, plan_hash=PLAN_HASH, strategy="repair")
REHEARSED = moment(Kind.REHEARSED, plan_hash=PLAN_HASH, proven=True, totals={}, reasons=[])
APPROVED = moment(Kind.APPROVED, actor="Boris", plan_hash=PLAN_HASH, person="Boris")
INTENT = moment(Kind.CUTOVER_INTENT)
CUT_OVER = moment(Kind.CUTOVER_DONE)
UNDONE = moment(Kind.UNDO_DONE)
DEPLOYED = moment(Kind.CORRECTED_DONE, commit="c" * 40)
DATA_GOOD = moment(Kind.DATA_CHECKED, passed=True)
APP_GOOD = moment(Kind.APP_TESTED, passed=True, manual_items=["the newest order"])
TICKED = moment(Kind.DECISION_ANSWERED, actor="Anna", purpose="manual:the newest order", answer="ok")
REOPENED = moment(Kind.REOPENED)
WATCHED = moment(Kind.WATCH_ENDED, new_errors=0)
CLOSED = moment(Kind.INCIDENT_CLOSED, outcome="recovered")

JUST_OPENED = Story(OPENED)
ASSESSED_STORY = JUST_OPENED.and_then(LISTED, ASSESSED, step_done(Step.ASSESS))
FROZEN_STORY = ASSESSED_STORY.and_then(FROZEN, step_done(Step.FREEZE))
SAFE_STORY = FROZEN_STORY.and_then(step_done(Step.CHOOSE_BACKUP), SAFETY, step_done(Step.SAFETY_BACKUP))
PLANNED_STORY = SAFE_STORY.and_then(PLANNED, REHEARSED)
INTENT_STORY = PLANNED_STORY.and_then(APPROVED, INTENT)
RESTORED_STORY = INTENT_STORY.and_then(CUT_OVER, step_done(Step.RESTORE))
ALIGNED_STORY = RESTORED_STORY.and_then(moment(Kind.ALIGNED), step_done(Step.ALIGN))
DEPLOYED_STORY = ALIGNED_STORY.and_then(DEPLOYED, step_done(Step.DEPLOY))
CHECKED_STORY = DEPLOYED_STORY.and_then(
    DATA_GOOD, step_done(Step.VERIFY_DATA), APP_GOOD, step_done(Step.TEST_APP), TICKED
)
REOPENED_STORY = CHECKED_STORY.and_then(REOPENED)
WATCHED_STORY = REOPENED_STORY.and_then(WATCHED, step_done(Step.REOPEN))
CLOSED_STORY = WATCHED_STORY.and_then(CLOSED, step_done(Step.REPORT))

WHOLE_RECOVERY: dict[str, Story] = {
    "just opened": JUST_OPENED,
    "assessed": ASSESSED_STORY,
    "frozen": FROZEN_STORY,
    "safety backup": SAFE_STORY,
    "planned": PLANNED_STORY,
    "cut-over begun": INTENT_STORY,
    "cut over": RESTORED_STORY,
    "aligned": ALIGNED_STORY,
    "deployed": DEPLOYED_STORY,
    "checked": CHECKED_STORY,
    "reopened": REOPENED_STORY,
    "watched": WATCHED_STORY,
    "closed": CLOSED_STORY,
}


def replaced(state: Incident, **changes: Any) -> Incident:
    """Return a state with some of it changed, for what no story tells by itself."""
    return replace(state, **changes)
