"""The neutral message as Slack's blocks, with the text for notifications, and a file for what is too long."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from adapters.chat_common.tables import lines_of
from adapters.chat_common.words import SIGNS, bar_of, cut, is_said_by_answer, own_file, whole_file
from adapters.slack_chat.answers import decision_blocks
from adapters.slack_chat.blocks import (
    BLOCKS_LIMIT,
    TOGETHER_LIMIT,
    Block,
    context,
    fields,
    header,
    paragraphs,
    section,
    size_of,
)
from adapters.slack_chat.text import code_block, cut_escaped, escape, mentions, mrkdwn, pieces
from bot.model.decision import Decision, DecisionState
from bot.model.message import Message, Progress, Reply, Table

_COLUMNS = re.compile(r"\S {2,}\S")
NOTIFICATION_LIMIT = 1000
TABLE_LIMIT = 2900
SHORTER = ((2500, 10, 300), (1000, 6, 100), (300, 0, 0))
"""How a message that is too long is shortened, step by step: letters of its body, facts, letters of each fact."""


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """What is sent: blocks, the text beside them, and a file (name, content) where there is one."""

    blocks: list[Block]
    text: str
    file: tuple[str, str] | None = None


def render(
    message: Message, decision: Decision | None = None, calls: tuple[str, ...] = (), link: str = ""
) -> Rendered:
    """Return the message within Slack's limits; what does not fit goes into the file, and the message says so.

    `link` is escaped markup that leads to the incident's channel, for a message that stands elsewhere.
    """
    file = own_file(message)
    blocks = _blocks(message, decision, calls, link)
    if message.table is not None and _too_long(message.table):
        file = file or whole_file(message)
        blocks.append(context(f"The whole table is in the file `{escape(file[0])}`."))
    for body_limit, facts_limit, value_limit in SHORTER:
        if size_of(blocks) <= TOGETHER_LIMIT and len(blocks) <= BLOCKS_LIMIT:
            break
        file = file or whole_file(message)
        facts = tuple(
            (cut(label, 60), cut(value, value_limit)) for label, value in message.facts[:facts_limit]
        )
        short = replace(message, body=cut(message.body, body_limit), facts=facts, table=None)
        blocks = _blocks(short, decision, calls, link)
        blocks.append(context(f"This is the beginning; all of it is in the file `{escape(file[0])}`."))
    return Rendered(blocks=blocks, text=_notification(message, decision, calls), file=file)


def _blocks(message: Message, decision: Decision | None, calls: tuple[str, ...], link: str) -> list[Block]:
    blocks = [header(f"{SIGNS[message.tone]} {message.title}")]
    if calls:
        blocks.append(section(mentions(calls)))
    if message.body and not is_said_by_answer(decision):
        blocks += paragraphs(mrkdwn(message.body))
    if message.progress is not None:
        blocks.append(section(_progress(message.progress)))
    blocks += fields(message.facts)
    if message.table is not None:
        blocks.append(section(_table(message.table)))
    if link:
        blocks.append(section(f"→ {link}"))
    if decision is not None:
        blocks += decision_blocks(decision)
    if message.next_steps:
        blocks.append(context("Next: " + " · ".join(f"`{escape(step)}`" for step in message.next_steps)))
    return blocks


def _progress(progress: Progress) -> str:
    what = escape(progress.what)
    if progress.total <= 0:
        return f"{what}: {progress.done:,} {escape(progress.unit)}"
    bar, percents = bar_of(progress)
    return f"`{bar}` *{percents} %*  {what}"


def _table(table: Table) -> str:
    lines = lines_of(table)
    shown: list[str] = []
    for line in lines:
        if len(escape("\n".join([*shown, line]))) > TABLE_LIMIT:
            break
        shown.append(line)
    left = len(lines) - len(shown)
    more = f"\n… and {left} more lines" if left else ""
    return code_block("\n".join(shown) + more)


def _too_long(table: Table) -> bool:
    """Return whether the message does not hold the whole table."""
    return len(escape("\n".join(lines_of(table)))) > TABLE_LIMIT


def _notification(message: Message, decision: Decision | None, calls: tuple[str, ...]) -> str:
    """Return what a notification, and a reader without blocks, is told."""
    first = message.body.strip().split("\n", 1)[0].removeprefix("- ")
    parts = [mentions(calls), f"{SIGNS[message.tone]} {escape(message.title)}", mrkdwn(first)]
    if decision is not None and decision.state is DecisionState.OPEN:
        parts.append("Answer: " + " / ".join(escape(choice.label) for choice in decision.choices))
    return cut_escaped(" — ".join(part for part in parts if part), NOTIFICATION_LIMIT)


def _said(sign: str, text: str) -> list[Block]:
    """Return a reply's text; one that is written in columns keeps them."""
    if "\n" not in text or not _COLUMNS.search(text):
        return paragraphs(sign + mrkdwn(text))
    head = [section(sign)] if sign else []
    return head + [section(code_block(piece)) for piece in pieces(text, TABLE_LIMIT // 2)]


def render_reply(reply: Reply, link: str = "") -> Rendered:
    """Return the answer to the one who typed; `link` is escaped markup that leads to the incident's channel."""
    sign = "" if reply.ok else "🚫 "
    blocks = _said(sign, reply.text or "Done.") + fields(reply.facts)
    if reply.table is not None:
        blocks.append(section(_table(reply.table)))
    if link:
        blocks.append(section(link))
    if reply.suggestions:
        blocks.append(context("Next: " + " · ".join(f"`{escape(line)}`" for line in reply.suggestions)))
    while size_of(blocks) > TOGETHER_LIMIT or len(blocks) > BLOCKS_LIMIT:
        blocks = [*blocks[:-2], context("… cut; the console shows all of it.")]
    return Rendered(blocks=blocks, text=cut_escaped(sign + mrkdwn(reply.text or "Done."), NOTIFICATION_LIMIT))
