"""Rows whose parent is not there: those that were before are told, and only more of them stand against a step."""

from __future__ import annotations

from collections.abc import Mapping

from bot.model.incident import Incident


def known_orphans(incident: Incident) -> Mapping[str, int]:
    """Return the orphans of the copy that was rehearsed and goes live, by foreign key; they are as old as the damage at least."""
    return (incident.rehearsal or {}).get("orphans") or {}


def more_orphans(now: Mapping[str, int], before: Mapping[str, int]) -> list[str]:
    """Return where there are more orphans than before, in words; empty: nowhere."""
    return [
        f"{count:,} orphans in {key}" + (f" ({before[key]:,} were there before)" if before.get(key) else "")
        for key, count in now.items()
        if count > before.get(key, 0)
    ]


def orphans_words(now: Mapping[str, int]) -> str:
    """Return how many orphans are left where no more of them came, as the end of a sentence about good data."""
    count = sum(now.values())
    return f"no new orphans ({count:,} are from before)" if count else "no orphans"
