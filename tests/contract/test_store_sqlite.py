"""The store on SQLite: the contract, in a file and in memory, and what is special to a file."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from adapters.sql_store.database import MIGRATIONS, NEWEST
from adapters.sql_store.schema import metadata
from adapters.sql_store.store import SqlStore
from bot.model.decision import DecisionState
from bot.model.errors import NotStartedError, SettingsError, StoreUnavailableError
from bot.model.event import Kind, NewEntry
from bot.model.incident import fold
from bot.ports.store import Store, Transaction
from tests.contract.store_contract import StoreContract, decision, note, open_shop


class TestStoreInAFile(StoreContract):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[Store]:
        opened = await SqlStore.open(f"sqlite:///{tmp_path}/store.db")
        yield opened
        await opened.close()


class TestStoreInMemory(StoreContract):
    @pytest.fixture
    async def store(self) -> AsyncIterator[Store]:
        opened = await SqlStore.open("sqlite://")
        yield opened
        await opened.close()


REPLACE_FIRST_BY_SECOND = (
    "INSERT OR REPLACE INTO entries SELECT incident_id, 1, at, actor, kind, text, data, previous_hash, hash"
    " FROM entries WHERE sequence = 2"
)


class FixedClock:
    def now(self) -> datetime:
        return datetime(2026, 1, 31, 3, 0, 0, 123456, tzinfo=UTC)


async def test_a_clock_stands_in_for_the_databases(tmp_path: Path) -> None:
    """A store opened with a clock writes that clock's time, to the microsecond."""
    store = await SqlStore.open("sqlite://", clock=FixedClock())
    row = await open_shop(store)
    await store.close()
    assert row is not None
    assert row.opened_at == FixedClock().now()


async def test_a_second_process_is_refused_in_plain_words(tmp_path: Path) -> None:
    """A store that is in use is not opened again, and the message names the process and the remedy."""
    url = f"sqlite:///{tmp_path}/store.db"
    store = await SqlStore.open(url)
    with pytest.raises(NotStartedError, match=r"another Backout process \(pid \d+\).*Stop that one first"):
        await SqlStore.open(url)
    await store.close()
    again = await SqlStore.open(url)
    await again.close()


def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    """A process killed with the store open leaves no lock behind."""
    program = (
        "import asyncio, os, sys\nfrom adapters.sql_store.store import SqlStore\n"
        "async def main():\n    await SqlStore.open(sys.argv[1])\n    os.kill(os.getpid(), 9)\nasyncio.run(main())"
    )
    url = f"sqlite:///{tmp_path}/store.db"
    assert subprocess.run([sys.executable, "-c", program, url], check=False).returncode == -9

    async def reopen() -> None:
        await (await SqlStore.open(url)).close()

    asyncio.run(reopen())


async def test_the_file_is_private_and_its_folder_made(tmp_path: Path) -> None:
    """A new store and the folder it is in can be read by their owner only."""
    file = tmp_path / "var lib" / "st%re.db"
    store = await SqlStore.open(f"sqlite:///{file}")
    await store.close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


async def test_a_read_only_store_stands_beside_a_running_one(tmp_path: Path) -> None:
    """A read-only store reads while another process holds the lock, after it ended too, and cannot write."""
    url = f"sqlite:///{tmp_path}/store.db"
    store = await SqlStore.open(url)
    await open_shop(store)
    beside = await SqlStore.open(url, read_only=True)
    assert len(await beside.transact(lambda tx: tx.incidents())) == 1
    with pytest.raises(StoreUnavailableError):
        await beside.transact(lambda tx: tx.append("shop-1", [note("x")]))
    await beside.close()
    await store.close()
    after = await SqlStore.open(url, read_only=True)
    assert len(await after.transact(lambda tx: tx.incidents())) == 1
    await after.close()
    with pytest.raises(NotStartedError, match="there is no store"):
        await SqlStore.open(f"sqlite:///{tmp_path}/other.db", read_only=True)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE entries SET text = 'x' WHERE sequence = 1",
        "DELETE FROM entries WHERE sequence = 2",
        REPLACE_FIRST_BY_SECOND,
        "DELETE FROM incidents",
        "UPDATE incidents SET entry_count = 1",
    ],
)
async def test_the_schema_refuses_to_change_a_timeline(tmp_path: Path, change: str) -> None:
    """Any other program that edits, removes or replaces entries by plain SQL is refused by the database itself."""
    store = await SqlStore.open(f"sqlite:///{tmp_path}/store.db")
    await open_shop(store)
    await store.transact(lambda tx: tx.append("shop-1", [note("one"), note("two")]))
    await store.close()
    connection = sqlite3.connect(tmp_path / "store.db")
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(change)
    connection.close()


def test_the_code_names_the_newest_revision() -> None:
    """A store that has it is taken as it is; were another one named, older stores would stay as they are."""
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == NEWEST


async def test_a_store_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    """A schema this program does not know is refused, and nothing is changed in it."""
    store = await SqlStore.open(f"sqlite:///{tmp_path}/store.db")
    await store.close()
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(NotStartedError, match="newer version"):
        await SqlStore.open(f"sqlite:///{tmp_path}/store.db")


