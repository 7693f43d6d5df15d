"""What belongs to a PostgreSQL database beside its rows is there after a cut-over, or was told before it (HAZARDS R10)."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.host_reader.answers import Refusal
from tests.integration.postgresql_shop import Shop, a_shop
from tests.servers.fixtures import Postgreses


@pytest.fixture
def shop(postgres_servers: Postgreses, tmp_path: Path) -> Iterator[Shop]:
    """Return a small shop of the test's own."""
    with a_shop(postgres_servers[15], tmp_path) as shop:
        yield shop


def copied(shop: Shop) -> str:
    """Return a scratch copy of live, made as Backout makes it."""
    scratch = shop.scratch()
    shop.ask("copy", source=shop.name, target=scratch)
    return scratch


def swapped(shop: Shop) -> dict[str, object]:
    """Copy live, break live, and cut over to the copy."""
    scratch = copied(shop)
    shop.login.run("UPDATE users SET name = 'broken'")
    return shop.ask("cutover", **shop.cut_over_request(scratch))


def database_row(shop: Shop, column: str) -> str:
    """Return one column of live's row in pg_database."""
    rows = shop.server.superuser.rows(f"SELECT {column} FROM pg_database WHERE datname = '{shop.name}'")
    return rows[0][0]


def test_a_setting_that_only_a_superuser_may_give_stops_no_copy(shop: Shop) -> None:
    """A database with such a setting is copied all the same; that it will be missing is told by name, before and after."""
    root = shop.server.superuser
    root.run(f"ALTER DATABASE {shop.name} SET log_min_duration_statement = 500")
    root.run(f'ALTER DATABASE {shop.name} SET search_path = public, "$user"')
    scratch = shop.scratch()
    made = shop.ask("copy", source=shop.name, target=scratch)
    shop.login.run("UPDATE users SET name = 'broken'")
    told = shop.ask("cutover", **shop.cut_over_request(scratch))
    settings = root.rows(
        "SELECT unnest(setconfig) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase"
        f" WHERE datname = '{shop.name}'"
    )
    assert settings == [('search_path=public, "$user"',)]
    assert "the database's setting log_min_duration_statement" in made["way"]
    assert told["notes"] == [
        "not carried over: 1 × ALTER DATABASE SET log_min_duration_statement (SQLSTATE 42501)"
    ]


def test_nothing_is_cut_over_while_rows_of_another_server_come_in(shop: Shop) -> None:
    """A subscription that is at work is a writer that no freeze stops: the cut-over is refused and says what to do."""
    scratch = copied(shop)
    shop.login.run("UPDATE users SET name = 'broken'")
    root = shop.server.superuser.to(shop.name)
    root.run(
        "CREATE SUBSCRIPTION feed CONNECTION 'host=127.0.0.1 port=1' PUBLICATION p WITH (connect = false, slot_name = s);"
    )
    root.run("ALTER SUBSCRIPTION feed ENABLE")
    try:
        with pytest.raises(Refusal, match=r"by the subscription feed.* ALTER SUBSCRIPTION … DISABLE"):
            shop.ask("cutover", **shop.cut_over_request(scratch))
    finally:
        root.run("ALTER SUBSCRIPTION feed DISABLE; ALTER SUBSCRIPTION feed SET (slot_name = NONE)")
    told = shop.ask("facts", database=shop.name)["notes"]
    root.run("DROP SUBSCRIPTION feed")
    assert "subscription feed: an administrator must make it again after" in " ".join(told)


def test_functions_that_run_with_another_owners_rights_are_told(shop: Shop) -> None:
    """Before a cut-over would make such a function run with the application's rights, the plan says which it is."""
    shop.server.superuser.run(
        "CREATE FUNCTION audit() RETURNS integer LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
        database=shop.name,
    )
    made = shop.ask("copy", source=shop.name, target=shop.scratch())
    assert "the owner of the function public.audit()" in made["way"]


def test_the_owner_of_the_database_stays(shop: Shop) -> None:
    """A database that belongs to a group of which the application is a member belongs to it afterwards too."""
    group = f"group_{uuid.uuid4().hex[:8]}"
    root = shop.server.superuser
    root.run(
        f"CREATE ROLE {group}; GRANT {group} TO {shop.login.username}; ALTER DATABASE {shop.name} OWNER TO {group}"
    )
    try:
        swapped(shop)
        assert database_row(shop, "datdba::regrole") == group
    finally:
        root.run(f"ALTER DATABASE {shop.name} OWNER TO {shop.login.username}")
        for name in shop.server.databases():
            if name.startswith("backout_"):
                root.run(f'ALTER DATABASE "{name}" OWNER TO {shop.login.username}')
        root.run(f"DROP ROLE {group}")


