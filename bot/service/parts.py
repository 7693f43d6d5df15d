"""What every use case works with: the ports, the settings, and the people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bot.model.database import Access
from bot.model.message import Reply
from bot.model.person import Person
from bot.ports.browser import Browser
from bot.ports.clock import Clock
from bot.ports.database import Database
from bot.ports.host import Hosts
from bot.ports.mail import Mail
from bot.ports.pager import Pager
from bot.ports.probe import Probe
from bot.ports.store import IncidentRow, Store
from bot.service.drawing import Drawing
from bot.settings import Settings, SiteSettings


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The ports of one running bot. `database_for` gives the adapter of an engine by Laravel's name of its driver, None
    if there is none; with it goes how the credentials are learned on the host, and Backout's folder there.

    `wake` tells the engine that an operation was added. `mail` None: no mail server can be used; `pagers` are those that can.
    `browser` None: the settings name none. `drawing` makes all PDFs.
    """

    settings: Settings
    store: Store
    hosts: Hosts
    database_for: Callable[[str, Access, str, Sequence[str]], Database | None]
    probe: Probe
    clock: Clock
    wake: Callable[[], None]
    mail: Mail | None = None
    pagers: Mapping[str, Pager] = field(default_factory=dict)
    browser: Browser | None = None
    drawing: Drawing = field(default_factory=Drawing)

    def site(self, name: str) -> SiteSettings:
        """Return the settings of a site. *Raises* KeyError for an unknown one."""
        return self.settings.sites[name]

    def person_of(self, platform: str, account: str) -> Person | None:
        """Return the person behind an account, or None for a stranger."""
        return next((p for p in self.settings.persons() if p.ids.get(platform) == account), None)

    def person(self, name: str) -> Person | None:
        """Return the person of that name."""
        return next((p for p in self.settings.persons() if p.name == name), None)


@dataclass(frozen=True, kw_only=True)
class Call:
    """One command by one permitted person. `incident` is that of the channel or site named, None where none is needed."""

    person: Person
    platform: str
    channel: str
    delivery_id: str
    text: str
    site: str | None = None
    incident: IncidentRow | None = None

    @property
    def incident_id(self) -> str:
        """Return the incident's id; only for commands that need one."""
        if self.incident is None:
            raise LookupError("this command was run without an incident")
        return self.incident.id


def refused(text: str, *suggestions: str) -> Reply:
    """Return the reply to something that may not happen or was wrong: nothing was changed."""
    return Reply(text=text, ok=False, suggestions=suggestions)
