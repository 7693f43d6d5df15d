"""Small checks that are put together into the rules of Block Kit: each yields what is wrong, with the place."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

Check = Callable[[Any, str], Iterator[str]]


def string(longest: int, shortest: int = 1) -> Check:
    """A string of so many characters."""

    def check(value: Any, at: str) -> Iterator[str]:
        if not isinstance(value, str):
            yield f"{at}: a string is wanted, this is {type(value).__name__}"
        elif not shortest <= len(value) <= longest:
            yield f"{at}: {len(value)} characters, {shortest} to {longest} are allowed"

    return check


def one_of(*allowed: str) -> Check:
    """One of these words."""

    def check(value: Any, at: str) -> Iterator[str]:
        if value not in allowed:
            yield f"{at}: {value!r} is none of {', '.join(allowed)}"

    return check


def kind(*types: type) -> Check:
    """A value of this type, whatever it says."""

    def check(value: Any, at: str) -> Iterator[str]:
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            yield f"{at}: {type(value).__name__} is not {' or '.join(one.__name__ for one in types)}"

    return check


def whole_number(least: int, most: int) -> Check:
    """A whole number in these bounds."""

    def check(value: Any, at: str) -> Iterator[str]:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            yield f"{at}: {value!r} is no whole number from {least} to {most}"

    return check


def array(of: Check, most: int, least: int = 1) -> Check:
    """A list of so many of these."""

    def check(value: Any, at: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{at}: a list is wanted, this is {type(value).__name__}"
            return
        if not least <= len(value) <= most:
            yield f"{at}: {len(value)} items, {least} to {most} are allowed"
        for number, one in enumerate(value):
            yield from of(one, f"{at}/{number}")

    return check


def shaped(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """An object with these keys, and no others."""
    known = {**required, **(optional or {})}

    def check(value: Any, at: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{at}: an object is wanted, this is {type(value).__name__}"
            return
        for name in required:
            if value.get(name) is None:
                yield f"{at}/{name}: is missing"
        for name, one in value.items():
            if name not in known:
                yield f"{at}/{name}: there is no such key here"
            elif one is not None:
                yield from known[name](one, f"{at}/{name}")

    return check


def by_type(table: Mapping[str, Check], allowed: Collection[str] | None = None) -> Check:
    """An object whose `type` chooses the check."""

    def check(value: Any, at: str) -> Iterator[str]:
        name = value.get("type") if isinstance(value, dict) else None
        if not isinstance(name, str) or name not in table:
            yield f"{at}: the type {name!r} is not known here"
        elif allowed is not None and name not in allowed:
            yield f"{at}: {name} is not allowed at this place"
        else:
            yield from table[name](value, at)

    return check


CONTROL = re.compile(
    r"<(?:@[UW][A-Z0-9]+(?:\|[^<>]*)?"  # a person
    r"|#C[A-Z0-9]+(?:\|[^<>]*)?"  # a channel
    r"|!(?:here|channel|everyone|subteam\^S[A-Z0-9]+|date\^\d+\^[^<>|]+)(?:\|[^<>]*)?"
    r"|(?:https?|mailto|tel):[^<>|\s]+(?:\|[^<>]*)?)>"
)
ENTITY = re.compile(r"&(?!(?:amp|lt|gt);)")
MENTION = re.compile(r"<(@[UW][A-Z0-9]+|!here|!channel|!everyone|!subteam\^S[A-Z0-9]+)(?:\|[^<>]*)?>")


def unescaped(text: str) -> str | None:
    """Return what in a mrkdwn text was not escaped: an `&` or `<` that is no part of Slack's own markup; None: all was."""
    rest = CONTROL.sub("", text)
    found = ENTITY.search(rest) or re.search("<", rest)
    return rest[max(0, found.start() - 20) : found.start() + 20] if found else None


def mrkdwn_string(longest: int) -> Check:
    """A string of markup, escaped as Slack asks for it."""

    def check(value: Any, at: str) -> Iterator[str]:
        yield from string(longest)(value, at)
        if isinstance(value, str) and (found := unescaped(value)) is not None:
            yield f"{at}: & or < is not escaped near {found!r}"

    return check


def plain(longest: int) -> Check:
    """A plain_text object; nothing else will do."""
    return shaped(
        {"type": one_of("plain_text"), "text": string(longest)},
        {"emoji": kind(bool)},
    )


def any_text(longest: int) -> Check:
    """A text object of either kind."""
    return by_type(
        {
            "plain_text": plain(longest),
            "mrkdwn": shaped(
                {"type": one_of("mrkdwn"), "text": mrkdwn_string(longest)}, {"verbatim": kind(bool)}
            ),
        }
    )
