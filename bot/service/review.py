"""An open decision with all that it would do, as it is read once more before a grave answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.model.decision import Choice, Decision
from bot.model.incident import Incident
from bot.model.message import Message

_PLAN_FIELDS = (
    ("plan_hash", "plan (hash)"),
    ("strategy", "strategy"),
    ("host", "host"),
    ("host_key", "host key"),
    ("app_path", "application"),
    ("database", "database"),
    ("database_identity", "database identity"),
    ("engine_version", "engine"),
    ("bad_migration", "bad migration"),
    ("backup_path", "backup"),
    ("backup_sha256", "backup (SHA-256)"),
    ("safety_path", "safety backup"),
    ("safety_sha256", "safety backup (SHA-256)"),
    ("scratch_path", "rehearsed copy"),
    ("live_fingerprint", "live data (fingerprint)"),
    ("scratch_fingerprint", "goes live (fingerprint)"),
    ("code_commit", "code commit"),
)


def review_message(decision: Decision, shown: Message | None, state: Incident) -> Message:
    """Return the question with the facts of its message, its plan in full where it has one, and what a yes would start."""
    facts = list(shown.facts) if shown is not None else []
    if decision.plan_hash is not None and state.plan is not None:
        facts = plan_facts(state.plan)
    for choice in decision.choices:
        facts += choice_facts(choice)
    if decision.votes_needed > 1:
        so_far = ", ".join(decision.votes) or "nobody"
        facts.append(("persons who must say the same", f"{decision.votes_needed}; so far: {so_far}"))
    return Message(
        slot=f"review-{decision.id}",
        title=decision.question,
        body=decision.body,
        facts=tuple(facts),
        decision_id=decision.id,
    )


def plan_facts(plan: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return every field that a plan's hash covers, as labelled facts."""
    facts = [(label, str(plan[name])) for name, label in _PLAN_FIELDS if plan.get(name)]
    tables = plan.get("table_decisions") or {}
    words = {"restore": "brought back", "leave": "left deleted"}
    facts += [(f"deleted rows of {name}", words.get(said, str(said))) for name, said in tables.items()]
    return facts + [("runs", str(command)) for command in plan.get("commands") or ()]


def choice_facts(choice: Choice) -> list[tuple[str, str]]:
    """Return what an answer would run, where it names a commit and its migrations."""
    names = (("commit", "commit"), ("deployed", "deployed now"))
    facts = [(label, str(choice.args[name])) for name, label in names if choice.args.get(name)]
    approved = choice.args.get("approved")
    if isinstance(approved, list):
        facts += [("runs", " ".join(str(part) for part in one)) for one in approved]
    return facts
