"""The rules of a modal and of App Home. Source: docs.slack.dev/reference/views and /surfaces/modals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.fakes.slack.rules_blocks import faults_of
from tests.fakes.slack.rules_shapes import kind, one_of, plain, shaped, string

VIEW_BYTES = 250_000

MODAL = shaped(
    {"type": one_of("modal"), "title": plain(24), "blocks": kind(list)},
    {
        "submit": plain(24),
        "close": plain(24),
        "private_metadata": string(3000, 0),
        "callback_id": string(255, 0),
        "external_id": string(255, 0),
        "clear_on_close": kind(bool),
        "notify_on_close": kind(bool),
        "submit_disabled": kind(bool),
    },
)
HOME = shaped(
    {"type": one_of("home"), "blocks": kind(list)},
    {
        "private_metadata": string(3000, 0),
        "callback_id": string(255, 0),
        "external_id": string(255, 0),
    },
)


def faults_of_view(view: Any, surface: str) -> list[str]:
    """Return everything that Slack would find wrong with a view; `surface` is modal or home."""
    return list(_faults(view, surface))


def _faults(view: Any, surface: str) -> Iterator[str]:
    yield from (MODAL if surface == "modal" else HOME)(view, "/view")
    if not isinstance(view, dict) or not isinstance(view.get("blocks"), list):
        return
    size = len(json.dumps(view).encode())
    if size > VIEW_BYTES:
        yield f"/view: view_too_large: {size} bytes, {VIEW_BYTES} are allowed"
    yield from faults_of(view["blocks"], surface)
    has_input = any(isinstance(one, dict) and one.get("type") == "input" for one in view["blocks"])
    if surface == "modal" and has_input and not view.get("submit"):
        yield "/view/submit: is missing: a modal with an input must have it"
