"""What comes in from Discord: each deed is answered at once, handed over, and nothing else is done here.

The first answer ("is thinking") is due within three seconds, whatever the store or a host is doing; so nothing here waits
for them, but for the form of a grave answer, which Discord takes as a first answer only. Where the first answer's own reply
is lost it is given again: Discord says whether it has it. A deed that Discord calls unanswered is not carried out, as the
person was told so and does it again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import discord
import structlog

from adapters.chat_common.hands import Hands
from adapters.discord_chat.answers import SUBMITTED, TEMPLATE, Button, button_of
from adapters.discord_chat.api import DiscordApi, DiscordRefusedError
from adapters.discord_chat.conversation import PLATFORM, Conversation, Deed
from adapters.discord_chat.modals import typed_of
from adapters.discord_chat.rendering import render_reply
from bot.model.command import Completion
from bot.model.errors import BackoutError
from bot.model.message import Reply
from bot.ports.chat import Inbox, Window

log = structlog.get_logger(__name__)

Interaction = discord.Interaction[Any]

SAY, THINKING, FORM = 4, 5, 9
EPHEMERAL = 1 << 6
ANSWERED = 40060
FORM_LIMIT_S = 2.0
"""How long the plan is read before a form opens; Discord waits three seconds."""
CHOICES_LIMIT_S = 2.0
AGAIN_LIMIT_S = 2.4
CHOICES, CHOICE_LIMIT = 25, 100
BUSY = "Backout is busy and could not read the question in time. Nothing was changed. Press again."
OLD_COMMAND = "This command is of another version of Backout. Nothing was changed. Type it again in a minute."
OLD = "This button is of another version of Backout, and does nothing. Nothing was changed."


class Incoming:
    """The hands over which everything goes. `commands` become lines, buttons votes."""

    def __init__(
        self, *, api: DiscordApi, conversation: Conversation, inbox: Inbox, window: Window, hands: Hands
    ) -> None:
        self._api = api
        self._conversation = conversation
        self._inbox = inbox
        self._window = window
        self._hands = hands

    async def on_command(self, interaction: Interaction, line: str) -> None:
        """Take a slash command."""
        deed = _deed(interaction)
        await self._taken(deed, lambda: self._conversation.command(deed, line))

    async def on_note(self, interaction: Interaction, message: discord.Message) -> None:
        """Take a message that somebody put into the timeline by its menu."""
        deed = _deed(interaction)
        author = (str(message.author.id), message.author.display_name)
        await self._taken(
            deed,
            lambda: self._conversation.note(
                deed,
                author=author,
                at=message.created_at,
                text=_words_of(message),
                message=(str(message.id), message.jump_url),
            ),
        )

    async def on_press(self, interaction: Interaction, button: Button) -> None:
        """Take a press: a vote, or the wish for the form of a grave one."""
        deed = _deed(interaction)
        if button.modal:
            self._hands.take(deed.delivery_id, lambda: self._open_form(deed, button), at_once=True)
            return
        await self._taken(deed, lambda: self._conversation.vote(deed, button))

    async def on_other(self, interaction: Interaction) -> None:
        """Take what the library has nobody for: a form that was opened before a restart, a button of another version."""
        data: Any = interaction.data or {}
        custom_id = str(data.get("custom_id") or "")
        deed = _deed(interaction)
        if interaction.type is discord.InteractionType.modal_submit:
            match = SUBMITTED.fullmatch(custom_id)
            if match is None:
                await self._said(deed, Reply(text=OLD, ok=False))
                return
            button, typed = button_of(match), typed_of(data.get("components") or ())
            await self._taken(deed, lambda: self._conversation.vote(deed, button, typed))
        elif interaction.type is discord.InteractionType.component and not TEMPLATE.fullmatch(custom_id):
            await self._said(deed, Reply(text=OLD, ok=False))

    async def on_unknown(self, interaction: Interaction) -> None:
        """Answer a command that this version of Backout does not know; a completion gets nothing."""
        if interaction.type is discord.InteractionType.application_command:
            await self._said(_deed(interaction), Reply(text=OLD_COMMAND, ok=False))

    async def choices(
        self, interaction: Interaction, completion: Completion, typed: str
    ) -> list[tuple[str, str]]:
        """Return what an option may be, value and label, for what is typed so far; reads only."""
        given = {str(name): str(value) for name, value in interaction.namespace if value is not None}
        person = self._window.person_of(PLATFORM, str(interaction.user.id))
        if person is None:
            return []
        try:
            async with asyncio.timeout(CHOICES_LIMIT_S):
                found = await self._window.offered(
                    person, completion, PLATFORM, _place_of(interaction), given
                )
        except (BackoutError, TimeoutError) as error:
            log.info("nothing is offered", error=type(error).__name__)
            return []
        wanted = typed.casefold()
        fitting = [one for one in found if wanted in one[0].casefold() or wanted in one[1].casefold()]
        return [(value, label[:CHOICE_LIMIT]) for value, label in fitting if len(value) <= CHOICE_LIMIT][
            :CHOICES
        ]

    async def on_channel_gone(self, channel: str) -> None:
        """Take note that a channel was deleted."""
        await self._inbox.room_lost(PLATFORM, channel, "it was deleted.")

    # -- first answers

    async def _taken(self, deed: Deed, work: Callable[[], Awaitable[None]]) -> None:
        """Answer at once and hand over; the work begins when Discord has the answer, and never where it says that it has none."""
        answered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        async def later() -> None:
            if await answered:
                await work()

        if not self._hands.take(deed.delivery_id, later):
            return
        has_it = False
        try:
            has_it = await self._answered(deed, {"type": THINKING, "data": {"flags": EPHEMERAL}})
        finally:
            answered.set_result(has_it)

    async def _said(self, deed: Deed, reply: Reply) -> None:
        shown = render_reply(reply)
        body = {key: one for key, one in shown.body().items() if key != "components"}
        await self._answered(deed, {"type": SAY, "data": {**body, "flags": EPHEMERAL}})

    async def _open_form(self, deed: Deed, button: Button) -> None:
        try:
            async with asyncio.timeout(FORM_LIMIT_S):
                form = await self._conversation.form(deed.account, button)
        except (BackoutError, TimeoutError):
            form = Reply(text=BUSY, ok=False)
        if isinstance(form, Reply):
            await self._said(deed, form)
        else:
            await self._answered(deed, {"type": FORM, "data": form})

    async def _answered(self, deed: Deed, body: dict[str, Any]) -> bool:
        """Give the first answer; return whether Discord has it. What is unknown is asked by giving it again."""
        while True:
            try:
                await self._api.change(
                    "POST",
                    "/interactions/{interaction}/{token}/callback",
                    body,
                    interaction=deed.id,
                    token=deed.token,
                )
            except DiscordRefusedError as error:
                if error.code == ANSWERED:
                    return True
                log.warning("a first answer was not taken", delivery=deed.delivery_id, error=str(error))
                return False
            except BackoutError as error:
                if time.monotonic() - deed.at > AGAIN_LIMIT_S:
                    log.warning("a first answer did not arrive", delivery=deed.delivery_id, error=str(error))
                    return False
                await asyncio.sleep(0.1)
            else:
                return True


def _deed(interaction: Interaction) -> Deed:
    return Deed(
        id=str(interaction.id),
        token=interaction.token,
        application=str(interaction.application_id),
        account=str(interaction.user.id),
        channel=_place_of(interaction),
        at=time.monotonic(),
    )


def _place_of(interaction: Interaction) -> str:
    """Return the channel in which something was done; of a thread the one it stands in."""
    channel = interaction.channel
    parent = channel.parent_id if isinstance(channel, discord.Thread) else None
    return str(parent or interaction.channel_id or "")


def _words_of(message: discord.Message) -> str:
    words = [message.content, *(f"{one.title or ''} {one.description or ''}" for one in message.embeds)]
    return message.clean_content if message.content else " ".join(words)
