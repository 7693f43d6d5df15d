"""Fold what an application wrote to its log into counts: records by level, exception class, state and place; never their text."""

from __future__ import annotations

import enum
import re
from collections import Counter
from typing import Dict, List, Optional

# A record begins with its time at the start of a line and goes on to the next such line; a trace is part of it.
# Source: Monolog's LineFormatter as Laravel 8 to 12 set it up.
_HEAD = re.compile(
    rb"\[(2\d{3}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)(?:\.\d{1,9})?(?:[+-]\d\d:\d\d|Z)?\] [\w.-]{1,100}\.([A-Z]{1,20}): "
)
# The same with one group only: `findall` gives a plain list of levels, which is what makes counting fast.
_LEVELS = re.compile(
    rb"\n\[2\d{3}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[+-]\d\d:\d\d|Z)?\] [\w.-]{1,100}\.([A-Z]{1,20}): "
)
# How a line begins that may be a record's first; searching for plain bytes is faster than any expression.
_LINE = b"\n[2"

# Levels that tell of something broken, from RFC 5424 as Monolog writes them.
_ALARM_LEVELS = (b"ERROR", b"CRITICAL", b"ALERT", b"EMERGENCY")
# The longest beginning of a record up to its level: time, zone and the name of the environment.
_LONGEST_HEAD = 180

_EXCEPTION = re.compile(rb'"exception":"\[object\] \(([\w\\]{1,200})\(code: [^)\n]{0,20}\):')
# A place is a PHP file of plain characters and a line, so that no words of a message can pass for one.
_FILE = rb"(/[\w./@+-]{1,300}\.php)"
_THROWN_AT = re.compile(rb" at " + _FILE + rb":(\d{1,7})\)\n")
_FRAME = rb"\n#\d{1,4} "
_LINE_OF = rb"\((\d{1,7})\): "
# All SQL errors are thrown at one place of the framework; the application's own line tells them apart.
_FOREIGN = re.compile(rb"/vendor/|/Illuminate/|/Symfony/")
_ANY_FRAME = re.compile(_FRAME + _FILE + _LINE_OF)
_OWN_FRAME = re.compile(_FRAME + rb"(?![^\n(]*(?:" + _FOREIGN.pattern + rb"))" + _FILE + _LINE_OF)

# Monolog's JsonFormatter: one object a line. A quote within a message is escaped, so that none of these can stand there.
_JSON_LINE = re.compile(rb'^\{"message":', re.MULTILINE)
_JSON_MESSAGE = b'{"message":"'
_JSON_LEVEL = b',"level_name":"'
_JSON_END = re.compile(
    rb',"level_name":"([A-Z]{1,20})","channel":"[^"]{0,100}","datetime":"(2\d{3}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)'
)
# The same for a whole text, to the end of the line, with one group only.
_JSON_RECORDS = re.compile(
    rb',"level_name":"([A-Z]{1,20})","channel":"[^"]{0,100}","datetime":"2\d{3}-\d\d-\d\d[T ]\d\d:\d\d:\d\d.*\n'
)
_JSON_EXCEPTION = re.compile(rb'"exception":\{"class":"((?:[\w]|\\\\){1,300})"')
# The place where it was thrown, and the frames of its trace.
_JSON_PLACE = re.compile(rb'"(/[\w./@+-]{1,300}\.php):(\d{1,7})"')

# How the message of a database's error begins: PDO's own words. Of them the state alone is taken, in words that stand here.
_STATE = re.compile(rb"SQLSTATE\[([0-9A-Z]{5})\]")
# Source: SQL:2016, PDO's and PostgreSQL's lists of states.
_STATES = {
    "42S22": "column not found",
    "42703": "column not found",
    "42S02": "table not found",
    "42P01": "table not found",
    "42S21": "column is there already",
    "42701": "column is there already",
    "42S01": "table is there already",
    "42P07": "table is there already",
    "23000": "a constraint is violated",
    "23502": "a value is missing",
    "23503": "a foreign key is violated",
    "23505": "a key is there already",
    "22001": "a text is too long",
    "42000": "wrong SQL, or no right",
    "42601": "wrong SQL",
    "42501": "no right",
    "40001": "deadlock",
    "40P01": "deadlock",
    "08006": "no connection",
    "HY000": "general error",
}
# SQLite has one state for all: its fixed phrases tell them apart.
_PHRASES = (
    (b"no such column", "column not found"),
    (b"has no column named", "column not found"),
    (b"no such table", "table not found"),
    (b"UNIQUE constraint failed", "a key is there already"),
    (b"NOT NULL constraint failed", "a value is missing"),
    (b"FOREIGN KEY constraint failed", "a foreign key is violated"),
    (b"database is locked", "database is locked"),
    (b"readonly database", "database cannot be written"),
)
_PHRASE_BYTES = 120

