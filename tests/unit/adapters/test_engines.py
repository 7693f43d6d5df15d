"""The adapters of the engines: names of places, requests without a secret, answers read and damaged ones refused."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from adapters.mysql_database.database import MysqlDatabase
from adapters.postgresql_database.database import PostgresqlDatabase
from adapters.reader_answers.reading import read_facts, read_rights, read_writers
from adapters.sqlite_database.database import SqliteDatabase
from bot.laravel.credentials import credentials_access
from bot.model.database import DatabaseFacts
from bot.model.errors import FailedError
from bot.ports.database import Database, Work
from bot.wiring import database_for

TAG = "20260131030000-0123abcd"
ACCESS = credentials_access("/srv/shop")
WORKSPACE = "~/.backout/sites/shop"
SERVERS = [
    MysqlDatabase("mysql", ACCESS, WORKSPACE),
    MysqlDatabase("mariadb", ACCESS, WORKSPACE),
    PostgresqlDatabase("pgsql", ACCESS, WORKSPACE),
]
ENGINES: list[Database] = [SqliteDatabase(), *SERVERS]
PURPOSES = ("baseline", "repair", "salvage", "swap", "inspect", "deploy")


def facts_answer(**changes: Any) -> dict[str, Any]:
    table = {
        "rows": 3,
        "nulls": {"a": 1},
        "foreign_keys": [
            {"columns": ["p"], "parent": "parents", "parent_columns": ["id"], "on_delete": "cascade"}
        ],
    }
    file = {"real_path": "shop", "device": "uuid", "inode": "shop", "owner": "o", "mode": "", "size_bytes": 9}
    plain = {"engine": "mariadb", "version": "10.11.19-MariaDB", "journal_mode": "", "page_size": 0}
    return {
        **plain,
        "file": file,
        "free_bytes": 10,
        "encoding": "utf8mb4",
        "tables": {"t": table},
        "migrations": [{"id": 1, "migration": "m", "batch": 2}],
        **changes,
    }


def works(database: Database) -> list[Work[Any]]:
    """Return one of each question and task of an engine."""
    like = read_facts(facts_answer())
    accounts: dict[str, Any] = {
        "scratch": "s",
        "baseline": "b",
        "live_copy": "/l",
        "decisions": {},
        "mappings": [],
        "runtime_tables": [],
    }
    change = {
        "source": "s",
        "live": "shop",
        "source_fingerprint": "1",
        "live_fingerprint": "2",
        "journal_mode": "",
    }
    rights = database.rights("shop")
    return [
        database.exists("s"),
        database.drop("s"),
        database.facts("shop"),
        database.sample("shop"),
        database.fingerprint("shop"),
        database.writers("shop", "/srv/shop"),
        database.copy("shop", "/f"),
        database.load("/b.sql", "s", like, {"t": 3}),
        database.compare("s", "shop", [], None, before_fingerprint="1"),
        database.repair(**accounts, lists_folder="/lists"),
        database.salvage(**accounts, lists_folder="/lists"),
        database.prove(**accounts),
        database.prepare_swap(scratch="s", live_copy="/l", runtime_tables=[], lists_folder="/lists"),
        database.cut_over(**change, end_sessions=True),
        database.orphans("shop", 5),
        database.checks("shop", [], 5),
        database.set_aside("shop", [{"table": "jobs"}], "/kept", TAG),
        *([rights] if rights else []),
    ]


@pytest.mark.parametrize("driver", ["sqlite", "mysql", "mariadb", "pgsql"])
def test_each_driver_of_laravel_has_its_engine(driver: str) -> None:
    """The adapter calls itself by Laravel's name of the driver; a driver that Backout does not know has none."""
    found = database_for(driver, ACCESS, WORKSPACE)
    assert found is not None
    assert found.engine == driver
    assert database_for("sqlsrv", ACCESS, WORKSPACE) is None


@pytest.mark.parametrize("purpose", PURPOSES)
def test_scratch_databases_are_named_as_the_reader_lets_them(purpose: str) -> None:
    """On a server the name tells that it is Backout's own, is short enough for every engine, and needs no quotes."""
    for database in SERVERS:
        place = database.scratch_place("/folder", purpose, TAG)
        assert re.fullmatch(r"backout_[a-z]+_\d{14}_[0-9a-f]{8}", place)
        assert len(place) <= 63
    assert SqliteDatabase().scratch_place("/folder", purpose, TAG) == f"/folder/{purpose}-{TAG}.sqlite"


