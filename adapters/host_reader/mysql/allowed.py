"""What each statement of a dump is, and what is done about it: a list of what is allowed, everything else is refused by name.

Source: client/mysqldump.c of MariaDB 10.11 and MySQL 8.0, and dumps of MariaDB 11 and 12, for what a dump can hold.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import List, Optional, Tuple

from adapters.host_reader.answers import Refusal
from adapters.host_reader.mysql.ddl import Piece, pieces
from adapters.host_reader.mysql.rocksdb import is_for_rocksdb
from bot.dumps.tokens import unquoted


class Kind(enum.Enum):
    """What is done with a statement."""

    SKIP = "left out: it is of no use here, or needs rights that the site's user has not"
    TABLE = "a table: taken apart and made before its rows"
    NOW = "run where it stands"
    LATE = "run in order after all rows, indexes and foreign keys"


@dataclass(frozen=True)
class Judgement:
    """What a statement is: `what` in capitals (`TRIGGER`), the plain `name` it makes or sets, a note for the person."""

    kind: Kind
    what: str
    name: str = ""
    note: Optional[str] = None
    value: str = ""


_SETTINGS = {
    "NAMES", "CHARACTER_SET_CLIENT", "CHARACTER_SET_RESULTS", "CHARACTER_SET_CONNECTION", "COLLATION_CONNECTION",
    "TIME_ZONE", "SQL_MODE", "SQL_NOTES", "SQL_QUOTE_SHOW_CREATE",
}  # fmt: skip
# Ours are set to what a load needs.
_OURS = {
    "UNIQUE_CHECKS",
    "FOREIGN_KEY_CHECKS",
    "AUTOCOMMIT",
    "INSERT_ID",
    "DEFAULT_STORAGE_ENGINE",
    "LOCK_WAIT_TIMEOUT",
    # What MariaDB 11 and 12 set in the place of SQL_NOTES, and with --skip-log-queries.
    "NOTE_VERBOSITY",
    "SQL_LOG_OFF",
    "LOG_SLOW_QUERY",
}
_REPLICATION = {
    "GTID_PURGED": "it sets GTID_PURGED, which was left out: it needs rights of administrators",
    "GTID_SLAVE_POS": "it sets the position of replication, which was left out",
    "SQL_LOG_BIN": "it sets SQL_LOG_BIN, which was left out: it needs rights of administrators",
}
# Modes in which quotes and backslashes mean something else: what is text and what is SQL could not be told.
_OTHER_QUOTING = re.compile(rb"ANSI|NO_BACKSLASH_ESCAPES|ORACLE|MSSQL|DB2|MAXDB|POSTGRESQL", re.IGNORECASE)
# Character sets in which a quote or a backslash can be the second half of a letter.
_UNSAFE_CHARSETS = {"BIG5", "CP932", "GB18030", "GBK", "SJIS", "UCS2", "UTF16", "UTF16LE", "UTF32"}
_LATE = {b"TRIGGER", b"VIEW", b"PROCEDURE", b"FUNCTION", b"EVENT"}
_OTHER_DATABASE = (
    "it holds {0}, so it would write into a database of its own choice whatever database is named (made with "
    "--databases)"
)


def judged(text: bytes) -> Judgement:
    """Return what a statement that is no INSERT of values is. *Raises* Refusal for all that a dump has no need of."""
    found = pieces(text)
    if not found or is_for_rocksdb(found):
        return Judgement(Kind.SKIP, "NOTHING")
    word = found[0].word
    reader = _READERS.get(word)
    if reader is None:
        raise refused(_said(found))
    return reader(text, found)


def refused(what: str) -> Refusal:
    """Return the refusal of a statement, named by its first words."""
    return Refusal(
        "refused",
        f"The dump holds a statement that a load has no need of and that is never run: {what}. "
        "Nothing was kept and nothing outside scratch was changed; choose another backup.",
    )


def _said(found: List[Piece]) -> str:
    """Name a statement by its leading plain words only: a name or a value may be somebody's data."""
    words = []
    for piece in found[:3]:
        if piece.kind != "word" or not re.fullmatch(rb"[A-Za-z_]{1,24}", piece.text):
            break
        words.append(piece.word.decode("ascii"))
    return " ".join(words[:2]) or "one that begins with no word"


def _plain_name(found: List[Piece], place: int, what: str) -> str:
    """Return the table's or other thing's name at a place; one with a database before it is refused."""
    words = [piece.word for piece in found[place : place + 3]]
    if words == [b"IF", b"NOT", b"EXISTS"]:
        place += 3
    elif words[:2] == [b"IF", b"EXISTS"]:
        place += 2
    if place >= len(found) or found[place].kind not in ("name", "word"):
        raise refused(f"{what} without a name")
    if place + 1 < len(found) and found[place + 1].text == b".":
        raise refused(f"{what} that names another database ({unquoted(found[place].text)})")
    return unquoted(found[place].text)


