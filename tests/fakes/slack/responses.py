"""`response_url`: five answers in thirty minutes to one command or one press, without any scope."""

from __future__ import annotations

from typing import Any, Protocol

from tests.fakes.common.book import Json
from tests.fakes.slack.world import Message, Refused, ResponseUrl, Whisper, World

LIFE_S = 30 * 60.0
USES_MOST = 5
KNOWN = {
    "text",
    "blocks",
    "attachments",
    "response_type",
    "replace_original",
    "delete_original",
    "thread_ts",
    "unfurl_links",
    "unfurl_media",
    "metadata",
}


class Content(Protocol):
    """What a message says, checked."""

    @property
    def text(self) -> str: ...
    @property
    def blocks(self) -> list[Json] | None: ...


class Checked(Protocol):
    """The check of a message's content by every rule."""

    def __call__(self, world: World, call: str, given: Json) -> Content: ...


def use_response_url(world: World, response_id: str, given: Json, checked: Checked) -> None:
    """Carry out one answer over a response_url.

    Raises:
        Refused: expired_url, used_url, and what the content is refused with.
    """
    response = world.responses.get(response_id)
    if response is None:
        world.violate("response_url", "response_url", f"{response_id} was never given out")
        raise Refused("invalid_url")
    age_s = world.clock.now_s() - response.made_s
    if age_s > LIFE_S:
        world.violate("expired_url", "response_url", f"used after {age_s / 60:.0f} minutes, 30 are given")
        raise Refused("expired_url")
    if response.uses >= USES_MOST:
        world.violate("used_url", "response_url", f"used {response.uses} times, {USES_MOST} are given")
        raise Refused("used_url")
    for one in sorted(set(given) - KNOWN):
        world.violate("unknown_argument", "response_url", one)
    response.uses += 1
    say(world, response, given, checked)


def say(world: World, response: ResponseUrl, given: Json, checked: Checked) -> None:
    """Show the answer: to the one person, to the channel, or in place of the message that was pressed."""
    if given.get("delete_original"):
        _delete(world, response)
        return
    content = checked(world, "response_url", given)
    if given.get("replace_original") and _replace(world, response, content):
        return
    show(world, response, given.get("response_type"), content, "response_url")


def show(world: World, response: ResponseUrl, response_type: Any, content: Content, origin: str) -> None:
    """Put an answer where `response_type` wants it: in_channel, or for one person only."""
    if response_type not in (None, "ephemeral", "in_channel"):
        world.violate("response_type", origin, f"{response_type!r} is neither ephemeral nor in_channel")
    if response_type == "in_channel":
        channel = world.channels[response.channel]
        world.post(channel, world.bot.id, content.text, blocks=content.blocks or [], by_bot=True)
        return
    world.whispers.append(
        Whisper(
            ts=world.next_ts(),
            user=response.user,
            channel=response.channel,
            text=content.text,
            blocks=content.blocks or [],
            origin=origin,
        )
    )


def _originals(world: World, response: ResponseUrl) -> tuple[Message | None, Whisper | None]:
    channel = world.channels.get(response.channel)
    message = channel.messages.get(response.ts or "") if channel else None
    whisper = next((one for one in world.whispers if one.ts == response.ts), None)
    return message, whisper


def _replace(world: World, response: ResponseUrl, content: Content) -> bool:
    message, whisper = _originals(world, response)
    found = message or whisper
    if found is None:
        return False
    found.text, found.blocks = content.text, content.blocks or []
    if message is not None:
        message.edit_times_s.append(world.clock.now_s())
    return True


def _delete(world: World, response: ResponseUrl) -> None:
    message, whisper = _originals(world, response)
    if message is not None:
        del world.channels[response.channel].messages[message.ts]
    if whisper is not None:
        world.whispers.remove(whisper)
