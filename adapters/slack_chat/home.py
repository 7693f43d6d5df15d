"""App Home: the open incidents, what waits for the reader, and how the backups of each site were last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from adapters.chat_common.words import SIGNS, cut
from adapters.slack_chat.blocks import Block, context, header, section
from adapters.slack_chat.text import escape, local_time
from bot.model.message import Tone

SHOWN = 15


def home_view(
    incidents: Sequence[Mapping[str, Any]],
    waiting: Sequence[Mapping[str, Any]],
    backups: Sequence[Mapping[str, Any]],
    links: Mapping[str, str],
) -> dict[str, Any]:
    """Return the page of one person; `links` leads from an incident's id to its channel, in markup."""
    opened = [one for one in incidents if not one["closed_at"]]
    blocks = [
        header("Open incidents"),
        *_rows([_incident(one, links) for one in opened], "None. To begin: `/incident start`"),
        header("Waits for you"),
        *_rows([_question(one, links) for one in waiting], "Nothing."),
        header("Backups"),
        *_rows([_backups(one) for one in backups], "You are listed for no site."),
        context("As of when you opened this page. Open it again for what is so now."),
    ]
    return {"type": "home", "blocks": blocks}


def stranger_view(text: str) -> dict[str, Any]:
    """Return the page of somebody whom the settings do not know."""
    return {"type": "home", "blocks": [section(escape(text))]}


def _rows(texts: Sequence[str], none: str) -> list[Block]:
    shown = [section(text) for text in texts[:SHOWN]] or [section(none)]
    left = len(texts) - SHOWN
    return [*shown, context(f"… and {left} more")] if left > 0 else shown


def _incident(one: Mapping[str, Any], links: Mapping[str, str]) -> str:
    sign = SIGNS[Tone(one["tone"])]
    where = links.get(one["id"], "")
    since = local_time(datetime.fromisoformat(one["opened_at"]))
    title = escape(cut(one["title"], 300))
    return f"{sign} *{escape(one['site'])}*: {title} {where}\n{escape(one['headline'])} Open since {since}."


def _question(one: Mapping[str, Any], links: Mapping[str, str]) -> str:
    where = links.get(one["incident_id"], escape(one["incident_id"]))
    return f"❓ *{escape(cut(one['question'], 500))}*\nAnswer in {where}"


def _backups(one: Mapping[str, Any]) -> str:
    site = escape(one["site"])
    if one["at"] is None:
        return f"⚪ *{site}*: never looked at. They are looked at in an incident: `/backups list`"
    sign = SIGNS[Tone.GOOD if one["good"] else Tone.BAD]
    best = f"; best: `{escape(cut(one['newest'], 300))}`" if one["newest"] else ""
    when = local_time(datetime.fromisoformat(one["at"]))
    return f"{sign} *{site}*: {one['good']} of {one['all']} verified{best}. Looked at {when}."
