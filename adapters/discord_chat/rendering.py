"""The neutral message as one of Discord's embeds, with its buttons, and a file for what is too long.

*Source*: docs.discord.com, "Embed Limits": title 256, description 4096, 25 fields of 256 and 1024, footer 2048, together
6000; content 2000.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from adapters.chat_common.tables import lines_of
from adapters.chat_common.words import SIGNS, bar_of, cut, is_said_by_answer, own_file, whole_file
from adapters.discord_chat.answers import decision_lines, rows_of
from adapters.discord_chat.text import code, code_block, cut_marked, escape, markdown, mentions
from bot.model.decision import Decision
from bot.model.message import Message, Progress, Reply, Table, Tone

Embed = dict[str, Any]
TITLE_LIMIT, DESCRIPTION_LIMIT, FIELDS_LIMIT, NAME_LIMIT, VALUE_LIMIT = 256, 4096, 25, 256, 1024
TOGETHER_LIMIT = 6000
CONTENT_LIMIT = 2000
TABLE_LIMIT = 2400
WIDEST_LINE = 64
"""Characters of a line that an embed shows without breaking it."""
COLOURS = {
    Tone.NEUTRAL: 0x8899A6,
    Tone.WORKING: 0x3B88C3,
    Tone.GOOD: 0x2E9E5B,
    Tone.WARNING: 0xE08A1E,
    Tone.BAD: 0xD63B3B,
}
SHORTER = ((1800, 10, 250), (900, 6, 100), (300, 0, 0))
"""How a message that is too long is shortened, step by step: letters of its body, facts, letters of each fact."""
_COLUMNS = re.compile(r"\S {2,}\S")


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """What is sent: the words outside of the embed (who is called), the embed, buttons, and a file (name, content)."""

    content: str
    embed: Embed
    components: list[dict[str, Any]]
    file: tuple[str, str] | None = None
    pings: tuple[str, ...] = ()

    def body(self) -> dict[str, Any]:
        """Return it as the body of a call; nobody is notified but those who are meant."""
        return {
            "content": self.content,
            "embeds": [self.embed],
            "components": self.components,
            "allowed_mentions": {"parse": [], "users": list(self.pings)},
        }


def render(
    message: Message,
    decision: Decision | None = None,
    calls: tuple[str, ...] = (),
    link: str = "",
    mark: str = "",
) -> Rendered:
    """Return the message within Discord's limits; what does not fit goes into the file, and the message says so.

    `link` leads to the incident's channel, for a message that stands elsewhere; `mark` is what it is found again by.
    """
    file = own_file(message)
    embed = _embed(message, decision, link, mark)
    if message.table is not None and _too_long(message.table):
        file = file or whole_file(message)
        embed = _embed(message, decision, link, mark, f"The whole table is in the file {code(file[0])}.")
    for body_limit, facts_limit, value_limit in SHORTER:
        if _fits(embed, message):
            break
        file = file or whole_file(message)
        facts = tuple(
            (cut(label, 60), cut(value, value_limit)) for label, value in message.facts[:facts_limit]
        )
        short = replace(message, body=cut(message.body, body_limit), facts=facts, table=None)
        embed = _embed(
            short, decision, link, mark, f"This is the beginning; all of it is in the file {code(file[0])}."
        )
    content = f"{mentions(calls)} {SIGNS[message.tone]} {escape(message.title)}" if calls else ""
    return Rendered(
        content=cut_marked(content, CONTENT_LIMIT),
        embed=_within(embed),
        components=rows_of(decision),
        file=file,
        pings=calls,
    )


def _embed(message: Message, decision: Decision | None, link: str, mark: str, note: str = "") -> Embed:
    parts: list[str] = []
    if message.body and not is_said_by_answer(decision):
        parts.append(markdown(message.body))
    if message.progress is not None:
        parts.append(_progress(message.progress))
    if message.table is not None:
        parts.append(_table(message.table))
    if note:
        parts.append(note)
    if link:
        parts.append(f"→ {link}")
    if decision is not None:
        parts += decision_lines(decision)
    if message.next_steps:
        parts.append("Next: " + " · ".join(code(step) for step in message.next_steps))
    embed: Embed = {
        "title": cut(f"{SIGNS[message.tone]} {escape(message.title)}", TITLE_LIMIT),
        "description": "\n\n".join(parts),
        "color": COLOURS[message.tone],
        "fields": fields(message.facts),
    }
    return {**embed, "footer": {"text": mark}} if mark else embed


def fields(facts: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return labelled facts, short ones beside one another."""
    return [
        {
            "name": cut(escape(label), NAME_LIMIT).strip() or "–",
            "value": cut_marked(markdown(value), VALUE_LIMIT).strip() or "–",
            "inline": len(value) <= 40,
        }
        for label, value in facts[:FIELDS_LIMIT]
    ]


def size_of(embed: Embed) -> int:
    """Return how many characters of an embed count towards what it may hold together."""
    words = [
        embed.get("title", ""),
        embed.get("description", ""),
        (embed.get("footer") or {}).get("text", ""),
    ]
    words += [one[key] for one in embed.get("fields") or () for key in ("name", "value")]
    return sum(len(word) for word in words)


def _fits(embed: Embed, message: Message) -> bool:
    """Return whether nothing of the message has to be left out."""
    values = all(len(markdown(value)) <= VALUE_LIMIT for _, value in message.facts)
    return (
        size_of(embed) <= TOGETHER_LIMIT
        and len(embed["description"]) <= DESCRIPTION_LIMIT
        and len(message.facts) <= FIELDS_LIMIT
        and values
    )


def _within(embed: Embed) -> Embed:
    """Return the embed cut to its limits, whatever it holds; Discord refuses an empty description."""
    kept = {**embed, "description": cut_marked(embed["description"], DESCRIPTION_LIMIT)}
    if size_of(kept) > TOGETHER_LIMIT:
        kept["fields"] = []
    return kept if kept["description"] else {key: one for key, one in kept.items() if key != "description"}


def _progress(progress: Progress) -> str:
    what = escape(progress.what)
    if progress.total <= 0:
        return f"{what}: {progress.done:,} {escape(progress.unit)}"
    bar, percents = bar_of(progress)
    return f"`{bar}` **{percents} %**  {what}"


def _table(table: Table) -> str:
    lines = lines_of(table, WIDEST_LINE)
    shown: list[str] = []
    for line in lines:
        if len("\n".join([*shown, line])) > TABLE_LIMIT:
            break
        shown.append(line)
    left = len(lines) - len(shown)
    more = f"\n… and {left} more lines" if left else ""
    return code_block("\n".join(shown) + more)


def _too_long(table: Table) -> bool:
    return len("\n".join(lines_of(table, WIDEST_LINE))) > TABLE_LIMIT


def render_reply(reply: Reply, link: str = "") -> Rendered:
    """Return the answer to the one who typed or pressed; `link` leads to the incident's channel."""
    sign = "" if reply.ok else "🚫 "
    text = reply.text or "Done."
    in_columns = "\n" in text and _COLUMNS.search(text)
    parts = [sign + (code_block(text[:TABLE_LIMIT]) if in_columns else markdown(text))]
    if reply.table is not None:
        parts.append(_table(reply.table))
    if link:
        parts.append(link)
    if reply.suggestions:
        parts.append("Next: " + " · ".join(code(line) for line in reply.suggestions[:10]))
    embed: Embed = {
        "description": "\n\n".join(parts),
        "color": COLOURS[Tone.GOOD if reply.ok else Tone.BAD],
        "fields": fields(reply.facts),
    }
    return Rendered(content="", embed=_within(embed), components=[])
