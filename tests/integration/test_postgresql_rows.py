"""PostgreSQL's rows are read, hashed and written exactly, whatever they hold (13 to 18 run alike on 15, 17 and 18)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.host_reader.answers import Refusal
from adapters.host_reader.postgresql.server import PostgresqlServer
from tests.integration.postgresql_shop import HOSTILE, Shop, a_shop
from tests.servers.fixtures import Postgreses

WEIRD = 'other.we"ird; table'


@pytest.fixture(scope="module")
def hostile(postgres_servers: Postgreses, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Return a shop with all the types, which no test changes."""
    with a_shop(postgres_servers[15], tmp_path_factory.mktemp("hostile"), HOSTILE) as shop:
        yield shop


@pytest.fixture
def shop(postgres_servers: Postgreses, tmp_path: Path) -> Iterator[Shop]:
    """Return a small shop of the test's own."""
    with a_shop(postgres_servers[15], tmp_path) as shop:
        yield shop


@pytest.mark.parametrize(
    "version", [15, *(pytest.param(version, marks=pytest.mark.long) for version in (17, 18))]
)
def test_hostile_values_come_back_equal_from_dump_and_restore(
    postgres_servers: Postgreses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    """All types, names and objects keep the fingerprint through the safety backup, and through a plain dump."""
    server = postgres_servers[version]
    monkeypatch.setenv("PATH", f"{server.bin}:/usr/bin:/bin")
    with a_shop(server, tmp_path, HOSTILE) as shop:
        made = shop.ask("copy", source=shop.name, target=shop.safety())
        copied = shop.ask("copy", source=shop.safety(), target=shop.scratch())
        plain = tmp_path / "plain.sql"
        plain.write_bytes(shop.pg_dump())
        loaded = shop.ask("load", backup=str(plain), target=shop.scratch(), like=shop.name)
        assert made["fingerprint"] == copied["fingerprint"] == loaded["fingerprint"]
        assert made["tables"]["visits"]["rows"] == 3
        assert shop.ask("facts", database=shop.name)["version"].startswith(str(version))


def test_values_are_read_exactly(hostile: Shop) -> None:
    """Numbers are int, bytea is bytes, all else is the server's own text; NULL, '' and \\N differ."""
    with PostgresqlServer(hostile.request()) as server:
        schema = server.schema(hostile.name)
        things = schema.tables["things"]
        rows = {
            row[0]: dict(zip(things.column_names, row, strict=True))
            for row in server.stream(hostile.name, things)
        }
        weird = sorted(server.stream(hostile.name, schema.tables[WEIRD]))
    assert rows[1]["name"] == "tab\t nl\n cr\r back\\slash \\. \x07 quote\" ' é 🐘"
    assert (rows[1]["raw"], rows[2]["raw"], rows[3]["raw"]) == (b"\x00\xff\n\\", b"", None)
    assert (rows[2]["name"], rows[3]["name"]) == ("", "\\N")
    assert (rows[1]["flag"], rows[1]["small"], rows[1]["price"]) == ("t", -1, "0.00")
    assert (rows[3]["ratio"], rows[2]["ratio"], rows[1]["old"]) == ("0.30000000000000004", "NaN", '{"a":  1}')
    assert weird == [(-3, "a\nb"), (1, ""), (2, "\\.")]
    assert "twice" not in rows[1]


def test_schema_tells_what_images_need(hostile: Shop) -> None:
    """Keys, uniques, defaults, foreign keys and counters are told; partitions are part of their table."""
    with PostgresqlServer(hostile.request()) as server:
        schema = server.schema(hostile.name)
    things = schema.tables["things"]
    defaults = {column.name: column.default for column in things.columns}
    kinds = {column.name: column.kind for column in things.columns}
    assert set(schema.tables) == {"things", WEIRD, "Case", "keyless", "visits"}
    assert (things.key, things.uniques, things.numbered) == (("id",), (("mail",),), "id")
    assert (defaults["name"], defaults["flag"], defaults["price"], defaults["small"]) == (
        "it's",
        "t",
        "0.00",
        -1,
    )
    assert (defaults["at"], defaults["status"]) == (None, "draft")
    assert (kinds["id"], kinds["small"], kinds["raw"], kinds["mood"]) == (
        "integer",
        "integer",
        "binary",
        "text",
    )
    assert [(key.columns, key.parent, key.on_delete) for key in schema.tables["Case"].foreign_keys] == [
        (("thing",), "things", "NO ACTION")
    ]
    assert schema.tables["Case"].numbered == "id"
    assert (schema.views, len(schema.triggers), len(schema.routines)) == (("counted", "drafts"), 1, 2)


CHANGES = (
    "UPDATE users SET name = '' WHERE id = 1",
    "UPDATE users SET created_at = NULL WHERE id = 1",
    "UPDATE orders SET note = 'NULL' WHERE id = 1; UPDATE orders SET note = NULL WHERE id = 2",
    "INSERT INTO orders DEFAULT VALUES",
    "DELETE FROM orders WHERE id = 50",
    "UPDATE users SET name = 'user 2' WHERE id = 3; UPDATE users SET name = 'user 3' WHERE id = 2",
    "ALTER TABLE orders ALTER note SET DEFAULT 'x'",
    "ALTER TABLE orders ALTER note TYPE varchar(500)",
    "ALTER TABLE orders DROP CONSTRAINT orders_user_id_fkey",
    "CREATE INDEX ON orders (note)",
    "CREATE VIEW v AS SELECT 1 AS one",
    "CREATE OR REPLACE VIEW v AS SELECT 2 AS one",
    "CREATE TABLE empty ()",
    "ALTER TABLE users RENAME COLUMN name TO title",
    "CREATE SEQUENCE s",
    "SELECT lo_from_bytea(0, 'content')",
)


def test_fingerprint_changes_with_any_change(shop: Shop) -> None:
    """One value, a swap of two values, NULL for text, any definition: each gives another fingerprint."""
    with PostgresqlServer(shop.request()) as server, server.session(shop.name, path=True) as session:
        before = server.fingerprint(shop.name).hash
        for change in CHANGES:
            for statement in change.split("; "):
                assert session.tried(statement) == ""
            after = server.fingerprint(shop.name).hash
            assert after != before, change
            before = after


def test_fingerprint_ignores_what_is_no_content(shop: Shop) -> None:
    """The order of rows, a sequence's value, settings of the role and a vacuum change nothing."""
    before = shop.fingerprint()
    shop.login.run(
        f"UPDATE users SET name = name; CLUSTER orders USING orders_pkey; SELECT nextval('users_id_seq');"
        f" ALTER ROLE {shop.login.username} SET datestyle = 'German'; ALTER ROLE {shop.login.username} SET timezone = 'Asia/Tokyo';"
    )
    shop.login.run("VACUUM FULL users")
    assert shop.fingerprint() == before


@pytest.mark.parametrize("small_bytes", [0, 1 << 40])
def test_sample_changes_with_each_committed_write_at_once(shop: Shop, small_bytes: int) -> None:
    """A write by a short session, or by one that stays, is seen at once; without writes two samples are equal."""

    def sample() -> str:
        return str(shop.ask("sample", database=shop.name, small_bytes=small_bytes)["sample"])

    first = sample()
    assert sample() == first
    shop.login.run("UPDATE users SET name = 'short' WHERE id = 1")
    second = sample()
    assert second != first
    with PostgresqlServer(shop.request()) as server, server.session(shop.name, path=True) as writer:
        writer.run("SET application_name = 'app'")
        third = sample()
        writer.run("DELETE FROM orders WHERE id = 7")
        assert sample() != third


def test_sample_is_blind_for_other_databases(shop: Shop, hostile: Shop) -> None:
    """What others on the same server write does not change the token."""
    before = shop.ask("sample", database=shop.name, small_bytes=0)["sample"]
    hostile.login.run("CREATE TABLE gone (); DROP TABLE gone")
    assert shop.ask("sample", database=shop.name, small_bytes=0)["sample"] == before


def test_reading_is_one_moment(shop: Shop) -> None:
    """All streams inside `reading` see the same rows, whatever is written meanwhile; a stream may be left half-way."""
    with PostgresqlServer(shop.request()) as server:
        tables = server.schema(shop.name).tables
        with server.reading(shop.name):
            first = server.stream(shop.name, tables["users"])
            next(first)
            shop.login.run("DELETE FROM users")
            assert len(list(server.stream(shop.name, tables["orders"]))) == 50
            assert server.number(shop.name, "SELECT count(*) FROM users") == 50
            assert len(list(first)) == 49
        assert server.number(shop.name, "SELECT count(*) FROM users") == 0


def test_rows_of_scratch_are_put_in_changed_and_removed(hostile: Shop) -> None:
    """What is streamed from live can be written into scratch as it was; then both are equal again."""
    name = hostile.twin()
    with PostgresqlServer(hostile.request()) as server:
        tables = server.schema(name).tables
        wanted = server.fingerprint(hostile.name)
        with server.filling(name):
            assert server.delete_rows(name, tables["things"], [(1,), (2,), (99,)]) == 2
            assert server.delete_rows(name, tables[WEIRD], [(2, "\\."), (1, "")]) == 2
            assert server.delete_rows(name, tables["Case"], [(1,)]) == 1
            assert server.update_rows(name, tables["things"], ["name", "raw"], [(3, "changed", b"\x00")]) == 1
            assert server.fingerprint(name) != wanted
            for each in ("things", WEIRD, "Case"):
                table = tables[each]
                rows = list(server.stream(hostile.name, table))
                assert server.insert_rows(name, table, table.column_names, rows) == len(rows)
        assert server.fingerprint(name) == wanted
        server.drop(name)


def test_columns_are_filled_from_another_database(shop: Shop) -> None:
    """Columns stream from one database into another by key, within the bounds of the key."""
    name = shop.twin()
    with PostgresqlServer(shop.request()) as server:
        users = server.schema(name).tables["users"]
        server.update_rows(name, users, ["name"], [(number, "lost") for number in range(1, 51)])
        assert server.fill_columns(name, shop.name, users, ["name", "created_at"], (1,), (30,)) == 30
        assert server.number(name, "SELECT count(*) FROM users WHERE name = 'lost'") == 20
        assert server.fill_columns(name, shop.name, users, ["name", "created_at"], (31,), (50,)) == 20
        assert server.fingerprint(name) == server.fingerprint(shop.name)


def test_text_keys_are_bounded_as_images_sort_them(hostile: Shop) -> None:
    """A range of a text key goes by its bytes, not by the database's own collation."""
    name = hostile.twin()
    with PostgresqlServer(hostile.request()) as server:
        table = server.schema(name).tables[WEIRD]
        assert server.fill_columns(name, hostile.name, table, ["a"], (-3, "a\nb"), (1, "")) == 2


def test_a_foreign_key_that_does_not_hold_ends_the_filling(shop: Shop) -> None:
    """Foreign keys come back at the end of a filling and are checked then; the first that does not hold is named."""
    name = shop.twin()
    with PostgresqlServer(shop.request()) as server:
        users = server.schema(name).tables["users"]
        with pytest.raises(Refusal, match="orders_user_id_fkey") as refused, server.filling(name):
            assert server.delete_rows(name, users, [(1,)]) == 1
        assert refused.value.kind == "foreign_keys"
        # Killed or failed there: the next filling knows what it has to put back.
        with server.filling(name):
            users_rows = [row for row in server.stream(shop.name, users) if row[0] == 1]
            server.insert_rows(name, users, users.column_names, users_rows)
        assert server.fingerprint(name) == server.fingerprint(shop.name)


def test_numbers_are_raised_and_never_set_back(shop: Shop) -> None:
    """After raising, the next id is above; a lower wish changes nothing."""
    name = shop.twin()
    with PostgresqlServer(shop.request()) as server:
        users = server.schema(name).tables["users"]
        server.raise_numbers(name, users, 5000)
        server.raise_numbers(name, users, 7)
    assert shop.login.number("SELECT nextval('users_id_seq')", database=name) == 5001


def test_only_databases_of_backouts_own_are_written(shop: Shop) -> None:
    """The live database is refused by every method that writes, before anything runs."""
    mark = shop.server.log_position()
    with PostgresqlServer(shop.request()) as server:
        users = server.schema(shop.name).tables["users"]
        for attempt in (
            lambda: server.drop(shop.name),
            lambda: server.create("other", shop.name),
            lambda: server.insert_rows(shop.name, users, ["id"], [(1,)]),
            lambda: server.update_rows(shop.name, users, ["name"], [(1, "x")]),
            lambda: server.delete_rows(shop.name, users, [(1,)]),
            lambda: server.raise_numbers(shop.name, users, 9),
            lambda: server.fill_columns(shop.name, shop.name, users, ["name"], (1,), (2,)),
            lambda: server.filling(shop.name).__enter__(),
        ):
            with pytest.raises(Refusal) as refused:
                attempt()
            assert refused.value.kind == "bad_request"
    ran = shop.server.log_since(mark)
    assert not any(word in ran for word in ("DROP ", "CREATE ", "INSERT", "DELETE FROM", "ALTER ", "setval"))
