"""What a test holds in its hand: the stand-in of Discord as a started process, seen through its control interface."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

import aiohttp

from tests.fakes.common.book import ControlError, Json, Violation
from tests.fakes.common.client import FaultKind, StandIn
from tests.fakes.discord import names
from tests.fakes.discord.person import Delivery, Person

__all__ = ["ControlError", "Delivery", "Discord", "Person", "Violation"]

Intent = Literal["members", "presences", "message_content"]


class Discord(StandIn):
    """The stand-in, driven by a test. Channels are given by id or by name; times are seconds of the stand-in's clock."""

    platform = "discord"
    bot_token = names.BOT_TOKEN
    guild_id = names.GUILD_ID
    bot_id = names.BOT_USER_ID
    bot_role_id = names.BOT_ROLE_ID
    everyone_id = names.EVERYONE_ID

    def __init__(self, address: str, session: aiohttp.ClientSession) -> None:
        super().__init__(address, session)
        self.api_url = f"{address}/api/v10"
        self.gateway_url = address.replace("http://", "ws://") + "/gateway"

    async def has_schema(self) -> bool:
        """Return whether Discord's public description lies beside the repository, so that bodies are held to it."""
        return bool((await self.ask("schema"))["is_there"])

    async def check_answers(self) -> None:
        """Hold the stand-in's own answers to the public description too; what is not so is a `stand_in_fault`."""
        await self.ask("check_answers")

    # ---- the server

    async def add_person(self, name: str, *, roles: Collection[str] = ()) -> Person:
        """Make a member of the server with these roles (by id or name)."""
        made = await self.ask("add_person", name=name, roles=list(roles))
        return Person(name=name, id=made["id"], ask=self.ask)

    async def add_role(
        self, name: str, *, permissions: Collection[str] = (), mentionable: bool = False
    ) -> str:
        """Make a role and return its id."""
        made = await self.ask("add_role", name=name, permissions=list(permissions), mentionable=mentionable)
        return str(made["id"])

    async def add_channel(
        self,
        name: str,
        *,
        kind: Literal["text", "category"] = "text",
        parent: str | None = None,
        only: Collection[str] = (),
    ) -> str:
        """Make a channel or category and return its id; `only`: ids of the roles and people that see it, with the bot."""
        made = await self.ask("add_channel", name=name, kind=kind, parent=parent, only=list(only))
        return str(made["id"])

    async def set_permissions(self, role: str, permissions: Collection[str]) -> None:
        """Let a role (by id or name) have these permissions and no others."""
        await self.ask("set_permissions", role=role, permissions=list(permissions))

    async def set_bot_permissions(self, permissions: Collection[str]) -> None:
        """Let the bot's role have these permissions and no others (everybody's own count besides)."""
        await self.set_permissions(self.bot_role_id, permissions)

    async def set_everyone_permissions(self, permissions: Collection[str]) -> None:
        """Let everybody have these permissions and no others."""
        await self.set_permissions(self.everyone_id, permissions)

    async def overwrite(
        self, channel: str, target: str, *, allow: Collection[str] = (), deny: Collection[str] = ()
    ) -> None:
        """Set a channel's overwrite for a role or person by hand."""
        await self.ask("overwrite", channel=channel, target=target, allow=list(allow), deny=list(deny))

    async def allow_intents(self, intents: Collection[Intent]) -> None:
        """Switch the privileged intents on that are listed, and the others off (members, message_content at the start)."""
        await self.ask("allow_intents", intents=list(intents))

    async def remove_bot(self) -> None:
        """Put the bot out of the server."""
        await self.ask("remove_bot")

    async def invite_bot(self) -> None:
        """Bring the bot back into the server."""
        await self.ask("invite_bot")

    # ---- what it holds

    async def channels(self) -> list[Json]:
        """Return all channels, categories, threads and direct messages.

        Each has id, name, kind, topic, parent, seen_by (user ids), overwrites, pins, archived, locked, members.
        """
        return list(await self.ask("channels"))

    async def channel(self, channel: str) -> Json:
        """Return one channel."""
        return dict(await self.ask("channel", channel=channel))

    async def threads(self, channel: str) -> list[Json]:
        """Return the threads of a channel, archived ones too."""
        return list(await self.ask("threads", channel=channel))

    async def messages(self, channel: str) -> list[Json]:
        """Return a channel's messages that everybody sees, oldest first.

        As Discord writes them, and beside that: visible, nonce, edits, edit_times_s, notified (who was pinged),
        allowed_mentions, files, reacted (who, by emoji), thread_id, interaction_id.
        """
        return list(await self.ask("messages", channel=channel))

    async def pins(self, channel: str) -> list[Json]:
        """Return the pinned messages of a channel."""
        return list(await self.ask("pins", channel=channel))

    async def text(self, channel: str) -> str:
        """Return what a channel holds, as plain text: threads and ephemeral answers too."""
        return str((await self.ask("text", channel=channel))["text"])

    async def files(self) -> list[Json]:
        """Return the files of all messages: id, name, channel_id, message_id, content (text), size."""
        return list(await self.ask("files"))

    async def commands(self) -> list[Json]:
        """Return the commands that are registered."""
        return list(await self.ask("commands"))

    async def calls(self, operation: str | None = None) -> list[Json]:
        """Return every call of the API: operation, method, path, body, files, at_s, answer (`200`, `404 10008`, `429`)."""
        return list(await self.ask("calls", operation=operation))

    async def deliveries(self) -> list[Delivery]:
        """Return every interaction, with its time to the first answer in milliseconds."""
        return [Delivery.of(one) for one in await self.ask("deliveries")]

    async def permissions_used(self) -> list[str]:
        """Return the permissions that the bot's calls have really needed so far: what its invitation must ask for."""
        return list(await self.ask("permissions_used"))

    async def connections(self) -> Json:
        """Return how many gateway connections are open and live, how often was identified and resumed, the intents."""
        return dict(await self.ask("connections"))

    async def wait_for_message(
        self, channel: str, containing: str, *, timeout_s: float = 10.0, after_id: str = "0"
    ) -> Json:
        """Return the newest message whose visible text contains this, as soon as there is one.

        Raises:
            ControlError: none came; what the channel holds is in the text.
        """
        return dict(
            await self.ask(
                "wait_for_message",
                channel=channel,
                containing=containing,
                timeout_s=timeout_s,
                after_id=after_id,
            )
        )

    async def wait_for_call(self, operation: str, *, count: int = 1, timeout_s: float = 10.0) -> list[Json]:
        """Return the calls of an operation as soon as there are so many."""
        return list(await self.ask("wait_for_call", operation=operation, count=count, timeout_s=timeout_s))

    async def wait_for_delivery(
        self, name: str | None = None, *, count: int = 1, timeout_s: float = 10.0, answered: bool = True
    ) -> list[Delivery]:
        """Return the interactions of a command or custom_id as soon as so many were answered, or only made."""
        found = await self.ask(
            "wait_for_delivery", name=name, count=count, timeout_s=timeout_s, answered=answered
        )
        return [Delivery.of(one) for one in found]

    async def wait_for_gateway(
        self, *, count: int = 1, identified: int = 0, resumed: int = 0, timeout_s: float = 10.0
    ) -> Json:
        """Return as soon as so many sessions are live, and so often was identified and resumed since the start."""
        return dict(
            await self.ask(
                "wait_for_gateway",
                count=count,
                identified=identified,
                resumed=resumed,
                timeout_s=timeout_s,
            )
        )

    async def wait_for_no_gateway(self, *, timeout_s: float = 10.0) -> None:
        """Return as soon as no connection is open: the bot has gone."""
        await self.ask("wait_for_no_gateway", timeout_s=timeout_s)

    async def wait_for_commands(self, *, count: int = 1, timeout_s: float = 10.0) -> list[Json]:
        """Return the registered commands as soon as there are so many."""
        return list(await self.ask("wait_for_commands", count=count, timeout_s=timeout_s))

    # ---- the way to the bot

    async def burst(self, commands: Sequence[tuple[Person, str, str, Json]]) -> list[Delivery]:
        """Type all commands (person, channel, text, options) at the same moment; wait for all first answers."""
        typed = [
            {"user": who.id, "channel": channel, "text": text, "values": values}
            for who, channel, text, values in commands
        ]
        return [Delivery.of(one) for one in await self.ask("burst", commands=typed)]

    async def burst_presses(self, presses: Sequence[tuple[Person, str, str]]) -> list[Delivery]:
        """Press all buttons (person, channel, label or custom_id) at the same moment; wait for all first answers."""
        pressed = [{"user": who.id, "channel": channel, "button": button} for who, channel, button in presses]
        return [Delivery.of(one) for one in await self.ask("burst_presses", presses=pressed)]

    async def deliver_again(self, delivery: Delivery) -> None:
        """Send the very same event once more, as after a RESUME that began too early."""
        await self.ask("deliver_again", interaction=delivery.id)

    async def deliver(self, payload: Mapping[str, Any]) -> Delivery:
        """Send an interaction as it is given (with a new id and token): another value, another person in it."""
        return Delivery.of(await self.ask("deliver", payload=dict(payload)))

    async def drop_gateway(self) -> int:
        """Cut every gateway connection without a word; return how many."""
        return int((await self.ask("drop_gateway"))["count"])

    async def open_gateway(self, *, is_open: bool) -> None:
        """Let the gateway take connections, or cut them and take none: the HTTP API works on."""
        await self.ask("open_gateway", is_open=is_open)

    async def close_gateway(self, code: int) -> int:
        """Close every gateway connection with a code; return how many."""
        return int((await self.ask("close_gateway", code=code))["count"])

    async def ask_to_reconnect(self) -> int:
        """Send op 7 (Reconnect) on every connection; return on how many."""
        return int((await self.ask("ask_to_reconnect"))["count"])

    async def invalidate_session(self, *, resumable: bool = False) -> int:
        """Send op 9 (Invalid Session) on every connection; return on how many."""
        return int((await self.ask("invalidate_session", resumable=resumable))["count"])

    async def set_heartbeat(self, interval_ms: int, *, acks: bool = True) -> None:
        """Ask new connections for this heartbeat; without `acks` heartbeats are not answered."""
        await self.ask("set_heartbeat", interval_ms=interval_ms, acks=acks)

    # ---- what goes wrong

    async def fault(
        self,
        operation: str,
        kind: FaultKind,
        *,
        times: int = 1,
        skip: int = 0,
        status: int = 503,
        delay_s: float = 0.0,
        code: int = 50013,
    ) -> None:
        """Let the next calls of an operation (`*`: any) go wrong, after `skip` good ones."""
        await self.ask(
            "fault",
            call=operation,
            kind=kind,
            times=times,
            skip=skip,
            status=status,
            delay_s=delay_s,
            refusal=code,
        )

    async def limit_next(
        self,
        count: int = 1,
        *,
        operation: str = "*",
        retry_after_s: float = 1.0,
        scope: Literal["user", "global", "shared"] = "user",
    ) -> None:
        """Answer the next calls with 429 and this Retry-After."""
        await self.ask(
            "limit_next", count=count, operation=operation, retry_after_s=retry_after_s, scope=scope
        )

    async def limit_invalid(self, count: int) -> None:
        """Ban the bot after so many 401, 403 and 429 within ten minutes (documented: 10,000)."""
        await self.ask("limit_invalid", count=count)

    async def set_token(self, state: Literal["good", "revoked"]) -> None:
        """Let every call with the bot's token be answered with 401; the gateway is closed with 4004."""
        await self.ask("set_token", state=state)
