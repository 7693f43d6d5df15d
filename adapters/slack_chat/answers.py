"""A decision as Slack shows it: its buttons while it is open, then who answered what and when, or why it is void."""

from __future__ import annotations

import json
from dataclasses import dataclass

from adapters.chat_common.words import needs_modal
from adapters.slack_chat.blocks import Block, actions, button, context
from adapters.slack_chat.text import escape, local_time
from bot.model.decision import Decision, DecisionState

ACTION = "decide"
"""What the action_id of every answer begins with."""


@dataclass(frozen=True, kw_only=True)
class Button:
    """What a button carries, so that it lives through a restart: which decision, which answer, the word to be typed along."""

    decision_id: str
    choice: str
    typed: str | None = None
    modal: bool = False

    def value(self) -> str:
        """Return it as a button's value."""
        return json.dumps([self.decision_id, self.choice, self.typed, self.modal])


def button_of(value: str) -> Button | None:
    """Return what a button's value says, or None where it is none of ours."""
    try:
        decision_id, choice, typed, modal = json.loads(value)
    except (ValueError, TypeError):
        return None
    if not isinstance(decision_id, str) or not isinstance(choice, str):
        return None
    if not (typed is None or isinstance(typed, str)):
        return None
    return Button(decision_id=decision_id, choice=choice, typed=typed, modal=bool(modal))


def decision_blocks(decision: Decision) -> list[Block]:
    """Return the end of a decision's message."""
    if decision.state is DecisionState.OPEN:
        return _open(decision)
    if decision.state is DecisionState.ANSWERED:
        return [context(_answered(decision))]
    return [context(f"⚫ No longer asked: {escape(decision.void_reason or '')}")]


def _answered(decision: Decision) -> str:
    choice = decision.choice(decision.answer or "")
    label = escape(choice.label if choice else decision.answer or "")
    when = f", {local_time(decision.answered_at)}" if decision.answered_at else ""
    return f"✅ *{label}* — {escape(decision.answered_by or '')}{when}"


def _open(decision: Decision) -> list[Block]:
    row = [
        button(
            choice.label,
            f"{ACTION}.{place}.{choice.key}",
            Button(
                decision_id=decision.id, choice=choice.key, typed=choice.typed, modal=needs_modal(choice)
            ).value(),
            choice.style,
        )
        for place, choice in enumerate(decision.choices)
    ]
    said = _votes(decision)
    if decision.expires_at:
        said.append(f"Void unless answered by {local_time(decision.expires_at)}.")
    return [actions(row), *([context(" ".join(said))] if said else [])]


def _votes(decision: Decision) -> list[str]:
    if decision.votes_needed < 2:
        return []
    given = [
        f"{escape(name)}: {escape(choice.label if (choice := decision.choice(key)) else key)}"
        for name, key in decision.votes.items()
    ]
    so_far = f" So far: {'; '.join(given)}." if given else ""
    return [f"{decision.votes_needed} persons must give the same answer.{so_far}"]
