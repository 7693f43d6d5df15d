"""Which guard stands before the answer to a question, and which operations change production."""

from __future__ import annotations

from bot.runbook import guards
from bot.runbook.guards import Guard

CHANGES_SITE = frozenset(
    {"freeze", "stop_writers", "cutover", "undo", "rollback", "deploy", "caches", "reopen"}
)
"""Operations that take the site's lock: at most one of them for each site."""

ANY_TIME = frozenset({"assess", "backups", "inspect", "escalate", "acknowledge"})
"""Operations that may run beside one that changes production: they only read it."""

_GUARDS: dict[str, Guard] = {
    "freeze": guards.refuse_freeze,
    "cutover": guards.refuse_cut_over,
    "undo": guards.refuse_undo,
    "deploy": guards.refuse_deploy,
    "propose": guards.refuse_deploy,
    "caches": guards.refuse_caches,
    "reopen": guards.refuse_reopen,
    "close": guards.refuse_close,
}


def guard_of(purpose: str) -> Guard | None:
    """Return the guard that is asked again when a question is answered, or None where nothing depends on it."""
    return _GUARDS.get(purpose)
