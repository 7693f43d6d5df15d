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


@pytest.mark.long
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


@pytest.mark.long
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


@pytest.mark.long
def test_comments_on_the_database_and_on_public_stay(shop: Shop) -> None:
    """What somebody wrote on the database and on its schema public is there afterwards."""
    shop.login.run(f"COMMENT ON DATABASE {shop.name} IS 'ask Ann''s team'")
    shop.server.superuser.run("COMMENT ON SCHEMA public IS 'of the shop'", database=shop.name)
    swapped(shop)
    assert database_row(shop, "shobj_description(oid, 'pg_database')") == "ask Ann's team"
    assert shop.login.rows("SELECT obj_description('public'::regnamespace, 'pg_namespace')") == [
        ("of the shop",)
    ]


@pytest.mark.long
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


@pytest.mark.long
def test_rights_that_new_objects_would_not_have_are_not_given(shop: Shop) -> None:
    """Where everybody's right to run new functions was taken away, it stays away."""
    shop.login.run("ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC")
    swapped(shop)
    shop.login.run("CREATE FUNCTION secret() RETURNS integer LANGUAGE sql AS 'SELECT 1'")
    assert shop.login.rows("SELECT has_function_privilege('public', 'secret()', 'EXECUTE')") == [("f",)]


@pytest.mark.long
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


@pytest.mark.long
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


@pytest.mark.long
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
    """Statements on roles, databases or the whole server are refused by name: they could reach beyond scratch."""
    shop.workspace.mkdir()
    dump = shop.workspace / "plain.sql"
    mark = b"\nSET row_security = off;\n"
    dump.write_bytes(shop.pg_dump().replace(mark, mark + sql.format(shop.login.username).encode() + b";\n"))
    before = shop.server.databases()
    with pytest.raises(Refusal, match=rf"\({sql.split(maxsplit=1)[0]}.* could reach beyond scratch"):
        shop.ask("load", backup=str(dump), target=shop.scratch())
    role = f"'{shop.login.username}'::regrole"
    assert shop.server.superuser.rows(f"SELECT count(*) FROM pg_db_role_setting WHERE setrole = {role}") == [
        ("0",)
    ]
    assert shop.server.databases() == before


@pytest.mark.long
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


@pytest.mark.long
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


@pytest.mark.long
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


@pytest.mark.long
def test_an_extension_that_only_a_superuser_may_make_is_named(shop: Shop) -> None:
    """It is named with what an administrator can do, and no half-made database stays."""
    shop.server.superuser.run("CREATE EXTENSION pageinspect", database=shop.name)
    before = shop.server.databases()
    with pytest.raises(Refusal, match=r"extension pageinspect may be made by a superuser only"):
        shop.ask("copy", source=shop.name, target=shop.scratch())
    assert shop.server.databases() == before


