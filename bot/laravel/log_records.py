"""Counting what an application writes to its log, record by record and without its data."""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from bot.laravel.answer import parse_answer, script_command
from bot.model.errors import FailedError
from bot.ports.host import Command

# One piece of a log as it is sent for one look; a busy site writes less in the seconds between two looks.
PIECE_BYTES: Final = 400_000

# A record without an end is kept to be completed by the next piece; a longer one is cut, its head is all that counts.
_MAX_PENDING_BYTES: Final = 1_000_000

_HEAD: Final = re.compile(
    rb"^\[(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)(?:\.\d+)?([+-]\d\d:\d\d|Z)?\] ([\w-]+)\.([A-Z]+): ",
    re.MULTILINE,
)
_EXCEPTION: Final = re.compile(rb'"exception":"\[object\] \(([\w\\]+)\(code: [^)]{0,20}\):')
_PLACE: Final = re.compile(rb" at (/[^\n]{1,400}?:\d{1,7})\)\n")

_FRAME: Final = re.compile(rb"^#\d+ (/[^\n(]{1,400})\((\d{1,7})\): ", re.MULTILINE)

# All SQL errors are thrown at one place of the framework; the application's own line tells them apart.
_FOREIGN_FOLDERS: Final = (b"/vendor/", b"/Illuminate/", b"/Symfony/")

# Levels that tell of something broken, from RFC 5424 as Monolog writes them.
ALARM_LEVELS: Final = frozenset({"ERROR", "CRITICAL", "ALERT", "EMERGENCY"})


@dataclass(frozen=True, kw_only=True)
class LogRecord:
    """One record of a log; its message and data are left out.

    `time` is aware UTC. `error_class` and `place` ('/path/File.php:12') are those of the exception, None where it has
    none.
    """

    time: datetime
    environment: str
    level: str
    error_class: str | None
    place: str | None

    @property
    def fingerprint(self) -> str:
        """Return what makes two records the same trouble: class and place, or the level where there is neither."""
        if self.error_class is None:
            return self.level
        return f"{self.error_class} at {self.place}" if self.place else self.error_class


@dataclass(frozen=True, kw_only=True)
class LogPosition:
    """How far a log file was read; `pending` are the bytes of a record whose end was not seen yet.

    `inode` is 0 while nothing was read.
    """

    path: str
    inode: int = 0
    offset: int = 0
    pending: bytes = b""


@dataclass(frozen=True, kw_only=True)
class LogPiece:
    """A piece of a log file as read from it, with the inode and size of that very file."""

    exists: bool
    readable: bool
    inode: int
    size: int
    data: bytes


@dataclass(frozen=True, kw_only=True)
class LogRead:
    """What to read next: `path` from `offset`. `is_new_file` drops what was pending of another file."""

    path: str
    offset: int
    is_new_file: bool
    reason: str


@dataclass(frozen=True, kw_only=True)
class LogCounts:
    """Records by level, by exception class and by fingerprint."""

    levels: Mapping[str, int]
    classes: Mapping[str, int]
    fingerprints: Mapping[str, int]

    @property
    def alarms(self) -> int:
        """Return how many records are errors or worse."""
        return sum(count for level, count in self.levels.items() if level in ALARM_LEVELS)


def read_log_command(path: str, offset: int, *, limit: int = PIECE_BYTES, php: str = "php") -> Command:
    """Return the command that reads one bounded piece of a log. Reads only; it always returns, unlike `tail -f`."""
    return script_command(
        names=("read_log",),
        request={"path": path, "offset": offset, "limit": limit},
        app_path=None,
        label="log",
        php=php,
        timeout=timedelta(seconds=20),
    )


def parse_log_piece(stdout: str) -> LogPiece:
    """Return the piece that was read. *Raises* FailedError where the answer is damaged."""
    part = parse_answer(stdout, "the look at the log").part("piece")
    try:
        data = base64.b64decode(part.text("data"), validate=True)
    except binascii.Error:
        raise FailedError("the piece of the log is damaged; it was not counted") from None
    return LogPiece(
        exists=part.flag("exists"),
        readable=part.flag("readable"),
        inode=part.whole("inode"),
        size=part.whole("size"),
        data=data,
    )


