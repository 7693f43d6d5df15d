"""Reading the one-line JSON answers of the PHP scripts; whatever is damaged is refused."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from importlib.resources import files
from typing import Final, TypeVar

from bot.model.errors import FailedError
from bot.model.secret import Secret
from bot.ports.host import Command

_MARKER: Final = "BACKOUT1:"
_OPENING_TAG: Final = "<?php\n"
_COMMENT_LINE: Final = re.compile(r"^ *//.*\n", re.MULTILINE)
_REQUEST: Final = re.compile(r"<\?php \$GLOBALS\['backout_request'\] = '([A-Za-z0-9+/=]*)';\n")
_T = TypeVar("_T")


class Answer:
    """One JSON object of an answer, read field by field; a missing or ill-typed field raises FailedError."""

    def __init__(self, fields: object, what: str) -> None:
        if not isinstance(fields, dict):
            raise _damaged(what, "is no object")
        self._fields: Final[dict[str, object]] = fields
        self._what: Final = what

    def __contains__(self, key: str) -> bool:
        return self._fields.get(key) is not None

    def text(self, key: str) -> str:
        """Return a text."""
        return self._typed(key, str)

    def whole(self, key: str) -> int:
        """Return a whole number; a truth value is none."""
        value = self._typed(key, int)
        if isinstance(value, bool):
            raise _damaged(self._what, f"has no number {key!r}")
        return value

    def seconds(self, key: str) -> float:
        """Return a number of seconds."""
        value = self._fields.get(key)
        return value if isinstance(value, float) else float(self.whole(key))

    def flag(self, key: str) -> bool:
        """Return a truth value."""
        return self._typed(key, bool)

    def part(self, key: str) -> Answer:
        """Return an object inside this one."""
        return Answer(self._typed(key, dict), f"{self._what}, {key}")

    def parts(self, key: str) -> tuple[Answer, ...]:
        """Return a list of objects inside this one."""
        return tuple(Answer(item, f"{self._what}, {key}") for item in self.items(key))

    def items(self, key: str) -> list[object]:
        """Return a list as it is."""
        return self._typed(key, list)

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts."""
        found = self.items(key)
        if not all(isinstance(item, str) for item in found):
            raise _damaged(self._what, f"has something else than texts in {key!r}")
        return tuple(str(item) for item in found)

    def all_counts(self) -> dict[str, int]:
        """Return this whole object as numbers by name."""
        return {name: self.whole(name) for name in self._fields}

    def maybe(self, read: Callable[[str], _T], key: str) -> _T | None:
        """Return None where the field is null, else what `read` (a bound method of this answer) returns."""
        if key not in self._fields:
            raise _damaged(self._what, f"lacks {key!r}")
        return None if self._fields[key] is None else read(key)

    def _typed(self, key: str, kind: type[_T]) -> _T:
        value = self._fields.get(key)
        if not isinstance(value, kind):
            raise _damaged(self._what, f"has no {kind.__name__} {key!r}")
        return value


def parse_answer(stdout: str, what: str) -> Answer:
    """Return the JSON answer among whatever else an application printed.

    *Raises* FailedError where there is no answer, more than one, or a damaged one.
    """
    lines = [line for line in stdout.split("\n") if line.startswith(_MARKER)]
    if len(lines) != 1:
        raise _damaged(what, f"has {len(lines)} answer lines instead of one: was it cut short?")
    try:
        fields = json.loads(lines[0][len(_MARKER) :])
    except json.JSONDecodeError:
        raise _damaged(what, "is cut short or damaged") from None
    return Answer(fields, what)


def script_command(
    *,
    names: tuple[str, ...],
    request: dict[str, object],
    app_path: str | None,
    label: str,
    php: str = "php",
    env: dict[str, str] | None = None,
    timeout: timedelta = timedelta(seconds=60),
    is_secret: bool = False,
) -> Command:
    """Return the command that runs PHP scripts of this package, joined, with their request.

    Program and request go by standard input, so that a list of processes and the timeline show `label` only, words of
    our own without a value. PHP's own messages go to standard error and to no log file. `is_secret` masks the request.
    """
    text = _program(names, request)
    return Command(
        argv=[php, "-d", "display_errors=stderr", "-d", "log_errors=0", "--", "backout", label],
        cwd=app_path,
        env=dict(env or {}),
        stdin=Secret(text) if is_secret else text,
        timeout=timeout,
    )


def request_of(stdin: str) -> dict[str, object]:
    """Return the request that a script's standard input holds, for a look at what would be sent."""
    found = _REQUEST.match(stdin)
    if found is None:
        raise ValueError("this is no standard input of a script")
    return dict(json.loads(base64.b64decode(found.group(1))))


def _program(names: tuple[str, ...], request: dict[str, object]) -> str:
    """Return the scripts as one program; the request stands in it as base64, which no quote or dollar can leave."""
    packed = base64.b64encode(json.dumps(request).encode()).decode("ascii")
    return f"<?php $GLOBALS['backout_request'] = '{packed}';\n{_code(names)}"


@cache
def _code(names: tuple[str, ...]) -> str:
    """Return scripts joined under one opening tag; comment lines stay behind."""
    folder = files("bot.laravel") / "php"
    texts = [(folder / f"{name}.php").read_text(encoding="utf-8") for name in names]
    return _COMMENT_LINE.sub("", "\n".join(text.removeprefix(_OPENING_TAG) for text in texts))


def _damaged(what: str, why: str) -> FailedError:
    return FailedError(f"the answer to {what} {why}; it was not used")
