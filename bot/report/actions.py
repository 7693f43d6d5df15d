"""The action items of a post-mortem as plain data, to be tracked after the incident."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bot.model.event import Entry
from bot.report.blocks import Checklist
from bot.report.facts import facts_of
from bot.report.prevention import plain_phrase, prevention


def action_items(entries: Sequence[Entry], *, site: str, now: datetime) -> list[dict[str, Any]]:
    """Return the items of the section "Prevention" in its order: number, text, evidence, and whether the incident proved it done."""
    section = prevention(facts_of(entries, site=site, now=now, zone=UTC))
    items = [item for block in section.blocks if isinstance(block, Checklist) for item in block.items]
    return [
        {
            "number": number,
            "text": plain_phrase(item.phrase),
            "evidence": plain_phrase(item.evidence),
            "done": item.done,
        }
        for number, item in enumerate(items, start=1)
    ]