def _create(text: bytes, found: List[Piece]) -> Judgement:
    place = _kind_place(found)
    kind = found[place].word if place else b""
    what = kind.decode("ascii", "replace")
    if kind in (b"DATABASE", b"SCHEMA"):
        raise _elsewhere(f"CREATE {what}")
    if kind == b"TABLE" and b"TEMPORARY" not in [piece.word for piece in found[:place]]:
        name = _plain_name(found, place + 1, "CREATE TABLE")
        # mysqldump before 5.7 lets a table stand in for a view until the view can be made.
        stand_in = text.lstrip().startswith(b"/*!50001")
        return Judgement(Kind.LATE if stand_in else Kind.TABLE, "STAND-IN" if stand_in else "TABLE", name)
    if kind == b"SEQUENCE":
        return Judgement(Kind.NOW, "SEQUENCE", _plain_name(found, place + 1, "CREATE SEQUENCE"))
    if kind in _LATE:
        name = _plain_name(found, place + 1, f"CREATE {what}")
        if kind == b"TRIGGER":
            on = next(
                (at for at, piece in enumerate(found) if piece.word == b"ON" and piece.kind == "word"),
                len(found),
            )
            _plain_name(found, on + 1, "CREATE TRIGGER")
        if kind == b"FUNCTION" and b"SONAME" in [piece.word for piece in found if piece.kind == "word"]:
            raise refused("CREATE FUNCTION of a library (SONAME)")
        return Judgement(Kind.LATE, what, name)
    raise refused(_said(found))


def _kind_place(found: List[Piece]) -> int:
    """Return where the kind of thing stands in `CREATE OR REPLACE ALGORITHM=… DEFINER=… SQL SECURITY … VIEW`."""
    kinds = {b"TABLE", b"SEQUENCE", b"DATABASE", b"SCHEMA", *_LATE}
    for place, piece in enumerate(found[1:30], start=1):
        if piece.kind == "word" and piece.word in kinds and found[place - 1].text not in (b"=", b"@"):
            return place
    return 0


def _elsewhere(what: str) -> Refusal:
    return Refusal(
        "refused",
        f"The dump cannot be loaded: {_OTHER_DATABASE.format(what)}. Nothing was kept and nothing was changed.",
    )


def _use(_text: bytes, _found: List[Piece]) -> Judgement:
    raise _elsewhere("USE")


def _drop(text: bytes, found: List[Piece]) -> Judgement:
    kind = found[1].word if len(found) > 1 else b""
    what = kind.decode("ascii", "replace")
    if kind in (b"DATABASE", b"SCHEMA"):
        raise _elsewhere(f"DROP {what}")
    if kind not in (b"TABLE", b"SEQUENCE", *_LATE) or any(piece.text == b"," for piece in found):
        raise refused(_said(found))
    name = _plain_name(found, 2, f"DROP {what}")
    # Scratch is empty, so only the stand-ins of views need to go.
    stand_in = kind == b"VIEW" or (kind == b"TABLE" and text.lstrip().startswith(b"/*!50001"))
    return Judgement(
        Kind.LATE if stand_in else Kind.SKIP, "DROP STAND-IN" if stand_in else f"DROP {what}", name
    )


def _alter(_text: bytes, found: List[Piece]) -> Judgement:
    words = [piece.word for piece in found]
    if words[1:2] in ([b"DATABASE"], [b"SCHEMA"]):
        raise _elsewhere("ALTER DATABASE")
    if words[1:2] != [b"TABLE"]:
        raise refused(_said(found))
    name = _plain_name(found, 2, "ALTER TABLE")
    if words[3:5] in ([b"DISABLE", b"KEYS"], [b"ENABLE", b"KEYS"]):
        return Judgement(Kind.SKIP, "ALTER TABLE KEYS", name)
    depth, begins = 0, True
    for piece in found[3:]:
        depth += {b"(": 1, b")": -1}.get(piece.text, 0)
        if begins and piece.word not in (b"ADD", b"MODIFY"):
            raise refused("ALTER TABLE that does more than ADD and MODIFY")
        begins = depth == 0 and piece.text == b","
        if piece.text == b".":
            raise refused("ALTER TABLE that names another database")
        if piece.kind == "word" and piece.word in (
            b"RENAME",
            b"EXCHANGE",
            b"DISCARD",
            b"IMPORT",
            b"CONNECTION",
        ):
            raise refused(f"ALTER TABLE … {piece.word.decode('ascii')}")
    return Judgement(Kind.LATE, "ALTER TABLE", name)


