"""The verb `log_count`: count what an application's logs gained since the last look, through rotation and midnight.

It opens regular files for reading only, reads a bounded number of bytes, and answers with places, counts, class names,
lines of code, and the state that a database's error names (five signs). No other byte of a message leaves the host.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from typing import BinaryIO, Dict, List, Optional, Tuple

from adapters.host_reader.answers import Refusal
from adapters.host_reader.log_records import Counts, Ending, fold
from adapters.host_reader.sqlite_request import Answer, Request, number, objects, text

_BLOCK_BYTES = 4_000_000
# A record without an end is read again at the next look, up to this size; a longer one counts as it is.
_LONGEST_RECORD_BYTES = 16_000_000
# Far more than a log gains between two looks; what is left is read on at the next one.
_LIMIT_BYTES = 256_000_000
# So many bytes before the place tell whether a file is still the one that was read.
_MARK_BYTES = 256
_MOST_NAMES = 50
_DAY = re.compile(r"^(?P<stem>.*-)\d{4}-\d\d-\d\d(?P<end>(?:\.[^.]*)?)$", re.DOTALL)


@dataclass(frozen=True)
class Place:
    """How far a log was read. `inode` 0: nothing yet. `mark` is a hash of the bytes just before `offset`."""

    path: str
    inode: int
    offset: int
    mark: str


@dataclass(frozen=True)
class Turn:
    """A file to be read from a place on. `is_end`: it grows no more, so that its last record counts as it is."""

    place: Place
    source: str
    is_end: bool
    state: str


def log_count(request: Request) -> Answer:
    """Count the records that logs gained; reads only.

    Request: `logs`, a list of {path, inode, offset, mark}; `limit_bytes`; `is_end` (what is unfinished counts too);
    `tail_bytes` (begin so many bytes before the end); `until` (count only what is from before, in the application's time,
    `YYYY-MM-DD HH:MM:SS`); `only_places` (count nothing, tell where the logs end now).
    Answer: `logs`, the places for the next look, in which a new day's file stands beside the old one, each with its
    `size` and `state` (goes_on, new, emptied, rotated, missing, unreadable); `levels`, `classes`, `fingerprints`
    (alarms by class and place of the code), `first`, `last`, `foreign_bytes` (in no record), `bytes` (read), `more`.
    """
    places = [_place_of(log) for log in objects(request, "logs")]
    if not places:
        raise Refusal("bad_request", "The request names no log. Nothing was changed.")
    counts, told, read = Counts(text(request, "until") if request.get("until") else ""), [], 0
    left = int(number(request, "limit_bytes", _LIMIT_BYTES))
    more = False
    for place in _with_new_days(places):
        if request.get("only_places"):
            told.append(_at_end(place))
            continue
        for turn in _turns(_tail(place, request), places, is_end=bool(request.get("is_end"))):
            after, spent, has_more = _read_on(turn, left - read, counts)
            read, more = read + spent, more or has_more
            told.append({**_document(after), "size": _size(turn.source), "state": turn.state})
            if has_more:
                break
    return {"logs": _latest(told), "bytes": read, "more": more, **counts.document(_MOST_NAMES)}


def _place_of(log: Dict[str, object]) -> Place:
    return Place(
        path=text(log, "path"),
        inode=int(number(log, "inode", 0)),
        offset=int(number(log, "offset", 0)),
        mark=text(log, "mark") if log.get("mark") else "",
    )


def _document(place: Place) -> Dict[str, object]:
    return {"path": place.path, "inode": place.inode, "offset": place.offset, "mark": place.mark}


def _latest(told: List[Dict[str, object]]) -> List[Dict[str, object]]:
    """Return one place for each path, the last one told: a rotated file comes before the new one of its name."""
    return list({str(log["path"]): log for log in told}.values())


# -- which files


def _with_new_days(places: List[Place]) -> List[Place]:
    """Return the places, and those of files of the same daily series that came after them, in the order of their days."""
    known = {place.path for place in places}
    found = list(places)
    for place in places:
        for path in _later_days(place.path):
            if path not in known:
                known.add(path)
                found.append(Place(path, 0, 0, ""))
    return found


def _later_days(path: str) -> List[str]:
    folder, name = os.path.split(path)
    day = _DAY.match(name)
    if day is None:
        return []
    series = re.compile(re.escape(day.group("stem")) + r"\d{4}-\d\d-\d\d" + re.escape(day.group("end")))
    names = sorted(one for one in _listed(folder) if series.fullmatch(one) and one > name)
    return [os.path.join(folder, one) for one in names]  # noqa: PTH118 - a path as it was given, not made plainer


def _listed(folder: str) -> List[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - names are wanted
    except OSError:
        return []


def _turns(place: Place, places: List[Place], *, is_end: bool) -> List[Turn]:
    """Return what to read for one log: the rest of a rotated file first, then the one that has its name now."""
    stem = _DAY.match(os.path.basename(place.path))  # noqa: PTH119 - as above
    over = is_end or (stem is not None and bool(_later_days(place.path)))
    state = _state(place)
    if state == "goes_on" or state in ("missing", "unreadable"):
        return [Turn(place, place.path, over, state)]
    fresh = Turn(Place(place.path, 0, 0, ""), place.path, over, state)
    if state != "rotated":
        return [fresh]
    kept = _renamed(place, {one.path for one in places})
    return [fresh] if kept is None else [Turn(place, kept, True, state), fresh]


def _state(place: Place) -> str:
    """Return what became of a log since it was read to this place."""
    opened = _opened(place.path)
    if opened is None:
        return "unreadable" if os.path.exists(place.path) else "missing"  # noqa: PTH110 - as above
    with opened as file:
        about = os.fstat(file.fileno())
        if place.inode == 0:
            return "goes_on" if place.offset else "new"
        if about.st_ino != place.inode:
            return "rotated"
        is_same = about.st_size >= place.offset and place.mark in ("", _mark(file, place.offset))
        return "goes_on" if is_same else "emptied"


def _renamed(place: Place, known: "set[str]") -> Optional[str]:
    """Return the path that the rotated file has now, found by its inode and its mark; None when it is gone."""
    folder = os.path.dirname(place.path)  # noqa: PTH120 - as above
    for name in sorted(_listed(folder)):
        path = os.path.join(folder, name)  # noqa: PTH118 - as above
        if path in known:
            continue
        opened = _opened(path)
        if opened is None:
            continue
        with opened as file:
            about = os.fstat(file.fileno())
            is_it = about.st_ino == place.inode and about.st_size >= place.offset
            if is_it and place.mark in ("", _mark(file, place.offset)):
                return path
    return None


# -- reading


def _opened(path: str) -> Optional[BinaryIO]:
    """Return a regular file opened for reading, None where there is none; a pipe under the name is not waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return os.fdopen(descriptor, "rb", buffering=0)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - as above
    except OSError:
        return 0


