"""Discord's limits of a message and its embeds: each check yields what is wrong, with the place.

Source: the pages "Message Resource", "Embed Limits" and "Channel Resource" of Discord's API documentation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.fakes.common.book import Json
from tests.fakes.discord.things import Flag

Fault = tuple[str, str]
CONTENT, EMBEDS, EMBED_CHARACTERS = 2000, 10, 6000
EMBED_TEXTS = {
    "title": 256,
    "description": 4096,
    "footer/text": 2048,
    "author/name": 256,
}
FIELDS, FIELD_NAME, FIELD_VALUE = 25, 256, 1024
# `flags` is sent by discord.py and ignored by Discord.
EMBED_KEYS = {
    "flags",
    "title",
    "type",
    "description",
    "url",
    "timestamp",
    "color",
    "footer",
    "image",
    "thumbnail",
    "video",
    "provider",
    "author",
    "fields",
}
NONCE = 25
# Bots may set these; the others are Discord's own, or need an interaction.
FLAGS_OF_BOTS = Flag.SUPPRESS_EMBEDS | Flag.SUPPRESS_NOTIFICATIONS | Flag.COMPONENTS_V2
MENTION = re.compile(r"<@!?(\d+)>")
ROLE_MENTION = re.compile(r"<@&(\d+)>")


def text(value: Any, at: str, longest: int, shortest: int = 1) -> Iterator[Fault]:
    """A string of so many characters; Discord cuts white space off at both ends first."""
    if not isinstance(value, str):
        yield at, f"a string is wanted, this is {type(value).__name__}"
    elif not shortest <= len(value.strip()) or len(value) > longest:
        yield at, f"Must be between {shortest} and {longest} in length: these are {len(value)}."


def content_faults(body: Json) -> Iterator[Fault]:
    """The words, embeds, mentions and flags of a message."""
    if body.get("content"):
        yield from text(body["content"], "content", CONTENT, 0)
    embeds = body.get("embeds") or []
    if len(embeds) > EMBEDS:
        yield "embeds", f"Must be {EMBEDS} or fewer in length: these are {len(embeds)}."
    for number, one in enumerate(embeds):
        yield from embed_faults(one, f"embeds/{number}")
    total = sum(embed_length(one) for one in embeds if isinstance(one, dict))
    if total > EMBED_CHARACTERS:
        yield "embeds", f"Embed size exceeds maximum size of {EMBED_CHARACTERS}: these are {total} together."
    nonce = body.get("nonce")
    if nonce is not None and len(str(nonce)) > NONCE:
        yield "nonce", f"Must be {NONCE} or fewer in length."
    if body.get("enforce_nonce") and nonce is None:
        yield "enforce_nonce", "there is no nonce to enforce"
    yield from mention_faults(body.get("allowed_mentions"))


def embed_faults(embed: Any, at: str) -> Iterator[Fault]:
    if not isinstance(embed, dict):
        yield at, "an object is wanted"
        return
    for key in set(embed) - EMBED_KEYS:
        yield f"{at}/{key}", "there is no such key"
    for path, longest in EMBED_TEXTS.items():
        value: Any = embed
        for step in path.split("/"):
            value = value.get(step) if isinstance(value, dict) else None
        if value is not None:
            yield from text(value, f"{at}/{path}", longest, 0)
    fields = embed.get("fields") or []
    if len(fields) > FIELDS:
        yield f"{at}/fields", f"Must be {FIELDS} or fewer in length: these are {len(fields)}."
    for number, one in enumerate(fields):
        yield from text(one.get("name"), f"{at}/fields/{number}/name", FIELD_NAME)
        yield from text(one.get("value"), f"{at}/fields/{number}/value", FIELD_VALUE)
    color = embed.get("color")
    if color is not None and not (isinstance(color, int) and 0 <= color <= 0xFFFFFF):
        yield f"{at}/color", f"{color!r} is no colour"
    for path in ("url", "image/url", "thumbnail/url", "author/url", "author/icon_url", "footer/icon_url"):
        value = embed
        for step in path.split("/"):
            value = value.get(step) if isinstance(value, dict) else None
        if value is not None and not re.match(r"https?://|attachment://", str(value)):
            yield f"{at}/{path}", f"Not a well formed URL: {value!r}"


def embed_length(embed: Json) -> int:
    """Return the characters that count: title, description, field names and values, footer, author."""
    footer, author = embed.get("footer") or {}, embed.get("author") or {}
    parts = [embed.get("title"), embed.get("description"), footer.get("text"), author.get("name")]
    for one in embed.get("fields") or []:
        parts += [one.get("name"), one.get("value")]
    return sum(len(str(one)) for one in parts if one)


def is_empty(embed: Json) -> bool:
    """Whether a person would see nothing of it."""
    return not embed_length(embed) and not any(embed.get(one) for one in ("image", "thumbnail", "url"))


def mention_faults(allowed: Any) -> Iterator[Fault]:
    if allowed is None:
        return
    if not isinstance(allowed, dict):
        yield "allowed_mentions", "an object is wanted"
        return
    parse = allowed.get("parse") or []
    for one in parse:
        if one not in ("roles", "users", "everyone"):
            yield "allowed_mentions/parse", f"{one!r} is none of roles, users, everyone"
    for key in ("users", "roles"):
        ids = allowed.get(key) or []
        if ids and key in parse:
            yield f"allowed_mentions/{key}", f"{key} is in parse too: the two exclude each other"
        if len(ids) > 100:
            yield f"allowed_mentions/{key}", "Must be 100 or fewer in length."
        if len(set(map(str, ids))) != len(ids):
            yield f"allowed_mentions/{key}", "an id stands there twice"


def errors_json(faults: list[Fault]) -> Json:
    """Return the faults as Discord nests them under `errors`."""
    tree: Json = {}
    for at, what in faults:
        node = tree
        for step in at.split("/"):
            node = node.setdefault(step, {})
        node.setdefault("_errors", []).append({"code": "INVALID", "message": what})
    return tree
