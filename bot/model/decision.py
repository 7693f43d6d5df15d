"""Decisions: questions with buttons, answered once by a permitted person."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bot.model.person import Permission


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One button. `starts` is the operation kind that a decided yes starts (None: nothing runs), with its arguments.

    `typed` is the word that must be typed along (the site's name, for what cannot be taken back lightly).
    `rejects`: one such vote closes the decision at once, whatever the others said.
    """

    key: str
    label: str
    style: str = "default"  # default | primary | danger
    typed: str | None = None
    starts: str | None = None
    args: dict[str, Any] = field(default_factory=dict)
    rejects: bool = False


class DecisionState(enum.StrEnum):
    """A decision is answered or void once, for good."""

    OPEN = "open"
    ANSWERED = "answered"
    VOID = "void"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A question. `id` is unique over all incidents; `purpose` names what it decides (at most one open for each purpose).

    `votes_needed` distinct persons must choose the same key. `plan_hash` binds it to one plan: another plan voids it.
    `votes` maps person → choice key. `expires_at` None: never.
    """

    id: str
    incident_id: str
    purpose: str
    question: str
    body: str
    choices: tuple[Choice, ...]
    permission: Permission
    opened_at: datetime
    votes_needed: int = 1
    expires_at: datetime | None = None
    plan_hash: str | None = None
    state: DecisionState = DecisionState.OPEN
    votes: dict[str, str] = field(default_factory=dict)
    answer: str | None = None
    answered_by: str | None = None
    answered_at: datetime | None = None
    void_reason: str | None = None

    def choice(self, key: str) -> Choice | None:
        """Return the choice of that key, or None."""
        return next((c for c in self.choices if c.key == key), None)
