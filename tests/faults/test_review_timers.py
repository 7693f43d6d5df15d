"""One deadline that cannot be handled must not silence all the others, nor keep Backout from starting."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path

from bot.model.event import Kind, NewEntry
from bot.ports.store import Deadline, Transaction
from bot.service.timers import Timers
from bot.settings import load_settings
from bot.wiring import build

SETTINGS = """
[store]
path = "records/backout.db"
[web]
port = 1
[[people]]
name = "Anna"
ids = { web = "anna" }
sites = ["shop"]
[sites.shop]
app_path = "/srv/shop"
url = "http://127.0.0.1:1"
backups = ["/srv/backups"]
[[sites.shop.contacts]]
name = "Dora"
role = "DBA"
[sites.shop.ssh]
address = "127.0.0.1"
user = "shop"
known_hosts = "known_hosts"
"""


class Bell:
    """An alarm clock that only remembers when it is to ring."""

    def __init__(self) -> None:
        self.set_for: list[datetime] = []

    def start(self) -> None:
        """Begin."""

    def ring_at(self, name: str, at: datetime, call: Callable[[], Awaitable[None]]) -> None:
        """Remember the time."""
        del name, call
        self.set_for.append(at)

    def close(self) -> None:
        """End."""


async def test_a_deadline_of_a_site_that_left_the_settings_stops_nothing(tmp_path: Path) -> None:
    """A call that is due for a site no longer in the settings is passed over; the next site's is made, and the clock set."""
    path = tmp_path / "backout.toml"
    path.write_text(SETTINGS)
    bot = await build(load_settings(path))
    now = bot.parts.clock.now() - timedelta(seconds=5)

    async def two_calls(tx: Transaction) -> None:
        for site in ("gone", "shop"):
            incident = f"inc-{site}-1"
            await tx.open_incident(incident_id=incident, site=site, channel=incident, title="x")
            opened = NewEntry(kind=Kind.INCIDENT_OPENED, text="x", data={"site": site})
            called = NewEntry(kind=Kind.ESCALATED, text="x", data={"reason": "x", "rules": []})
            await tx.append(incident, [opened, called])
            args = {"site": site, "attempt": 0}
            await tx.set_deadline(
                Deadline(key=f"page.{incident}", kind="page", due_at=now, incident_id=incident, args=args)
            )

    await bot.parts.store.transact(two_calls)
    bell = Bell()
    try:
        await Timers(bot.parts, bell).start()
        kinds = [e.kind for e in await bot.parts.store.transact(lambda tx: tx.entries("inc-shop-1"))]
        assert Kind.PAGED in kinds
        assert bell.set_for
    finally:
        await bot.parts.hosts.close()
        await bot.parts.store.close()
