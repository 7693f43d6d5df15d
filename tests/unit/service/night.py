"""A site at night on a host of which the test tells every answer, and an engine that really works on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

from adapters.apscheduler_alarms.alarms import ApschedulerAlarms
from adapters.sqlite_database.database import SqliteDatabase
from bot.model.decision import Decision
from bot.model.event import Kind
from bot.model.operation import Operation
from bot.model.step import Step
from bot.service.engine import Engine, Pace
from bot.service.operations.kinds import aborts, after_end, handlers
from bot.service.timers import Timers
from tests.playbooks.story import FROZEN_STORY, moment, step_done
from tests.unit.service.office import Office
from tests.unit.service.told_host import LIVE, ToldHost, ToldHosts

SHOP = "inc-shop-1"
QUICK = Pace(lease=timedelta(seconds=20), poll=timedelta(seconds=0.02), first_retry=timedelta(seconds=0.01))
# A site that was assessed, frozen and copied: the next thing is a plan.
SAFE = FROZEN_STORY.and_then(
    moment(
        Kind.ASSESSED,
        bad_migration="2025_01_03_000000_gone",
        loss={"verdict": "loss"},
        database=LIVE,
        database_identity="1:2",
        size_bytes=5_000,
    ),
    moment(
        Kind.BACKUPS_LISTED,
        backups=[
            {
                "path": "/backups/night.sqlite",
                "word": "VERIFIED",
                "recommended": True,
                "sha256": "b" * 64,
                "rows": {"things": 10},
            }
        ],
    ),
    moment(
        Kind.SAFETY_MADE, path="/safety/one.sqlite", sha256="5" * 64, size_bytes=5_000, fingerprint="e" * 64
    ),
    step_done(Step.SAFETY_BACKUP),
)


class Night:
    """A site on a host of which the test tells every answer, and an engine that works on it."""

    def __init__(self, office: Office, host: ToldHost | None = None) -> None:
        self.office = office
        self.host = host or ToldHost()
        self.parts = replace(
            office.parts, hosts=ToldHosts(self.host), database_for=lambda *_: SqliteDatabase()
        )
        self.engine = Engine(
            office.store,
            "one",
            handlers(self.parts),
            aborts(self.parts),
            at_end=after_end(self.parts),
            pace=QUICK,
            lease=QUICK.lease,
            poll=QUICK.poll,
        )
        self._numbers = count(1)

    async def run(self, kind: str, **args: Any) -> Operation:
        """Run an operation to its end, whichever that is."""
        operation_id = await self.begin(kind, **args)
        return await self.engine.wait(operation_id, timedelta(seconds=250))

    async def begin(self, kind: str, **args: Any) -> str:
        operation = Operation(
            id=f"{kind}-{next(self._numbers)}",
            kind=kind,
            incident_id=SHOP,
            site="shop",
            person="Anna",
            args=args,
        )
        await self.office.store.transact(lambda tx: tx.add_operation(operation))
        self.engine.wake()
        return operation.id

    async def called(self) -> list[str]:
        """Return the rules that fired so far; each has led to a call."""
        fired = [e.data["rules"] for e in await self.office.timeline(Kind.ESCALATED)]
        await Timers(self.parts, ApschedulerAlarms())._handle_due()
        paged = [e.data["contact"] for e in await self.office.timeline(Kind.PAGED)]
        assert bool(paged) is bool(fired)
        return list(fired[-1]) if fired else []

    async def asked(self, purpose: str) -> Decision:
        """Return the open question of this purpose."""
        (found,) = [one for one in await self.office.open_decisions() if one.purpose == purpose]
        return found

    async def press(self, purpose: str, choice: str) -> Operation | None:
        """Have Anna press a button of an open question, and return the work that it started, at its end."""
        decision = await self.asked(purpose)
        reply = await self.office.clicks("anna", decision.id, choice)
        assert reply.ok, reply.text
        self.engine.wake()
        if reply.operation_id is None:
            return None
        return await self.engine.wait(reply.operation_id, timedelta(seconds=250))


@asynccontextmanager
async def night_at(office: Office, host: ToldHost | None = None) -> AsyncIterator[Night]:
    """Give a night whose engine runs, on a host of its own where none is given."""
    made = Night(office, host)
    await made.engine.start(sole=True)
    try:
        yield made
    finally:
        await made.engine.close()