# An exception's class and place stand in its first lines; what a message adds beyond this is not searched.
_SEARCHED_BYTES = 1_000_000


class Counts:
    """Records counted so far; `first` and `last` are times as the application wrote them, '' while there is none.

    Of `until` on, in the application's own time, nothing is counted; '' for no such limit.
    """

    def __init__(self, until: str = "") -> None:
        self.until = until
        self.levels: Counter[str] = Counter()
        self.classes: Counter[str] = Counter()
        self.fingerprints: Counter[str] = Counter()
        self.first = ""
        self.last = ""
        self.foreign_bytes = 0

    def document(self, most: int) -> Dict[str, object]:
        """Return the counts as JSON data; of classes and fingerprints only the `most` frequent, each with its count."""
        return {
            "levels": dict(self.levels),
            "classes": dict(self.classes.most_common(most)),
            "fingerprints": dict(self.fingerprints.most_common(most)),
            "first": self.first,
            "last": self.last,
            "foreign_bytes": self.foreign_bytes,
        }


class Ending(enum.Enum):
    """What follows a piece of a log: more that will be read at once; perhaps more at a later look; nothing any more."""

    LATER = "later"
    PERHAPS = "perhaps"
    NOW = "now"


def fold(text: bytes, counts: Counts, ending: Ending) -> int:
    """Count the records that are whole in `text`, and return how many of its bytes are done with.

    The rest is the beginning of a record, or of a line, that goes on in what is read next. A record is whole where the
    next one begins; PERHAPS: or at its own last line; NOW: in any case. *Changes*: `counts`.
    """
    first = _first_head(text)
    if first is None and _JSON_LINE.search(text):
        return _fold_json(text, counts, ending)
    if first is None:
        done = len(text) if ending is Ending.NOW else text.rfind(b"\n") + 1
        counts.foreign_bytes += done
        return done
    counts.foreign_bytes += first
    done = len(text) if ending is Ending.NOW else _end_of_whole(text, first, ending)
    end = _end_before(text, first, done, counts.until) if counts.until else done
    if end > first:
        _count(text[first:end], counts)
    return done


def _end_before(text: bytes, first: int, done: int, until: str) -> int:
    """Return where the first record begins that is of that time or later, `done` where none does."""
    at: Optional[int] = first
    while at is not None and at < done:
        if _time(text, at) >= until:
            return at
        at = _next_head(text, at, done)
    return done


def _fold_json(text: bytes, counts: Counts, ending: Ending) -> int:
    """Count records of Monolog's JsonFormatter, one a line; as `fold`."""
    done = len(text) if ending is Ending.NOW else text.rfind(b"\n") + 1
    whole = text[:done]
    # One pass where each line is a record and names one level, as nearly always; else each line by itself.
    lines = 0 if counts.until or not whole.endswith(b"\n") else whole.count(b"\n")
    levels = _JSON_RECORDS.findall(whole) if lines and whole.count(_JSON_LEVEL) == lines else []
    if lines and len(levels) == lines:
        _count_json(whole, levels, counts)
        return done
    for line in whole.split(b"\n"):
        found = _json_end(line)
        if found is None:
            counts.foreign_bytes += len(line)
            continue
        time = _json_time(found)
        if counts.until and time >= counts.until:
            continue
        level = found.group(1)
        counts.levels[level.decode("ascii")] += 1
        counts.first, counts.last = counts.first or time, time
        if level in _ALARM_LEVELS:
            _count_json_alarm(line, level, counts)
    return done


def _count_json(whole: bytes, levels: List[bytes], counts: Counts) -> None:
    """Count lines that are records each; `levels` are theirs."""
    for level, number in Counter(levels).items():
        counts.levels[level.decode("ascii")] += number
    lines = whole.split(b"\n", 1)[0], whole[:-1].rpartition(b"\n")[2]
    first, last = (_json_end(line) for line in lines)
    if first is not None and last is not None:
        counts.first, counts.last = counts.first or _json_time(first), _json_time(last)
    for level in set(levels).intersection(_ALARM_LEVELS):
        word = _JSON_LEVEL + level + b'"'
        at = whole.find(word)
        while at >= 0:
            end = whole.find(b"\n", at)
            line = whole[whole.rfind(b"\n", 0, at) + 1 : end]
            found = _json_end(line)
            if found is not None and found.group(1) == level:
                _count_json_alarm(line, level, counts)
            at = whole.find(word, end)


def _json_end(line: bytes) -> Optional[re.Match[bytes]]:
    """Return the level and the time at the end of a record; what a context holds stands before it."""
    return _JSON_END.search(line, max(0, line.rfind(_JSON_LEVEL)))


def _json_time(end: re.Match[bytes]) -> str:
    return end.group(2).decode("ascii").replace("T", " ")


