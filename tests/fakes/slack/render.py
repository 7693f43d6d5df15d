"""What a person sees: blocks and text as plain lines, with names for ids and the escapes taken away."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from tests.fakes.common.book import Json
from tests.fakes.slack.views import View
from tests.fakes.slack.world import Channel, Message, World

MARKUP = re.compile(r"<([@#!]?)([^<>|]+)(?:\|([^<>]*))?>")


def seen(world: World, text: str) -> str:
    """Return a piece of mrkdwn as it is read: <@U1> as @ada, <https://x|here> as here, &lt; as <."""

    def named(match: re.Match[str]) -> str:
        sign, inner, label = match.groups()
        if sign == "@":
            user = world.users.get(inner)
            return f"@{user.name if user else inner}"
        if sign == "#":
            channel = world.channels.get(inner)
            return f"#{channel.name if channel else inner}"
        if sign == "!" and inner.startswith("subteam^"):
            group = world.usergroups.get(inner.removeprefix("subteam^"))
            return f"@{group['handle'] if group else inner}"
        if sign == "!":
            return label or f"@{inner}"
        return label or inner

    return html.unescape(MARKUP.sub(named, text))


def lines_of(world: World, blocks: Iterable[Json]) -> list[str]:
    """Return the lines of blocks."""
    found: list[str] = []
    for block in blocks:
        found += _block(world, block)
    return found


def _block(world: World, block: Json) -> list[str]:
    kind = block["type"]
    if kind == "divider":
        return ["---"]
    if kind == "header":
        return [f"# {block['text']['text']}"]
    if kind == "section":
        lines = [_text(world, one) for one in [block.get("text"), *(block.get("fields") or [])] if one]
        return lines + ([_element(world, block["accessory"])] if block.get("accessory") else [])
    if kind == "context":
        return ["  ".join(_text(world, one) for one in block["elements"])]
    if kind == "actions":
        return ["  ".join(_element(world, one) for one in block["elements"])]
    if kind == "input":
        star = "" if block.get("optional") else " *"
        hint = [_text(world, block["hint"])] if block.get("hint") else []
        return [f"{block['label']['text']}{star}: {_element(world, block['element'])}", *hint]
    if kind == "markdown":
        return [block["text"]]
    if kind == "table":
        return [" | ".join(" ".join(_words(world, cell)) for cell in row) for row in block["rows"]]
    return [" ".join(_words(world, block))]


def _words(world: World, value: Any) -> list[str]:
    """Return every text inside a rich block, in its order."""
    if isinstance(value, list):
        return [found for one in value for found in _words(world, one)]
    if not isinstance(value, dict):
        return []
    if isinstance(value.get("text"), str):
        return [value["text"]]
    if "user_id" in value:
        return [seen(world, f"<@{value['user_id']}>")]
    return [found for one in value.values() for found in _words(world, one)]


def _text(world: World, given: Json) -> str:
    if given["type"] == "mrkdwn":
        return seen(world, given["text"])
    return str(given.get("text", given.get("alt_text", "")))


def _element(world: World, element: Json) -> str:
    if element["type"] == "button":
        return f"[{element['text']['text']}]"
    if element["type"] == "image":
        return f"({element['alt_text']})"
    options = [_text(world, one["text"]) for one in element.get("options", [])]
    if options:
        return f"<{element['type']}: {' / '.join(options)}>"
    return f"<{element['type']}>"


def visible(world: World, text: str, blocks: list[Json]) -> str:
    """Return what is read of a message: its blocks where there are any, else its text."""
    return "\n".join(lines_of(world, blocks)) if blocks else seen(world, text)


def channel_text(world: World, channel: Channel) -> str:
    """Return a channel with its topic, pins, messages and threads."""
    title = f"#{channel.name}" if channel.name else f"direct message {channel.id}"
    head = [f"{title}{' (archived)' if channel.archived else ''}"]
    head += [f"topic: {channel.topic}"] if channel.topic else []
    head += [f"bookmark: {one['title']} {one['link']}" for one in channel.bookmarks.values()]
    lines: list[str] = []
    for message in channel.messages.values():
        if message.thread_ts in (None, message.ts):
            lines += _message(world, channel, message, "")
            replies = [one for one in channel.messages.values() if one.thread_ts == message.ts != one.ts]
            for one in replies:
                lines += _message(world, channel, one, "    ")
    return "\n".join([*head, *lines]) + "\n"


def _message(world: World, channel: Channel, message: Message, indent: str) -> list[str]:
    at = datetime.fromtimestamp(float(message.ts), UTC).strftime("%H:%M:%S")
    if message.subtype:
        return [f"{indent}{at} · {seen(world, message.text)}"]
    marks = " (pinned)" if message.ts in channel.pins else ""
    marks += f" (edited {len(message.edit_times_s)} times)" if message.edit_times_s else ""
    lines = [f"{indent}{at} {world.users[message.user].name}{marks}:"]
    lines += [f"{indent}  {one}" for one in visible(world, message.text, message.blocks).splitlines()]
    lines += [f"{indent}  file: {world.files[one].name}" for one in message.files]
    lines += [f"{indent}  :{name}: {len(users)}" for name, users in message.reactions.items() if users]
    return lines


def view_text(world: World, view: View) -> str:
    """Return a modal or Home, with the errors under the fields."""
    title = view.content.get("title")
    lines = [f"== {title['text']} =="] if title else []
    for block in view.content["blocks"]:
        lines += _block(world, block)
        if block["block_id"] in view.errors:
            lines.append(f"  ! {view.errors[block['block_id']]}")
    if "" in view.errors:
        lines.append(f"! {view.errors['']}")
    buttons = [view.content[one]["text"] for one in ("close", "submit") if view.content.get(one)]
    return "\n".join([*lines, *[f"[{one}]" for one in buttons]])
