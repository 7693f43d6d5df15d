"""Take a dump's definitions apart: a table into what is made first and what later; definers and events of other things."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import List, NamedTuple, Optional, Tuple

from adapters.host_reader.answers import Refusal
from adapters.host_reader.mysql.names import quoted
from bot.dumps.tokens import MYSQL, tokens, unquoted

# Storage engines whose rows lie in this server. Others (FEDERATED, CONNECT, SPIDER) may write somewhere else.
OWN_ENGINES = {
    "INNODB",
    "MYISAM",
    "ARIA",
    "MEMORY",
    "HEAP",
    "CSV",
    "ARCHIVE",
    "ROCKSDB",
    "TOKUDB",
    "SEQUENCE",
}
# Indexes that are made with the table: InnoDB makes one full-text index at a time, and the first rebuilds the table.
_KEPT_INDEXES = {b"PRIMARY", b"FULLTEXT", b"SPATIAL", b"VECTOR"}


class Piece(NamedTuple):
    """One token of a statement with the places where it begins and ends."""

    kind: str
    text: bytes
    start: int
    end: int

    @property
    def word(self) -> bytes:
        """Return it in upper case."""
        return self.text.upper()


def pieces(text: bytes) -> List[Piece]:
    """Return the tokens of a statement; the marks of `/*!50003 … */` are left out, what stands in them is not.

    *Raises* Refusal where a string, a name or a comment is not closed.
    """
    found: List[Piece] = []
    for token in tokens(text, 0, MYSQL, b"\0no delimiter\0"):
        if token.kind == "open" or token.text == b"\\":
            raise Refusal(
                "refused",
                "The dump holds a definition with an open quote or a client command in it. Nothing was kept.",
            )
        piece = Piece(token.kind, token.text, token.end - len(token.text), token.end)
        if piece.text == b"/" and found and found[-1].text == b"*" and found[-1].end == piece.start:
            found.pop()
        else:
            found.append(piece)
    return found


@dataclass(frozen=True)
class TableParts:
    """A CREATE TABLE in three: `create` is run before the rows, `indexes` and `foreign_keys` (items) after them.

    `sharable` says whether several connections may put rows in at once: InnoDB with a primary key.
    """

    name: str
    create: bytes
    indexes: Tuple[bytes, ...]
    foreign_keys: Tuple[bytes, ...]
    is_innodb: bool
    sharable: bool

    def adding(self, items: Tuple[bytes, ...]) -> bytes:
        """Return one ALTER TABLE that adds the items."""
        return b"ALTER TABLE " + quoted_bytes(self.name) + b" ADD " + b",\n ADD ".join(items)


def quoted_bytes(name: str) -> bytes:
    """Return an identifier as the server takes it."""
    return quoted(name).encode("utf-8", "surrogateescape")


class _Item(NamedTuple):
    """One comma-separated part of a CREATE TABLE."""

    text: bytes
    own: List[Piece]

    @property
    def words(self) -> List[bytes]:
        return [piece.word for piece in self.own]

    @property
    def kind(self) -> bytes:
        """Return PRIMARY, UNIQUE, KEY, FULLTEXT, SPATIAL, FOREIGN, CHECK, PERIOD or COLUMN."""
        if self.own[0].kind != "word":
            return b"COLUMN"
        words = self.words
        if words[0] == b"CONSTRAINT":
            words = words[1:] if words[1] in (b"FOREIGN", b"UNIQUE", b"PRIMARY", b"CHECK") else words[2:]
        if words[0] == b"INDEX":
            return b"KEY"
        known = {
            b"PRIMARY",
            b"UNIQUE",
            b"KEY",
            b"FULLTEXT",
            b"SPATIAL",
            b"VECTOR",
            b"FOREIGN",
            b"CHECK",
            b"PERIOD",
        }
        return words[0] if words[0] in known else b"COLUMN"


def take_apart(text: bytes, name: str) -> TableParts:
    """Return a CREATE TABLE of a dump in its parts.

    *Raises* Refusal: a table whose rows would lie elsewhere, that names another database, or is made from a query.
    """
    found = pieces(text)
    opening = next((place for place, piece in enumerate(found) if piece.text == b"("), None)
    closing = _closing(found, opening) if opening is not None else None
    if opening is None or closing is None:
        raise _refused(name, "is made from another table or a query")
    engine = _judge_options(found[closing + 1 :], name)
    _refuse_qualified(found[opening:closing], name)
    items = _items(text, found[opening : closing + 1])
    is_innodb = engine in (None, "INNODB")
    keyed = any(_is_primary(item) for item in items)
    if not is_innodb or any(item.text.count(b"/*") != item.text.count(b"*/") for item in items):
        return TableParts(name, text, (), (), is_innodb, False)
    foreign = [item for item in items if item.kind == b"FOREIGN"]
    later = [item for item in items if _is_later(item, items, keyed)]
    kept = [item.text for item in items if item not in foreign and item not in later]
    create = text[: found[opening].end] + b"\n  " + b",\n  ".join(kept) + b"\n" + text[found[closing].start :]
    parts = (tuple(item.text for item in later), tuple(item.text for item in foreign))
    return TableParts(name, create, *parts, is_innodb, keyed)


def _refused(name: str, why: str) -> Refusal:
    return Refusal("refused", f"The dump's table {name!r} {why}. Nothing was kept; choose another backup.")


def _closing(found: List[Piece], opening: int) -> Optional[int]:
    depth = 0
    for place in range(opening, len(found)):
        depth += {b"(": 1, b")": -1}.get(found[place].text, 0)
        if depth == 0:
            return place
    return None


def _judge_options(options: List[Piece], name: str) -> Optional[str]:
    """Return the storage engine, None where none is named."""
    engine = None
    words = [piece.word for piece in options if piece.text != b"="]
    for place, word in enumerate(words):
        following = words[place + 1] if place + 1 < len(words) else b""
        if word in (b"ENGINE", b"TYPE") and engine is None and options[0].kind == "word":
            engine = unquoted(following).upper()
        if word in (b"SELECT", b"CONNECTION", b"UNION") or (
            word in (b"DATA", b"INDEX") and following == b"DIRECTORY"
        ):
            raise _refused(name, f"has the option {word.decode()}, by which it reaches out of its database")
    if engine is not None and engine not in OWN_ENGINES:
        raise _refused(name, f"has the storage engine {engine[:40]}, whose rows may lie somewhere else")
    return engine


def _refuse_qualified(found: List[Piece], name: str) -> None:
    for place in range(len(found) - 1):
        one, other = found[place], found[place + 1]
        if other.text == b"." and one.kind in ("name", "word") and one.end == other.start:
            raise _refused(name, f"refers to another database, {unquoted(one.text)!r}")


def _items(text: bytes, found: List[Piece]) -> List[_Item]:
    items: List[_Item] = []
    depth, begin = 0, found[0].end
    own: List[Piece] = []
    for piece in found:
        ends = (piece.text == b"," and depth == 1) or (piece.text == b")" and depth == 1)
        depth += {b"(": 1, b")": -1}.get(piece.text, 0)
        if ends:
            items.append(_Item(text[begin : piece.start].strip(), own))
            begin, own = piece.end, []
        elif piece is not found[0]:
            own.append(piece)
    return [item for item in items if item.own]


def _is_primary(item: _Item) -> bool:
    if item.kind == b"PRIMARY":
        return True
    words = [piece.word for piece in item.own[1:] if piece.kind == "word"]
    return item.kind == b"COLUMN" and b"PRIMARY KEY" in b" ".join(words)


def _is_later(item: _Item, items: List[_Item], keyed: bool) -> bool:
    """Return whether an index is made after the rows.

    Kept with the table: what InnoDB may take for the row's place where there is no primary key, the index that an
    AUTO_INCREMENT needs, and MariaDB's hashed unique ones, which it can only add by copying the table.
    """
    if item.kind not in (b"UNIQUE", b"KEY") or item.kind in _KEPT_INDEXES:
        return False
    if item.kind == b"UNIQUE" and (not keyed or b"HASH" in item.words):
        return False
    numbered = {
        _bare(one.own[0]) for one in items if one.kind == b"COLUMN" and b"AUTO_INCREMENT" in one.words
    }
    return _first_column(item) not in numbered or _leads_primary(items, numbered)


def _leads_primary(items: List[_Item], numbered: "set[str]") -> bool:
    for item in items:
        if item.kind == b"PRIMARY" and _first_column(item) in numbered:
            return True
        if item.kind == b"COLUMN" and _is_primary(item) and _bare(item.own[0]) in numbered:
            return True
    return False


def _first_column(item: _Item) -> str:
    opening = item.words.index(b"(") if b"(" in item.words else -1
    return _bare(item.own[opening + 1]) if 0 <= opening < len(item.own) - 1 else ""


def _bare(piece: Piece) -> str:
    return unquoted(piece.text).lower()


def without_definer(text: bytes, current_user: str) -> "tuple[bytes, Optional[str]]":
    """Return a definition without the DEFINER of another user, and that user; the current one's own is left (B5)."""
    found = pieces(text)
    for place in range(min(len(found) - 2, 40)):
        if found[place].word != b"DEFINER" or found[place + 1].text != b"=":
            continue
        last = place + 2
        user = unquoted(found[last].text)
        if last + 2 < len(found) and found[last + 1].text == b"@":
            last += 2
            user += "@" + unquoted(found[last].text)
        elif [piece.text for piece in found[last + 1 : last + 3]] == [b"(", b")"]:
            last += 2
        if user == current_user or user.upper() == "CURRENT_USER":
            return text, None
        return text[: found[place].start] + text[found[last].end :], user
    return text, None


def disabled_event(text: bytes) -> "tuple[bytes, bool]":
    """Return an event's definition made DISABLED, and whether it was to run: an event must not run in scratch."""
    found = pieces(text)
    schedule = next((place for place, piece in enumerate(found) if piece.word == b"SCHEDULE"), 0)
    depth = 0
    for piece in found[schedule:]:
        depth += {b"(": 1, b")": -1}.get(piece.text, 0)
        if piece.kind != "word" or depth:
            continue
        if piece.word == b"DISABLE":
            return text, False
        if piece.word == b"ENABLE":
            return text[: piece.start] + b"DISABLE" + text[piece.end :], True
        if piece.word in (b"DO", b"COMMENT"):
            return text[: piece.start] + b"DISABLE " + text[piece.start :], True
    raise Refusal("refused", "The dump holds an event whose definition cannot be read. Nothing was kept.")


# The server says it in the language of its lc_messages; the name is all that stands in quotes.
_UNKNOWN = re.compile(rb"'([A-Za-z0-9_]{1,64})'")


def unknown_collation(said: bytes) -> Optional[str]:
    """Return the name of the collation or character set of an error 1273 or 1115: the server does not know it."""
    match = _UNKNOWN.search(said)
    return match.group(1).decode("ascii") if match else None
