"""The views that are open in the workspace: a stack of modals for each person, and each one's App Home."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(kw_only=True)
class View:
    """A view that somebody has on the screen. `values`: what was filled in; `errors`: what stands under the fields."""

    id: str
    user: str
    content: Json
    hash: str
    root_id: str
    previous_id: str = ""
    values: dict[str, dict[str, Json]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


class Views:
    """All open modals and all Homes."""

    def __init__(self) -> None:
        self.stacks: dict[str, list[View]] = {}
        self.homes: dict[str, View] = {}

    def top(self, user: str) -> View | None:
        stack = self.stacks.get(user, [])
        return stack[-1] if stack else None

    def find(self, *, view_id: str = "", external_id: str = "") -> View | None:
        everything = [one for stack in self.stacks.values() for one in stack] + list(self.homes.values())
        for one in everything:
            if one.id == view_id or (external_id and one.content.get("external_id") == external_id):
                return one
        return None

    def close(self, view: View) -> None:
        """Take a modal from its stack."""
        stack = self.stacks.get(view.user, [])
        if view in stack:
            stack.remove(view)
