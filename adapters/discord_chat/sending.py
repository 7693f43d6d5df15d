"""A message on its way to Discord: posted once, found again by its mark, edited in place, its file with it."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import structlog

from adapters.discord_chat.api import (
    MISSING_ACCESS,
    MISSING_PERMISSIONS,
    UNKNOWN_CHANNEL,
    UNKNOWN_MESSAGE,
    DiscordApi,
    DiscordRefusedError,
)
from adapters.discord_chat.places import Sent, mark_of, sent_of, snowflake
from adapters.discord_chat.rendering import Rendered, render
from bot.model.errors import HalfShownError, RoomLostError
from bot.model.message import REPORT_SLOT, Place
from bot.model.step import STEP_NAMES, Step
from bot.ports.chat import Delivery

log = structlog.get_logger(__name__)

CLOCKS_APART = timedelta(minutes=10)
"""How much earlier than by our clock a message may be by Discord's."""
PAGE = 100
EDIT_PATIENCE_S = 0.5
SLEEPS_AFTER_MIN = (
    10_080  # a thread that nobody writes in is put away after a week, the longest that there is
)
NAME_LIMIT = 100
GONE = frozenset({UNKNOWN_CHANNEL, MISSING_ACCESS})
THREAD_IS_THERE, THREAD_ASLEEP, BAD_FORM = 160004, 50083, 50035
TOO_LARGE = 40005


class Sender:
    """Delivers to channels, threads and direct messages. `report_channel` is where every report is shown too."""

    def __init__(self, api: DiscordApi, report_channel: str | None) -> None:
        self._api = api
        self._report_channel = report_channel
        self._threads: set[str] = set()  # those that are there; forgotten with the process, and found again

    async def deliver(self, delivery: Delivery) -> str:
        """Show or edit the message and return where it is; '' where Discord has no place for it."""
        place = delivery.message.message.place
        if place is Place.REPORTS and self._report_channel is None:
            return ""
        sent = sent_of(delivery.external_id)
        channel = sent.channel if sent is not None else await self._channel(delivery)
        try:
            return str(await self._delivered(delivery, channel, sent, look=delivery.may_be_there))
        except DiscordRefusedError as error:
            if error.code not in GONE or place is not Place.CHANNEL:
                raise
            if channel != delivery.channel and await self._is_there(delivery.channel):
                # A person deleted the thread alone: the channel itself is place enough.
                self._threads.discard(channel)
                return str(await self._delivered(delivery, delivery.channel, None, look=True))
            raise RoomLostError(str(error)) from error

    async def _is_there(self, channel: str) -> bool:
        try:
            await self._api.read("/channels/{channel}", channel=channel)
        except DiscordRefusedError:
            return False
        return True

    async def _channel(self, delivery: Delivery) -> str:
        """Return the id of the channel, thread or conversation in which the message belongs."""
        place = delivery.message.message.place
        if place is Place.REPORTS:
            return self._report_channel or ""
        if place is Place.DIRECT:
            body = {"recipient_id": delivery.account or ""}
            return str((await self._api.change("POST", "/users/@me/channels", body))["id"])
        root = sent_of(delivery.thread)
        # A question and the report stand in the channel itself: nobody may overlook them.
        alone = delivery.decision is not None or delivery.message.message.slot == REPORT_SLOT
        if root is None or root.channel != delivery.channel or alone:
            return delivery.channel
        return await self._thread(delivery, root)

    async def _thread(self, delivery: Delivery, root: Sent) -> str:
        """Return the thread beneath a step's message, opened where there is none: it has the same id as the message."""
        if root.message in self._threads:
            return root.message
        step = delivery.message.message.step
        name = f"{step}. {STEP_NAMES[Step(step)]}" if step else delivery.message.message.title
        body = {"name": name[:NAME_LIMIT], "auto_archive_duration": SLEEPS_AFTER_MIN}
        path = "/channels/{channel}/messages/{message}/threads"
        try:
            await self._api.change("POST", path, body, channel=root.channel, message=root.message)
        except DiscordRefusedError as error:
            if error.code in GONE:
                raise
            if error.code != THREAD_IS_THERE:
                log.warning("no thread; the channel takes it", error=str(error))
                return root.channel
        self._threads.add(root.message)
        return root.message

    # -- the message

    async def _delivered(self, delivery: Delivery, channel: str, sent: Sent | None, *, look: bool) -> Sent:
        """Show or edit the message; where it may be there (`look`) it is looked for before it is sent."""
        mark = mark_of(delivery.message.id)
        rendered = render(delivery.message.message, delivery.decision, delivery.calls, delivery.link, mark)
        if sent is None and look:
            sent = await self._found(delivery, channel, mark)
        if sent is None:
            return await self._first(delivery, channel, rendered, mark)
        try:
            return await self._edited(rendered, sent)
        except DiscordRefusedError as error:
            if error.code != UNKNOWN_MESSAGE:
                raise
        # A person deleted it: what is so now is said anew, unless an earlier try has.
        again = await self._found(delivery, channel, mark)
        if again is not None:
            return await self._edited(rendered, again)
        return await self._first(delivery, channel, rendered, mark)

    async def _first(self, delivery: Delivery, channel: str, rendered: Rendered, mark: str) -> Sent:
        # Within minutes Discord itself tells a repetition by its nonce; later the mark does. A message that a person
        # deleted is another one: its revision has grown meanwhile.
        nonce = {"nonce": f"{mark}.{delivery.message.revision}"[:25], "enforce_nonce": True}
        path = "/channels/{channel}/messages"

        async def call(body: dict[str, Any], file: tuple[str, bytes] | None) -> Any:
            return await self._api.change("POST", path, {**body, **nonce}, file=file, channel=channel)

        answer, told, refused = await _shown(call, rendered, rendered.file)
        sent = Sent(channel=channel, message=str(answer["id"]), file=told)
        if refused:
            raise HalfShownError(refused, str(sent))
        return sent

    async def _edited(self, rendered: Rendered, sent: Sent) -> Sent:
        path = "/channels/{channel}/messages/{message}"
        is_new = rendered.file is not None and mark_of_file(rendered.file) != sent.file

        async def call(body: dict[str, Any], file: tuple[str, bytes] | None) -> Any:
            try:
                return await self._api.change(
                    "PATCH",
                    path,
                    body,
                    file=file,
                    patience_s=EDIT_PATIENCE_S,
                    channel=sent.channel,
                    message=sent.message,
                )
            except DiscordRefusedError as error:
                if error.code != THREAD_ASLEEP:
                    raise
            await self._api.change("PATCH", "/channels/{channel}", {"archived": False}, channel=sent.channel)
            return await self._api.change(
                "PATCH", path, body, file=file, channel=sent.channel, message=sent.message
            )

        _, told, refused = await _shown(call, rendered, rendered.file if is_new else None)
        now = Sent(channel=sent.channel, message=sent.message, file=told or sent.file)
        if refused:
            raise HalfShownError(refused, str(now))
        return now

    async def _found(self, delivery: Delivery, channel: str, mark: str) -> Sent | None:
        """Return the message that an earlier try has left there, found by its mark. Reads only."""
        own = await self._api.own_id()
        after = snowflake(delivery.message.created_at - CLOCKS_APART)
        while True:
            page = await self._api.read(
                "/channels/{channel}/messages", {"after": after, "limit": str(PAGE)}, channel=channel
            )
            for one in page:
                if one["author"]["id"] == own and _marks(one) == mark:
                    return Sent(channel=channel, message=str(one["id"]))
            if len(page) < PAGE:
                return None
            after = max((str(one["id"]) for one in page), key=int)


