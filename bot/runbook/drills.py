"""A drill: the newest backup restored into scratch, to know that it can be done and how long it takes."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from bot.runbook.health import HealthVerdict
from bot.runbook.wording import bytes_words, duration_words

ROOM = 1.2
"""How much of the database's size must be free for a copy of it; the same as for every other load."""
SLOWER = 2.0
"""A drill that takes so many times the usual is worth a word."""


def room_refusal(size_bytes: int, free_bytes: int) -> str | None:
    """Return why there is no room for a drill, None where there is. A size or room of 0 is not known, and not held against it."""
    needed = int(size_bytes * ROOM)
    if not size_bytes or not free_bytes or free_bytes >= needed:
        return None
    return f"{bytes_words(free_bytes)} are free and {bytes_words(needed)} are needed for a copy"


def drill_reasons(
    *,
    expected: Mapping[str, int],
    loaded: Mapping[str, int],
    foreign_key_violations: int,
    unknown_migrations: Sequence[str],
    failed_checks: Sequence[str],
) -> list[str]:
    """Return why a restored backup is not proven, none where it is. `expected` are the rows its manifest tells."""
    reasons = [
        f"{table} has {loaded.get(table, 0):,} rows, and the backup holds {rows:,}"
        for table, rows in expected.items()
        if loaded.get(table) != rows
    ]
    if not any(loaded.values()):
        reasons.append("it holds no rows")
    if foreign_key_violations:
        reasons.append(f"{foreign_key_violations:,} rows point to rows that are not there")
    if unknown_migrations:
        reasons.append(f"the application does not know its migrations {', '.join(unknown_migrations)}")
    return reasons + [f"check failed: {check}" for check in failed_checks]


def usual_s(drill: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the median of the time that earlier good drills took, None where there was none.

    One in whose middle Backout was restarted tells no time, and is left out.
    """
    times = [d["total_s"] for d in earlier if d["verdict"] == HealthVerdict.GOOD and d.get("total_s")]
    return statistics.median(times) if times and drill.get("total_s") else None


def drill_words(site: str, drill: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]] = ()) -> str:
    """Return a drill's result in one sentence, with what is usual where earlier drills say it."""
    if drill["verdict"] == HealthVerdict.UNKNOWN:
        return f"The drill of {site} could not be made: {'; '.join(drill['reasons'])}."
    if drill["verdict"] == HealthVerdict.BAD:
        return f"The drill of {site} FAILED: {'; '.join(drill['reasons'])}."
    backup = drill["backup"]
    what = f"{backup['file']} ({bytes_words(backup['size_bytes'])}, {backup['rows']:,} rows)"
    if not drill.get("total_s"):
        return f"The drill of {site} restored {what} and proved it; Backout was restarted meanwhile, so its time is not known."
    told = f"The drill of {site} restored {what} and proved it in {duration_words(drill['total_s'])}"
    usual = usual_s(drill, earlier)
    if usual is None:
        return f"{told}."
    slow = ", much slower than usual" if is_slow(drill, earlier) else ""
    return f"{told}{slow} (usual: {duration_words(usual)})."


def is_slow(drill: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether a drill took much longer than usual, for its size too: a backup that grew may take longer."""
    usual = usual_s(drill, earlier)
    if usual is None:
        return False
    paces = [each for each in map(_seconds_a_row, earlier) if each is not None]
    own = _seconds_a_row(drill)
    grown = own is not None and bool(paces) and own <= statistics.median(paces) * SLOWER
    return bool(drill["total_s"] > usual * SLOWER) and not grown


def _seconds_a_row(drill: Mapping[str, Any]) -> float | None:
    rows = (drill.get("backup") or {}).get("rows")
    is_good = drill["verdict"] == HealthVerdict.GOOD and drill.get("total_s")
    return drill["total_s"] / rows if is_good and rows else None


def drill_facts(drill: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return how the time of a drill was spent, as labelled facts."""
    parts = (
        ("finding and reading the backup", "search_s"),
        ("loading it", "load_s"),
        ("proving it", "proof_s"),
    )
    told = [(label, duration_words(drill[name])) for label, name in parts if drill.get(name) is not None]
    return (*told, *_pace(drill))


def _pace(drill: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return how much of the backup was loaded in a second: what the time of a larger one is told from."""
    backup, load_s = drill.get("backup") or {}, drill.get("load_s")
    if not load_s or not backup.get("rows"):
        return ()
    size, rows = backup["size_bytes"] / load_s, backup["rows"] / load_s
    return (("pace of loading", f"{bytes_words(int(size))} of the backup and {rows:,.0f} rows a second"),)
