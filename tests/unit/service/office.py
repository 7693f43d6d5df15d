"""The service over a real store in memory: people type and answer, and what would run is written down, not run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from adapters.sql_store.store import SqlStore
from bot.model.decision import Choice, Decision
from bot.model.errors import StoreUnavailableError
from bot.model.event import Entry, Kind, NewEntry
from bot.model.incident import Incident
from bot.model.message import IncomingCommand, Reply
from bot.model.operation import Operation, OperationState
from bot.ports.store import Store, Transaction
from bot.service.desk import Question, open_question, read_state, void
from bot.service.dispatch import Dispatcher
from bot.service.parts import Parts
from bot.settings import Settings
from commands.catalog import read
from tests.fakes.host import FakeHosts
from tests.playbooks.story import Story

T = TypeVar("T")
START = datetime(2026, 1, 31, 3, 0, tzinfo=UTC)
ADDRESS = {"address": "host.example", "user": "deploy", "known_hosts": "known_hosts"}
PEOPLE = [
    {
        "name": "Anna",
        "ids": {"web": "anna", "slack": "U1"},
        "sites": ["shop"],
        "may_respond": True,
        "may_approve": True,
    },
    {"name": "Boris", "ids": {"web": "boris"}, "sites": ["shop"], "may_respond": True, "may_approve": True},
    {"name": "Clara", "ids": {"web": "clara"}, "sites": ["shop"]},
    {"name": "Emil", "ids": {"web": "emil"}, "sites": ["shop"], "may_respond": True},
    {"name": "Nora", "ids": {"web": "nora"}, "sites": ["north"], "may_respond": True, "may_approve": True},
    {"name": "Olaf", "ids": {"web": "olaf"}},
]


class Time:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        """Return the present time."""
        return self.at

    def passes(self, span: timedelta) -> None:
        """Let time pass."""
        self.at += span


class NoProbe:
    """A web front that is never asked in these tests."""


class TrippingStore:
    """A store whose next transactions but `left` cannot be reached; None: all can."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.left: int | None = None

    async def transact(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run the body, or trip."""
        if self.left is not None:
            if self.left == 0:
                raise StoreUnavailableError("no space left on device")
            self.left -= 1
        return await self._store.transact(body)

    async def read(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        """Read, or trip."""
        if self.left == 0:
            raise StoreUnavailableError("no space left on device")
        return await self._store.read(body)

    def on_change(self, callback: Callable[[str], None]) -> None:
        """Pass on."""
        self._store.on_change(callback)

    async def close(self) -> None:
        """Pass on."""
        await self._store.close()


def settings_of(folder: Path) -> Settings:
    """Return settings of two sites, `shop` and `north`, and six people."""
    site = {"ssh": ADDRESS, "app_path": "/srv/app", "url": "http://app.example", "backups": ["/backups"]}
    contacts = [{"name": "Dora", "person": "Anna", "phone": "+49 30 0000"}, {"name": "Egon"}]
    return Settings.model_validate(
        {
            "folder": folder,
            "people": PEOPLE,
            "sites": {"shop": {**site, "contacts": contacts}, "north": {**site, "archive_on_close": True}},
        }
    )


class Office:
    """One bot's service without an engine: operations stay as they were added."""

    def __init__(self, store: SqlStore, clock: Time, folder: Path) -> None:
        self.store = TrippingStore(store)
        self.clock = clock
        self._numbers = count(1)
        self.parts = Parts(
            settings=settings_of(folder),
            store=self.store,
            hosts=FakeHosts({}),
            database_for=lambda *_: None,
            probe=NoProbe(),  # type: ignore[arg-type]  # nothing here asks it
            clock=clock,
            wake=lambda: None,
        )
        self.inbox = Dispatcher(self.parts, read)

    def inbox_on(self, store: Store) -> Dispatcher:
        """Return the same door over another store."""
        return Dispatcher(replace(self.parts, store=store), read)

    async def types(self, account: str, text: str, channel: str = "inc-shop-1", delivery: str = "") -> Reply:
        """Return the reply to a command as someone types it."""
        return await self.inbox.command(
            IncomingCommand(
                platform="web",
                account=account,
                channel=channel,
                text=text,
                delivery_id=delivery or f"typed-{next(self._numbers)}",
            )
        )

    async def clicks(self, account: str, decision: str, choice: str, typed: str | None = None) -> Reply:
        """Return the reply to an answer as someone clicks it."""
        delivery = f"clicked-{next(self._numbers)}"
        return await self.inbox.answer(
            platform="web",
            account=account,
            decision_id=decision,
            choice=choice,
            typed=typed,
            delivery_id=delivery,
        )

    async def tell(self, story: Story, incident_id: str = "inc-shop-1", site: str = "shop") -> None:
        """Open an incident whose timeline is this story."""
        entries = [NewEntry(kind=k, actor=a, text=t, data=d) for k, a, t, d in story.moments]

        async def body(tx: Transaction) -> None:
            await tx.open_incident(incident_id=incident_id, site=site, channel=incident_id, title="t")
            await tx.append(incident_id, entries)

        await self.store.transact(body)

    async def tell_entries(self, entries: list[NewEntry], incident_id: str = "inc-shop-1") -> None:
        """Open an incident with these entries."""

        async def body(tx: Transaction) -> None:
            await tx.open_incident(incident_id=incident_id, site="shop", channel=incident_id, title="t")
            await tx.append(incident_id, entries)

        await self.store.transact(body)

    async def void(self, decision: Decision) -> None:
        """Void a decision."""
        await self.store.transact(lambda tx: void(tx, decision, "Done."))

    async def goes_on(self, *moments: Any, incident_id: str = "inc-shop-1") -> None:
        """Append moments to an incident's timeline."""
        entries = [NewEntry(kind=k, actor=a, text=t, data=d) for k, a, t, d in moments]
        await self.store.transact(lambda tx: tx.append(incident_id, entries))

    async def asked(self, question: Question) -> Decision:
        """Open a question and return its decision."""
        return await self.store.transact(lambda tx: open_question(tx, "inc-shop-1", question, "backout"))

    async def decision(self, decision_id: str) -> Decision:
        """Return a decision as it is kept."""
        found = await self.store.transact(lambda tx: tx.decision(decision_id))
        assert found is not None
        return found

    async def open_decisions(self) -> list[Decision]:
        """Return all open decisions."""
        return await self.store.transact(lambda tx: tx.decisions())

    async def operations(self) -> list[Operation]:
        """Return all operations that were added."""
        return await self.store.transact(lambda tx: tx.operations())

    async def running(self, kind: str, *, changes_site: bool = False) -> Operation:
        """Add an operation that runs now."""
        operation = Operation(
            id=f"running-{kind}",
            kind=kind,
            incident_id="inc-shop-1",
            site="shop",
            person="Boris",
            changes_site=changes_site,
        )
        await self.store.transact(lambda tx: tx.add_operation(operation))
        return operation

    async def ended(self, operation_id: str) -> None:
        """Record that an operation is done."""
        await self.store.transact(lambda tx: tx.finish_operation(operation_id, OperationState.DONE))

    async def timeline(self, *kinds: Kind, incident_id: str = "inc-shop-1") -> list[Entry]:
        """Return an incident's entries, of these kinds if any are named."""
        entries = await self.store.transact(lambda tx: tx.entries(incident_id))
        return [e for e in entries if not kinds or e.kind in kinds]

    async def state(self) -> Incident:
        """Return the incident's state."""
        return await read_state(self.parts, "inc-shop-1")


YES_NO = (
    Choice(key="yes", label="Yes", style="primary", starts="backups", args={"n": 1}),
    Choice(key="no", label="No", rejects=True),
)
