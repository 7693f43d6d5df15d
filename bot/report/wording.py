"""Says numbers, sizes, durations and times in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

NOT_RECORDED = "not recorded"


def count_words(number: int | None) -> str:
    """Return a number with thousands marked (`1,204`), or "not recorded"."""
    return NOT_RECORDED if number is None else f"{number:,}"


def counted(number: int | None, noun: str, plural: str | None = None) -> str:
    """Return `1 row`, `1,204 rows`, or `rows: not recorded`."""
    many = plural or f"{noun}s"
    if number is None:
        return f"{many}: {NOT_RECORDED}"
    return f"{number:,} {noun if number == 1 else many}"


def size_words(size_bytes: int | None) -> str:
    """Return a size as people read it, in powers of 1000 (`1.2 GB`), or "not recorded"."""
    if size_bytes is None:
        return NOT_RECORDED
    size = float(size_bytes)
    for unit in ("bytes", "kB", "MB", "GB"):
        if abs(size) < 999.5:
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 99.5 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def duration_words(duration: timedelta | None) -> str:
    """Return a duration in its two largest units (`41 min 12 s`, `2 h 05 min`, `0.02 s`), or "not recorded"."""
    if duration is None:
        return NOT_RECORDED
    seconds = duration.total_seconds()
    if seconds < 0:
        return f"minus {duration_words(-duration)}"
    if seconds < 10:
        return f"{seconds:.2f}".rstrip("0").rstrip(".") + " s"
    whole = round(seconds)
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if minutes < 1:
        return f"{whole} s"
    if hours < 1:
        return f"{minutes} min {whole % 60:02} s" if whole % 60 else f"{minutes} min"
    if days < 1:
        return f"{hours} h {minutes % 60:02} min"
    return f"{counted(days, 'day')} {hours % 24} h" if hours % 24 else counted(days, "day")


def seconds_words(seconds: float | None) -> str:
    """Return a number of seconds as a duration in words, or "not recorded"."""
    if seconds is None or abs(seconds) > 1e12:
        return NOT_RECORDED
    return duration_words(timedelta(seconds=seconds))


def listed(items: Sequence[str]) -> str:
    """Return items as a list in a sentence: `a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, (", ".join(items[:-1]), *items[-1:])))


def key_words(key: str) -> str:
    """Return a machine's key as words: `missing_rows` becomes `missing rows`."""
    return key.replace("_", " ")


def sentence(text: str) -> str:
    """Return a text that ends with a full stop (or with the sign it has)."""
    text = text.strip()
    return text if not text or text.rstrip(")]”\"'")[-1:] in tuple(".!?…:") else f"{text}."


def short_hash(value: str) -> str:
    """Return the first 12 characters of a hash or commit, other texts as they are."""
    return value[:12] if re.fullmatch(r"[0-9a-f]{13,}", value) else value


@dataclass(frozen=True, kw_only=True)
class Zone:
    """The time zone in which the readers of the report live. `home` is the incident's date there, `2025-11-26`."""

    zone: tzinfo
    home: str

    def day(self, at: datetime) -> str:
        """Return the date, `2025-11-26`."""
        return f"{at.astimezone(self.zone):%Y-%m-%d}"

    def time(self, at: datetime) -> str:
        """Return the time of day, `14:07:31`."""
        return f"{at.astimezone(self.zone):%H:%M:%S}"

    def minute(self, at: datetime) -> str:
        """Return the time of day without seconds, `14:07`."""
        return f"{at.astimezone(self.zone):%H:%M}"

    def short(self, at: datetime) -> str:
        """Return `14:07` for the incident's own date, `11-23 14:07` for another."""
        return self.minute(at) if self.day(at) == self.home else f"{at.astimezone(self.zone):%m-%d %H:%M}"

    def stamp(self, at: datetime | None) -> str:
        """Return date, time and zone, `2025-11-26 14:07:31 UTC`, or "not recorded"."""
        return NOT_RECORDED if at is None else f"{at.astimezone(self.zone):%Y-%m-%d %H:%M:%S %Z}"

    def when(self, at: datetime) -> str:
        """Return `14:07:31` for the incident's own date, `2025-11-27 00:12:01` for another."""
        return self.time(at) if self.day(at) == self.home else f"{self.day(at)} {self.time(at)}"

    def names(self, times: Sequence[datetime]) -> str:
        """Return the name of the zone at these times (`CET`; `CEST/CET` where the clocks were changed in between)."""
        return "/".join(dict.fromkeys(f"{at.astimezone(self.zone):%Z}" for at in times))
