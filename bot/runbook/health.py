"""How a site's backups are, judged by age and by the trend of earlier checks; and when that is told to people."""

from __future__ import annotations

import enum
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.runbook.wording import bytes_words, duration_words

USUAL_OF = 7
"""So many earlier backups say what is usual; fewer than USUAL_FROM say nothing yet."""
USUAL_FROM = 2
UNKNOWN_IS_BAD = 2
"""One check that could not be made may be a network's hiccup; the second in a row is alarming by itself."""


class HealthVerdict(enum.StrEnum):
    """How a site's backups are. UNKNOWN: they could not be looked at."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class HealthLimits:
    """What is asked of a site's backups; see the settings."""

    max_age_s: float
    shrunk_below: float


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """Whether people are alarmed, and since when. `number` counts the alarms of the site, `rings` how often this one was told.

    `unknowns` counts the checks in a row that could not be made.
    """

    on: bool = False
    since: str = ""
    number: int = 0
    rings: int = 0
    rung_at: str = ""
    unknowns: int = 0


def backup_facts(line: Mapping[str, Any], made_at: datetime, now: datetime) -> dict[str, Any]:
    """Return what a check keeps of the newest VERIFIED backup."""
    return {
        "path": line["path"],
        "file": str(line["path"]).rsplit("/", 1)[-1],
        "made_at": made_at.isoformat(),
        "age_s": round(max(0.0, (now - made_at).total_seconds()), 1),
        "size_bytes": line["size_bytes"],
        "rows": sum(rows or 0 for rows in line["rows"].values()),
        "sha256": line["sha256"],
    }


def health_reasons(
    backup: Mapping[str, Any] | None,
    bad: Sequence[Mapping[str, Any]],
    files: int,
    earlier: Sequence[Mapping[str, Any]],
    limits: HealthLimits,
) -> list[str]:
    """Return why the backups are not good, none where they are. `bad` are the files that were read and are no use.

    `earlier` are the backups of earlier checks, oldest first.
    """
    if backup is None:
        if not files:
            return ["there is no backup at all"]
        newest = f"; the newest is {bad[0]['word']}: {'; '.join(bad[0]['reasons'])}" if bad else ""
        return [f"no backup is VERIFIED ({len(bad)} of {files} files read){newest}"]
    reasons = []
    if backup["age_s"] > limits.max_age_s:
        age, limit = duration_words(backup["age_s"]), duration_words(limits.max_age_s)
        reasons.append(
            f"the newest VERIFIED backup, {backup['file']}, is {age} old; at most {limit} is asked for"
        )
    for name, words in (("size_bytes", bytes_words), ("rows", lambda n: f"{n:,} rows")):
        usual = usual_of(name, backup, earlier)
        if usual is not None and backup[name] < usual * limits.shrunk_below:
            reasons.append(f"{backup['file']} has {words(backup[name])}; usual are {words(int(usual))}")
    return reasons


def usual_of(name: str, backup: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the median of a number over the last earlier backups, each counted once; None where there are too few."""
    others = {b["sha256"]: b[name] for b in earlier if b["sha256"] != backup["sha256"]}
    last = list(others.values())[-USUAL_OF:]
    return statistics.median(last) if len(last) >= USUAL_FROM else None


def next_alarm(before: Alarm, verdict: HealthVerdict, at: datetime, remind_s: float) -> Alarm:
    """Return the alarm after a check. It rings where `rings` grew; it is over where `on` was True and is not any more."""
    if verdict is HealthVerdict.GOOD:
        return Alarm(number=before.number)
    unknowns = before.unknowns + 1 if verdict is HealthVerdict.UNKNOWN else 0
    if verdict is HealthVerdict.UNKNOWN and unknowns < UNKNOWN_IS_BAD and not before.on:
        return Alarm(number=before.number, unknowns=unknowns)
    now = at.isoformat()
    if not before.on:
        return Alarm(on=True, since=now, number=before.number + 1, rings=1, rung_at=now, unknowns=unknowns)
    is_due = at - datetime.fromisoformat(before.rung_at) >= timedelta(seconds=remind_s)
    return Alarm(
        on=True,
        since=before.since,
        number=before.number,
        rings=before.rings + is_due,
        rung_at=now if is_due else before.rung_at,
        unknowns=unknowns,
    )


def alarm_of(result: Mapping[str, Any] | None) -> Alarm:
    """Return the alarm that a stored result ended with."""
    return Alarm(**result["alarm"]) if result else Alarm()


def alarm_data(alarm: Alarm) -> dict[str, Any]:
    """Return an alarm as JSON data."""
    return asdict(alarm)


def health_words(site: str, result: Mapping[str, Any]) -> str:
    """Return a check's result in one sentence."""
    if result["verdict"] == HealthVerdict.GOOD:
        backup = result["backup"]
        size = bytes_words(backup["size_bytes"])
        return f"The backups of {site} are good: {backup['file']} is VERIFIED, {size}, {duration_words(backup['age_s'])} old."
    head = "are NOT good" if result["verdict"] == HealthVerdict.BAD else "could not be looked at"
    return f"The backups of {site} {head}: {'; '.join(result['reasons'])}."