EVERYTHING = r"""
CREATE SCHEMA billing; COMMENT ON SCHEMA billing IS 'money'; CREATE EXTENSION citext; CREATE EXTENSION btree_gist;
CREATE TYPE pair AS (a integer, b text); CREATE TYPE span AS RANGE (subtype = float8); CREATE DOMAIN tags AS text[];
CREATE TYPE billing.state AS ENUM ('open', 'paid'); COMMENT ON TYPE billing.state IS 'of a bill';
CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE billing.bills (id integer GENERATED ALWAYS AS IDENTITY (START 5 INCREMENT 2) PRIMARY KEY,
    state billing.state DEFAULT 'open', pair pair, span span, tags tags, mail citext UNIQUE, name text COLLATE blind UNIQUE,
    during tsrange, EXCLUDE USING gist (during WITH &&), UNIQUE NULLS NOT DISTINCT (state, mail),
    total integer GENERATED ALWAYS AS (1 + 1) STORED) WITH (fillfactor = 70);
COMMENT ON COLUMN billing.bills.total IS 'two'; COMMENT ON CONSTRAINT bills_pkey ON billing.bills IS 'the key';
ALTER TABLE billing.bills REPLICA IDENTITY FULL; ALTER TABLE billing.bills ALTER name SET STORAGE EXTERNAL;
ALTER TABLE billing.bills ALTER name SET STATISTICS 500; CREATE INDEX by_name ON billing.bills (name) INCLUDE (state);
ALTER TABLE billing.bills CLUSTER ON by_name; CREATE STATISTICS linked ON state, mail FROM billing.bills;
CREATE TABLE parent (a integer); CREATE TABLE child (b integer) INHERITS (parent); CREATE UNLOGGED TABLE quick (a integer);
CREATE TABLE secret (owner name, t text); ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON secret FOR SELECT TO PUBLIC USING (owner = current_user);
CREATE SEQUENCE numbers AS smallint INCREMENT -1 MAXVALUE 100 START 100 CYCLE OWNED BY parent.a;
CREATE VIEW open_bills WITH (security_barrier) AS SELECT id FROM billing.bills WHERE state = 'open' WITH LOCAL CHECK OPTION;
CREATE FUNCTION add(a integer, b integer DEFAULT 2) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 7
    SET work_mem = '8MB' AS 'SELECT a + b';
CREATE PROCEDURE act() LANGUAGE sql AS 'SELECT 1'; CREATE AGGREGATE added (integer) (SFUNC = int4pl, STYPE = integer, INITCOND = '0');
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER always BEFORE INSERT ON secret FOR EACH ROW EXECUTE FUNCTION stamp(); ALTER TABLE secret ENABLE ALWAYS TRIGGER always;
CREATE TRIGGER off BEFORE UPDATE OF t ON secret FOR EACH ROW WHEN (OLD.t IS NULL) EXECUTE FUNCTION stamp();
ALTER TABLE secret DISABLE TRIGGER off; COMMENT ON TRIGGER off ON secret IS 'not now';
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON parent DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE RULE none AS ON DELETE TO quick DO INSTEAD NOTHING; ALTER TABLE quick ENABLE REPLICA RULE none;
CREATE TEXT SEARCH CONFIGURATION plainly (COPY = simple); CREATE OPERATOR === (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4eq);
ALTER TABLE orders ADD CONSTRAINT late_key FOREIGN KEY (user_id) REFERENCES users DEFERRABLE INITIALLY DEFERRED NOT VALID;
COMMENT ON CONSTRAINT late_key ON orders IS 'it''s late'; ALTER TABLE users ADD CHECK (name <> 'x') NOT VALID;
INSERT INTO billing.bills (pair, span, tags, mail, name, during) VALUES ((1, 'x'), '[1,2)', '{a,NULL}', 'A@x', 'Ann', '[2020-01-01,2021-01-01)');
INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2, 3); INSERT INTO quick VALUES (4);
INSERT INTO secret VALUES (current_user, 'mine'); SELECT lo_from_bytea(4711, '\x00ff');
GRANT USAGE ON SCHEMA billing TO {0}; GRANT SELECT (id, name), UPDATE (name) ON billing.bills TO {0} WITH GRANT OPTION;
GRANT USAGE ON SEQUENCE numbers TO {0}; REVOKE EXECUTE ON FUNCTION add FROM PUBLIC; GRANT EXECUTE ON PROCEDURE act TO {0};
GRANT USAGE ON TYPE billing.state TO {0}; REVOKE USAGE ON TYPE billing.state FROM PUBLIC; GRANT SELECT ON users, open_bills TO PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA billing GRANT SELECT ON TABLES TO {0}; REVOKE ALL ON SCHEMA public FROM PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT INSERT ON TABLES TO {0}; REVOKE CONNECT ON DATABASE {1} FROM PUBLIC; GRANT CONNECT ON DATABASE {1} TO {0};
ALTER DATABASE {1} SET statement_timeout = '7s'; ALTER DATABASE {1} CONNECTION LIMIT 40;
"""


def whole_text(shop: Shop) -> list[str]:
    """Return all that a superuser's pg_dump tells of live, owners, rights and settings too, without what differs anyway."""
    text = shop.pg_dump("--create", login=shop.server.superuser).decode()
    lines = [line for line in text.splitlines() if not line.startswith((r"\restrict", r"\unrestrict", "--"))]
    return [line for line in lines if line]


def test_a_dump_of_all_there_is_tells_the_same_after(shop: Shop) -> None:
    """Types, keys, policies, rights, comments and settings of many kinds, and rows repaired: pg_dump's text is the same."""
    reader = f"reader_{uuid.uuid4().hex[:8]}"
    shop.server.superuser.run(f"CREATE ROLE {reader}")
    try:
        shop.login.run(EVERYTHING.replace("{0}", reader).replace("{1}", shop.name))
        before = whole_text(shop)
        baseline = copied(shop)
        tables = ("billing.bills", "parent", "child", "secret", "orders")
        shop.login.run("; ".join(f"DELETE FROM {name}" for name in tables))
        scratch = repaired(shop, baseline, **dict.fromkeys(tables, "restore"))
        told = shop.ask("cutover", **shop.cut_over_request(scratch))
        after = whole_text(shop)
        assert told["notes"] == []
        assert "COMMENT ON SCHEMA billing IS 'money';" in before
        assert sorted(set(before) - set(after)) == sorted(set(after) - set(before)) == []
    finally:
        shop.server.drop(shop.login)
        shop.server.superuser.run(f"DROP OWNED BY {reader}; DROP ROLE {reader}")
