"""How Slack is reached, as this adapter needs it."""

from __future__ import annotations

from dataclasses import dataclass

from bot.model.secret import Secret


@dataclass(frozen=True, kw_only=True)
class SlackOptions:
    """Address, way in, tokens and waits (seconds). `report_channel` None: no channel for reports.

    `app_token` is needed for Socket Mode, `signing_secret` for signed HTTP.
    """

    api_url: str
    http_host: str
    http_port: int
    bot_token: Secret
    over_http: bool = False
    app_token: Secret | None = None
    signing_secret: Secret | None = None
    report_channel: str | None = None
    edit_interval_s: float = 1.5
    retry_interval_s: float = 5.0
    call_timeout_s: float = 15.0
    ping_interval_s: float = 10.0