def _count_json_alarm(line: bytes, level: bytes, counts: Counts) -> None:
    error = _JSON_EXCEPTION.search(line)
    if error is None:
        counts.fingerprints[level.decode("ascii")] += 1
        return
    name = error.group(1).decode("utf-8", "replace").replace("\\\\", "\\")
    counts.classes[name] += 1
    places = _JSON_PLACE.findall(line, error.end())
    own = next((one for one in places if not _FOREIGN.search(one[0])), places[0] if places else None)
    place = f" at {own[0].decode('ascii', 'replace')}:{own[1].decode('ascii')}" if own else ""
    counts.fingerprints[f"{name}{_state(line, len(_JSON_MESSAGE))}{place}"] += 1


def _state(record: bytes, start: int) -> str:
    """Return the state that a database's error names at the beginning of its message, in words; '' where none is there."""
    found = _STATE.match(record, start)
    if found is None:
        return ""
    state = found.group(1).decode("ascii")
    said = record[found.end() : found.end() + _PHRASE_BYTES]
    words = next((words for phrase, words in _PHRASES if phrase in said), None) or _STATES.get(state)
    return f" ({state}: {words})" if words else f" ({state})"


def _first_head(text: bytes) -> Optional[int]:
    return 0 if _HEAD.match(text) else _next_head(text, 0, len(text))


def _next_head(text: bytes, start: int, limit: int) -> Optional[int]:
    """Return where the next record begins after a line's end at or after `start`; None where none begins before `limit`."""
    at = text.find(_LINE, start, limit)
    while at >= 0:
        if _HEAD.match(text, at + 1):
            return at + 1
        at = text.find(_LINE, at + 1, limit)
    return None


def _end_of_whole(text: bytes, first: int, ending: Ending) -> int:
    """Return where the last whole record ends: where the last one begins, or after it where its own end is there."""
    last = _last_head(text, first)
    return len(text) if ending is Ending.PERHAPS and _is_whole(text[last:]) else last


def _last_head(text: bytes, first: int) -> int:
    at = text.rfind(_LINE, first)
    while at >= 0:
        if _HEAD.match(text, at + 1):
            return at + 1
        at = text.rfind(_LINE, first, at)
    return first


def _is_whole(record: bytes) -> bool:
    """Return whether a record's own end is there: Monolog ends each with a blank, one with a trace with `"} `."""
    if not record.endswith(b" \n"):
        return False
    return _EXCEPTION.search(record) is None or record.rstrip().endswith(b'"}')


def _count(records: bytes, counts: Counts) -> None:
    """Count whole records; the first one begins at the first byte."""
    text = b"\n" + records
    for level, number in Counter(_LEVELS.findall(text)).items():
        counts.levels[level.decode("ascii")] += number
    counts.first = counts.first or _time(text, 1)
    counts.last = _time(text, _last_head(text, 1))
    for level in _ALARM_LEVELS:
        _count_alarms(text, level, counts)


def _count_alarms(text: bytes, level: bytes, counts: Counts) -> None:
    """Count by class and place the records of one level; the words of a level within a message are passed over."""
    word = b"." + level + b": "
    at = text.find(word)
    while at >= 0:
        line = text.rfind(_LINE, max(0, at - _LONGEST_HEAD), at)
        head = _HEAD.match(text, line + 1) if line >= 0 else None
        if head is not None and head.end() == at + len(word):
            _count_alarm(text, head, counts)
        at = text.find(word, at + len(word))


def _count_alarm(text: bytes, head: re.Match[bytes], counts: Counts) -> None:
    limit = head.end() + _SEARCHED_BYTES
    record = text[head.end() : _next_head(text, head.end(), limit) or limit]
    error = _EXCEPTION.search(record)
    if error is None:
        counts.fingerprints[head.group(2).decode("ascii")] += 1
        return
    name = error.group(1).decode("utf-8", "replace").replace("\\\\", "\\")
    place = _place(record, error.end())
    counts.classes[name] += 1
    counts.fingerprints[f"{name}{_state(record, 0)}" + (f" at {place}" if place else "")] += 1


def _place(record: bytes, start: int) -> str:
    """Return where an exception came from: the first place in the application's own code, else where it was thrown."""
    thrown = _THROWN_AT.search(record, start)
    if thrown is None or _FOREIGN.search(thrown.group(1)):
        found = _OWN_FRAME.search(record, start) or thrown or _ANY_FRAME.search(record, start)
    else:
        found = thrown
    if found is None:
        return ""
    return f"{found.group(1).decode('ascii', 'replace')}:{found.group(2).decode('ascii')}"


def _time(text: bytes, at: int) -> str:
    head = _HEAD.match(text, at)
    return head.group(1).decode("ascii").replace("T", " ") if head else ""
