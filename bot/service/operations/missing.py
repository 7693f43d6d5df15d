"""Data are still missing: which other backup has them, by its manifest, and the window that cannot be had back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bot.model.decision import Choice
from bot.model.event import Kind, NewEntry
from bot.model.incident import Cutover, Incident
from bot.model.message import Message, Table, Tone
from bot.model.step import Step
from bot.runbook.missing import Holder, holders_of, window_words
from bot.service.desk import Question
from bot.service.engine import OperationContext
from bot.service.parts import Parts
from bot.service.site_work import SiteWork, Telling

MISSING = "data-missing"
OFFERED = 5
TABLES_SHOWN = 8


async def compare_backups(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Tell which other backups have rows that production has not, and offer them. Reads only; no backup is read again."""
    work = SiteWork(ctx, parts)
    facts = await work.app_facts()
    live = await work.ask(work.database(facts).facts(facts.database.database))
    incident = await work.incident()
    holders = holders_of(incident, live.rows)
    await work.tell("compared", _compared(incident, holders))
    return {"holders": [holder.path for holder in holders]}


def ask_what_is_missing(reasons: Sequence[str]) -> Question:
    """Return the question that is asked where the data are not good after the recovery."""
    return Question(
        purpose=MISSING,
        question="The data are not good. Look which other backup has what is missing?",
        body=f"{'; '.join(reasons)}. The backups that were looked at are compared with production by their manifests.",
        choices=(
            Choice(
                key="compare", label="Compare the other backups", style="primary", starts="compare_backups"
            ),
            Choice(key="undo", label="See what an undo would take away", starts="propose_undo"),
            Choice(
                key="dba",
                label="Call the DBA",
                starts="escalate",
                args={"reason": "the data are not good after the recovery"},
            ),
        ),
        step=Step.VERIFY_DATA,
        tone=Tone.BAD,
    )


def _compared(incident: Incident, holders: Sequence[Holder]) -> Telling:
    used = incident.verified_backup(str((incident.plan or {}).get("backup_path"))) or incident.recommended
    window = window_words(incident, used) if used else None
    text = (
        f"{len(holders)} other verified backup(s) have rows that production has not. People may have deleted them since."
        if holders
        else "No other verified backup has rows that production has not."
    )
    table = Table(
        columns=("file", "made (UTC)", "more rows than now"),
        rows=tuple(
            (
                holder.path.rsplit("/", 1)[-1],
                f"{holder.made_at:%Y-%m-%d %H:%M}" if holder.made_at else "not known",
                _more_words(holder),
            )
            for holder in holders
        ),
    )
    message = Message(
        slot=MISSING,
        title="What the other backups have",
        tone=Tone.WARNING if holders else Tone.NEUTRAL,
        step=int(Step.VERIFY_DATA),
        body=text,
        facts=(("in no backup", window),) if window else (),
        table=table if holders else None,
        next_steps=("/backups list", "/incident escalate"),
    )
    more = {holder.path: dict(holder.more) for holder in holders}
    data = {"topic": "backups compared", "window": window, "backups": more}
    return Telling(
        entries=[NewEntry(kind=Kind.NOTE, text=text, data=data)],
        messages=[message],
        questions=[_ask_which(incident, holders)] if holders else [],
    )


def _more_words(holder: Holder) -> str:
    most = sorted(holder.more.items(), key=lambda item: -item[1])
    told = ", ".join(f"{name} {count:,}" for name, count in most[:TABLES_SHOWN])
    return told + (f" and {len(most) - TABLES_SHOWN} more tables" if len(most) > TABLES_SHOWN else "")


def _ask_which(incident: Incident, holders: Sequence[Holder]) -> Question:
    """Return the question which backup to plan with; after a cut-over the undo comes first, as a plan needs the old state."""
    if incident.cutover is Cutover.DONE:
        body = "Production was cut over: undo that first, then plan with one of them: /restore plan <file>"
        choices = [Choice(key="undo", label="See what an undo would take away", starts="propose_undo")]
    else:
        body = "Each is rehearsed on a copy first, with the rows written since put back."
        choices = [
            Choice(
                key=f"backup-{number}",
                label=f"Plan with {holder.path.rsplit('/', 1)[-1]}",
                starts="plan",
                args={"strategy": "salvage", "path": holder.path},
            )
            for number, holder in enumerate(holders[:OFFERED], start=1)
        ]
    dba = Choice(
        key="dba", label="Call the DBA", starts="escalate", args={"reason": "an older backup has more rows"}
    )
    wait = Choice(key="wait", label="Not now", rejects=True)
    return Question(
        purpose=MISSING,
        question="Go on with an older backup?",
        body=body,
        choices=(*choices, dba, wait),
        step=Step.RESTORE,
    )
