"""The slash commands as Discord knows them: a group for each word, typed options, choices, completion while typing.

*Source*: docs.discord.com, "Application Commands": names 32, descriptions 100, 25 options, 25 choices; discord.py 2.7,
app_commands.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Literal, Optional

import discord
import structlog
from discord import app_commands

from adapters.chat_common.words import cut
from adapters.discord_chat.incoming import Incoming, Interaction
from bot.model.command import ArgumentForm, CommandForm, Completion, typed_line

log = structlog.get_logger(__name__)

DESCRIPTION_LIMIT = 100
TEXT_LIMIT = 1000
WORD_LIMIT = 400
NOTE = "Add to the timeline"
DESCRIPTIONS = {
    "/incident": "Open an incident, follow it, call the DBA, close it",
    "/backups": "See what each backup is worth, take a safety backup",
    "/restore": "Rehearse the recovery, approve it, undo it",
    "/app": "Freeze the application, deploy, check, reopen",
}


class Tree(app_commands.CommandTree[Any]):
    """The commands of one client. `incoming` is told of what the library could not hand over."""

    def __init__(self, client: discord.Client, incoming: Incoming) -> None:
        super().__init__(client)
        self._incoming = incoming

    async def on_error(self, interaction: Interaction, error: app_commands.AppCommandError, /) -> None:
        """Answer the one who typed a command of another version; any other fault is one for the log."""
        log.warning("a command from Discord could not be served", error=str(error))
        await self._incoming.on_unknown(interaction)


def fill_tree(
    tree: app_commands.CommandTree[Any], forms: Sequence[CommandForm], incoming: Incoming, guild_id: str
) -> None:
    """Put every command of the catalogue into the tree, for one server, and the message menu."""
    guild = discord.Object(int(guild_id))
    for word in dict.fromkeys(form.word for form in forms):
        description = DESCRIPTIONS.get(word, f"Backout: {word}")
        group = app_commands.Group(name=word.removeprefix("/"), description=description, guild_only=True)
        for form in forms:
            if form.word == word:
                group.add_command(_command(form, incoming))
        tree.add_command(group, guild=guild)
    tree.add_command(app_commands.ContextMenu(name=NOTE, callback=_note(incoming)), guild=guild)


def _note(incoming: Incoming) -> Callable[[Interaction, discord.Message], Coroutine[Any, Any, None]]:
    async def note(interaction: discord.Interaction, message: discord.Message) -> None:
        await incoming.on_note(interaction, message)

    return note


def _command(form: CommandForm, incoming: Incoming) -> app_commands.Command[Any, Any, Any]:
    async def run(interaction: Interaction, /, **values: object) -> None:
        await incoming.on_command(interaction, typed_line(form, values))

    fields = form.arguments
    # The library reads a command's options from the signature of its function.
    interaction = inspect.Parameter(
        "interaction", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=discord.Interaction
    )
    ordered = sorted(fields, key=lambda argument: not argument.required)
    options = [_parameter(argument) for argument in ordered]
    run.__signature__ = inspect.Signature([interaction, *options])  # type: ignore[attr-defined] # read by inspect.signature
    described = (
        app_commands.describe(
            **{argument.field: cut(argument.hint, DESCRIPTION_LIMIT) for argument in fields}
        )(run)
        if fields
        else run
    )
    command: app_commands.Command[Any, Any, Any] = app_commands.Command(
        name=form.sub, description=cut(form.summary, DESCRIPTION_LIMIT), callback=described
    )
    for argument in fields:
        if argument.completes is not None:
            command.autocomplete(argument.field)(_completing(incoming, argument.completes))
    return command


def _parameter(argument: ArgumentForm) -> inspect.Parameter:
    kind: Any = app_commands.Range[str, 1, TEXT_LIMIT if argument.rest else WORD_LIMIT]
    if argument.flag:
        kind = bool
    elif argument.choices:
        kind = Literal[argument.choices]
    if argument.required:
        return inspect.Parameter(argument.field, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=kind)
    return inspect.Parameter(
        argument.field,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        default=None,
        annotation=Optional[kind],  # noqa: UP045 # `|` knows no annotation that is made at run time
    )


def _completing(
    incoming: Incoming, completion: Completion
) -> Callable[[Interaction, str], Coroutine[Any, Any, list[app_commands.Choice[str]]]]:
    async def complete(interaction: discord.Interaction, current: str) -> list[app_commands.Choice[str]]:
        found = await incoming.choices(interaction, completion, current)
        return [app_commands.Choice(name=label, value=value) for value, label in found]

    return complete
