"""How a paging service is reached, as the adapter needs it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bot.model.secret import Secret


@dataclass(frozen=True, kw_only=True)
class PagerOptions:
    """`form` is `pagerduty`, `opsgenie` or `json`. `key` None: none is sent. `ca_path`: certificates that are trusted too."""

    name: str
    form: str
    url: str
    key: Secret | None
    ca_path: Path | None = None
    time_limit_s: float = 15.0
