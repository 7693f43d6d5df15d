"""What the row reader tells of a PostgreSQL database, in the shapes of the SQLite verbs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.host_reader.__main__ import VERBS
from adapters.host_reader.answers import Refusal
from adapters.host_reader.postgresql import verbs
from adapters.host_reader.postgresql.server import PostgresqlServer
from adapters.reader_answers.reading import read_facts, read_orphans, read_rights, read_writers
from tests.integration.postgresql_shop import Shop, a_shop
from tests.servers.fixtures import Postgreses


@pytest.fixture(scope="module")
def shop(postgres_servers: Postgreses, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Return a small shop, which no test of this module changes for good."""
    with a_shop(postgres_servers[15], tmp_path_factory.mktemp("verbs")) as shop:
        yield shop


def test_the_bot_reads_the_facts_as_it_does_those_of_sqlite(shop: Shop) -> None:
    """Rows, NULLs, migrations, cascades and identity come in the shape that the bot already reads."""
    facts = read_facts(shop.ask("facts", database=shop.name))
    assert facts.rows == {"users": 50, "orders": 50, "migrations": 2}
    assert facts.nulls["orders"] == {"id": 0, "user_id": 0, "note": 0}
    assert facts.migrations == (("2026_01_01_000000_users", 1), ("2026_01_02_000000_orders", 2))
    assert facts.cascading_children == {"users": ("orders",)}
    assert facts.identity.endswith(f":{shop.name}")
    assert set(facts.objects) == {"triggers", "views", "routines"}
    assert (facts.owner, facts.encoding, facts.size_bytes > 0, facts.free_bytes > 0) == (
        shop.login.username,
        "UTF8",
        True,
        True,
    )


def test_the_identity_tells_servers_apart_and_stays(
    shop: Shop, postgres_servers: Postgreses, tmp_path: Path
) -> None:
    """The same database has the same identity each time, and one of another server another."""
    with a_shop(postgres_servers[18], tmp_path, sql="") as other:
        found = [each.ask("facts", database=each.name)["file"]["device"] for each in (shop, shop, other)]
    assert found[0] == found[1] != found[2]


def test_sessions_of_other_programs_are_writers(shop: Shop) -> None:
    """A session of the database is named by program and state, never by its statement; our own are not."""
    with PostgresqlServer(shop.request()) as server, server.session(shop.name, path=True) as session:
        session.run("SET application_name = 'queue worker'; SELECT 1 AS secret_word WHERE false")
        found = shop.ask("writers", database=shop.name, app_path=str(shop.workspace))
    sessions = [each for each in found["processes"] if each["kind"] == "session"]
    assert [(each["command"][2:], each["state"], each["writer"]) for each in sessions] == [
        (["of", "(script)"], "idle", True)
    ]
    assert "secret_word" not in str(found)
    number = sessions[0]["session"]
    assert [each.session for each in read_writers(found) if each.kind == "session"] == [number]


def test_sessions_are_ended_by_number(shop: Shop) -> None:
    """Only the sessions that were named, and only of that database, are ended."""
    with PostgresqlServer(shop.request()) as server, server.session(shop.name, path=True) as session:
        session.run("SET application_name = 'psql'")
        number = session.number("SELECT pg_backend_pid()")
        with server.session("postgres") as elsewhere:
            other = elsewhere.number("SELECT pg_backend_pid()")
            found = shop.ask("sessions_end", database=shop.name, sessions=[number, other, 1])
            assert found == {"ended": [number], "gone": sorted([1, other]), "left": []}
            assert elsewhere.number("SELECT 1") == 1
        with pytest.raises(Refusal):
            session.number("SELECT 1")


def test_rights_are_asked_without_trying(shop: Shop, postgres_servers: Postgreses, tmp_path: Path) -> None:
    """The owner with CREATEDB lacks nothing; without it, or as a guest in another's database, what is missing is named."""
    found = read_rights(shop.ask("rights", database=shop.name))
    assert (found.may_make_scratch, found.missing) == (True, ())
    with a_shop(postgres_servers[15], tmp_path, sql="", may_create=False, grants=()) as guest:
        found = read_rights(guest.ask("rights", database=guest.name))
        assert (found.may_make_scratch, found.missing) == (False, ("CREATEDB", "OWNER OF THE DATABASE"))


def test_orphans_are_counted_by_foreign_key(shop: Shop) -> None:
    """Rows without a parent are counted for each foreign key, also where the key was switched off when they came."""
    scratch = shop.twin()
    shop.server.superuser.run(
        "SET session_replication_role = replica; INSERT INTO orders (user_id) VALUES (900), (901)",
        database=scratch,
    )
    assert read_orphans(shop.ask("orphans", database=scratch)) == {"orders(user_id) -> users": 2}
    assert shop.ask("orphans", database=shop.name, time_limit_s=0)["complete"] is False


CHECKS = (
    ("SELECT count(*) FROM users", 50, None),
    ("SELECT count(*) FROM users;", 50, None),
    ("WITH a AS (SELECT 1) SELECT -5", -5, None),
    ("SELECT 1, 2", None, "exactly one"),
    ("SELECT 1 AS a, 1 AS a", None, "exactly one"),
    ("SELECT 1 UNION ALL SELECT NULL", None, "exactly one"),
    ("SELECT 'a row of user data'", None, "exactly one"),
    ("SELECT 1 WHERE false", None, "exactly one"),
    ("DELETE FROM users RETURNING 1", None, "only read"),
    ("WITH d AS (DELETE FROM users RETURNING 1) SELECT count(*) FROM d", None, "only read"),
    ("SELECT nextval('users_id_seq')", None, "only read"),
    ("SELECT 1; SELECT 2", None, "only read"),
    ("SELECT 1; COMMIT; DROP TABLE users", None, "only read"),
    ("COPY users TO PROGRAM 'cat'", None, "only read"),
    ("SELECT set_config('transaction_read_only', 'off', false)", None, ""),
    ("SELECT ' \\! touch pwned '", None, "exactly one"),
    ("\\! touch pwned", None, "no SQL"),
    ("SELECT :x", None, "no SQL"),
    ("SELECT count(*) FROM missing", None, "no such table"),
    ("SELECT pg_sleep(5), 1", None, "longer than allowed"),
)


def test_checks_can_only_read(shop: Shop) -> None:
    """One SELECT with one whole number is answered; everything else is an error, and nothing was changed."""
    before = shop.fingerprint()
    checks = [{"name": sql, "sql": sql, "expect": "!= 0"} for sql, _, _ in CHECKS]
    answer = shop.ask("check", database=shop.name, checks=checks, time_limit_s=1)
    found = {each["name"]: each for each in answer["checks"]}
    for sql, value, error in CHECKS:
        assert (sql, found[sql]["value"], found[sql]["passed"]) == (sql, value, value is not None)
        assert (error or "") in (found[sql]["error"] or ""), sql
    assert shop.fingerprint() == before
    assert not list(Path.cwd().glob("pwned"))
    assert "user data" not in str([each["error"] for each in answer["checks"]])


def test_every_verb_is_registered() -> None:
    """The reader's door knows each verb of PostgreSQL."""
    mine = {name.partition("_")[2] for name in VERBS if name.startswith("pgsql_")}
    assert {"facts", "copy", "load", "cutover", "rights", "sessions_end", "drop"} <= mine
    assert not [name for name in mine if not callable(getattr(verbs, name, None))]
