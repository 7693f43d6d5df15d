"""The exact recovery proposed. Its hash is what people approve."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from bot.model.codec import digest, to_json


class Strategy(enum.StrEnum):
    """How step 5 brings the data back."""

    REPAIR = "repair"
    SALVAGE = "salvage"
    SWAP = "swap"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that a cut-over depends on. Anything that changes here makes another plan, and voids the approval.

    `live_fingerprint` is the content of production that the rehearsal started from; `scratch_fingerprint` is the
    content that goes live. `table_decisions` maps a table to `restore` or `leave` for its missing rows.
    """

    site: str
    host: str
    host_key: str
    app_path: str
    database: str
    database_identity: str
    engine: str
    engine_version: str
    backup_path: str
    backup_sha256: str
    safety_path: str
    safety_sha256: str
    strategy: Strategy
    bad_migration: str
    table_decisions: dict[str, str] = field(default_factory=dict)
    live_fingerprint: str
    scratch_path: str
    scratch_fingerprint: str
    code_commit: str | None
    commands: tuple[str, ...] = ()
    approvals_needed: int = 1

    @property
    def hash(self) -> str:
        """Return the plan's hash: SHA-256 over every field."""
        return digest(to_json(self))
