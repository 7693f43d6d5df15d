"""What a test holds in its hand: the stand-in of Slack as a started process, seen through its control interface."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

import aiohttp

from tests.fakes.common.book import ControlError, Json, Violation
from tests.fakes.common.client import FaultKind, StandIn
from tests.fakes.slack import names
from tests.fakes.slack.person import Delivery, Person

__all__ = ["ControlError", "Delivery", "Person", "Slack", "Violation"]


class Slack(StandIn):
    """The stand-in, driven by a test. Channels are given by id or by name; times are seconds of the stand-in's clock."""

    platform = "slack"
    bot_token = names.BOT_TOKEN
    app_token = names.APP_TOKEN
    signing_secret = names.SIGNING_SECRET

    def __init__(self, address: str, session: aiohttp.ClientSession) -> None:
        super().__init__(address, session)
        self.api_url = f"{address}/api/"

    async def respond(self, response_url: str, body: Mapping[str, Any]) -> int:
        """Answer over a response_url as a bot would; returns the HTTP status."""
        async with self._session.post(response_url, json=dict(body)) as response:
            return response.status

    # ---- the workspace

    async def add_person(self, name: str, *, email: str = "") -> Person:
        """Make a user; `name` is the handle. The id is in `person.id`."""
        made = await self.ask("add_person", name=name, email=email)
        return Person(name=name, id=made["id"], ask=self.ask)

    async def add_channel(
        self,
        name: str,
        *,
        members: Collection[Person] = (),
        private: bool = False,
        with_bot: bool = True,
    ) -> str:
        """Make a channel and return its id."""
        member_ids = [one.id for one in members]
        made = await self.ask(
            "add_channel", name=name, members=member_ids, private=private, with_bot=with_bot
        )
        return str(made["id"])

    async def add_usergroup(self, handle: str, members: Collection[Person]) -> str:
        """Make a user group and return its id."""
        made = await self.ask("add_usergroup", handle=handle, members=[one.id for one in members])
        return str(made["id"])

    async def install(self, manifest: Mapping[str, Any]) -> None:
        """Take the scopes, commands, shortcuts and events from the app's manifest; before that everything is allowed."""
        await self.ask("install", manifest=dict(manifest))

    async def set_scopes(self, scopes: Collection[str]) -> None:
        """Give the bot these scopes and no others."""
        await self.ask("set_scopes", scopes=sorted(scopes))

    # ---- what it holds

    async def channels(self) -> list[Json]:
        """Return all channels, direct messages included: id, name, topic, members, pins, bookmarks, is_archived."""
        return list(await self.ask("channels"))

    async def channel(self, channel: str) -> Json:
        """Return one channel."""
        return dict(await self.ask("channel", channel=channel))

    async def messages(self, channel: str, *, thread_ts: str | None = None) -> list[Json]:
        """Return a channel's messages, oldest first, replies in threads too, or those of one thread.

        Each has ts, thread_ts, user, text, blocks, metadata, edits (how often), reactions, files, pinned.
        """
        return list(await self.ask("messages", channel=channel, thread_ts=thread_ts))

    async def text(self, channel: str) -> str:
        """Return what a person would see in the channel, as plain text."""
        return str((await self.ask("text", channel=channel))["text"])

    async def files(self) -> list[Json]:
        """Return the files that were shared: id, name, title, channels, content (text), size."""
        return list(await self.ask("files"))

    async def calls(self, method: str | None = None) -> list[Json]:
        """Return every call of the Web API: method, arguments, at_s, answer (`ok`, an error, `429`, `dropped`)."""
        return list(await self.ask("calls", method=method))

    async def deliveries(self) -> list[Delivery]:
        """Return everything that was delivered to the bot, with its time to the ack in milliseconds."""
        return [Delivery.of(one) for one in await self.ask("deliveries")]

    async def scopes_used(self) -> list[str]:
        """Return the scopes that the bot's calls and events have really needed so far."""
        return list(await self.ask("scopes_used"))

    async def wait_for_message(
        self, channel: str, containing: str, *, timeout_s: float = 60.0, after_ts: str = "0"
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
                after_ts=after_ts,
            )
        )

    async def wait_for_call(self, method: str, *, count: int = 1, timeout_s: float = 60.0) -> list[Json]:
        """Return the calls of a method as soon as there are so many."""
        return list(await self.ask("wait_for_call", method=method, count=count, timeout_s=timeout_s))

    async def wait_for_delivery(
        self, name: str | None = None, *, count: int = 1, timeout_s: float = 60.0
    ) -> list[Delivery]:
        """Return the deliveries of a command, action or event as soon as so many were acked."""
        found = await self.ask("wait_for_delivery", name=name, count=count, timeout_s=timeout_s)
        return [Delivery.of(one) for one in found]

    async def wait_for_socket(self, *, count: int = 1, timeout_s: float = 60.0) -> None:
        """Return as soon as the bot has so many Socket Mode connections that it was not asked to change."""
        await self.ask("wait_for_socket", count=count, timeout_s=timeout_s)

    # ---- the way to the bot

    async def deliver_over_socket(self) -> None:
        """Deliver over Socket Mode (so it is at the start)."""
        await self.ask("deliver_by", way="socket")

    async def deliver_over_http(self, url: str) -> None:
        """Deliver as signed requests to the bot's own address, such as http://127.0.0.1:3000/slack/events."""
        await self.ask("deliver_by", way="http", url=url)

    async def verify_url(self) -> Json:
        """Send `url_verification`; returns {"status", "body", "ok"}: whether the challenge came back."""
        return dict(await self.ask("verify_url"))

    async def sign_next(
        self,
        signature: Literal["good", "bad", "none"] = "good",
        *,
        age_s: float = 0.0,
        times: int = 1,
    ) -> None:
        """Send the next deliveries over HTTP with this signature and a timestamp of this age."""
        await self.ask("sign_next", signature=signature, age_s=age_s, times=times)

    async def deliver_again(
        self, delivery: Delivery, *, retry_num: int = 1, retry_reason: str = "timeout"
    ) -> Delivery:
        """Deliver the very same payload once more, marked as a retry as this way of delivery does it."""
        return Delivery.of(
            await self.ask(
                "deliver_again", delivery=delivery.id, retry_num=retry_num, retry_reason=retry_reason
            )
        )

    async def deliver(
        self,
        kind: Literal["command", "action", "submission", "closed", "shortcut", "event"],
        payload: Mapping[str, Any],
    ) -> Delivery:
        """Deliver a payload as it is given, such as that of an earlier delivery with another value or person in it."""
        return Delivery.of(await self.ask("deliver", kind=kind, payload=dict(payload)))

    async def set_retries(self, *after_s: float) -> None:
        """Send un-acked events again after so many seconds each (documented: 0, 60, 300); none: never."""
        await self.ask("set_retries", after_s=list(after_s))

    async def burst(self, commands: Sequence[tuple[Person, str, str]]) -> list[Delivery]:
        """Type all commands (person, channel, text) at the same moment, inside the stand-in; wait for all acks."""
        typed = [{"user": who.id, "channel": channel, "text": text} for who, channel, text in commands]
        return [Delivery.of(one) for one in await self.ask("burst", commands=typed)]

    async def burst_presses(self, presses: Sequence[tuple[Person, str, str]]) -> list[Delivery]:
        """Press all buttons (person, channel, label or action_id) at the same moment; wait for all acks."""
        pressed = [{"user": who.id, "channel": channel, "button": button} for who, channel, button in presses]
        return [Delivery.of(one) for one in await self.ask("burst_presses", presses=pressed)]

    async def drop_sockets(self) -> int:
        """Cut every Socket Mode connection without a word; return how many."""
        return int((await self.ask("drop_sockets"))["count"])

    async def send_disconnect(
        self, reason: Literal["warning", "refresh_requested", "link_disabled"] = "refresh_requested"
    ) -> int:
        """Send a `disconnect` on every connection; but for a warning, close it some moments later."""
        return int((await self.ask("send_disconnect", reason=reason))["count"])

    # ---- what goes wrong

    async def fault(
        self,
        method: str,
        kind: FaultKind,
        *,
        times: int = 1,
        skip: int = 0,
        status: int = 503,
        delay_s: float = 0.0,
        error: str = "internal_error",
    ) -> None:
        """Let the next calls of a method (`*`: any; `upload`, `response_url` too) go wrong, after `skip` good ones."""
        await self.ask(
            "fault",
            call=method,
            kind=kind,
            times=times,
            skip=skip,
            status=status,
            delay_s=delay_s,
            refusal=error,
        )

    async def limit_next(self, count: int = 1, *, method: str = "*", retry_after_s: int = 1) -> None:
        """Answer the next calls with 429 and this Retry-After."""
        await self.ask("limit_next", count=count, method=method, retry_after_s=retry_after_s)

    async def set_token(
        self, state: Literal["good", "token_revoked", "invalid_auth", "account_inactive"]
    ) -> None:
        """Let every call with the bot's token be answered so; `token_revoked` is told as an event too."""
        await self.ask("set_token", state=state)
