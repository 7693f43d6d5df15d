"""Which guard stands before each kind of operation, and which of them change production."""

from __future__ import annotations

from bot.runbook import guards
from bot.runbook.guards import Guard

CHANGES_SITE = frozenset(
    {
        "freeze",
        "stop_writers",
        "safety",
        "cutover",
        "undo",
        "deploy",
        "check",
        "caches",
        "set_aside",
        "reopen",
        "reopen_anyway",
    }
)
"""Operations that take the site's lock: at most one of them for each site."""

ANY_TIME = frozenset(
    {"assess", "backups", "search_wider", "compare_backups", "inspect", "escalate", "acknowledge", "ring"}
)
"""Operations that may run beside one that changes production: they only read it."""

ASIDE = frozenset({"ring", "file_report"})
"""Operations that are no work on the site, and that nobody waits for: they are told in the timeline alone."""

_GUARDS: dict[str, Guard] = {
    "assess": guards.refuse_assess,
    "freeze": guards.refuse_freeze,
    "stop_writers": guards.refuse_freeze,
    "backups": guards.refuse_backups,
    "search_wider": guards.refuse_backups,
    "compare_backups": guards.refuse_compare,
    "inspect": guards.refuse_backups,
    "safety": guards.refuse_safety_backup,
    "plan": guards.refuse_plan,
    "cutover": guards.refuse_cut_over,
    "propose_undo": guards.refuse_undo,
    "undo": guards.refuse_undo,
    "align": guards.refuse_rollback,
    "propose": guards.refuse_deploy,
    "skip_deploy": guards.refuse_deploy,
    "deploy": guards.refuse_deploy,
    "check": guards.refuse_check,
    "caches": guards.refuse_caches,
    "set_aside": guards.refuse_set_aside,
    "reopen": guards.refuse_reopen,
    "reopen_anyway": guards.refuse_reopen_anyway,
    "close": guards.refuse_close,
    "close_by_hand": guards.refuse_close_by_hand,
}


def guard_of(kind: str | None) -> Guard | None:
    """Return the guard of a kind of operation: asked when it is typed or answered, and again when it begins.

    None where nothing depends on the incident's state.
    """
    return _GUARDS.get(kind) if kind else None