@pytest.mark.parametrize("database", ENGINES, ids=lambda d: d.engine)
def test_safety_backups_are_files_of_their_own(database: Database) -> None:
    """A safety backup is a file below its folder, and another purpose gives another file."""
    first = database.safety_place("/safety", "shop", TAG)
    second = database.safety_place("/safety", "shop", TAG, "before-undo")
    assert first.startswith("/safety/shop-safety-")
    assert first != second


@pytest.mark.parametrize("database", SERVERS, ids=lambda d: d.engine)
def test_every_request_says_how_to_ask_for_credentials_and_holds_none(database: Database) -> None:
    """Each request to a server's reader carries the application's own program, the workspace, and is plain JSON."""
    prefix = "pgsql" if database.engine == "pgsql" else "mysql"
    for work in works(database):
        assert work.verb.startswith(f"{prefix}_")
        assert set(work.request["access"]) == {"argv", "stdin", "env"}
        assert work.request["workspace"] == WORKSPACE
        assert "password" not in work.describe.lower()
        json.dumps(work.request)


def test_a_files_requests_carry_no_access() -> None:
    """SQLite needs no credentials, and no right that could be asked about."""
    assert all("access" not in work.request for work in works(SqliteDatabase()))
    assert SqliteDatabase().rights("/live.sqlite") is None
    with pytest.raises(FailedError, match="no sessions"):
        SqliteDatabase().end_sessions("/live.sqlite", [1])


def test_ending_sessions_is_asked_for_by_number() -> None:
    """A cut-over says whether sessions may be ended; ending them before names each."""
    database = SERVERS[0]
    assert database.end_sessions("shop", (7, 8)).request["sessions"] == [7, 8]
    plain = {
        "source": "s",
        "live": "l",
        "source_fingerprint": "1",
        "live_fingerprint": "2",
        "journal_mode": "",
    }
    assert database.cut_over(**plain).request["end_sessions"] is False  # type: ignore[arg-type]  # all are texts


def test_a_servers_facts_are_read_as_a_files_are() -> None:
    """Identity is server and name, the version the server's own, and what cascades is told by parent."""
    facts = read_facts(facts_answer())
    assert (facts.engine, facts.version, facts.path) == ("mariadb", "10.11.19-MariaDB", "shop")
    assert facts.identity == "uuid:shop"
    assert facts.cascading_children == {"parents": ("t",)}
    assert isinstance(facts, DatabaseFacts)


def test_what_a_database_has_beside_its_tables_is_counted_where_it_is_told() -> None:
    """Triggers, views, routines and events come as counts; a kind that an engine does not tell is left out."""
    facts = read_facts(facts_answer(triggers=["a", "b"], views=[], routines=["f"], indexes=["i"]))
    assert facts.objects == {"triggers": 2, "views": 0, "routines": 1}


def test_sessions_are_told_apart_from_processes() -> None:
    """A session has the server's number where it is told beside the pid, else the pid itself; a process has none."""
    told = [
        {"pid": 7, "command": ["php", "artisan"], "kind": "queue_worker", "writer": True},
        {"pid": 4194309, "session": 5, "command": ["session", "5"], "kind": "session", "writer": True},
        {"pid": 99, "command": ["session", "idle"], "kind": "session", "writer": True},
    ]
    found = read_writers({"processes": told, "cron": ["crontab"]})
    assert [w.session for w in found] == [None, 5, 99, None]
    assert [w.kind for w in found][-1] == "cron"


def test_rights_are_read() -> None:
    """Whether scratch may be made, and what is missing on live."""
    rights = read_rights(
        {"create": False, "live": False, "missing_own": ["CREATE"], "missing_live": ["DROP"]}
    )
    assert (rights.may_make_scratch, rights.missing) == (False, ("DROP",))


@pytest.mark.parametrize("database", ENGINES, ids=lambda d: d.engine)
@pytest.mark.parametrize("answer", [{}, {"ok": True, "file": None, "tables": []}], ids=["empty", "ill-typed"])
def test_a_damaged_answer_is_refused_and_names_its_verb(database: Database, answer: dict[str, Any]) -> None:
    """No answer that lacks its fields is believed; what is a plain document is handed on as it is."""
    handed_on = {"repair", "salvage", "swap_prepare"}
    for work in works(database):
        if work.verb.partition("_")[2] in handed_on:
            continue
        with pytest.raises(FailedError, match=f"{work.verb} is damaged"):
            work.read(answer)
