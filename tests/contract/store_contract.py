"""What every store must do, whatever it is made of. A subclass gives the fixture `store`."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.model.decision import Choice, Decision, DecisionState
from bot.model.errors import LeaseLostError
from bot.model.event import GENESIS, Kind, NewEntry, first_fault
from bot.model.message import Message, Place, Progress, Table
from bot.model.operation import Operation, OperationState
from bot.model.person import Permission
from bot.model.room import Room, RoomState
from bot.ports.store import Deadline, IncidentRow, Store, Transaction

LEASE = timedelta(seconds=20)
LAPSED = timedelta(seconds=0)


def operation(name: str = "op-1", **more: object) -> Operation:
    values = {
        "kind": "restore",
        "incident_id": "shop-1",
        "site": "shop",
        "person": "ann",
        "args": {"backup": "b'1"},
    }
    return Operation(**{"id": name, **values, **more})


def decision(name: str = "d-1", **more: object) -> Decision:
    return Decision(
        **{
            "id": name,
            "incident_id": "shop-1",
            "purpose": "cutover",
            "question": "Cut over?",
            "body": "",
            "choices": (
                Choice(key="yes", label="Yes", typed="shop", args={"n": 1}),
                Choice(key="no", label="No", rejects=True),
            ),
            "permission": Permission.APPROVE,
            "opened_at": datetime(2026, 1, 31, 3, 0, tzinfo=UTC),
            **more,
        }
    )


async def open_shop(store: Store, number: int = 1, site: str = "shop") -> IncidentRow | None:
    return await store.transact(
        lambda tx: tx.open_incident(
            incident_id=f"{site}-{number}", site=site, channel=f"#{site}-{number}", title="lost"
        )
    )


async def add(store: Store, *names: str, **more: object) -> None:
    for name in names:
        await store.transact(lambda tx, name=name: tx.add_operation(operation(name, **more)))


async def claim(
    store: Store, owner: str, *, lease: timedelta = LEASE, exclude: tuple[str, ...] = ()
) -> list[Operation]:
    return await store.transact(lambda tx: tx.claim(owner, ["restore"], lease, 20, exclude))


def note(text: str, **data: object) -> NewEntry:
    return NewEntry(kind=Kind.NOTE, text=text, actor="ann", data=data)


class StoreContract:
    # -- transactions

    async def test_the_clock_is_aware_utc(self, store: Store) -> None:
        """The store's time has the zone UTC and is about now."""
        now = await store.transact(lambda tx: tx.now())
        assert now.utcoffset() == timedelta(0)
        assert abs(datetime.now(UTC) - now) < timedelta(minutes=1)

    async def test_what_raises_leaves_nothing(self, store: Store) -> None:
        """A transaction whose body raises has changed nothing, and its own error comes out."""
        await open_shop(store)

        async def body(tx: Transaction) -> None:
            await tx.append("shop-1", [note("never written")])
            raise OSError("the body's own")

        with pytest.raises(OSError, match="the body's own"):
            await store.transact(body)
        assert await store.transact(lambda tx: tx.entries("shop-1")) == []

    async def test_a_cancel_inside_a_transaction_leaves_no_lock(self, store: Store) -> None:
        """A cancelled caller hears its cancel only after the transaction was committed, and the next one goes on."""
        await open_shop(store)
        inside = asyncio.Event()

        async def slow(tx: Transaction) -> None:
            await tx.append("shop-1", [note("one")])
            inside.set()
            await asyncio.sleep(0.1)
            await tx.append("shop-1", [note("two")])

        caller = asyncio.create_task(store.transact(slow))
        await inside.wait()
        caller.cancel()
        await asyncio.sleep(0.02)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        async with asyncio.timeout(2):
            await store.transact(lambda tx: tx.append("shop-1", [note("three")]))
        entries = await store.transact(lambda tx: tx.entries("shop-1"))
        assert [entry.text for entry in entries] == ["one", "two", "three"]

    async def test_changes_are_told_after_the_commit(self, store: Store) -> None:
        """A listener hears the incident's id for each committed change, and nothing of one that was rolled back."""
        heard: list[str] = []
        store.on_change(heard.append)
        await open_shop(store)

        async def body(tx: Transaction) -> None:
            await tx.put_decision(decision())
            await tx.append("shop-1", [note("x")])
            raise ValueError

        with pytest.raises(ValueError):  # noqa: PT011 - the test's own
            await store.transact(body)
        await store.transact(lambda tx: tx.put_message("shop-1", Message(slot="status", title="t")))
        await asyncio.sleep(0)
        assert heard == ["shop-1", "shop-1"]

    # -- incidents and timelines

    async def test_a_site_has_one_open_incident(self, store: Store) -> None:
        """A second incident of a site is refused while one is open, and another site's is not."""
        first = await open_shop(store)
        assert first is not None
        assert first.head == (0, GENESIS)
        assert await open_shop(store, 2) is None
        assert await open_shop(store, 1, "blog") is not None

    async def test_a_closed_incident_makes_room(self, store: Store) -> None:
        """After the close a new incident may be opened, with the next number, and lists come newest first."""
        await open_shop(store)
        await store.transact(lambda tx: tx.close_incident("shop-1"))
        assert await store.transact(lambda tx: tx.next_incident_number("shop")) == 2
        await open_shop(store, 2)
        rows = await store.transact(lambda tx: tx.incidents(site="shop"))
        assert [row.id for row in rows] == ["shop-2", "shop-1"]
        assert rows[1].closed_at is not None
        assert [row.id for row in await store.transact(lambda tx: tx.incidents(open_only=True))] == ["shop-2"]
        assert [row.id for row in await store.transact(lambda tx: tx.incidents(channel="#shop-1"))] == [
            "shop-1"
        ]

    async def test_twenty_opens_at_once_give_one_incident(self, store: Store) -> None:
        """Twenty clicks on "start" at once open one incident."""
        opened = await asyncio.gather(*(open_shop(store, number) for number in range(20)))
        assert sum(row is not None for row in opened) == 1

    async def test_entries_read_as_they_were_written(self, store: Store) -> None:
        """What append returns is what is read later, hash for hash, with data of every JSON kind and hostile text."""
        await open_shop(store)
        data = {
            "n": 1.5,
            "none": None,
            "list": (1, "ü'; drop table entries; --"),
            "keys": {10: True, 9: "\n$(x)"},
        }
        written = await store.transact(
            lambda tx: tx.append("shop-1", [note("a'b\n\u2028"), note("two", d=data)])
        )
        read = await store.transact(lambda tx: tx.entries("shop-1"))
        assert read == written
        row = await store.transact(lambda tx: tx.incident("shop-1"))
        assert row is not None
        assert first_fault("shop-1", read, row.head) is None

    async def test_concurrent_appends_make_one_chain(self, store: Store) -> None:
        """Appends from many callers at once give one unbroken timeline, each entry once."""
        await open_shop(store)
        await asyncio.gather(
            *(
                store.transact(lambda tx, i=i: tx.append("shop-1", [note(f"{i}"), note(f"{i}b")]))
                for i in range(25)
            )
        )
        row = await store.transact(lambda tx: tx.incident("shop-1"))
        entries = await store.transact(lambda tx: tx.entries("shop-1"))
        assert row is not None
        assert first_fault("shop-1", entries, row.head) is None
        assert len({entry.text for entry in entries}) == 50
        assert [e.sequence for e in await store.transact(lambda tx: tx.entries("shop-1", after=48))] == [
            49,
            50,
        ]

    async def test_a_logbook_is_a_timeline_and_no_incident(self, store: Store) -> None:
        """A site's logbook takes entries and messages, stays out of the list of incidents, and is made once."""
        note = NewEntry(kind=Kind.NOTE, text="looked at")
        logbook = await store.transact(lambda tx: tx.open_logbook("shop"))
        assert await store.transact(lambda tx: tx.open_logbook("shop")) == logbook
        await store.transact(lambda tx: tx.append(logbook, [note]))
        await store.transact(lambda tx: tx.put_message(logbook, Message(slot="a", title="T")))

        opened = await open_shop(store)

        assert opened is not None
        assert [row.id for row in await store.read(lambda tx: tx.incidents())] == [opened.id]
        assert await store.read(lambda tx: tx.next_incident_number("shop")) == 2
        assert [e.text for e in await store.read(lambda tx: tx.entries(logbook))] == ["looked at"]
        assert logbook in await store.read(lambda tx: tx.unserved("web"))

    async def test_the_last_entries_of_a_kind(self, store: Store) -> None:
        """Only those kinds are given, the last ones, oldest first."""
        await open_shop(store)
        entries = [NewEntry(kind=k, text=f"{n}") for n, k in enumerate((Kind.NOTE, Kind.WATCH, Kind.NOTE))]
        await store.transact(lambda tx: tx.append("shop-1", [*entries, *entries]))

        found = await store.read(lambda tx: tx.last_entries("shop-1", [Kind.NOTE], 3))

        assert [(e.sequence, e.kind) for e in found] == [(3, Kind.NOTE), (4, Kind.NOTE), (6, Kind.NOTE)]

    async def test_an_unknown_incident_takes_no_entries(self, store: Store) -> None:
        """Writing to an incident that does not exist is an error, and reading it gives nothing."""
        with pytest.raises(LookupError):
            await store.transact(lambda tx: tx.append("nowhere-1", [note("x")]))
        assert await store.transact(lambda tx: tx.incident("nowhere-1")) is None

    # -- decisions, messages, deliveries

    async def test_a_decision_is_replaced_whole(self, store: Store) -> None:
        """A decision reads as it was put; the same id replaces it; an answered one is no longer open."""
        await open_shop(store)
        first = decision()
        later = decision("d-0", opened_at=datetime(2026, 1, 31, 4, 0, tzinfo=UTC))
        for one in (later, first):
            await store.transact(lambda tx, one=one: tx.put_decision(one))
        assert await store.transact(lambda tx: tx.decision("d-1")) == first
        assert await store.transact(lambda tx: tx.decisions(incident_id="shop-1")) == [first, later]
        answered = decision(
            state=DecisionState.ANSWERED, votes={"ann": "yes"}, answer="yes", answered_by="ann"
        )
        await store.transact(lambda tx: tx.put_decision(answered))
        assert await store.transact(lambda tx: tx.decisions()) == [later]
        assert await store.transact(lambda tx: tx.decisions(open_only=False)) == [answered, later]

    async def test_a_message_is_edited_in_its_slot(self, store: Store) -> None:
        """The same slot keeps its id and counts revisions; an equal message makes none; order is that of the first put."""
        await open_shop(store)
        table = Table(columns=("a", "b"), rows=(("1", "2"),), numeric=(0,))
        messages = [Message(slot="status", title="one"), Message(slot="step-1", title="x", table=table)]
        first, _ = [await store.transact(lambda tx, m=m: tx.put_message("shop-1", m)) for m in messages]
        assert await store.transact(lambda tx: tx.put_message("shop-1", messages[0])) == first
        progress = Progress(what="loading", done=1, total=2, unit="rows")
        edited = Message(slot="status", title="two", progress=progress, facts=(("a", "b"),))
        second = await store.transact(lambda tx: tx.put_message("shop-1", edited))
        assert (second.id, second.revision, second.message, second.channel) == (
            first.id,
            2,
            edited,
            "#shop-1",
        )
        stored = await store.transact(lambda tx: tx.messages("shop-1"))
        assert [one.message for one in stored] == [edited, messages[1]]
        assert len(first.id) <= 25

    async def test_a_platform_gets_each_revision(self, store: Store) -> None:
        """A message is undelivered until its latest revision is marked, on each platform by itself."""
        await open_shop(store)
        stored = await store.transact(lambda tx: tx.put_message("shop-1", Message(slot="s", title="1")))
        assert await store.transact(lambda tx: tx.undelivered("slack")) == [(stored, None)]
        await store.transact(lambda tx: tx.mark_delivered("slack", stored.id, 1, "ts-1"))
        assert await store.transact(lambda tx: tx.undelivered("slack")) == []
        assert await store.transact(lambda tx: tx.undelivered("web")) == [(stored, None)]
        edited = await store.transact(lambda tx: tx.put_message("shop-1", Message(slot="s", title="2")))
        assert await store.transact(lambda tx: tx.undelivered("slack")) == [(edited, "ts-1")]
        await store.transact(lambda tx: tx.mark_delivered("slack", stored.id, 2, "ts-1"))
        await store.transact(lambda tx: tx.mark_delivered("slack", stored.id, 1, "late"))
        assert await store.transact(lambda tx: tx.undelivered("slack")) == []

    async def test_a_message_that_was_sent_may_have_arrived(self, store: Store) -> None:
        """Between the attempt and its record a message is due, with an id that is empty: sent, and nobody knows."""
        await open_shop(store)
        stored = await store.transact(lambda tx: tx.put_message("shop-1", Message(slot="s", title="1")))
        await store.transact(lambda tx: tx.mark_attempt("slack", stored.id))
        assert await store.read(lambda tx: tx.undelivered("slack", "shop-1")) == [(stored, "")]
        assert await store.read(lambda tx: tx.delivered("slack", "shop-1")) == {}
        await store.transact(lambda tx: tx.mark_delivered("slack", stored.id, 1, "ts-1"))
        await store.transact(lambda tx: tx.mark_attempt("slack", stored.id))
        assert await store.read(lambda tx: tx.delivered("slack", "shop-1")) == {"s": "ts-1"}
        assert await store.read(lambda tx: tx.undelivered("slack")) == []

    async def test_incidents_with_something_due_are_found(self, store: Store) -> None:
        """Each incident of which a platform lacks something is named once; with a place that is gone it is due anew."""
        await open_shop(store)
        direct = Message(slot="d", title="1", place=Place.DIRECT, person="Dora")
        for message in (Message(slot="s", title="1"), Message(slot="t", title="1"), direct):
            await store.transact(lambda tx, m=message: tx.put_message("shop-1", m))
        assert await store.read(lambda tx: tx.unserved("slack")) == ["shop-1"]
        for stored, _ in await store.read(lambda tx: tx.undelivered("slack")):
            await store.transact(lambda tx, i=stored.id: tx.mark_delivered("slack", i, 1, "ts"))
        assert await store.read(lambda tx: tx.unserved("slack")) == []
        await store.transact(lambda tx: tx.forget_delivered("slack", "shop-1", Place.CHANNEL))
        due = await store.read(lambda tx: tx.undelivered("slack", "shop-1"))
        assert [(one.message.slot, external_id) for one, external_id in due] == [("s", None), ("t", None)]

    async def test_a_decision_that_changes_revises_what_shows_it(self, store: Store) -> None:
        """Each message with its buttons is due again, once, and no other message is."""
        await open_shop(store)
        for slot, shown in (("q", "d-1"), ("call", "d-1"), ("other", None)):
            message = Message(slot=slot, title="t", decision_id=shown)
            await store.transact(lambda tx, m=message: tx.put_message("shop-1", m))
        for changed in (decision(), decision(), decision(state=DecisionState.VOID)):
            await store.transact(lambda tx, d=changed: tx.put_decision(d))
        stored = await store.read(lambda tx: tx.messages("shop-1"))
        assert [(one.message.slot, one.revision) for one in stored] == [("q", 2), ("call", 2), ("other", 1)]

    async def test_a_room_is_found_by_incident_and_by_channel(self, store: Store) -> None:
        """A channel is kept whole, replaced whole, and leads back to its incident on its own platform only."""
        await open_shop(store)
        assert await store.read(lambda tx: tx.room("slack", "shop-1")) is None
        opening = Room(platform="slack", incident_id="shop-1")
        await store.transact(lambda tx: tx.put_room(opening))
        assert await store.read(lambda tx: tx.room_at("slack", "")) is None
        opened = replace(opening, state=RoomState.OPEN, channel="C1", name="inc", invited=("U1",))
        await store.transact(lambda tx: tx.put_room(opened))
        assert await store.read(lambda tx: tx.room("slack", "shop-1")) == opened
        assert await store.read(lambda tx: tx.room_at("slack", "C1")) == opened
        assert await store.read(lambda tx: tx.room_at("discord", "C1")) is None
        assert await store.read(lambda tx: tx.rooms("slack")) == [opened]

    async def test_a_delivery_is_new_once(self, store: Store) -> None:
        """Of the same delivery twenty times at once, one is the first."""
        seen = await asyncio.gather(*(store.transact(lambda tx: tx.first_delivery("T1")) for _ in range(20)))
        assert sorted(seen) == [False] * 19 + [True]

    # -- operations

    async def test_an_operation_is_added_once(self, store: Store) -> None:
        """The same id again adds nothing and changes nothing."""
        await add(store, "op-1")
        assert not await store.transact(lambda tx: tx.add_operation(operation(kind="other")))
        stored = await store.transact(lambda tx: tx.operation("op-1"))
        assert stored is not None
        assert (stored.kind, stored.args, stored.state, stored.fence) == (
            "restore",
            {"backup": "b'1"},
            "running",
            0,
        )
        assert stored.created_at is not None

    async def test_a_claim_is_exclusive_until_it_lapses(self, store: Store) -> None:
        """A claimed operation is nobody else's until its lease has lapsed; the next claim has the next fence."""
        await add(store, "op-1")
        first = await claim(store, "one", lease=timedelta(seconds=2))
        assert [(one.fence, one.owner) for one in first] == [(1, "one")]
        assert await claim(store, "two") == []
        await asyncio.sleep(2.1)
        assert await claim(store, "two", exclude=("op-1",)) == []
        assert [one.fence for one in await claim(store, "two")] == [2]
        with pytest.raises(LeaseLostError):
            await store.transact(lambda tx: tx.prove_owner("op-1", "one", 1))
        await store.transact(lambda tx: tx.prove_owner("op-1", "two", 2))

    async def test_two_claimers_share_without_overlap(self, store: Store) -> None:
        """Many operations claimed by two owners at once go to one each."""
        await add(store, *(f"op-{i}" for i in range(30)))
        claims = await asyncio.gather(*(claim(store, f"o{i % 2}") for i in range(4)))
        ids = [one.id for batch in claims for one in batch]
        assert sorted(ids) == sorted({f"op-{i}" for i in range(30)})

    async def test_only_the_kinds_asked_for_are_claimed(self, store: Store) -> None:
        """An operation whose kind this process cannot run is left for another."""
        await add(store, "op-1", kind="unheard-of")
        assert await claim(store, "one") == []

    async def test_a_renewal_tells_what_is_still_held(self, store: Store) -> None:
        """Renewing gives back the operations still held, with a cancel that was asked for meanwhile."""
        await add(store, "op-1", "op-2")
        await claim(store, "one", lease=LAPSED)
        await store.transact(lambda tx: tx.request_cancel("op-2"))
        await store.transact(lambda tx: tx.finish_operation("op-1", OperationState.DONE, result={"a": 1}))
        held = await store.transact(lambda tx: tx.renew("one", ["op-1", "op-2"], LEASE))
        assert {name: one.cancel_requested for name, one in held.items()} == {"op-2": True}
        assert await store.transact(lambda tx: tx.renew("two", ["op-2"], LEASE)) == {}

    async def test_leases_given_back_are_free_at_once(self, store: Store) -> None:
        """A lease its owner gives back can be claimed at once and does not count as a try; one taken away does."""
        await add(store, "op-1")
        await claim(store, "one")
        await store.transact(lambda tx: tx.begin_try("op-1"))
        await store.transact(lambda tx: tx.release_leases("two"))
        assert await claim(store, "two") == []
        await store.transact(lambda tx: tx.release_leases("one"))
        assert [(one.fence, one.tries) for one in await claim(store, "two")] == [(2, 0)]
        await store.transact(lambda tx: tx.begin_try("op-1"))
        await store.transact(lambda tx: tx.release_leases(None))
        assert [(one.fence, one.tries) for one in await claim(store, "three")] == [(3, 1)]

    async def test_tries_are_counted_since_the_last_progress(self, store: Store) -> None:
        """Tries are counted until the operation records a new checkpoint; a revived one starts from none."""
        await add(store, "op-1")

        async def next_try() -> int:
            return await store.transact(lambda tx: tx.begin_try("op-1"))

        assert [await next_try() for _ in range(3)] == [1, 2, 3]
        await store.transact(lambda tx: tx.add_checkpoint("op-1", "a", 1))
        assert [await next_try() for _ in range(2)] == [2, 3]
        await store.transact(lambda tx: tx.add_checkpoint("op-1", "a", 2))
        assert await next_try() == 4
        await store.transact(lambda tx: tx.finish_operation("op-1", OperationState.FAILED))
        await store.transact(lambda tx: tx.revive_operation("op-1"))
        assert await next_try() == 1

    async def test_checkpoints_keep_their_first_result(self, store: Store) -> None:
        """A checkpoint is recorded once; None is a result like any other."""
        await add(store, "op-1")
        assert await store.transact(lambda tx: tx.add_checkpoint("op-1", "a", None))
        assert await store.transact(lambda tx: tx.add_checkpoint("op-1", "b", {"x": [1]}))
        assert not await store.transact(lambda tx: tx.add_checkpoint("op-1", "a", "other"))
        assert await store.transact(lambda tx: tx.checkpoints("op-1")) == {"a": None, "b": {"x": [1]}}

    async def test_an_end_is_for_good_until_it_is_revived(self, store: Store) -> None:
        """An ended operation keeps its first end and is proven by nobody; a failed one can be revived, a done one not."""
        await add(store, "op-1", "op-2")
        await claim(store, "one")
        await store.transact(lambda tx: tx.finish_operation("op-1", OperationState.FAILED, error="why"))
        await store.transact(lambda tx: tx.finish_operation("op-1", OperationState.DONE))
        ended = await store.transact(lambda tx: tx.operation("op-1"))
        assert ended is not None
        assert (ended.state, ended.error, ended.ended_at is None) == (OperationState.FAILED, "why", False)
        with pytest.raises(LeaseLostError):
            await store.transact(lambda tx: tx.prove_owner("op-1", "one", 1))
        assert not await store.transact(lambda tx: tx.request_cancel("op-1"))
        assert await store.transact(lambda tx: tx.revive_operation("op-1"))
        assert not await store.transact(lambda tx: tx.revive_operation("op-1"))
        assert [(one.id, one.error) for one in await claim(store, "two")] == [("op-1", None)]
        await store.transact(lambda tx: tx.finish_operation("op-2", OperationState.DONE, result=[1]))
        assert not await store.transact(lambda tx: tx.revive_operation("op-2"))
        done = await store.transact(lambda tx: tx.operations(incident_id="shop-1", state=OperationState.DONE))
        assert [(one.id, one.result) for one in done] == [("op-2", [1])]

    async def test_a_site_is_held_by_one_operation(self, store: Store) -> None:
        """Of ten that take a site at once one gets it, and only that one can free it."""
        names = [f"op-{i}" for i in range(10)]
        await add(store, *names)
        holders = await asyncio.gather(
            *(store.transact(lambda tx, n=n: tx.take_site("shop", n)) for n in names)
        )
        holder = holders[0]
        assert set(holders) == {holder}
        other = next(name for name in names if name != holder)
        assert not await store.transact(lambda tx: tx.free_site("shop", other))
        assert await store.transact(lambda tx: tx.site_holder("shop")) == holder
        assert await store.transact(lambda tx: tx.free_site("shop", holder))
        assert await store.transact(lambda tx: tx.site_holder("shop")) is None
        assert await store.transact(lambda tx: tx.take_site("shop", other)) == other

    # -- deadlines

    async def test_a_deadline_is_won_once(self, store: Store) -> None:
        """What is due is given to one caller, the earliest first; what is not due stays."""
        now = await store.transact(lambda tx: tx.now())
        for key, seconds in (("b", -1), ("a", -2), ("later", 60), ("dropped", -3)):
            due = now + timedelta(seconds=seconds)
            one = Deadline(key=key, kind="page", due_at=due, incident_id=None, args={"n": 1})
            await store.transact(lambda tx, one=one: tx.set_deadline(one))
        await store.transact(lambda tx: tx.drop_deadline("dropped"))
        won = await asyncio.gather(*(store.transact(lambda tx: tx.win_due()) for _ in range(4)))
        assert [one.key for batch in won for one in batch] == ["a", "b"]
        assert await store.transact(lambda tx: tx.next_due()) == now + timedelta(seconds=60)

    async def test_a_deadline_is_read_by_its_key(self, store: Store) -> None:
        """A deadline can be looked at without being won; one that is not there is None."""
        due = Deadline(
            key="k", kind="page", due_at=datetime(2999, 1, 1, tzinfo=UTC), incident_id=None, args={"n": 1}
        )
        await store.transact(lambda tx: tx.set_deadline(due))

        assert await store.read(lambda tx: tx.deadline("k")) == due
        assert await store.read(lambda tx: tx.deadline("other")) is None

    async def test_a_deadline_can_be_moved(self, store: Store) -> None:
        """Setting a key again moves it; dropping one that is not there does nothing."""
        now = await store.transact(lambda tx: tx.now())
        for hours in (1, 2):
            one = Deadline(
                key="k", kind="page", due_at=now + timedelta(hours=hours), incident_id="i", args={}
            )
            await store.transact(lambda tx, one=one: tx.set_deadline(one))
        assert await store.transact(lambda tx: tx.next_due()) == now + timedelta(hours=2)
        await store.transact(lambda tx: tx.drop_deadline("nothing"))