def _mark(file: BinaryIO, offset: int) -> str:
    start = max(0, offset - _MARK_BYTES)
    file.seek(start)
    return hashlib.sha256(file.read(offset - start)).hexdigest()[:16]


def _at_end(place: Place) -> Dict[str, object]:
    """Return the place where a log ends now, after its last whole line."""
    opened = _opened(place.path)
    if opened is None:
        return {**_document(Place(place.path, 0, 0, "")), "size": 0, "state": _state(place)}
    with opened as file:
        about = os.fstat(file.fileno())
        end = Place(place.path, about.st_ino, about.st_size, _mark(file, about.st_size))
        return {**_document(end), "size": about.st_size, "state": "goes_on"}


def _tail(place: Place, request: Request) -> Place:
    """Return the place so many bytes before the log's end where only its tail is asked for."""
    tail = int(number(request, "tail_bytes", 0))
    if not tail:
        return place
    opened = _opened(place.path)
    if opened is None:
        return place
    with opened as file:
        about = os.fstat(file.fileno())
        return Place(place.path, about.st_ino, max(0, about.st_size - tail), "")


def _read_on(turn: Turn, limit: int, counts: Counts) -> Tuple[Place, int, bool]:
    """Count from a place on; return the place after it, the bytes read, and whether more is there than the limit."""
    opened = _opened(turn.source)
    if opened is None:
        return turn.place, 0, False
    with opened as file:
        about = os.fstat(file.fileno())
        file.seek(turn.place.offset)
        done, rest, spent = turn.place.offset, b"", 0
        while spent < limit and (block := file.read(min(_BLOCK_BYTES, limit - spent))):
            spent += len(block)
            rest += block
            folded = fold(rest, counts, Ending.NOW if len(rest) > _LONGEST_RECORD_BYTES else Ending.LATER)
            done, rest = done + folded, rest[folded:]
        has_more = done + len(rest) < about.st_size
        if rest and not has_more:
            done += fold(rest, counts, Ending.NOW if turn.is_end else Ending.PERHAPS)
        return Place(turn.place.path, about.st_ino, done, _mark(file, done)), spent, has_more
