"""The grammar of a slash command: words, a usage line, and the nearest right word for a wrong one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from bot.model.command import SITE_OPTION, ArgumentForm, CommandForm, Completion
from bot.model.message import Reply
from bot.model.person import Permission
from bot.runbook.wording import shortened
from bot.service.parts import Call, Parts

Run = Callable[[Parts, Call, dict[str, str]], Awaitable[Reply]]


@dataclass(frozen=True, kw_only=True)
class Argument:
    """One word of a command. `rest` takes all that is left; `flag` is written `--name` and has no value.

    `hint` says in a few words what belongs there; `completes` what there is to choose from.
    """

    name: str
    required: bool = False
    rest: bool = False
    flag: bool = False
    choices: tuple[str, ...] = ()
    hint: str = ""
    completes: Completion | None = None

    @property
    def usage(self) -> str:
        """Return it as it stands in a usage line."""
        if self.flag:
            return f"[--{self.name}]"
        shown = "|".join(self.choices) if self.choices else self.name
        return f"<{shown}>" if self.required else f"[{shown}]"

    @property
    def form(self) -> ArgumentForm:
        """Return it as a platform with fields shows it."""
        return ArgumentForm(
            name=self.name,
            hint=self.hint or self.name,
            required=self.required,
            rest=self.rest,
            flag=self.flag,
            choices=self.choices,
            completes=self.completes,
        )


@dataclass(frozen=True, kw_only=True)
class Command:
    """One subcommand. `changes` says in words what it may change on production; None for one that only reads.

    `asks_host`: it waits for the host before it answers, so it only reads, and runs in no transaction.
    """

    word: str
    sub: str
    summary: str
    run: Run
    permission: Permission
    arguments: tuple[Argument, ...] = ()
    needs_incident: bool = True
    names_site: bool = False
    changes: str | None = None
    asks_host: bool = False

    @property
    def name(self) -> str:
        """Return the whole name, such as `/incident start`."""
        return f"{self.word} {self.sub}"

    @property
    def usage(self) -> str:
        """Return the usage line."""
        return " ".join([self.name, *(a.usage for a in self.arguments)])

    @property
    def form(self) -> CommandForm:
        """Return it as a platform with fields shows it."""
        arguments = tuple(argument.form for argument in self.arguments)
        named = arguments if self.names_site or not self.needs_incident else (*arguments, SITE_OPTION)
        return CommandForm(word=self.word, sub=self.sub, summary=self.summary, arguments=named)


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """A command line that could be read. `site` is the value of `--site`."""

    command: Command
    values: dict[str, str] = field(default_factory=dict)
    site: str | None = None


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """A line that is no command: what is wrong, and lines that would be right. `is_help`: it asked what there is."""

    text: str
    suggestions: tuple[str, ...] = ()
    is_help: bool = False


@dataclass(frozen=True, kw_only=True)
class Token:
    """One word of a line, and where it begins in it."""

    text: str
    start: int


# What was typed is repeated in an answer, and nobody reads a page of it.
_SHOWN_LETTERS = 60

_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"(?!\S)|\'([^\']*)\'(?!\S)|(\S+)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def tokens(text: str) -> list[Token]:
    """Return the words of a line; quotes around a word keep its spaces, and a lone quote mark is an ordinary letter."""
    return [Token(text=_word(found), start=found.start()) for found in _TOKEN.finditer(text)]


def _word(found: re.Match[str]) -> str:
    double, single, plain = found.groups()
    if double is not None:
        return _ESCAPED.sub(r"\1", double)
    return single if single is not None else str(plain)


def split(text: str) -> list[str]:
    """Return the words of a line, without their places."""
    return [token.text for token in tokens(text)]


def shown(word: str) -> str:
    """Return a typed word as an answer repeats it: in quotes, and cut where it is very long."""
    return repr(shortened(word, _SHOWN_LETTERS))


def parse(text: str, catalogue: Sequence[Command]) -> Parsed | Wrong:
    """Return the command and its arguments, or what is wrong with the line."""
    line = tokens(text)
    words = [token.text for token in line]
    if not words:
        return Wrong(text="Type a command. All of them: help", suggestions=("help",))
    first = words[0] if words[0].startswith("/") else f"/{words[0]}"
    subs = [c for c in catalogue if c.word == first]
    if not subs:
        known = sorted({c.word for c in catalogue})
        near = difflib.get_close_matches(first, known, n=1, cutoff=0.4)
        return Wrong(
            text=f"There is no command {shown(first)}. There are: {', '.join(known)}, and help. Nothing was changed.",
            suggestions=tuple(near),
        )
    if len(words) == 1 or words[1] in ("help", "--help"):
        asked = len(words) > 1
        return Wrong(text=explained(subs), suggestions=tuple(c.name for c in subs), is_help=asked)
    command = next((c for c in subs if c.sub == words[1]), None)
    if command is None:
        near = difflib.get_close_matches(words[1], [c.sub for c in subs], n=1, cutoff=0.4)
        return Wrong(
            text=f"{first} knows no {shown(words[1])}. It knows: {', '.join(c.sub for c in subs)}. Nothing was changed.",
            suggestions=tuple(f"{first} {sub}" for sub in near),
        )
    return _values(command, text, line[2:])


def explained(commands: Sequence[Command]) -> str:
    """Return a line for each command: its usage, what it does, and what it may change on production."""
    width = max(len(c.usage) for c in commands)
    return "\n".join(
        f"{c.usage:<{width}}  {c.summary}{f' (changes: {c.changes})' if c.changes else ''}" for c in commands
    )


def _asks_for_help(command: Command, line: list[Token]) -> bool:
    """Return whether the line asks what the command is: by `--help`, or by `help` alone.

    Where a person's own text is taken, that may hold both words: `/incident escalate help` is a call for help.
    """
    words = [token.text for token in line]
    if any(a.rest for a in command.arguments):
        return words[:1] == ["--help"]
    return "--help" in words or words == ["help"]


def _values(command: Command, text: str, line: list[Token]) -> Parsed | Wrong:
    """Read options and words; the rest of a line, where a command takes it, is kept exactly as it was written."""
    if _asks_for_help(command, line):
        text = f"{command.usage}\n{command.summary}"
        return Wrong(text=text, suggestions=(command.name,), is_help=True)
    values: dict[str, str] = {}
    site: str | None = None
    flags = {a.name for a in command.arguments if a.flag}
    waiting = [a for a in command.arguments if not a.flag]
    queue = list(line)
    while queue:
        token = queue.pop(0)
        if token.text == "--site":
            if not queue:
                return _wrong(command, "--site needs the name of a site after it.")
            site = queue.pop(0).text
        elif token.text.startswith("--") and token.text[2:] in flags:
            values[token.text[2:]] = "yes"
        elif waiting and waiting[0].rest:
            values[waiting.pop(0).name] = text[token.start :].strip()
            queue = []
        elif token.text.startswith("--"):
            return _wrong(command, f"{command.name} knows no option {shown(token.text)}.")
        elif not waiting:
            return _wrong(command, f"{command.name} does not take {shown(token.text)}.")
        else:
            values[waiting.pop(0).name] = token.text
    for argument in (a for a in command.arguments if not a.flag):
        if fault := _fault(argument, values.get(argument.name)):
            return _wrong(command, fault)
    if command.names_site and site is not None and values.get("site") not in (None, site):
        return _wrong(
            command, f"The line names two sites, {shown(values.get('site', ''))} and {shown(site)}."
        )
    return Parsed(command=command, values=values, site=site)


def _fault(argument: Argument, value: str | None) -> str | None:
    if value is None:
        return f"<{argument.name}> is missing." if argument.required else None
    if argument.choices and value not in argument.choices:
        near = difflib.get_close_matches(value, argument.choices, n=1, cutoff=0.3)
        hint = f" Did you mean {near[0]}?" if near else ""
        return f"{argument.name} cannot be {shown(value)}; it is one of {', '.join(argument.choices)}.{hint}"
    return None


def _wrong(command: Command, fault: str) -> Wrong:
    return Wrong(text=f"{fault}\nUsage: {command.usage}\nNothing was changed.", suggestions=(command.usage,))
