"""All slash commands, and how a typed line becomes a request; the same for every platform."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from bot.model.command import CommandForm
from bot.model.message import Reply
from bot.model.person import Permission
from bot.service.parts import Call, Parts, refused
from commands import app, backups, incident, restore
from commands.arguments import Command, Parsed, Wrong, explained, parse, shown, split

CATALOGUE: tuple[Command, ...] = (*incident.COMMANDS, *backups.COMMANDS, *restore.COMMANDS, *app.COMMANDS)


def subcommands() -> dict[str, tuple[str, ...]]:
    """Return each slash command with its subcommands, as a platform registers them."""
    words = dict.fromkeys(command.word for command in CATALOGUE)
    return {word: tuple(c.sub for c in CATALOGUE if c.word == word) for word in words}


def forms() -> tuple[CommandForm, ...]:
    """Return every subcommand with its arguments, for a platform that has a field for each."""
    return tuple(command.form for command in CATALOGUE)


@dataclass(frozen=True, kw_only=True)
class CommandRequest:
    """A line that was read, ready for the dispatcher."""

    parsed: Parsed

    @property
    def permission(self) -> Permission:
        """Return what the command asks of the person."""
        return self.parsed.command.permission

    @property
    def needs_incident(self) -> bool:
        """Return whether the command acts on an incident."""
        return self.parsed.command.needs_incident

    @property
    def site(self) -> str | None:
        """Return the site that was named, by `--site` or as the command's own argument."""
        return self.parsed.site or (
            self.parsed.values.get("site") if self.parsed.command.names_site else None
        )

    @property
    def asks_host(self) -> bool:
        """Return whether the command waits for the host before it answers."""
        return self.parsed.command.asks_host

    async def run(self, parts: Parts, call: Call) -> Reply:
        """Carry the command out."""
        return await self.parsed.command.run(parts, call, self.parsed.values)


def read(text: str) -> CommandRequest | Reply:
    """Return the request of a typed line, or the reply to `help` or to a line that is wrong."""
    words = split(text)
    if words and words[0].lstrip("/") == "help":
        return help_reply(*words[1:])
    result = parse(text, CATALOGUE)
    if isinstance(result, Wrong):
        return Reply(text=result.text, ok=result.is_help, suggestions=result.suggestions)
    return CommandRequest(parsed=result)


_ANYWHERE = "In the channel of an incident a command is about that incident; elsewhere add --site <site>."


def help_reply(*words: str) -> Reply:
    """Return what there is to type: of all commands, of one word, or of one command."""
    wanted = " ".join((f"/{words[0].lstrip('/')}", *words[1:2])) if words else None
    listed = [c for c in CATALOGUE if wanted in (None, c.word, c.name)]
    if not listed:
        known = sorted({c.word for c in CATALOGUE} | {c.name for c in CATALOGUE})
        near = difflib.get_close_matches(wanted or "", known, n=1)
        there = ", ".join(sorted({c.word for c in CATALOGUE}))
        return refused(f"There is no command {shown(wanted or '')}. There are: {there}.", *near)
    return Reply(text=f"{explained(listed)}\n{_ANYWHERE}")


def completions(text: str, sites: tuple[str, ...]) -> list[dict[str, str]]:
    """Return lines that a half-typed one could become: `text` and `summary`, at most ten."""
    typed = text.lstrip()
    found = [
        {"text": c.name + (" " if c.arguments else ""), "summary": f"{c.usage} — {c.summary}"}
        for c in CATALOGUE
        if c.name.startswith(typed) and c.name != typed.rstrip()
    ]
    for command in CATALOGUE:
        head = f"{command.name} "
        if command.names_site and typed.startswith(head) and " " not in typed[len(head) :]:
            found += [
                {"text": f"{head}{site} ", "summary": command.summary}
                for site in sites
                if site.startswith(typed[len(head) :])
            ]
    return found[:10]
