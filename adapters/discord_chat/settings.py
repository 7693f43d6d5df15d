"""How Discord is reached, as this adapter needs it."""

from __future__ import annotations

from dataclasses import dataclass

from bot.model.secret import Secret


@dataclass(frozen=True, kw_only=True)
class DiscordOptions:
    """Addresses, server, places, token and waits (seconds).

    `category` and `archive_category` are names; `responders_role` and `report_channel` ids, None for none.
    """

    api_url: str
    gateway_url: str
    guild_id: str
    token: Secret
    category: str = "Incidents"
    archive_category: str = "Archived incidents"
    responders_role: str | None = None
    report_channel: str | None = None
    edit_interval_s: float = 1.5
    retry_interval_s: float = 5.0
    call_timeout_s: float = 15.0
