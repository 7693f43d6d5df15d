"""What a person would see on the screen, as plain text: for eyes, and for tests that look for words."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from tests.fakes.common.book import Json
from tests.fakes.discord.fields import fields_of_modal
from tests.fakes.discord.rules_components import INPUT, walk
from tests.fakes.discord.things import Channel, Flag, Message, Modal
from tests.fakes.discord.world import World


def seen(world: World, text: str) -> str:
    """Return text with names in the place of ids."""

    def user(match: re.Match[str]) -> str:
        return f"@{world.users[match[1]].name}" if match[1] in world.users else match[0]

    def role(match: re.Match[str]) -> str:
        return f"@{world.roles[match[1]].name}" if match[1] in world.roles else match[0]

    def channel(match: re.Match[str]) -> str:
        return f"#{world.channels[match[1]].name}" if match[1] in world.channels else match[0]

    def time(match: re.Match[str]) -> str:
        return datetime.fromtimestamp(int(match[1]), UTC).strftime("%Y-%m-%d %H:%M:%S")

    text = re.sub(r"<@!?(\d+)>", user, text)
    text = re.sub(r"<@&(\d+)>", role, text)
    text = re.sub(r"<#(\d+)>", channel, text)
    return re.sub(r"<t:(-?\d+)(?::\w)?>", time, text)


def visible(world: World, message: Message) -> str:
    """Return the words of a message: content, embeds, buttons, files."""
    if message.flags & Flag.LOADING:
        return f"{world.users[message.author_id].name} is thinking…"
    lines = [message.content] if message.content else []
    for one in message.embeds:
        lines += _embed(one)
    for one in walk(message.components):
        lines += _part(one)
    lines += [f"file: {one.name}" for one in message.attachments]
    return seen(world, "\n".join(lines))


def _embed(embed: Json) -> list[str]:
    lines = [(embed.get("author") or {}).get("name"), embed.get("title"), embed.get("description")]
    lines += [f"{one['name']}: {one['value']}" for one in embed.get("fields") or []]
    lines.append((embed.get("footer") or {}).get("text"))
    return [f"| {line}" for one in lines if one for line in str(one).splitlines()]


def _part(part: Json) -> list[str]:
    off = " (disabled)" if part.get("disabled") else ""
    if part["type"] == 2:
        return [f"[{part.get('label') or (part.get('emoji') or {}).get('name', '')}]{off}"]
    if part["type"] == 3:
        options = ", ".join(one["label"] for one in part.get("options", []))
        return [f"<{part.get('placeholder') or part['custom_id']}: {options}>{off}"]
    if part["type"] in (5, 6, 7, 8):
        return [f"<{part.get('placeholder') or part['custom_id']}>{off}"]
    return [str(part["content"])] if part["type"] == 10 else []


def channel_text(world: World, channel: Channel, *, indent: str = "") -> str:
    """Return a whole channel with its topic, pins, messages, and threads beneath."""
    state = " (archived)" if channel.archived else ""
    title = f"#{channel.name}" if channel.name else f"direct message {channel.id}"
    lines = [f"{indent}{title}{state}"]
    lines += [f"{indent}topic: {channel.topic}"] if channel.topic else []
    for one in channel.messages.values():
        lines += _message(world, channel, one, indent)
    text = "\n".join(lines) + "\n"
    return text + "".join(
        channel_text(world, one, indent=indent + "    ") for one in world.threads_of(channel)
    )


def _message(world: World, channel: Channel, message: Message, indent: str) -> list[str]:
    at = datetime.fromtimestamp(message.made_s, UTC).strftime("%H:%M:%S")
    name = world.users[message.author_id].name
    if message.is_note:
        words = {6: "pinned a message", 18: f"started a thread: {message.content}"}
        return [f"{indent}{at} · {name} {words.get(message.kind, 'did something')}"]
    marks = " (pinned)" if message.id in channel.pins else ""
    marks += f" (edited {len(message.edit_times_s)} times)" if message.edit_times_s else ""
    marks += f" (only {world.users[message.seen_by].name} sees this)" if message.seen_by else ""
    lines = [f"{indent}{at} {name}{marks}:"]
    lines += [f"{indent}  {one}" for one in visible(world, message).splitlines()]
    return lines + [f"{indent}  {emoji} {len(users)}" for emoji, users in message.reactions.items() if users]


def modal_text(modal: Modal) -> str:
    """Return a modal with its fields, and the error that stands in it."""
    lines = [f"== {modal.content['title']} =="]
    for one in modal.content["components"]:
        if one["type"] == 10:
            lines.append(one["content"])
        if one.get("description"):
            lines.append(f"({one['description']})")
    for field, label in fields_of_modal(modal.content):
        kind = "" if field["type"] == INPUT else " (menu)"
        lines.append(f"{label}: {field.get('value') or field.get('placeholder') or ''}{kind}")
    return "\n".join([*lines, *([f"! {modal.error}"] if modal.error else [])])