def test_comments_on_the_database_and_on_public_stay(shop: Shop) -> None:
    """What somebody wrote on the database and on its schema public is there afterwards."""
    shop.login.run(f"COMMENT ON DATABASE {shop.name} IS 'ask Ann''s team'")
    shop.server.superuser.run("COMMENT ON SCHEMA public IS 'of the shop'", database=shop.name)
    swapped(shop)
    assert database_row(shop, "shobj_description(oid, 'pg_database')") == "ask Ann's team"
    assert shop.login.rows("SELECT obj_description('public'::regnamespace, 'pg_namespace')") == [
        ("of the shop",)
    ]


def test_comments_on_what_is_left_out_stop_no_copy(shop: Shop) -> None:
    """A comment on a publication or an event trigger goes with it."""
    shop.server.superuser.run(
        "CREATE PUBLICATION feed FOR TABLE users; COMMENT ON PUBLICATION feed IS 'to the warehouse';"
        "CREATE FUNCTION guard() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;"
        "CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION guard();"
        "COMMENT ON EVENT TRIGGER watch IS 'no ddl by day';"
        f"ALTER FUNCTION guard() OWNER TO {shop.login.username}",
        database=shop.name,
    )
    assert shop.fingerprint(copied(shop)) == shop.fingerprint()
    dump = shop.workspace / "plain.sql"
    dump.write_bytes(shop.pg_dump())
    loaded = shop.ask("load", backup=str(dump), target=shop.scratch())
    assert loaded["fingerprint"] == shop.fingerprint()


def test_rights_that_new_objects_would_not_have_are_not_given(shop: Shop) -> None:
    """Where everybody's right to run new functions was taken away, it stays away."""
    shop.login.run("ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC")
    swapped(shop)
    shop.login.run("CREATE FUNCTION secret() RETURNS integer LANGUAGE sql AS 'SELECT 1'")
    assert shop.login.rows("SELECT has_function_privilege('public', 'secret()', 'EXECUTE')") == [("f",)]


def test_a_view_with_an_instead_of_trigger_stops_no_fill(shop: Shop) -> None:
    """Triggers of views are no triggers of tables: rows are filled in, and the trigger is there after."""
    shop.login.run(
        "CREATE VIEW names AS SELECT id, name FROM users;"
        "CREATE FUNCTION put() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;"
        "CREATE TRIGGER puts INSTEAD OF INSERT ON names FOR EACH ROW EXECUTE FUNCTION put()"
    )
    baseline = copied(shop)
    shop.login.run("DELETE FROM orders")
    assert (
        shop.login.number("SELECT count(*) FROM orders", database=repaired(shop, baseline, orders="restore"))
        == 50
    )


def repaired(shop: Shop, baseline: str, **decisions: str) -> str:
    """Repair a copy of live with what the backup has, by these decisions, and return the copy's name."""
    safety = shop.safety()
    shop.ask("copy", source=shop.name, target=safety)
    scratch = shop.scratch("repair")
    shop.ask("copy", source=safety, target=scratch)
    given = {"decisions": decisions, "mappings": [], "runtime_tables": []}
    shop.ask("repair", scratch=scratch, baseline=baseline, live_copy=safety, **given)
    return scratch


def test_materialized_views_are_made_anew_from_the_repaired_rows(shop: Shop) -> None:
    """A materialized view shows what the tables hold after a repair, also one that is made from another."""
    shop.login.run(
        "CREATE MATERIALIZED VIEW z_listed AS SELECT id, name FROM users; CREATE VIEW named AS SELECT name FROM z_listed;"
        "CREATE MATERIALIZED VIEW a_count AS SELECT count(*) AS n FROM named;"
        "CREATE MATERIALIZED VIEW never AS SELECT 1 AS one WITH NO DATA"
    )
    baseline = copied(shop)
    shop.login.run("DELETE FROM users; REFRESH MATERIALIZED VIEW z_listed; REFRESH MATERIALIZED VIEW a_count")
    scratch = repaired(shop, baseline, users="restore", orders="restore")
    assert shop.login.rows("SELECT n FROM a_count", database=scratch) == [("50",)]
    assert shop.login.rows(
        "SELECT relispopulated FROM pg_class WHERE relname = 'never'", database=scratch
    ) == [("f",)]


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER ROLE {0} SET work_mem = '1MB'",
        "ALTER DATABASE {0} SET work_mem = '1MB'",
        "COMMENT ON DATABASE {0} IS 'x'",
        "REASSIGN OWNED BY {0} TO {0}",
        "DO $$ BEGIN PERFORM 1; END $$",
    ],
)
def test_a_dump_can_change_nothing_of_the_server(shop: Shop, sql: str) -> None:
    """Statements on roles, databases or the whole server are refused by name: they would act beyond scratch."""
    shop.workspace.mkdir()
    dump = shop.workspace / "plain.sql"
    mark = b"\nSET row_security = off;\n"
    dump.write_bytes(shop.pg_dump().replace(mark, mark + sql.format(shop.login.username).encode() + b";\n"))
    before = shop.server.databases()
    with pytest.raises(Refusal, match=rf"\({sql.split(maxsplit=1)[0]}.* would act beyond scratch"):
        shop.ask("load", backup=str(dump), target=shop.scratch())
    role = f"'{shop.login.username}'::regrole"
    assert shop.server.superuser.rows(f"SELECT count(*) FROM pg_db_role_setting WHERE setrole = {role}") == [
        ("0",)
    ]
    assert shop.server.databases() == before


