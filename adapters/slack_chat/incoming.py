"""The listeners: each acknowledges, hands over, and does nothing else; nothing here waits for the store or for a host.

A listener must not raise: Bolt 1.30 loses an ack that was given less than about 10 ms before its listener raised, and
the person reads `operation_timeout`. What can go wrong goes wrong in the task that the deed was handed over to.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from adapters.chat_common.hands import Hands
from adapters.slack_chat.answers import ACTION, button_of
from adapters.slack_chat.conversation import PLATFORM, Conversation
from adapters.slack_chat.modals import CONFIRM, START, notice, started_of, typed_of
from adapters.slack_chat.text import typed_text
from bot.model.message import Reply
from bot.ports.chat import Inbox

log = structlog.get_logger(__name__)

Body = dict[str, Any]

DECLARE = "declare_incident"
NOTE = "add_to_timeline"
PIN = "pushpin"
START_COMMAND = "/incident"


def calm(listener: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Return the listener as one that never raises; what Slack sent in another form than documented is told in the log."""

    @functools.wraps(listener)
    async def never_raises(**given: Any) -> None:
        try:
            await listener(**given)
        except Exception:  # an outer door: an ack that was given must not get lost for it
            log.exception("a delivery from Slack could not be read")

    return never_raises


class Incoming:
    """Binds Bolt's events to the conversation. `commands` are the slash commands, `bot_user` the bot's own id once known."""

    def __init__(
        self,
        *,
        conversation: Conversation,
        inbox: Inbox,
        hands: Hands,
        commands: tuple[str, ...],
        bot_user: Callable[[], str | None],
    ) -> None:
        self._conversation = conversation
        self._inbox = inbox
        self._hands = hands
        self._commands = commands
        self._bot_user = bot_user

    def app(self, api_url: str) -> AsyncApp:
        """Return Bolt's app. It calls Slack for nothing by itself: who sends is told by the socket or by the door."""

        async def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
            own = self._bot_user()
            return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id, bot_user_id=own)

        app = AsyncApp(
            client=AsyncWebClient(base_url=api_url, retry_handlers=[]),
            signing_secret="",
            authorize=authorize,
        )
        for command in self._commands:
            app.command(command)(calm(self._on_command))
        app.action(re.compile(rf"^{ACTION}\."))(calm(self._on_answer))
        app.action(re.compile(r""))(calm(_on_nothing))
        app.view(CONFIRM)(calm(self._on_confirmed))
        app.view(START)(calm(self._on_started))
        app.shortcut(DECLARE)(calm(self._on_declare))
        app.shortcut(NOTE)(calm(self._on_note))
        app.event("app_mention")(calm(self._on_mention))
        app.event("reaction_added")(calm(self._on_reaction))
        app.event("app_home_opened")(calm(self._on_home))
        for gone in ("channel_archive", "channel_deleted"):
            app.event(gone)(calm(self._on_channel_gone))
        return app

    # -- commands

    async def _on_command(self, ack: AsyncAck, body: Body) -> None:
        await ack()
        account, channel = body["user_id"], body["channel_id"]
        text = typed_text(body.get("text") or "")
        trigger_id = body["trigger_id"]
        delivery_id = f"{PLATFORM}:{trigger_id}"
        if body["command"] == START_COMMAND and text == "start":
            self._hands.take(
                delivery_id,
                lambda: self._conversation.show_start(
                    account=account, channel=channel, trigger_id=trigger_id
                ),
                at_once=True,
            )
            return
        self._hands.take(
            delivery_id,
            lambda: self._conversation.command(
                account=account,
                channel=channel,
                text=f"{body['command']} {text}".strip(),
                delivery_id=delivery_id,
                response_url=body["response_url"],
            ),
        )

    async def _on_mention(self, event: Body, body: Body) -> None:
        text = re.sub(r"^\s*<@[^>]*>\s*", "", event.get("text") or "")
        delivery_id = f"{PLATFORM}:{body['event_id']}"
        self._hands.take(
            delivery_id,
            lambda: self._conversation.mention(
                account=event.get("user", ""),
                channel=event["channel"],
                thread=event.get("thread_ts"),
                text=typed_text(text),
                delivery_id=delivery_id,
            ),
        )

    # -- answers

    async def _on_answer(self, ack: AsyncAck, body: Body) -> None:
        await ack()
        action = body["actions"][0]
        button = button_of(action.get("value") or "")
        account, trigger_id = body["user"]["id"], body["trigger_id"]
        delivery_id = f"{PLATFORM}:{trigger_id}"
        if button is None:
            return
        if button.modal:
            label = (action.get("text") or {}).get("text", "Answer")
            self._hands.take(
                delivery_id,
                lambda: self._conversation.show_confirm(
                    account=account,
                    button=button,
                    label=label,
                    style=action.get("style", "default"),
                    question=_question(body),
                    trigger_id=trigger_id,
                ),
                at_once=True,
            )
            return
        self._hands.take(
            delivery_id,
            lambda: self._conversation.answer(
                account=account,
                button=button,
                delivery_id=delivery_id,
                response_url=body.get("response_url", ""),
            ),
        )

    async def _on_confirmed(self, ack: AsyncAck, body: Body, view: Body) -> None:
        button = button_of(view.get("private_metadata") or "")
        if button is None:
            await ack()
            return
        typed = typed_of(view)
        if button.typed is not None and (typed or "").strip() != button.typed:
            # For the eye only: what was typed is checked again where it counts.
            await ack(response_action="errors", errors={"typed": f"Type {button.typed} to go on."})
            return
        await ack(response_action="update", view=notice("One moment", "Handing your answer over …"))
        account, view_id = body["user"]["id"], view["id"]
        self._hands.take(
            f"{PLATFORM}:view:{view_id}",
            lambda: self._conversation.confirm(account=account, view_id=view_id, button=button, typed=typed),
        )

    # -- declaring

    async def _on_declare(self, ack: AsyncAck, body: Body) -> None:
        await ack()
        account, trigger_id = body["user"]["id"], body["trigger_id"]
        self._hands.take(
            f"{PLATFORM}:{trigger_id}",
            lambda: self._conversation.show_start(account=account, channel="", trigger_id=trigger_id),
            at_once=True,
        )

    async def _on_started(self, ack: AsyncAck, body: Body, view: Body) -> None:
        await ack(response_action="update", view=notice("One moment", "Opening the incident …"))
        account, view_id, started = body["user"]["id"], view["id"], started_of(view)
        self._hands.take(
            f"{PLATFORM}:view:{view_id}",
            lambda: self._conversation.start(account=account, view_id=view_id, started=started),
        )

    # -- the timeline

    async def _on_note(self, ack: AsyncAck, body: Body) -> None:
        await ack()
        account, channel, message = body["user"]["id"], body["channel"]["id"], body["message"]

        async def tell(reply: Reply) -> None:
            await self._conversation.whisper_to(body["response_url"], reply)

        self._take_note(account, channel, message["ts"], tell, message)

    async def _on_reaction(self, event: Body) -> None:
        item = event.get("item") or {}
        if event.get("reaction") != PIN or item.get("type") != "message":
            return
        account, channel = event["user"], item["channel"]

        async def tell(reply: Reply) -> None:
            # A pin in a channel without an incident means nothing to us, so nothing is said about it.
            if not reply.ok and "no incident" not in reply.text:
                await self._conversation.whisper(channel, account, None, reply)

        self._take_note(account, channel, item["ts"], tell, None)

    def _take_note(
        self,
        account: str,
        channel: str,
        ts: str,
        tell: Callable[[Reply], Awaitable[None]],
        message: Body | None,
    ) -> None:
        """Note a message once, by whichever way and by however many persons it is asked for."""
        self._hands.take(
            f"{PLATFORM}:note:{channel}:{ts}:{account}",
            lambda: self._conversation.note_message(
                account=account,
                channel=channel,
                ts=ts,
                delivery_id=f"{PLATFORM}:note:{channel}:{ts}",
                tell=tell,
                message=message,
            ),
        )

    # -- what Slack tells

    async def _on_home(self, event: Body, body: Body) -> None:
        if event.get("tab", "home") == "home":
            self._hands.take(
                f"{PLATFORM}:{body['event_id']}",
                lambda: self._conversation.show_home(account=event["user"]),
            )

    async def _on_channel_gone(self, event: Body, body: Body) -> None:
        channel = event["channel"]
        word = "archived" if event["type"] == "channel_archive" else "deleted"
        self._hands.take(
            f"{PLATFORM}:{body['event_id']}",
            lambda: self._inbox.room_lost(PLATFORM, channel, f"it was {word}."),
        )


async def _on_nothing(ack: AsyncAck) -> None:
    """A button of another app's making, or of an older Backout: acknowledged, so that nobody reads an error."""
    await ack()


def _question(body: Body) -> str:
    """Return what the message with the button asks, from the message itself."""
    blocks = (body.get("message") or {}).get("blocks") or ()
    return next((one["text"]["text"] for one in blocks if one.get("type") == "header"), "")
