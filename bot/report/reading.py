"""Reads the data of timeline entries, whatever their age and shape: what is missing or odd is None, never an error."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bot.model.event import Entry, Kind


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One JSON object, read key by key. Every answer is None or empty where the key is missing or of another type."""

    values: Mapping[str, object] = field(default_factory=dict)

    def text(self, key: str) -> str | None:
        """Return the text of a key (a number becomes its text); None for a missing or blank one."""
        return plain_text(self.values.get(key))

    def number(self, key: str) -> float | None:
        """Return the number of a key; None for anything that is not a finite number."""
        value = self.values.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return None
        return value

    def whole(self, key: str) -> int | None:
        """Return the whole number of a key; None for anything else, a fraction included."""
        value = self.number(key)
        return int(value) if value is not None and value == int(value) else None

    def flag(self, key: str) -> bool | None:
        """Return true or false; None where neither was recorded."""
        value = self.values.get(key)
        return value if isinstance(value, bool) else None

    def moment(self, key: str) -> datetime | None:
        """Return the time of a key as aware UTC, from ISO 8601 text (no zone: UTC) or seconds since 1970."""
        return as_moment(self.values.get(key))

    def part(self, key: str) -> Reading:
        """Return the object of a key, an empty one where there is none."""
        value = self.values.get(key)
        return Reading(values=value) if isinstance(value, Mapping) else Reading()

    def parts(self, key: str) -> tuple[Reading, ...]:
        """Return the objects in the list of a key, in order; what is no object is left out."""
        return tuple(Reading(values=item) for item in self.items(key) if isinstance(item, Mapping))

    def texts(self, key: str) -> tuple[str, ...]:
        """Return the list of a key as texts; a single text counts as a list of one."""
        value = self.values.get(key)
        items = self.items(key) if isinstance(value, list | tuple) else (value,)
        return tuple(text for text in map(plain_text, items) if text is not None)

    def items(self, key: str) -> Sequence[object]:
        """Return the list of a key, an empty one where there is none."""
        value = self.values.get(key)
        return value if isinstance(value, list | tuple) else ()


def plain_text(value: object) -> str | None:
    """Return a JSON value as text: objects as `key: value` pairs, lists joined by commas; None for nothing or blank."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        pairs = ((key, plain_text(item)) for key, item in value.items())
        return ", ".join(f"{key}: {item}" for key, item in pairs if item is not None) or None
    if isinstance(value, list | tuple):
        return ", ".join(filter(None, map(plain_text, value))) or None
    return None if value is None else str(value)


def as_moment(value: object) -> datetime | None:
    """Return a time as aware UTC from ISO 8601 text or seconds since 1970; None where it is neither.

    Years that no server's clock shows are None too: another zone could not express the ends of the calendar.
    """
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value)
            found = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found = datetime.fromtimestamp(value, UTC)
        else:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    return found if 1970 <= found.year < 9999 else None


@dataclass(frozen=True, kw_only=True)
class Log:
    """An incident's timeline, asked by kind. The entries are in order of their sequence."""

    entries: tuple[Entry, ...]

    def of(self, *kinds: Kind) -> tuple[Entry, ...]:
        """Return the entries of these kinds, in order."""
        return tuple(entry for entry in self.entries if entry.kind in kinds)

    def first(self, *kinds: Kind) -> Entry | None:
        """Return the first entry of these kinds, or None."""
        return next(iter(self.of(*kinds)), None)

    def last(self, *kinds: Kind) -> Entry | None:
        """Return the last entry of these kinds, or None."""
        return next(reversed(self.of(*kinds)), None)

    def before(self, entry: Entry) -> Log:
        """Return the part of the timeline that was written before an entry."""
        return Log(entries=tuple(item for item in self.entries if item.sequence < entry.sequence))

    def after(self, entry: Entry) -> Log:
        """Return the part of the timeline that was written after an entry."""
        return Log(entries=tuple(item for item in self.entries if item.sequence > entry.sequence))

    def corrections(self) -> dict[int, Entry]:
        """Return the last correction of each corrected entry, by the corrected entry's sequence number."""
        found = {}
        for entry in self.of(Kind.CORRECTION):
            sequence = read(entry).whole("of")
            if sequence is not None:
                found[sequence] = entry
        return found


def read(entry: Entry | None) -> Reading:
    """Return the data of an entry for reading; an empty one where there is no entry."""
    return Reading(values=entry.data) if entry is not None and isinstance(entry.data, Mapping) else Reading()


def person_of(entry: Entry) -> str:
    """Return who an entry speaks of: the person in its data, else its actor."""
    return read(entry).text("person") or entry.actor


def corrected_text(entry: Entry) -> str | None:
    """Return what a correction says in place of the earlier entry."""
    return read(entry).text("text") or plain_text(entry.text)
