"""People: who may do what. Votes and permissions belong to persons, not to accounts."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class Permission(enum.StrEnum):
    """What a command or decision asks of a person. Deny by default."""

    READ = "read"  # any person of the site
    RESPOND = "respond"
    APPROVE = "approve"


@dataclass(frozen=True, kw_only=True)
class Person:
    """One human being. `ids` maps a platform (`web`, `slack`, `discord`) to the id of the account there."""

    name: str
    ids: dict[str, str] = field(default_factory=dict)
    sites: tuple[str, ...] = ()
    may_respond: bool = False
    may_approve: bool = False

    def refusal_to_read(self, site: str) -> str | None:
        """Return why this person may not even see the site, or None when they may."""
        return (
            None if site in self.sites else f"{self.name} is not listed for the site {site} in the settings"
        )

    def refusal(self, permission: Permission, site: str) -> str | None:
        """Return why this person may not do it on this site, or None when they may."""
        if reason := self.refusal_to_read(site):
            return reason
        if permission is Permission.RESPOND and not self.may_respond:
            return f"{self.name} may read but not respond to incidents on {site} (settings: may_respond)"
        if permission is Permission.APPROVE and not self.may_approve:
            return f"{self.name} may not approve on {site} (settings: may_approve)"
        return None


@dataclass(frozen=True, kw_only=True)
class Contact:
    """Someone to call, in the order of the settings. `person` names a Person who can acknowledge.

    `pagers` are rung with each call of this contact. `calls` is how often it is this one's turn before it is the next
    one's; `page_again` the seconds between two calls, None: the site's own.
    """

    name: str
    role: str
    person: str | None = None
    phone: str | None = None
    email: str | None = None
    handle: str | None = None
    note: str | None = None
    pagers: tuple[str, ...] = ()
    calls: int = 2
    page_again: float | None = None


@dataclass(frozen=True, kw_only=True)
class Hosting:
    """Whom to ask where the hosting provider keeps the site: what the runbook wants at hand. None: not in the settings."""

    name: str | None = None
    phone: str | None = None
    account_id: str | None = None
    ticket_url: str | None = None
    note: str | None = None
