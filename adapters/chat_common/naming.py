"""The name of an incident's channel, by the narrowest rules (Slack's): lower case letters, digits and -, 80 characters at most."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC

from bot.model.room import RoomPlan

LIMIT = 80


def slug(text: str) -> str:
    """Return text as words of a channel's name; what is no Latin letter or digit is left out."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def channel_name(plan: RoomPlan, number: int = 1) -> str:
    """Return `inc-YYYYMMDD-site-slug`; `number` from 2 on tells it from others of the same day that are called so."""
    ending = f"-{number}" if number > 1 else ""
    words = [f"inc-{plan.opened_at.astimezone(UTC):%Y%m%d}", slug(plan.site) or "site", slug(plan.title)]
    whole = "-".join(word for word in words if word)
    return whole[: LIMIT - len(ending)].rstrip("-_") + ending