def next_read(position: LogPosition, *, path: str, inode: int | None, size: int) -> LogRead:
    """Return what to read next, given the file that the log is now: its path, inode (None: missing) and size.

    A daily log changes its path at midnight: the rest of the old day comes first, and the new file when there is no
    rest (the caller asks with the old path until nothing more came). A file of another inode was rotated, a shorter one
    was emptied: both are read from their beginning.
    """
    if inode is None:
        return LogRead(path=position.path, offset=position.offset, is_new_file=False, reason="no file yet")
    if path != position.path:
        return LogRead(path=path, offset=0, is_new_file=True, reason="a new day")
    if position.inode not in (0, inode):
        return LogRead(path=path, offset=0, is_new_file=True, reason="rotated")
    if size < position.offset:
        return LogRead(path=path, offset=0, is_new_file=True, reason="emptied")
    return LogRead(path=path, offset=position.offset, is_new_file=False, reason="goes on")


def fold_records(
    position: LogPosition, piece: LogPiece, *, zone: tzinfo = UTC
) -> tuple[tuple[LogRecord, ...], LogPosition]:
    """Return the records that are complete now, and the position after this piece.

    `piece` is what stood in the file at `position.offset`. A record is complete when the next one begins, or when its
    own last line is there; what comes before the first record belongs to none. Bytes, not text, so that no offset is
    ever wrong. `zone` is the application's time zone, in which Laravel writes its times.
    *Source*: laravel.log of Laravel 8.83 and 12.67.
    """
    text = position.pending + piece.data
    heads = list(_HEAD.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    is_last_whole = bool(heads) and _is_whole(text[heads[-1].start() :])
    whole = heads if is_last_whole else heads[:-1]
    records = tuple(
        _record(head, text[head.start() : end], zone) for head, end in zip(whole, ends, strict=False)
    )
    rest = b"" if is_last_whole else _unfinished(text, heads)
    after = LogPosition(
        path=position.path,
        inode=piece.inode,
        offset=position.offset + len(piece.data),
        pending=rest,
    )
    return records, after


def finish_records(position: LogPosition, *, zone: tzinfo = UTC) -> tuple[LogRecord, ...]:
    """Return the record that was pending, once the file is known to grow no more (another day, rotated, the end)."""
    return tuple(_record(head, position.pending, zone) for head in _HEAD.finditer(position.pending))


def count_records(records: Iterable[LogRecord]) -> LogCounts:
    """Return how many records there are of each level, exception class and fingerprint."""
    found: Sequence[LogRecord] = tuple(records)
    return LogCounts(
        levels=dict(Counter(record.level for record in found)),
        classes=dict(Counter(record.error_class for record in found if record.error_class is not None)),
        fingerprints=dict(Counter(record.fingerprint for record in found if record.level in ALARM_LEVELS)),
    )


def added_counts(now: LogCounts, before: LogCounts) -> LogCounts:
    """Return what is in `now` beyond `before`: the known troubles, and those that Backout caused itself, left out."""
    return LogCounts(
        levels=dict(Counter(now.levels) - Counter(before.levels)),
        classes=dict(Counter(now.classes) - Counter(before.classes)),
        fingerprints=dict(Counter(now.fingerprints) - Counter(before.fingerprints)),
    )


def _is_whole(record: bytes) -> bool:
    """Return True where a record's own end is there: Monolog ends each with a blank, one with a trace with `"} `."""
    if not record.endswith(b" \n"):
        return False
    return _EXCEPTION.search(record) is None or record.rstrip().endswith(b'"}')


def _unfinished(text: bytes, heads: Sequence[re.Match[bytes]]) -> bytes:
    """Return the bytes that the next piece will complete: the last record, or a last line that may become one."""
    start = heads[-1].start() if heads else text.rfind(b"\n") + 1
    return text[start : start + _MAX_PENDING_BYTES]


def _record(head: re.Match[bytes], record: bytes, zone: tzinfo) -> LogRecord:
    error = _EXCEPTION.search(record)
    return LogRecord(
        time=_time(head, zone),
        environment=head.group(3).decode("utf-8", "replace"),
        level=head.group(4).decode("ascii"),
        error_class=error.group(1).decode("utf-8", "replace").replace("\\\\", "\\") if error else None,
        place=_place(record, error.end()) if error else None,
    )


def _place(record: bytes, start: int) -> str | None:
    """Return where an exception came from: the first place in the application's own code, else where it was thrown."""
    thrown = _PLACE.search(record, start)
    places = [thrown.group(1)] if thrown else []
    places += [b"%s:%s" % frame.groups() for frame in _FRAME.finditer(record, start)]
    own = [place for place in places if not any(folder in place for folder in _FOREIGN_FOLDERS)]
    first = next(iter(own + places), None)
    return None if first is None else first.decode("utf-8", "replace")


def _time(head: re.Match[bytes], zone: tzinfo) -> datetime:
    text = head.group(1).decode("ascii")
    offset = head.group(2)
    if offset is not None:
        return datetime.fromisoformat(text + offset.decode("ascii")).astimezone(UTC)
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)
