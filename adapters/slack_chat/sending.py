"""A message on its way to Slack: posted once, found again by its outbox id, edited in place, its file in its thread."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog

from adapters.slack_chat.api import SlackApi, SlackRefusedError
from adapters.slack_chat.places import Sent, sent_of
from adapters.slack_chat.rendering import Rendered, render
from adapters.slack_chat.rooms import GONE
from bot.model.errors import HalfShownError, RoomLostError
from bot.model.message import Place
from bot.ports.chat import Delivery

log = structlog.get_logger(__name__)

EVENT_TYPE = "backout_message"
CLOCKS_APART = timedelta(minutes=10)
"""How much earlier than by our clock a message may be by Slack's."""
NOT_THERE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
BAD_BLOCKS = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long"})


class Sender:
    """Delivers to channels, threads and direct messages. `report_channel` is where every report is shown too."""

    def __init__(self, api: SlackApi, report_channel: str | None) -> None:
        self._api = api
        self._report_channel = report_channel

    async def deliver(self, delivery: Delivery) -> str:
        """Show or edit the message and return where it is; '' where Slack has no place for it."""
        channel = self._channel(delivery)
        if not channel:
            return ""
        try:
            return str(await self._delivered(delivery, channel))
        except SlackRefusedError as error:
            if error.error not in GONE or delivery.message.message.place is not Place.CHANNEL:
                raise
            if error.error == "not_in_channel" and await self._joined(channel):
                return str(await self._delivered(delivery, channel))
            raise RoomLostError(str(error)) from error

    def _channel(self, delivery: Delivery) -> str:
        place = delivery.message.message.place
        if place is Place.REPORTS:
            return self._report_channel or ""
        return (delivery.account or "") if place is Place.DIRECT else delivery.channel

    async def _joined(self, channel: str) -> bool:
        """Come back into a channel that a person removed the app from; return whether that went."""
        try:
            await self._api.change("conversations.join", channel=channel)
        except SlackRefusedError as error:
            log.warning("not back in the channel", channel=channel, error=str(error))
            return False
        return True

    async def _delivered(self, delivery: Delivery, channel: str) -> Sent:
        rendered = render(delivery.message.message, delivery.decision, delivery.calls, delivery.link)
        sent = sent_of(delivery.external_id)
        if sent is None and delivery.may_be_there:
            sent = await self._found(delivery, channel)
        if sent is None:
            sent = await self._first(delivery, channel, rendered)
        else:
            sent = await self._edit(delivery, channel, rendered, sent)
        return await self._with_file(delivery, sent, rendered)

    # -- the message

    async def _first(self, delivery: Delivery, channel: str, rendered: Rendered) -> Sent:
        root = sent_of(delivery.thread)
        arguments: dict[str, Any] = {
            "channel": channel,
            "text": rendered.text,
            "blocks": rendered.blocks,
            "unfurl_links": False,
            "unfurl_media": False,
            "metadata": {
                "event_type": EVENT_TYPE,
                "event_payload": {
                    "outbox_id": delivery.message.id,
                    "incident_id": delivery.message.incident_id,
                },
            },
        }
        if root is not None:
            # A question stands in its step's thread, and in the channel too: nobody may overlook it.
            asks = delivery.decision is not None
            arguments |= {"thread_ts": root.ts, "reply_broadcast": asks}
        answer = await self._shown("chat.postMessage", arguments)
        return Sent(channel=str(answer["channel"]), ts=str(answer["ts"]))

    async def _edit(self, delivery: Delivery, channel: str, rendered: Rendered, sent: Sent) -> Sent:
        arguments = {"channel": sent.channel, "ts": sent.ts, "text": rendered.text, "blocks": rendered.blocks}
        try:
            await self._shown("chat.update", arguments)
        except SlackRefusedError as error:
            if error.error not in NOT_THERE:
                raise
        else:
            return sent
        # A person deleted it, or Slack lets nobody edit it any more: what is so now is said anew, unless an earlier try has.
        again = await self._found(delivery, channel, besides=sent)
        if again is not None:
            await self._shown("chat.update", {**arguments, "channel": again.channel, "ts": again.ts})
        return again or await self._first(delivery, channel, rendered)

    async def _shown(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the answer; a message whose blocks Slack does not take is shown as text rather than not at all."""
        try:
            return await self._api.change(method, **arguments)
        except SlackRefusedError as error:
            if error.error not in BAD_BLOCKS:
                raise
            log.warning("shown as text", method=method, error=str(error))
        text = f"{arguments['text']}\n(Slack takes no more of this message; the console shows all of it.)"
        return await self._api.change(method, **{**arguments, "text": text, "blocks": []})

    async def _found(self, delivery: Delivery, channel: str, *, besides: Sent | None = None) -> Sent | None:
        """Return the message that an earlier try has left there, found by its outbox id. Reads only."""
        if delivery.message.message.place is Place.DIRECT:
            opened = await self._api.change("conversations.open", users=channel)
            channel = str(opened["channel"]["id"])
        root = sent_of(delivery.thread)
        arguments: dict[str, Any] = {
            "channel": channel,
            "include_all_metadata": True,
            "oldest": f"{(delivery.message.created_at - CLOCKS_APART).timestamp():.6f}",
        }
        method = "conversations.history"
        if root is not None:
            method, arguments = "conversations.replies", {**arguments, "ts": root.ts}
        async for message in self._api.pages(method, "messages", **arguments):
            payload = (message.get("metadata") or {}).get("event_payload") or {}
            ts = str(message["ts"])
            if payload.get("outbox_id") == delivery.message.id and (besides is None or ts != besides.ts):
                return Sent(channel=channel, ts=ts)
        return None

    # -- its file

    async def _with_file(self, delivery: Delivery, sent: Sent, rendered: Rendered) -> Sent:
        if rendered.file is None:
            return sent
        name, text = rendered.file
        mark = hashlib.sha256(text.encode()).hexdigest()[:8]
        if sent.file == mark:
            return sent
        root = sent_of(delivery.thread) or sent
        stem, dot, ending = name.rpartition(".")
        file_name = f"{stem}-{mark}.{ending}" if dot else f"{name}-{mark}"
        try:
            if not await self._has_file(sent.channel, root.ts, file_name):
                await self._upload(sent.channel, root.ts, file_name, name, text.encode())
        except SlackRefusedError as error:
            if error.error in GONE:
                raise
            raise HalfShownError(f"its file {name} is not there: {error}", str(sent)) from error
        return replace(sent, file=mark)

    async def _has_file(self, channel: str, root_ts: str, file_name: str) -> bool:
        """Return whether an earlier try has left the file there; its share carries no metadata, so its name tells. Reads only."""
        async for message in self._api.pages(
            "conversations.replies", "messages", channel=channel, ts=root_ts
        ):
            if any(file.get("name") == file_name for file in message.get("files") or ()):
                return True
        return False

    async def _upload(self, channel: str, root_ts: str, file_name: str, title: str, content: bytes) -> None:
        given = await self._api.read("files.getUploadURLExternal", filename=file_name, length=len(content))
        await self._api.upload(given["upload_url"], content)
        await self._api.change(
            "files.completeUploadExternal",
            files=[{"id": given["file_id"], "title": title}],
            channel_id=channel,
            thread_ts=root_ts,
        )