async def test_a_store_of_the_first_schema_is_brought_up_to_date(tmp_path: Path) -> None:
    """Its messages know their decisions, its tables are those of the program, and what it holds is kept."""
    engine = sa.create_engine(f"sqlite:///{tmp_path}/store.db")
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.exec_driver_sql(
            "INSERT INTO incidents VALUES ('shop-1', 'shop', 1, 'shop', '#shop-1', 't', '2026-01-31T03:00:00.000000Z', NULL, 0, '')"
        )
        for number, content in enumerate(
            ('{"slot":"q","title":"t","decision_id":"d-1"}', '{"slot":"s","title":"t"}')
        ):
            connection.exec_driver_sql(
                "INSERT INTO messages (id, incident_id, slot, revision, created_at, updated_at, content) VALUES (?, 'shop-1', ?, 1, ?, ?, ?)",
                (
                    f"m{number}",
                    f"s{number}",
                    "2026-01-31T03:00:00.000000Z",
                    "2026-01-31T03:00:00.000000Z",
                    content,
                ),
            )
    store = await SqlStore.open(f"sqlite:///{tmp_path}/store.db")
    await store.transact(lambda tx: tx.put_decision(decision()))
    await store.transact(lambda tx: tx.put_decision(decision(state=DecisionState.VOID)))
    assert [one.revision for one in await store.transact(lambda tx: tx.messages("shop-1"))] == [2, 1]
    await store.close()
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


async def test_a_file_that_is_no_database_is_said_to_be_unreadable(tmp_path: Path) -> None:
    """A damaged file is StoreUnavailableError, told with the file's name."""
    (tmp_path / "store.db").write_bytes(b"not a database, " * 500)
    with pytest.raises(StoreUnavailableError, match=r"store\.db.*not a database"):
        await SqlStore.open(f"sqlite:///{tmp_path}/store.db")


async def test_a_lock_of_another_program_makes_the_store_unavailable(tmp_path: Path) -> None:
    """A file locked by another program is StoreUnavailableError, and the store goes on when the lock is gone."""
    store = await SqlStore.open(f"sqlite:///{tmp_path}/store.db")
    await open_shop(store)
    async with store.begin() as connection:
        await connection.exec_driver_sql("PRAGMA busy_timeout=50")
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailableError, match="locked"):
        await store.transact(lambda tx: tx.append("shop-1", [note("x")]))
    other.execute("ROLLBACK")
    other.close()
    assert len(await store.transact(lambda tx: tx.append("shop-1", [note("x")]))) == 1
    await store.close()


async def test_a_closed_store_says_so() -> None:
    """A transaction after the close is StoreUnavailableError and not a hang."""
    store = await SqlStore.open("sqlite://")
    await store.close()
    with pytest.raises(StoreUnavailableError, match="closed"):
        await store.transact(lambda tx: tx.now())


@pytest.mark.parametrize("url", ["mysql://u:secret@h/d", "not a url", ""])
async def test_an_address_that_cannot_be_is_a_settings_error(url: str) -> None:
    """An address of another engine or none at all is told as a fault of the settings, without its password."""
    with pytest.raises(SettingsError) as caught:
        await SqlStore.open(url)
    assert "secret" not in str(caught.value)


async def test_commits_survive_an_open_reader(tmp_path: Path) -> None:
    """A reader with an open transaction (a backup of the store, say) does not keep the bot from writing."""
    store = await SqlStore.open(f"sqlite:///{tmp_path}/store.db")
    await open_shop(store)
    reader = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM entries").fetchone() == (0,)

    async def body(tx: Transaction) -> None:
        await tx.append("shop-1", [note("x")])

    await store.transact(body)
    reader.close()
    await store.close()


async def test_a_look_waits_for_no_writer(tmp_path: Path) -> None:
    """While a transaction is open, a look sees the last committed state at once, and after the commit the new one."""
    store = await SqlStore.open(f"sqlite:///{tmp_path}/store.db")
    await open_shop(store)
    seen: list[int] = []

    async def look() -> int:
        return (await store.read(lambda tx: tx.state("shop-1"))).last_sequence

    async def writes(tx: Transaction) -> None:
        await tx.append("shop-1", [NewEntry(kind=Kind.NOTE, text="not committed yet")])
        async with asyncio.timeout(2):
            seen.append(await look())

    await store.transact(writes)
    seen.append(await look())
    await store.close()
    assert seen[1] == seen[0] + 1


async def test_a_look_cannot_write(tmp_path: Path) -> None:
    """What is called a look changes nothing, even when its body tries to."""
    store = await SqlStore.open(f"sqlite:///{tmp_path}/store.db")
    await open_shop(store)
    with pytest.raises(StoreUnavailableError, match="readonly"):
        await store.read(lambda tx: tx.close_incident("shop-1"))
    row = await store.read(lambda tx: tx.incident("shop-1"))
    await store.close()
    assert row is not None
    assert row.closed_at is None


async def test_a_state_folded_in_a_transaction_that_was_rolled_back_is_not_kept(tmp_path: Path) -> None:
    """What was folded before is used only where the chain of hashes says that it still holds."""
    store = await SqlStore.open(f"sqlite:///{tmp_path}/store.db")
    await open_shop(store)

    async def write(tx: Transaction, *, frozen: bool) -> bool:
        await tx.append("shop-1", [NewEntry(kind=Kind.FROZEN, text="frozen", data={"proven": frozen})])
        return (await tx.state("shop-1")).frozen

    async def fails(tx: Transaction) -> None:
        assert await write(tx, frozen=True)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await store.transact(fails)
    assert not (await store.read(lambda tx: tx.state("shop-1"))).frozen
    assert not await store.transact(lambda tx: write(tx, frozen=False))
    entries = await store.read(lambda tx: tx.entries("shop-1"))
    assert await store.read(lambda tx: tx.state("shop-1")) == fold(entries)
    await store.close()
