"""A timeline that was tampered with is found out, by the number of the entry."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sql_store.store import SqlStore
from adapters.sql_store.verify import timeline_heads, verify_timelines
from bot.model.event import GENESIS, Entry, Kind, NewEntry, chain, first_fault

AT = datetime(2026, 1, 31, 3, 0, tzinfo=UTC)


def timeline(count: int) -> list[Entry]:
    new = [NewEntry(kind=Kind.NOTE, text=f"entry {i}", data={"n": i}) for i in range(1, count + 1)]
    return chain("shop-1", (0, GENESIS), AT, new)


def head(entries: list[Entry]) -> tuple[int, str]:
    return len(entries), entries[-1].hash


@given(st.integers(1, 12))
def test_an_untouched_timeline_is_whole(count: int) -> None:
    """A timeline as it was written has no fault."""
    entries = timeline(count)
    assert first_fault("shop-1", entries, head(entries)) is None


@given(st.integers(2, 12).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n))), st.data())
def test_any_edit_is_named(size: tuple[int, int], data: st.DataObject) -> None:
    """An edit of any field of any entry is found at that entry."""
    count, at = size
    entries = timeline(count)
    change = data.draw(
        st.sampled_from(
            [
                {"text": "other"},
                {"actor": "mallory"},
                {"data": {"n": -1}},
                {"kind": Kind.APPROVED},
                {"at": datetime(2026, 1, 31, 3, 1, tzinfo=UTC)},
                {"incident_id": "shop-2"},
                {"hash": "f" * 64},
            ]
        )
    )
    changed = [*entries[: at - 1], replace(entries[at - 1], **change), *entries[at:]]
    fault = first_fault("shop-1", changed, head(entries))
    assert fault is not None
    assert f"entry {at}:" in fault


@given(st.integers(2, 12).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n))))
def test_any_deletion_is_named(size: tuple[int, int]) -> None:
    """A removed entry, the last one too, is found at its number."""
    count, at = size
    entries = timeline(count)
    fault = first_fault("shop-1", entries[: at - 1] + entries[at:], head(entries))
    assert fault is not None
    assert f"entry {at}:" in fault


@given(st.permutations(range(6)))
def test_any_reordering_is_named(order: list[int]) -> None:
    """Entries in another order are found at the first one that is out of place."""
    entries = timeline(6)
    moved = next((i for i, place in enumerate(order) if i != place), None)
    fault = first_fault("shop-1", [entries[i] for i in order], head(entries))
    assert (fault is None) == (moved is None)
    assert moved is None or (fault is not None and f"entry {moved + 1}:" in fault)


# -- the same in a real file, by a person who has the file and knows how to drop triggers


@pytest.fixture
async def tampered(tmp_path: Path) -> AsyncIterator[tuple[SqlStore, sqlite3.Connection]]:
    """A store with four entries of one incident, and a plain connection to it without the triggers."""
    store = await SqlStore.open(f"sqlite:///{tmp_path}/store.db")
    await store.transact(
        lambda tx: tx.open_incident(incident_id="shop-1", site="shop", channel="c", title="t")
    )
    new = [NewEntry(kind=Kind.NOTE, text=f"entry {i}", data={"n": i}) for i in range(1, 5)]
    await store.transact(lambda tx: tx.append("shop-1", new))
    connection = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    yield store, connection
    connection.close()
    await store.close()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("UPDATE entries SET text = 'entry two' WHERE sequence = 2", "shop-1 entry 2"),
        ("UPDATE entries SET data = '{\"n\":3.0}' WHERE sequence = 3", "shop-1 entry 3"),
        ("UPDATE entries SET data = '{' WHERE sequence = 3", "shop-1 entry 3"),
        ("UPDATE entries SET kind = 'no.such' WHERE sequence = 1", "shop-1 entry 1"),
        ("UPDATE entries SET at = 'yesterday' WHERE sequence = 4", "shop-1 entry 4"),
        ("UPDATE entries SET text = x'ff00' WHERE sequence = 4", "shop-1 entry 4"),
        ("UPDATE entries SET actor = 'someone else' WHERE sequence = 4", "shop-1 entry 4"),
        ("DELETE FROM entries WHERE sequence = 1", "shop-1 entry 1"),
        ("DELETE FROM entries WHERE sequence = 3", "shop-1 entry 3"),
        ("DELETE FROM entries WHERE sequence = 4", "shop-1 entry 4"),
        ("DELETE FROM entries", "shop-1 entry 1"),
        (
            ";".join(
                f"UPDATE entries SET sequence = {b} WHERE sequence = {a}" for a, b in ((2, 9), (3, 2), (9, 3))
            ),
            "shop-1 entry 2",
        ),
        ("DELETE FROM entries WHERE sequence = 4; UPDATE incidents SET entry_count = 3", "shop-1 entry 4"),
        ("DELETE FROM incidents", "shop-1: entries of an incident whose row is missing"),
        ("UPDATE incidents SET number = 2", "site shop: 1 of its 2 incidents are missing"),
    ],
)
async def test_tampering_with_the_file_is_named(
    tampered: tuple[SqlStore, sqlite3.Connection], change: str, named: str
) -> None:
    """Whatever is changed in the file behind Backout's back is named, by entry where there is one."""
    store, connection = tampered
    assert await verify_timelines(store) == []
    connection.executescript(change)
    faults = await verify_timelines(store)
    assert len(faults) == 1
    assert named in faults[0]


async def test_the_heads_tell_of_a_rewritten_store(tampered: tuple[SqlStore, sqlite3.Connection]) -> None:
    """The heads are the count and last hash of each timeline, to be kept elsewhere."""
    store, _ = tampered
    entries = await store.transact(lambda tx: tx.entries("shop-1"))
    assert await timeline_heads(store) == {"shop-1": (4, entries[-1].hash)}
