"""A decision as Discord shows it: its buttons while it is open, then who answered what and when, or why it is void."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from adapters.chat_common.words import cut, needs_modal
from adapters.discord_chat.text import escape, local_time
from bot.model.decision import Decision, DecisionState

TEMPLATE = re.compile(r"backout:(?P<way>[bm]):(?P<decision>[^:]{1,100}):(?P<choice>.{1,100})")
SUBMITTED = re.compile(r"backout:s:(?P<decision>[^:]{1,100}):(?P<choice>.{1,100})")
CUSTOM_ID_LIMIT = 100
LABEL_LIMIT = 80
IN_ROW, ROWS = 5, 5
STYLES = {"primary": 1, "default": 2, "danger": 4}
SHORT = "~"
"""What the name of a decision begins with that is too long for a button: a part of its hash follows."""


@dataclass(frozen=True, kw_only=True)
class Button:
    """What a button carries, so that it lives through a restart: which decision (or its short name), which answer.

    `modal`: a press opens a form first.
    """

    decision: str
    choice: str
    modal: bool = False

    def custom_id(self) -> str:
        """Return it as a button's id."""
        return self._id("m" if self.modal else "b")

    def form_id(self) -> str:
        """Return it as the id of the form that a press opens."""
        return self._id("s")

    def _id(self, way: str) -> str:
        whole = f"backout:{way}:{self.decision}:{self.choice}"
        if len(whole) <= CUSTOM_ID_LIMIT:
            return whole
        return f"backout:{way}:{short_name(self.decision)}:{self.choice}"[:CUSTOM_ID_LIMIT]


def short_name(decision_id: str) -> str:
    """Return a name for a decision whose id is too long for a button."""
    return SHORT + hashlib.sha256(decision_id.encode()).hexdigest()[:24]


def button_of(match: re.Match[str]) -> Button:
    """Return what a button's or a form's id says."""
    return Button(
        decision=match["decision"], choice=match["choice"], modal=match.groupdict().get("way") == "m"
    )


def rows_of(decision: Decision | None) -> list[dict[str, Any]]:
    """Return the rows of buttons of a decision; none where nothing is asked any more."""
    if decision is None or decision.state is not DecisionState.OPEN:
        return []
    buttons = [
        {
            "type": 2,
            "style": STYLES.get(choice.style, STYLES["default"]),
            "label": cut(choice.label, LABEL_LIMIT) or "–",
            "custom_id": Button(
                decision=decision.id, choice=choice.key, modal=needs_modal(choice)
            ).custom_id(),
        }
        for choice in decision.choices[: IN_ROW * ROWS]
    ]
    rows = [buttons[start : start + IN_ROW] for start in range(0, len(buttons), IN_ROW)]
    return [{"type": 1, "components": row} for row in rows]


def decision_lines(decision: Decision) -> list[str]:
    """Return the last lines of a decision's message."""
    if decision.state is DecisionState.ANSWERED:
        return [_answered(decision)]
    if decision.state is DecisionState.VOID:
        return [f"⚫ No longer asked: {escape(decision.void_reason or '')}"]
    until = f"Void unless answered by {local_time(decision.expires_at)}." if decision.expires_at else ""
    return [line for line in (_votes(decision), until) if line]


def _answered(decision: Decision) -> str:
    choice = decision.choice(decision.answer or "")
    label = escape(choice.label if choice else decision.answer or "")
    when = f", {local_time(decision.answered_at)}" if decision.answered_at else ""
    return f"✅ **{label}** — {escape(decision.answered_by or '')}{when}"


def _votes(decision: Decision) -> str:
    if decision.votes_needed < 2:
        return ""
    given = [
        f"{escape(name)}: {escape(choice.label if (choice := decision.choice(key)) else key)}"
        for name, key in decision.votes.items()
    ]
    so_far = f" So far: {'; '.join(given)}." if given else ""
    return f"{decision.votes_needed} persons must give the same answer.{so_far}"
