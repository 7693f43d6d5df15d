"""A rehearsal that did not come to an end: what is so now, and the ways on as buttons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.model.decision import Choice
from bot.model.incident import Incident
from bot.model.message import Tone
from bot.model.plan import Strategy
from bot.model.step import Step
from bot.service.desk import Question

WAY_ON = "way-on"

_ASKED = {
    "rollback": "The migration cannot be rolled back. Recover without a rollback?",
    "foreign_keys": "Foreign keys stand in the way. Recover in another way?",
    "unproven": "The rehearsal is not proven. Rehearse another way?",
}
_EXPLAINED = {
    "rollback": "Nothing was rolled back on production, and nothing has to be: the backup's own state is from before the migration.",
    "foreign_keys": "Checks of foreign keys are never switched off to get past them: rows would point nowhere, and nothing would "
    "ever say so again. The DBA was called.",
    "unproven": "What is not proven is never carried out.",
}
_WAYS = {
    Strategy.SALVAGE: "The backup, with the rows written since (salvage)",
    Strategy.SWAP: "The backup as it is; newer rows go away (swap)",
}
_AFTER = {
    Strategy.REPAIR: (Strategy.SALVAGE, Strategy.SWAP),
    Strategy.SALVAGE: (Strategy.SWAP,),
    Strategy.SWAP: (),
}
"""Which strategies are still to be tried after one that did not work, the one that keeps most first."""


def ask_way_on(cause: str, said: str, incident: Incident, args: Mapping[str, Any]) -> Question:
    """Return the question how to go on after a rehearsal with these arguments ended for a cause.

    `said` names what stood in the way. Each way is another rehearsal: production stays as it is.
    """
    tried = Strategy(args.get("strategy") or Strategy.REPAIR)
    kept = {name: args[name] for name in ("path", "estimate_seen") if name in args}
    choices = [
        Choice(
            key=strategy.value,
            label=_WAYS[strategy],
            style="primary" if number == 0 else "default",
            starts="plan",
            args={**kept, "strategy": strategy.value},
        )
        for number, strategy in enumerate(_AFTER[tried])
    ]
    other = _another_backup(incident, args.get("path"))
    if other is not None:
        name = other.rsplit("/", 1)[-1]
        strategy = Strategy.SALVAGE if tried is Strategy.REPAIR else tried
        choices.append(
            Choice(
                key="other",
                label=f"Another backup: {name} ({strategy.value})",
                starts="plan",
                args={**kept, "strategy": strategy.value, "path": other},
            )
        )
    choices.append(
        Choice(key="dba", label="Call the DBA", starts="escalate", args={"reason": said[:_REASON_LETTERS]})
    )
    return Question(
        purpose=WAY_ON,
        question=_ASKED[cause],
        body=f"{said}\n{_EXPLAINED[cause]}",
        choices=(*choices, Choice(key="wait", label="Not now", rejects=True)),
        step=Step.RESTORE,
        facts=(("now", state_now(incident)),),
        tone=Tone.BAD,
    )


_REASON_LETTERS = 200


def leave_out_choice() -> Choice:
    """Return the answer by which an incident goes on without a corrected migration."""
    return Choice(key="skip", label="Leave the corrected migration out for now", starts="skip_deploy")


def ask_without_correction(said: str, args: Mapping[str, Any]) -> Question:
    """Return the question how to go on where no corrected commit can be had; `args` are those of the search for one.

    Without it a site whose data are restored could not be opened before somebody has pushed a commit that is good.
    """
    return Question(
        purpose="propose",
        question="No corrected commit can be deployed as it is. Go on without one?",
        body=f"{said}\nLeft out, the deployed code stays as it is, with the restored data: /app check tests whether they fit. "
        "What is pushed meanwhile is found when Backout looks again; nothing is deployed by either answer.",
        choices=(
            Choice(key="again", label="Look again", style="primary", starts="propose", args=dict(args)),
            leave_out_choice(),
            Choice(key="wait", label="Not now", rejects=True),
        ),
        step=Step.DEPLOY,
        tone=Tone.BAD,
    )


def state_now(incident: Incident) -> str:
    """Return what production is like after a rehearsal that failed."""
    bad = (incident.assessment or {}).get("bad_migration")
    migration = f"{bad} is recorded as run, as before" if bad else "its migrations are as before"
    safety = (incident.safety or {}).get("path")
    copy = f"; the safety backup is {safety}" if safety else ""
    down = "down and frozen" if incident.frozen else "not proven to stand still"
    return f"production is {down}, its data and code were not changed; {migration}{copy}"


def _another_backup(incident: Incident, path: str | None) -> str | None:
    """Return the next VERIFIED backup of the listing than the one that was tried; None where there is none."""
    tried = incident.verified_backup(path) if path else incident.recommended
    verified = [str(b["path"]) for b in incident.backups if str(b["word"]).startswith("VERIFIED")]
    return next((other for other in verified if tried is None or other != tried["path"]), None)
