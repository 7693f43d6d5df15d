"""Step 6: the migrations table and the code's migrations; a rollback only where guard G1 allows it."""

from __future__ import annotations

from typing import Any

from bot.laravel.rollback import last_migration, rollback_refusal
from bot.model.decision import Choice
from bot.model.event import Kind, NewEntry
from bot.model.message import Tone
from bot.model.step import Step
from bot.service.backup_search import bad_migration_of
from bot.service.desk import Question
from bot.service.engine import OperationContext
from bot.service.operations.ways_on import WAY_ON
from bot.service.parts import Parts
from bot.service.site_work import SiteWork, Telling, done_entry, failed_entry, step_message


async def align(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Say whether anything is to be rolled back after the restore, and why not. *Changes*: nothing."""
    work = SiteWork(ctx, parts)
    facts = await work.app_facts()
    incident = await work.incident()
    bad = str((incident.assessment or {}).get("bad_migration") or bad_migration_of(facts))
    rows = facts.migration_rows or ()
    last = last_migration(rows)
    reason = rollback_refusal(facts.migration_rows, bad, prohibited=facts.rollback_prohibited)
    if all(row.migration != bad for row in rows):
        text = f"Nothing is rolled back: {reason}. The migrations are aligned; the last one is {last.migration if last else 'none'}."
        entries = [
            NewEntry(
                kind=Kind.REFUSED,
                actor="backout",
                text=text,
                data={"command": "/app rollback", "guard": "G1"},
            ),
            NewEntry(kind=Kind.ALIGNED, text=text, data={"how": "checked", "reason": text}),
            done_entry(Step.ALIGN, text),
        ]
        await work.tell(
            "aligned",
            Telling(
                entries=entries,
                messages=[step_message(Step.ALIGN, text, Tone.GOOD, next_steps=("/app deploy",))],
            ),
        )
        return {"aligned": True, "reason": reason}
    text = (
        f"{bad} still stands in the migrations table after the restore{f': {reason}' if reason else ''}. "
        "What went live was not what was rehearsed. Nothing was rolled back. Next: /restore undo"
    )
    await work.tell(
        "not_aligned",
        Telling(
            entries=[failed_entry(Step.ALIGN, text)],
            messages=[
                step_message(Step.ALIGN, text, Tone.BAD, next_steps=("/restore undo", "/incident escalate"))
            ],
            questions=[_ask_undo(text)],
        ),
    )
    return {"aligned": False, "reason": reason}


def _ask_undo(text: str) -> Question:
    return Question(
        purpose=WAY_ON,
        question="The migrations do not fit what went live. Undo the cut-over?",
        body=text,
        choices=(
            Choice(
                key="undo", label="See what an undo would take away", style="primary", starts="propose_undo"
            ),
            Choice(
                key="dba",
                label="Call the DBA",
                starts="escalate",
                args={"reason": "the migrations do not fit what went live"},
            ),
            Choice(key="wait", label="Not now", rejects=True),
        ),
        step=Step.ALIGN,
        tone=Tone.BAD,
    )