async def _shown(call: Any, rendered: Rendered, file: tuple[str, str] | None) -> tuple[Any, str, str]:
    """Make the call; return its answer, the mark of the file that went along, and why the file did not.

    A body that Discord does not take is shown as words, and a file that it does not take is left out: rather than nothing.
    """
    body = rendered.body()
    if file is None:
        return await _taken(call, body, None), "", ""
    attached = {**body, "attachments": [{"id": "0", "filename": file[0]}]}
    try:
        answer = await _taken(call, attached, (file[0], file[1].encode()))
    except DiscordRefusedError as error:
        if error.code not in (MISSING_PERMISSIONS, TOO_LARGE):
            raise
        return await _taken(call, body, None), "", f"its file {file[0]} is not there: {error}"
    return answer, mark_of_file(file), ""


async def _taken(call: Any, body: dict[str, Any], file: tuple[str, bytes] | None) -> Any:
    try:
        return await call(body, file)
    except DiscordRefusedError as error:
        if error.code != BAD_FORM:
            raise
        log.warning("shown as words", error=str(error))
    embed = body["embeds"][0]
    words = f"{embed.get('title', '')}\n(Discord takes no more of this message; the console shows all of it.)"
    kept = {key: one for key, one in embed.items() if key in ("color", "footer")}
    return await call({**body, "embeds": [{**kept, "description": words}], "components": []}, file)


def _marks(message: dict[str, Any]) -> str:
    embeds = message.get("embeds") or [{}]
    return str((embeds[0].get("footer") or {}).get("text") or "")


def mark_of_file(file: tuple[str, str]) -> str:
    """Return the mark of a file's content."""
    return hashlib.sha256(file[1].encode()).hexdigest()[:8]
