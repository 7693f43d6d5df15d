"""The modals: declare an incident, look once more before a grave answer, and be told what came of it.

*Source*: docs.slack.dev/reference/views: title, submit and close 24 characters, private_metadata 3000, 100 blocks.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.slack_chat.answers import Button
from adapters.slack_chat.blocks import Block, context, fields, header, paragraphs, plain, section
from adapters.slack_chat.text import escape, mrkdwn
from bot.model.message import Message

View = dict[str, Any]

TITLE_LIMIT = 24
METADATA_LIMIT = 3000
START = "start_incident"
CONFIRM = "confirm_answer"
SEVERITIES = (
    ("critical", "Critical: users lose data now"),
    ("high", "High: data are gone"),
    ("low", "Low: to be looked at"),
)


def notice(title: str, text: str, *more: Block) -> View:
    """Return a modal that only says something; `text` is escaped markup."""
    return {
        "type": "modal",
        "title": plain(title, TITLE_LIMIT),
        "close": plain("Close", TITLE_LIMIT),
        "blocks": [*paragraphs(text)[:20], *more],
    }


def start_modal(sites: Sequence[str], channel: str) -> View:
    """Return the form in which an incident is declared."""
    options = [{"text": plain(site, 75), "value": site} for site in sites[:100]]
    severities = [{"text": plain(label, 75), "value": key} for key, label in SEVERITIES]
    return {
        "type": "modal",
        "callback_id": START,
        "private_metadata": json.dumps({"channel": channel}),
        "title": plain("Declare an incident", TITLE_LIMIT),
        "submit": plain("Open it", TITLE_LIMIT),
        "close": plain("Cancel", TITLE_LIMIT),
        "blocks": [
            _input("site", "Site", {"type": "static_select", "options": options}),
            _input(
                "what",
                "What happened?",
                {"type": "plain_text_input", "multiline": True, "max_length": 500},
                hint="As you would say it: what is gone, since when.",
            ),
            _input(
                "severity",
                "How bad is it?",
                {"type": "static_select", "options": severities, "initial_option": severities[1]},
            ),
            context("Backout counts what was lost first. Nothing is changed before somebody says yes."),
        ],
    }


def _input(name: str, label: str, element: dict[str, Any], hint: str = "") -> Block:
    block = {
        "type": "input",
        "block_id": name,
        "label": plain(label, 2000),
        "element": {**element, "action_id": name},
    }
    return {**block, "hint": plain(hint, 2000)} if hint else block


@dataclass(frozen=True, kw_only=True)
class Started:
    """What somebody filled into the form."""

    channel: str
    site: str
    what: str
    severity: str

    @property
    def command(self) -> str:
        """Return the command that this form stands for."""
        what = " ".join(self.what.split())
        return f"/incident start {self.site} {self.severity}: {what}"


def started_of(view: View) -> Started:
    """Return what a submitted form says."""
    values = view["state"]["values"]
    return Started(
        channel=str(json.loads(view.get("private_metadata") or "{}").get("channel", "")),
        site=values["site"]["site"]["selected_option"]["value"],
        what=values["what"]["what"]["value"] or "",
        severity=values["severity"]["severity"]["selected_option"]["value"],
    )


def loading(button: Button, question: str) -> View:
    """Return the modal that opens at once, while the plan is read; `question` is what the message asked."""
    del button
    return notice("One moment", f"*{escape(question)}*\nReading what it would do …")


def confirm_modal(button: Button, label: str, style: str, review: Message) -> View:
    """Return the question with all that a yes would do; nothing is decided before a submit."""
    blocks = [header(review.title), *paragraphs(mrkdwn(review.body)), *fields(review.facts)]
    if len(blocks) > 90:
        blocks = [*blocks[:89], context("… the console shows all of it.")]
    if button.typed is not None:
        element = {"type": "plain_text_input", "max_length": 200}
        blocks.append(_input("typed", f"Type {button.typed} to go on", element))
    return {
        "type": "modal",
        "callback_id": CONFIRM,
        "private_metadata": button.value()[:METADATA_LIMIT],
        "title": plain(label, TITLE_LIMIT),
        "submit": plain("Yes, do it" if style == "danger" else "Yes", TITLE_LIMIT),
        "close": plain("Cancel", TITLE_LIMIT),
        "blocks": blocks or [section("–")],
    }


def typed_of(view: View) -> str | None:
    """Return what was typed into a submitted confirmation, None where it has no field."""
    field = (view["state"]["values"].get("typed") or {}).get("typed") or {}
    value = field.get("value")
    return str(value) if value is not None else None
