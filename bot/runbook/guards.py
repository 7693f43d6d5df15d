"""What may happen next, and why not. Each guard returns the reason for a refusal, or None: nothing else.

A refusal says what is missing and what to type next. Nothing here asks the host: it decides upon what the timeline
tells; what is read from the host right before a change is proven again by the operation itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bot.model.incident import Cutover, Incident
from bot.model.step import Step, StepStatus
from bot.runbook.wording import shortened

Guard = Callable[[Incident], str | None]

_SHOWN_LETTERS = 120


def refuse_assess(incident: Incident) -> str | None:
    """Step 1: any time while the incident is open."""
    return _closed(incident)


def refuse_freeze(incident: Incident) -> str | None:
    """Step 2: whenever a person asks, also to prove it again; the loss table is not waited for."""
    return _closed(incident)


def refuse_backups(incident: Incident) -> str | None:
    """Step 3: any time, it only reads."""
    return _closed(incident)


def refuse_compare(incident: Incident) -> str | None:
    """Comparing the other backups: any time once they were looked at; it only reads."""
    if reason := _closed(incident):
        return reason
    return None if incident.backups_listed else "No backups were looked at yet. First: /backups list"


def refuse_safety_backup(incident: Incident) -> str | None:
    """Step 4: frozen, so that the copy is the last state."""
    if incident.cutover is Cutover.UNKNOWN:
        return _UNKNOWN
    return _closed(incident) or _reopened(incident) or _not_frozen(incident, "The safety backup")


def refuse_plan(incident: Incident) -> str | None:
    """Step 5, planning: safety backup proven, a verified backup known, nothing cut over yet."""
    if reason := _closed(incident) or _cut_over_already(incident) or _not_frozen(incident, "A plan"):
        return reason
    if incident.assessment is None or not incident.assessment.get("bad_migration"):
        return "It is not known which migration did the damage. First: /incident assess"
    if incident.safety is None:
        return "There is no proven safety backup. First: /backups create"
    if not incident.backups_listed:
        return "No backups were looked at yet. First: /backups list"
    return None


def refuse_plan_on(path: str) -> Guard:
    """Return the guard of a plan upon a backup that is named: besides, its verdict must be known, and VERIFIED."""

    def refuse(incident: Incident) -> str | None:
        if reason := refuse_plan(incident):
            return reason
        if incident.verified_backup(path) is None:
            return (
                f"{shortened(path, _SHOWN_LETTERS)} is not a VERIFIED backup, so no plan can stand on it. Nothing was changed. "
                "See /backups list, or judge that file: /backups inspect <file>"
            )
        return None

    return refuse


def refuse_cut_over(incident: Incident) -> str | None:
    """Step 5, the change: a valid, proven plan, frozen, and nothing unknown."""
    if reason := _closed(incident) or _cut_over_already(incident):
        return reason
    if incident.plan is None:
        return "There is no plan to confirm. First: /restore plan"
    if incident.plan_void is not None:
        return f"The plan is void: {incident.plan_void} Make a new one: /restore plan"
    if not incident.plan_valid:
        return "The plan was not proven by its rehearsal, so it cannot be confirmed. See why: /restore status"
    return _not_frozen(incident, "The cut-over")


def refuse_undo(incident: Incident) -> str | None:
    """Undo: something was cut over and not undone, or it is not known what was."""
    if reason := _closed(incident):
        return reason
    if incident.cutover not in (Cutover.DONE, Cutover.UNKNOWN):
        return "There is nothing to undo: production's data were not changed by Backout. See: /restore status"
    return None


def refuse_rollback(incident: Incident) -> str | None:
    """Step 6 (G1): after a restore nothing is rolled back unless the bad migration is still the last one."""
    if reason := _closed(incident):
        return reason
    if incident.cutover is Cutover.UNKNOWN:
        return _UNKNOWN
    if incident.cutover is not Cutover.DONE:
        return (
            "Refused: a rollback on production before the restore would drop what people wrote since "
            "(and on this database may delete more). The rollback is part of the repair, on a copy. Next: /restore plan"
        )
    if incident.corrected is not None or incident.corrected_tried:
        return (
            "Refused: the corrected migration was run on production, and a rollback would take just that one back. "
            "See: /restore status. To go back as a whole: /restore undo"
        )
    return None


def refuse_deploy(incident: Incident) -> str | None:
    """Step 7: restored and aligned."""
    if reason := _closed(incident) or _reopened(incident) or _not_restored(incident):
        return reason
    if incident.corrected is not None:
        return "The corrected migration is deployed already. Next: /app check"
    if incident.corrected_tried:
        return "A corrected migration was run on production and is not good, or its end is not known. Next: /restore undo"
    if incident.status(Step.ALIGN) is not StepStatus.DONE:
        return "The migrations are not aligned yet. First: /app rollback (it says what is so)"
    return _not_frozen(incident, "Deploying")


def refuse_check(incident: Incident) -> str | None:
    """Steps 8 and 9: after the corrected migration, or after it was left out by decision."""
    if reason := _closed(incident) or _reopened(incident) or _not_restored(incident):
        return reason
    if reason := _not_frozen(incident, "The check"):
        return reason
    if incident.corrected is None and incident.status(Step.DEPLOY) is not StepStatus.SKIPPED:
        return "The corrected migration is not deployed (step 7). First: /app deploy, or decide there to leave it out"
    return None


def refuse_caches(incident: Incident) -> str | None:
    """Step 9, caches: only when the data are checked, so that nothing is cached from a half-way state."""
    return _closed(incident) or _not_checked(incident)


def refuse_set_aside(incident: Incident) -> str | None:
    """Before step 10, taking jobs, sessions or locks out of production: only while it stands still and its data are good."""
    if reason := _closed(incident) or _not_restored(incident):
        return reason
    return _not_frozen(incident, "Taking rows out of production") or _not_checked(incident)


def refuse_reopen(incident: Incident) -> str | None:
    """Step 10: data good, application tested and good, every item of the manual list ticked."""
    if reason := refuse_reopen_anyway(incident):
        return reason
    if objections := reopen_objections(incident):
        return f"{_sentence(objections)} Mend it and test again (/app check), or say that it is opened all the same: /app reopen"
    return None


def refuse_reopen_anyway(incident: Incident) -> str | None:
    """Step 10, where a person says so: the data are good and the application was tested, whatever came of its tests."""
    if reason := _closed(incident):
        return reason
    if incident.reopened_at is not None or incident.down_since is None:
        return "The application is not down by this incident: there is nothing to reopen. See: /app status"
    if incident.cutover is Cutover.UNKNOWN:
        return _UNKNOWN
    if incident.cutover is not Cutover.DONE:
        return None  # giving up without a restore is allowed: production's data are as they were
    if reason := _not_checked(incident):
        return reason
    if incident.app_test is None:
        return "The application was not tested yet. First: /app check"
    return None


def reopen_objections(incident: Incident) -> tuple[str, ...]:
    """Return what stands against opening the restored application to visitors, though a person may do it; empty: nothing."""
    if incident.cutover is not Cutover.DONE or incident.app_test is None:
        return ()
    return (*test_objections(incident), *_list_objections(incident))


def test_objections(incident: Incident) -> tuple[str, ...]:
    """Return what the tests of the application found against it; empty: nothing."""
    test = incident.app_test or {}
    if test.get("passed"):
        return ()
    found = tuple(f"the test of the application failed: {reason}" for reason in test.get("reasons", ()))
    return found or ("the test of the application failed",)


def _list_objections(incident: Incident) -> tuple[str, ...]:
    items = dict.fromkeys((incident.app_test or {}).get("manual_items", ()))
    refused = [item for item, passed in incident.manual.items() if not passed]
    missing = [item for item in items if item not in incident.manual]
    return (
        *(f"a person said no to this: {item}" for item in refused),
        *(f"nobody has confirmed: {item}" for item in missing),
    )


def refuse_ack(incident: Incident) -> str | None:
    """Acknowledging: somebody was called, and nobody has answered."""
    if incident.escalation is None:
        return "Nobody was called in this incident. To call: /incident escalate"
    return f"{incident.acknowledged_by} has it already." if incident.acknowledged_by else None


def refuse_close(incident: Incident) -> str | None:
    """Closing: never while production is down or its state is unknown."""
    if reason := _closed(incident):
        return reason
    if incident.cutover is Cutover.UNKNOWN:
        return f"{_UNKNOWN}. If others have taken over: /incident close --unproven"
    if incident.down_since is not None:
        return (
            "The application is still down by this incident. First: /app reopen. "
            "If it was opened by hand, or others have taken over: /incident close --unproven"
        )
    if incident.reopened_at is not None and incident.watch_ended is None:
        return "The log is still being watched. It closes when the watch has ended; earlier: /incident close --now"
    return None


def refuse_close_by_hand(incident: Incident) -> str | None:
    """Closing what others have taken over: whatever Backout knows of production, a person answers for it."""
    return _closed(incident)


def only_watched(incident: Incident) -> bool:
    """Return whether nothing but the running watch of the log stands against closing."""
    return (
        incident.open
        and incident.cutover is not Cutover.UNKNOWN
        and incident.down_since is None
        and incident.reopened_at is not None
        and incident.watch_ended is None
    )


_UNKNOWN = (
    "It is not known whether the last change of production's data took place. While it is being looked up: /restore status. "
    "If nothing is running any more: /restore undo, and /incident escalate"
)


def _sentence(parts: Iterable[str]) -> str:
    """Return parts as one sentence."""
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."


def _closed(incident: Incident) -> str | None:
    return (
        None
        if incident.open
        else f"The incident {incident.id} is closed. A new one: /incident start {incident.site}"
    )


def _not_frozen(incident: Incident, what: str) -> str | None:
    if incident.frozen:
        return None
    why = (incident.freeze or {}).get("why") or "the application is not proven to stand still"
    return f"{what} needs a proven freeze, and {why}. First: /app freeze"


def _reopened(incident: Incident) -> str | None:
    return (
        "The application is open again. To go on: /app freeze" if incident.reopened_at is not None else None
    )


def _cut_over_already(incident: Incident) -> str | None:
    if incident.cutover is Cutover.UNKNOWN:
        return _UNKNOWN
    if incident.cutover is Cutover.DONE:
        return "Production was cut over already. To go back: /restore undo"
    return None


def _not_restored(incident: Incident) -> str | None:
    if incident.cutover is Cutover.UNKNOWN:
        return _UNKNOWN
    return (
        None
        if incident.cutover is Cutover.DONE
        else "Production's data are not restored yet. First: /restore plan"
    )


def _not_checked(incident: Incident) -> str | None:
    if incident.data_check and incident.data_check.get("passed"):
        return None
    return "The data are not verified, or a check failed. First: /app check"
