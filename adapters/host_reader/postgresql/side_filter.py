"""Turn a dump into one that fills a side schema: names in definitions are changed, rows and texts never are (B5, R10)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import FrozenSet, Iterator, List, Optional, Tuple

from adapters.host_reader.answers import Refusal
from adapters.host_reader.postgresql.plain_filter import PlainFilter
from bot.dumps.tokens import PGSQL, Token, tokens

_ALLOWED = re.compile(
    rb"(?:SET\s|SELECT\s+pg_catalog\.(?:set_config|setval)\s*\(|INSERT\s+INTO\s|COMMENT\s+ON\s|REFRESH\s+MATERIALIZED\s"
    rb"|ALTER\s+(?:TABLE|SEQUENCE|INDEX|VIEW|MATERIALIZED\s+VIEW|TYPE|DOMAIN|FUNCTION|STATISTICS)\s"
    rb"|CREATE\s+(?:OR\s+REPLACE\s+)?(?:UNLOGGED\s+)?(?:TABLE|SEQUENCE|INDEX|UNIQUE\s+INDEX|TYPE|DOMAIN|FUNCTION|PROCEDURE"
    rb"|AGGREGATE|VIEW|MATERIALIZED\s+VIEW|TRIGGER|CONSTRAINT\s+TRIGGER|RULE|POLICY|STATISTICS)\s|;)",
    re.IGNORECASE,
)
_EXTENSION = re.compile(rb'\s*CREATE\s+EXTENSION\s+(?:IF\s+NOT\s+EXISTS\s+)?"?([^"\s;]+)', re.IGNORECASE)
_SCHEMA = re.compile(rb'\s*CREATE\s+SCHEMA\s+(?:IF\s+NOT\s+EXISTS\s+)?"?([^"\s;]+)', re.IGNORECASE)
_PATH = re.compile(rb"SET\s+(?:SESSION\s+)?search_path\b", re.IGNORECASE)
_SETVAL = re.compile(rb"SELECT\s+pg_catalog\.setval\s*\(", re.IGNORECASE)
# What changes rows or tables must name one of the side schema, or one without a schema, which is found there too.
_WRITES = re.compile(
    rb"(?:INSERT\s+INTO|COPY|ALTER\s+TABLE(?:\s+ONLY)?|ALTER\s+SEQUENCE|REFRESH\s+MATERIALIZED\s+VIEW)"
    rb'\s+(?:IF\s+EXISTS\s+)?(?P<first>"(?:[^"]|"")+"|[\w$\x80-\xff]+)(?P<dot>\s*\.)?',
    re.IGNORECASE,
)
_REG = re.compile(rb"\s*::\s*(?:pg_catalog\.)?reg[a-z]+")
_NAMED = re.compile(rb"'(?:\"(?P<quoted>(?:[^\"']|\"\")+)\"|(?P<plain>[\w$\x80-\xff]+))\.")


@dataclass(frozen=True)
class Renaming:
    """From which schema into which a dump is loaded, and what of the first is the extensions' and stays."""

    source: str
    target: str
    extension_names: FrozenSet[str]
    extensions: FrozenSet[str]


class SideFilter(PlainFilter):
    """A PlainFilter whose statements fill a side schema; what would touch anything else is refused."""

    def __init__(self, server_major: int, renaming: Renaming) -> None:
        super().__init__(server_major)
        self._renaming = renaming

    def _step(self, place: int, *, last: bool) -> Optional[Tuple[int, bytes]]:
        step = super()._step(place, last=last)
        if step is None or self._copy is None:
            return step
        # The head of a COPY; its rows pass through untouched.
        return step[0], self._checked(self._renamed(step[1]))

    def _passed(self, statement: bytes) -> bytes:
        extension, schema = _EXTENSION.match(statement), _SCHEMA.match(statement)
        if extension:
            name = extension.group(1).decode("utf-8", "replace")
            if name not in self._renaming.extensions:
                raise Refusal(
                    "refused",
                    f"The dump needs the extension {name}, which the live database has not. Nothing was kept; have an"
                    " administrator install it, or give the user the right CREATEDB.",
                )
            return self._left_out("extensions, which the live database has", statement)
        if schema and schema.group(1).decode("utf-8", "replace") == self._renaming.source:
            return self._left_out("the schema itself, in whose place the side schema stands", statement)
        passed = super()._passed(statement)
        if not passed.strip():
            return passed
        if not _ALLOWED.match(passed.lstrip()):
            words = b" ".join(passed.split()[:2]).decode("ascii", "replace")
            raise Refusal(
                "refused",
                f"The dump holds a statement ({words} …) that could reach beyond a side schema. Nothing was kept; have"
                " an administrator give the user the right CREATEDB.",
            )
        return self._checked(self._renamed(passed))

    def _left_out(self, what: str, statement: bytes) -> bytes:
        self._count(what)
        return b"\n" * statement.count(b"\n")

    def _checked(self, statement: bytes) -> bytes:
        target = self._renaming.target.encode("utf-8")
        found = _WRITES.match(statement.lstrip())
        if found and found.group("dot") and found.group("first").strip(b'"') != target:
            raise self._beyond()
        if _SETVAL.match(statement.lstrip()) and b"'" + target + b"." not in statement:
            raise self._beyond()
        return statement

    def _beyond(self) -> Refusal:
        return Refusal(
            "refused",
            f"The dump writes into another schema than {self._renaming.source}. Nothing was kept; have an administrator"
            " give the user the right CREATEDB.",
        )

    def _renamed(self, statement: bytes) -> bytes:
        return b"".join(self._pieces(statement))

    def _pieces(self, statement: bytes) -> Iterator[bytes]:
        """Yield the statement with its names changed, and everything between them as it stands."""
        listed: List[Token] = list(tokens(statement, 0, PGSQL))
        is_path, is_setval = bool(_PATH.match(statement.lstrip())), bool(_SETVAL.match(statement.lstrip()))
        done = 0
        for place, token in enumerate(listed):
            start = token.end - len(token.text)
            changed = token.text
            if token.kind in ("word", "name") and _name_of(token) == self._renaming.source:
                if is_path or self._is_schema(listed, place):
                    changed = self._renaming.target.encode("utf-8")
            elif token.kind == "string" and (is_setval or _REG.match(statement, token.end)):
                changed = self._renamed_text(token.text)
            yield statement[done:start]
            yield changed
            done = token.end
        yield statement[done:]

    def _is_schema(self, listed: List[Token], place: int) -> bool:
        """Return whether a name that is the schema's stands before a dot, and what follows is not an extension's."""
        if place + 2 >= len(listed) or listed[place + 1].text != b"." or listed[place + 2].kind == "sign":
            return False
        if place and listed[place - 1].text == b".":
            return False
        return _name_of(listed[place + 2]) not in self._renaming.extension_names

    def _renamed_text(self, text: bytes) -> bytes:
        """Return the text of a regclass and the like with its schema changed; other texts are never given here."""
        found = _NAMED.match(text)
        if not found:
            return text
        quoted, plain = found.group("quoted"), found.group("plain")
        name = quoted.replace(b'""', b'"') if quoted is not None else plain.lower()
        if name.decode("utf-8", "replace") != self._renaming.source:
            return text
        rest = text[found.end() : -1].strip(b'"').decode("utf-8", "replace")
        if rest in self._renaming.extension_names:
            return text
        return b"'" + self._renaming.target.encode("utf-8") + b"." + text[found.end() :]


def _name_of(token: Token) -> str:
    if token.kind == "name":
        return token.text[1:-1].replace(b'""', b'"').decode("utf-8", "replace")
    return token.text.decode("utf-8", "replace").lower()
