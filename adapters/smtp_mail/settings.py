"""How a mail server is reached, as the adapter needs it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bot.model.secret import Secret


@dataclass(frozen=True, kw_only=True)
class SmtpOptions:
    """`security` is `starttls`, `tls` or `none`. `user` None: no login. `ca_path`: certificates that are trusted too."""

    host: str
    port: int
    security: str
    user: str | None
    password: Secret | None
    sender: str
    sender_name: str
    ca_path: Path | None = None
    time_limit_s: float = 20.0
