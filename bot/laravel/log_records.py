"""Asking the host what an application's logs gained, record by record; not a byte of a message comes along."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bot.laravel.facts import LogFile
from bot.model.errors import FailedError
from bot.ports.database import Work

# Levels that tell of something broken, from RFC 5424 as Monolog writes them.
ALARM_LEVELS: Final = frozenset({"ERROR", "CRITICAL", "ALERT", "EMERGENCY"})


@dataclass(frozen=True, kw_only=True)
class LogPlace:
    """How far a log file was read. `inode` is 0 while nothing was; `mark` is the host's hash of the bytes before `offset`."""

    path: str
    inode: int = 0
    offset: int = 0
    mark: str = ""


@dataclass(frozen=True, kw_only=True)
class LogCounts:
    """Records by level, and alarms by exception class and by fingerprint (class and place in the code, or the level)."""

    levels: Mapping[str, int]
    classes: Mapping[str, int]
    fingerprints: Mapping[str, int]

    @property
    def alarms(self) -> int:
        """Return how many records are errors or worse."""
        return sum(count for level, count in self.levels.items() if level in ALARM_LEVELS)


@dataclass(frozen=True, kw_only=True)
class LogLook:
    """What one look found. `places` are for the next look; a new day's file stands beside the old one.

    `states` by path: goes_on, new, emptied, rotated, missing, unreadable. `first` and `last` are the times of the first
    and last record as the application wrote them, '' where there is none. `foreign_bytes` belong to no record.
    `more`: the look came to its limit before the end of the log.
    """

    counts: LogCounts
    places: tuple[LogPlace, ...]
    states: Mapping[str, str]
    first: str
    last: str
    read_bytes: int
    foreign_bytes: int
    more: bool

    @property
    def blind_reason(self) -> str:
        """Return why these counts may miss something, '' where they do not."""
        unreadable = [path for path, state in self.states.items() if state == "unreadable"]
        if unreadable:
            return f"{unreadable[0]} cannot be read by Backout's user"
        if self.foreign_bytes and not self.counts.levels:
            return (
                f"{self.foreign_bytes:,} bytes of the log are not in Laravel's own form and were not counted"
            )
        return ""


def unread(files: Sequence[LogFile]) -> tuple[LogPlace, ...]:
    """Return the places before anything was read of an application's log files."""
    return tuple(LogPlace(path=file.path) for file in files)


def count_log(
    places: Sequence[LogPlace], *, is_end: bool = False, tail_bytes: int = 0, until: str = ""
) -> Work[LogLook]:
    """Return the question what the logs gained since `places`; bounded, reads only.

    Rotation, emptying and the files of later days are followed on the host. `is_end`: a record whose end is not there
    counts too. `tail_bytes`: only so much from the end of each log. `until`: only what is from before that time of the
    application, as `YYYY-MM-DD HH:MM:SS`.
    """
    request: dict[str, Any] = {"logs": places_json(places), "is_end": is_end, "tail_bytes": tail_bytes}
    if until:
        request["until"] = until
    return Work(verb="log_count", request=request, describe=f"count records of {_names(places)}", read=_look)


def log_ends(places: Sequence[LogPlace]) -> Work[tuple[LogPlace, ...]]:
    """Return the question where the logs end now; nothing is counted. Reads only."""
    request: dict[str, Any] = {"logs": places_json(places), "only_places": True}
    return Work(
        verb="log_count",
        request=request,
        describe=f"find the end of {_names(places)}",
        read=lambda answer: _look(answer).places,
    )


def places_json(places: Sequence[LogPlace]) -> list[dict[str, Any]]:
    """Return places as JSON data, to be kept until the next look."""
    return [dict(vars(place)) for place in places]


def places_of(data: Sequence[Mapping[str, Any]]) -> tuple[LogPlace, ...]:
    """Return the places of JSON data. *Raises* FailedError where they are damaged."""
    try:
        return tuple(
            LogPlace(
                path=str(one["path"]),
                inode=int(one["inode"]),
                offset=int(one["offset"]),
                mark=str(one["mark"]),
            )
            for one in data
        )
    except (KeyError, TypeError, ValueError):
        raise FailedError("the look at the log gave a damaged answer; nothing was counted") from None


def added_counts(now: LogCounts, before: LogCounts) -> LogCounts:
    """Return what is in `now` beyond `before`: the known troubles, and those that Backout caused itself, left out."""
    return LogCounts(
        levels=dict(Counter(now.levels) - Counter(before.levels)),
        classes=dict(Counter(now.classes) - Counter(before.classes)),
        fingerprints=dict(Counter(now.fingerprints) - Counter(before.fingerprints)),
    )


def _names(places: Sequence[LogPlace]) -> str:
    return ", ".join(place.path for place in places) or "no log"


def _look(answer: Mapping[str, Any]) -> LogLook:
    try:
        return LogLook(
            counts=LogCounts(
                levels=_counted(answer["levels"]),
                classes=_counted(answer["classes"]),
                fingerprints=_counted(answer["fingerprints"]),
            ),
            places=places_of(answer["logs"]),
            states={str(one["path"]): str(one["state"]) for one in answer["logs"]},
            first=str(answer["first"]),
            last=str(answer["last"]),
            read_bytes=int(answer["bytes"]),
            foreign_bytes=int(answer["foreign_bytes"]),
            more=bool(answer["more"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise FailedError("the look at the log gave a damaged answer; nothing was counted") from None


def _counted(values: Mapping[str, Any]) -> dict[str, int]:
    return {str(name): int(count) for name, count in values.items()}
