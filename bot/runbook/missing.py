"""Data that are missing after a recovery: the window that no backup covers, and which other backup has more. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.model.incident import Incident
from bot.runbook.wording import duration_words


@dataclass(frozen=True, kw_only=True)
class Holder:
    """A VERIFIED backup beside the one that was restored; `more` are the rows that it has beyond the present ones, by table."""

    path: str
    made_at: datetime | None
    more: Mapping[str, int]


def window_words(incident: Incident, backup: Mapping[str, Any]) -> str | None:
    """Return from when to when, to the minute, no backup knows what was written to what the migration took.

    None where the backup's time is not known. Rows that are still in the broken database are no part of it.
    """
    start = made_at(backup)
    if start is None:
        return None
    migrated = _time((incident.assessment or {}).get("migrated_at"))
    since = f"from {_minute(start)}"
    if migrated is None:
        return f"{since} UTC until the migration ran, the time of which is not known"
    if migrated <= start:
        return (
            f"{since} UTC until the migration ran; its code was deployed before, at {_minute(migrated)} UTC"
        )
    span = duration_words((migrated - start).total_seconds())
    return f"{since} to {_minute(migrated)} UTC ({span}), as far as the migration took it"


def holders_of(incident: Incident, live_rows: Mapping[str, int]) -> tuple[Holder, ...]:
    """Return the other VERIFIED backups that have rows beyond the present ones, the newest first; by their manifests alone.

    More rows are no proof of a loss: people delete rows too.
    """
    used = (incident.plan or {}).get("backup_path") or (incident.recommended or {}).get("path")
    found = []
    for line in incident.backups:
        if not str(line["word"]).startswith("VERIFIED") or line["path"] == used:
            continue
        rows = line.get("rows") or {}
        more = {
            name: count - live_rows.get(name, 0)
            for name, count in rows.items()
            if count is not None and count > live_rows.get(name, 0)
        }
        if more:
            found.append(Holder(path=str(line["path"]), made_at=made_at(line), more=more))
    return tuple(sorted(found, key=lambda one: one.made_at or _LONG_AGO, reverse=True))


_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def made_at(line: Mapping[str, Any]) -> datetime | None:
    """Return when a listed backup was made: by its own end time, else by its file's; None where neither is known."""
    return _time(line.get("completed")) or _time(line.get("mtime"))


def _time(text: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