def test_rules_and_deferrable_keys_stop_no_repair(shop: Shop) -> None:
    """A rule does not act on the rows that are put back and is there after; a deferrable key is a key."""
    shop.login.run(
        "CREATE TABLE log (told text); CREATE TABLE ranks (place integer PRIMARY KEY DEFERRABLE, who text);"
        "CREATE RULE logs AS ON INSERT TO ranks DO ALSO INSERT INTO log VALUES ('x');"
        "CREATE RULE keeps AS ON UPDATE TO ranks DO INSTEAD NOTHING; INSERT INTO ranks VALUES (1, 'a'), (2, 'b')"
    )
    baseline = copied(shop)
    shop.login.run("DELETE FROM ranks WHERE place = 1")
    scratch = repaired(shop, baseline, ranks="restore")
    assert shop.login.rows("SELECT place, who FROM ranks ORDER BY 1", database=scratch) == [
        ("1", "a"),
        ("2", "b"),
    ]
    assert shop.login.number("SELECT count(*) FROM log", database=scratch) == 2
    assert shop.login.number("SELECT count(*) FROM pg_rules WHERE tablename = 'ranks'", database=scratch) == 2


def test_a_killed_copy_leaves_no_rows_behind(shop: Shop) -> None:
    """The dump by which a database is copied goes with the next reader, where its own was killed."""
    shop.login.run(
        "CREATE TABLE wide AS SELECT g, repeat(md5(g::text), 50) AS t FROM generate_series(1, 20000) g"
    )
    reader = shop.start("copy", source=shop.name, target=shop.scratch())
    ends = time.monotonic() + 60
    while not list(shop.workspace.rglob("*.dump")) and time.monotonic() < ends:
        time.sleep(0.01)
    reader.kill()
    reader.wait()
    assert reader.stdout is not None
    reader.stdout.close()
    assert list(shop.workspace.rglob("*.dump"))
    shop.ask("exists", database=shop.name)
    assert not list(shop.workspace.rglob("*.dump"))


def test_the_data_stay_on_the_disk_where_they_were(shop: Shop, tmp_path: Path) -> None:
    """A database in a tablespace of its own is copied into the same one where the user may, else it is told."""
    folder = shop.server.folder / f"space_{shop.name}"
    folder.mkdir()
    shutil.chown(folder, shop.server.folder.owner())
    root = shop.server.superuser
    root.run(f"CREATE TABLESPACE fast LOCATION '{folder}'")
    try:
        root.run(f"ALTER DATABASE {shop.name} SET TABLESPACE fast")
        told = [shop.ask("copy", source=shop.name, target=shop.scratch("one"))["way"]]
        root.run(f"GRANT CREATE ON TABLESPACE fast TO {shop.login.username}")
        shop.login.run("INSERT INTO users (name) VALUES ('more')")
        told.append(shop.ask("copy", source=shop.name, target=shop.scratch("two"))["way"])
        assert ["tablespace fast" in each for each in told] == [True, False]
        assert (
            root.number(
                "SELECT count(*) FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE spcname = 'fast'"
            )
            == 2
        )
    finally:
        root.run(f"REVOKE ALL ON TABLESPACE fast FROM {shop.login.username}")
        shop.server.drop(shop.login)
        root.run("DROP TABLESPACE fast")


def test_an_extension_that_only_a_superuser_may_make_is_named(shop: Shop) -> None:
    """It is named with what an administrator can do, and no half-made database stays."""
    shop.server.superuser.run("CREATE EXTENSION pageinspect", database=shop.name)
    before = shop.server.databases()
    with pytest.raises(Refusal, match=r"extension pageinspect may be made by a superuser only"):
        shop.ask("copy", source=shop.name, target=shop.scratch())
    assert shop.server.databases() == before