def _skip(_text: bytes, found: List[Piece]) -> Judgement:
    what = _said(found)
    if found[0].word in (b"LOCK", b"UNLOCK") and [piece.word for piece in found[1:2]] not in (
        [b"TABLES"],
        [b"TABLE"],
    ):
        raise refused(what)
    return Judgement(Kind.SKIP, what)


def _change_master(_text: bytes, found: List[Piece]) -> Judgement:
    words = [piece.word for piece in found[:2]]
    if words not in ([b"CHANGE", b"MASTER"], [b"CHANGE", b"REPLICATION"]):
        raise refused(_said(found))
    return Judgement(
        Kind.SKIP, "CHANGE MASTER", note="it sets the position of replication, which was left out"
    )


def _set_value(_text: bytes, found: List[Piece]) -> Judgement:
    """Allow `DO SETVAL(`name`, 12, 0)` and `SELECT SETVAL(…)`, by which a dump sets a sequence."""
    texts = [piece.word for piece in found[1:]]
    kinds = [piece.kind for piece in found[4:] if piece.text not in (b",", b")", b"-")]
    if texts[:2] != [b"SETVAL", b"("] or texts[-1:] != [b")"] or any(kind != "number" for kind in kinds):
        raise refused(_said(found))
    return Judgement(Kind.NOW, "SETVAL", _plain_name(found, 3, "SETVAL"))


def _set(_text: bytes, found: List[Piece]) -> Judgement:
    notes: List[str] = []
    kept = value = ""
    skipped = False
    for target, given in _assignments(found[1:]):
        name, is_global = _variable(target)
        if name in _REPLICATION:
            notes.append(_REPLICATION[name])
            skipped = True
        elif is_global:
            raise refused("SET GLOBAL")
        elif name in _OURS:
            skipped = True
        elif name in _SETTINGS:
            kept, value = kept or name, value or _setting(name, given)
        elif not name.startswith("@"):
            raise refused(f"SET {name[:40] if re.fullmatch('[A-Z_0-9]+', name) else 'of something unknown'}")
    # Where one of several is left out all are: mysqldump sets such things alone, or with the old value's name only.
    kind = Kind.SKIP if skipped else Kind.LATE
    return Judgement(kind, "SET", kept, notes[0] if notes else None, value)


def _assignments(found: List[Piece]) -> List[Tuple[List[Piece], List[Piece]]]:
    """Return the targets and values of a SET; a value that is computed (with brackets) is refused."""
    if any(piece.text in (b"(", b")") for piece in found):
        raise refused("SET with a computed value")
    parts: List[List[Piece]] = [[]]
    for piece in found:
        if piece.text == b",":
            parts.append([])
        else:
            parts[-1].append(piece)
    pairs = []
    for part in parts:
        place = next((at for at, piece in enumerate(part) if piece.text == b"="), None)
        if place is None:
            pairs.append((part[:1], part[1:]))
        else:
            stop = place - 1 if part[place - 1].text == b":" else place
            pairs.append((part[:stop], part[place + 1 :]))
    return pairs


def _variable(target: List[Piece]) -> Tuple[str, bool]:
    """Return a variable's name in capitals, `@NAME` for one of the session's own, and whether it is the server's."""
    words = [unquoted(piece.text).upper() for piece in target if piece.text != b"."]
    signs = 0
    while words and words[0] == "@":
        words, signs = words[1:], signs + 1
    is_global = bool(words) and words[0] in ("GLOBAL", "PERSIST", "PERSIST_ONLY")
    if words and words[0] in ("GLOBAL", "SESSION", "LOCAL", "PERSIST", "PERSIST_ONLY") and len(words) > 1:
        words = words[1:]
    name = words[0] if len(words) == 1 else ("CHARACTER SET" if words == ["CHARACTER"] else "")
    return ("@" + name if signs == 1 else name), is_global


def _setting(name: str, given: List[Piece]) -> str:
    """Return a setting's literal value, "" where it is put back from a variable."""
    if not given or given[0].text == b"@":
        return ""
    value = unquoted(given[0].text).upper()
    if name == "SQL_MODE" and _OTHER_QUOTING.search(given[0].text):
        raise refused("SET SQL_MODE to one in which quotes mean something else")
    if name in ("NAMES", "CHARACTER_SET_CLIENT") and value in _UNSAFE_CHARSETS:
        raise refused(f"SET NAMES {value}, in which a quote can be half a letter")
    return unquoted(given[0].text)


_READERS = {
    b"CREATE": _create,
    b"DROP": _drop,
    b"ALTER": _alter,
    b"SET": _set,
    b"USE": _use,
    b"LOCK": _skip,
    b"UNLOCK": _skip,
    b"COMMIT": _skip,
    b"BEGIN": _skip,
    b"START": _skip,
    b"ANALYZE": _skip,
    b"CHANGE": _change_master,
    b"DO": _set_value,
    b"SELECT": _set_value,
}
