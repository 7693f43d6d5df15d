"""A backup is loaded into an empty scratch database only, as a whole or not at all (HAZARDS B3, B5, R3, R5, R10)."""

from __future__ import annotations

import bz2
import gzip
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.host_reader.answers import Refusal
from adapters.host_reader.postgresql import load as loading
from adapters.host_reader.postgresql.scratch import make_scratch
from adapters.host_reader.postgresql.server import PostgresqlServer
from adapters.host_reader.postgresql.verbs import opened
from tests.integration.postgresql_shop import Shop, a_shop
from tests.servers.fixtures import Postgreses
from tests.servers.postgres import postgres_bin

MALICIOUS = "x'); \\. ; drop table public.users cascade; --"
EXPECT = {"tables": {"users": 50, "orders": 50, "migrations": 2}}


@pytest.fixture(scope="module")
def shop(postgres_servers: Postgreses, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Return a small shop, which no test of this module changes for good."""
    with a_shop(postgres_servers[15], tmp_path_factory.mktemp("load")) as shop:
        yield shop


def load(shop: Shop, backup: Path, **more: object) -> dict[str, object]:
    return shop.ask("load", backup=str(backup), target=shop.scratch(), like=shop.name, **more)


def refusal(shop: Shop, backup: Path, **more: object) -> Refusal:
    """Return why the load was refused, after proving that no scratch database was left."""
    before = shop.server.databases()
    with pytest.raises(Refusal) as told:
        load(shop, backup, **more)
    assert shop.server.databases() == before
    return told.value


@pytest.mark.long
def test_every_packing_gives_the_same_database(shop: Shop, tmp_path: Path) -> None:
    """Plain, gzip, bzip2, zip and zstd, --inserts, custom and packed custom: each load is equal to live, and counted."""
    plain, custom = shop.pg_dump(), shop.pg_dump("-Fc")
    paths = {name: tmp_path / name for name in ("plain", "gz", "bz2", "inserts", "custom", "custom.gz")}
    paths["plain"].write_bytes(plain)
    paths["gz"].write_bytes(gzip.compress(plain))
    paths["bz2"].write_bytes(bz2.compress(plain))
    paths["inserts"].write_bytes(shop.pg_dump("--inserts"))
    paths["custom"].write_bytes(custom)
    paths["custom.gz"].write_bytes(gzip.compress(custom))
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("dump.sql", plain)
    paths["zip"] = tmp_path / "zip"
    if shutil.which("zstd"):
        subprocess.run(["zstd", "-q", str(paths["plain"]), "-o", str(tmp_path / "zst")], check=True)
        paths["zst"] = tmp_path / "zst"
    wanted = shop.fingerprint()
    for name, path in paths.items():
        answer = load(shop, path, expect=EXPECT)
        assert (answer["fingerprint"], answer["foreign_key_violations"]) == (wanted, {}), name
        assert next(row["migration"] for row in answer["migrations"]) == "2026_01_01_000000_users"


def test_the_literal_restore_destroys_and_ours_does_not(shop: Shop, tmp_path: Path) -> None:
    """`psql -f` onto the broken database: exit 0, nothing restored, and either a row is run as SQL or the sequence set back.

    psql 15.18 and 17.10 run the rows of a COPY that failed, and so drop a table; 15.20 and 18.6 pass over them, and set
    the sequence back. Backout loads beside it (R3).
    """
    for version in (15, 17):
        login = shop.server.make(f"{shop.name}_victim")
        victim = Shop(shop.server, login, tmp_path / f"victim-{version}")
        try:
            login.run(
                "CREATE TABLE users (id int); INSERT INTO users VALUES (1); CREATE TABLE posts (id serial, caption text);"
                " INSERT INTO posts (caption) VALUES ('x; drop table public.users cascade; --')"
            )
            dump = tmp_path / "before.sql"
            dump.write_bytes(victim.pg_dump("--no-owner"))
            good = victim.fingerprint()
            login.run("ALTER TABLE posts DROP COLUMN caption; SELECT setval('posts_id_seq', 700)")
            broken = victim.fingerprint()
            answer = victim.ask("load", backup=str(dump), target=victim.scratch(), like=victim.name)
            assert (answer["fingerprint"], victim.fingerprint()) == (good, broken)
            psql = [str(postgres_bin(version) / "psql"), *login.client()[1:], "-v", "ON_ERROR_STOP=0"]
            done = subprocess.run(
                [*psql, "-f", str(dump)], env=login.environment(), capture_output=True, check=False
            )
            assert done.returncode == 0
            assert login.number("SELECT count(*) FROM pg_attribute WHERE attname = 'caption'") == 0
            dropped = login.number("SELECT count(*) FROM pg_tables WHERE tablename = 'users'") == 0
            assert dropped or login.number("SELECT last_value FROM posts_id_seq") == 1
            assert dropped or version == 15
        finally:
            shop.server.drop(login)


def test_a_load_never_goes_into_a_database_that_is_there(shop: Shop, tmp_path: Path) -> None:
    """Production, and a database that has content, are refused as targets before the dump is opened."""
    dump = tmp_path / "dump.sql"
    dump.write_bytes(shop.pg_dump())
    taken, before = shop.twin(), shop.fingerprint()
    for target, kind in ((shop.name, "bad_request"), ("postgres", "bad_request"), (taken, "changed")):
        with pytest.raises(Refusal) as told:
            shop.ask("load", backup=str(dump), target=target, like=shop.name)
        assert told.value.kind == kind
    assert shop.fingerprint() == shop.fingerprint(taken) == before


def test_hostile_rows_are_rows(shop: Shop, tmp_path: Path) -> None:
    """Text that looks like SQL, psql commands or COPY's end is loaded as text, in COPY and in INSERT form."""
    shop.login.run(
        "CREATE TABLE notes (id int PRIMARY KEY, body text); INSERT INTO notes VALUES"
        f" (1, '{MALICIOUS.replace(chr(39), chr(39) * 2)}'), (2, E'\\n\\\\! touch pwned\\n\\\\.\\n'), (3, ':x GRANT ALL;')"
    )
    try:
        wanted = shop.fingerprint()
        for words in ((), ("--inserts",)):
            path = tmp_path / "dump.sql"
            path.write_bytes(shop.pg_dump(*words))
            assert load(shop, path)["fingerprint"] == wanted
    finally:
        shop.login.run("DROP TABLE notes")


def test_what_only_its_own_server_could_take_is_left_out_and_named(shop: Shop, tmp_path: Path) -> None:
    """Owners and rights of missing roles, comments on extensions, newer settings, \\restrict: left out, and said (B5)."""
    foreign = b"""SET transaction_timeout = 0;
ALTER TABLE public.users OWNER TO nobody_here;
GRANT SELECT ON TABLE public.users TO nobody_here;
ALTER DEFAULT PRIVILEGES FOR ROLE nobody_here GRANT ALL ON TABLES TO nobody_here;
COMMENT ON EXTENSION plpgsql IS 'PL/pgSQL; procedural language';
\\restrict abc
\\unrestrict abc
"""
    text = shop.pg_dump()
    place = text.index(b"ALTER TABLE ONLY public.migrations")
    path = tmp_path / "foreign.sql"
    path.write_bytes(text[:place] + foreign + text[place:])
    answer = load(shop, path, expect=EXPECT)
    assert answer["fingerprint"] == shop.fingerprint()
    said = " ".join(map(str, answer["notes"]))  # type: ignore[call-overload]
    for word in (
        "transaction_timeout",
        "owners",
        "rights of named roles",
        "default rights",
        "extensions",
        "restricted",
    ):
        assert word in said


@pytest.mark.long
def test_an_archive_of_extensions_and_rights_loads(postgres_servers: Postgreses, tmp_path: Path) -> None:
    """Extension types, and a schema beside public, load from a superuser's archive; its comments are left out (R10, B5)."""
    with a_shop(
        postgres_servers[15],
        tmp_path,
        "CREATE EXTENSION citext; CREATE SCHEMA app; CREATE TABLE app.people (mail citext PRIMARY KEY);"
        " CREATE TABLE app.letters (id serial PRIMARY KEY, mail citext REFERENCES app.people);"
        " INSERT INTO app.people VALUES ('A@x'); INSERT INTO app.letters (mail) VALUES ('a@X')",
    ) as shop:
        shop.login.run(f"ALTER DATABASE {shop.name} SET search_path = app, public")
        path = tmp_path / "super.dump"
        path.write_bytes(shop.pg_dump("-Fc", login=shop.server.superuser.to(shop.name)))
        answer = load(shop, path, expect={"tables": {"app.people": 1, "app.letters": 1}})
        assert answer["fingerprint"] == shop.fingerprint()
        assert (answer["tables"], answer["foreign_key_violations"]) == ({"letters": 1, "people": 1}, {})
        assert "extensions" in str(answer["notes"])


@pytest.mark.parametrize("version", [17, 18])
def test_a_newer_archive_loads_into_an_older_server(
    postgres_servers: Postgreses, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    """An archive of a newer pg_dump is read by the newer pg_restore and loaded without what server 15 does not know."""
    monkeypatch.setenv("PATH", f"{postgres_bin(version)}:{os.environ['PATH']}")
    path = tmp_path / "newer.dump"
    path.write_bytes(shop.pg_dump("-Fc", bin=postgres_bin(version)))
    answer = load(shop, path, expect=EXPECT)
    assert answer["fingerprint"] == shop.fingerprint()


def test_broken_backups_leave_no_database(shop: Shop, tmp_path: Path) -> None:
    """Cut, damaged, wrong, commanding or lying backups are refused, and the scratch is thrown away."""
    plain, custom = shop.pg_dump(), shop.pg_dump("-Fc")
    packed = gzip.compress(plain)
    cut = plain.index(b"\n20\t") + 2
    cases: list[tuple[str, bytes, str]] = [
        ("cut in rows", plain[:cut], "damaged"),
        ("cut gzip", packed[: len(packed) // 2], "damaged"),
        ("cut archive", custom[: len(custom) - 200], "refused"),
        (
            "a psql command",
            plain.replace(b"SET statement_timeout", b"\\! touch pwned\nSET statement_timeout", 1),
            "refused",
        ),
        (
            "a program",
            plain.replace(b"SET statement_timeout", b"COPY t FROM PROGRAM 'id';\nSET statement_timeout", 1),
            "refused",
        ),
        (
            "an error",
            plain.replace(b"SET statement_timeout", b"SELECT 1 / 0;\nSET statement_timeout", 1),
            "refused",
        ),
        ("no dump", b"hello\n", "refused"),
        ("another engine", b"-- MySQL dump 10.13\nCREATE TABLE `t` (id int);\n", "refused"),
    ]
    for name, content, kind in cases:
        path = tmp_path / "broken"
        path.write_bytes(content)
        assert (name, refusal(shop, path).kind) == (name, kind)
    path.write_bytes(plain)
    assert refusal(shop, path, expect={"tables": {"users": 51}}).kind == "damaged"
    assert not list(shop.workspace.rglob("pwned"))


def test_a_failing_row_is_told_by_line_and_state_only(shop: Shop, tmp_path: Path) -> None:
    """The message names SQLSTATE and line; the row itself stays in a private file on the host (R5)."""
    text = shop.pg_dump()
    at = text.index(b"\n7\tuser 7\t") + 1
    path = tmp_path / "bad.sql"
    path.write_bytes(text[:at] + b"7x\tsecret row\t\\N\n" + text[at:])
    told = refusal(shop, path)
    assert "22P02" in told.message
    assert "secret row" not in told.message
    kept = list((shop.workspace / "tmp").glob("*.stderr"))
    assert [file.stat().st_mode & 0o777 for file in kept] == [0o600] * len(kept)
    assert any(b"secret row" in file.read_bytes() or b"7x" in file.read_bytes() for file in kept)


class LoadedByAnother(PostgresqlServer):
    """A server into which plain dumps are loaded by another psql than this host's newest."""

    def __init__(self, request: dict[str, Any], psql: Path) -> None:
        self._another = str(psql)
        super().__init__(request)

    @property
    def psql(self) -> str:
        """Return that other psql."""
        return self._another


def psql_14(folder: Path) -> Path:
    """Return a psql that says what 14.18 says, and loads as 15 does: it notes its words, and what is in after its end.

    *Source*: `psql --version` of Ubuntu's package; from 15 on psql rolls a load in one transaction back at an error.
    """
    real = shutil.which("psql", path="/usr/lib/postgresql/15/bin")
    path = folder / "psql"
    path.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && { echo "psql (PostgreSQL) 14.18 (Ubuntu 14.18-0ubuntu0.22.04.1)"; exit; }\n'
        f'echo "$*" >{folder}/words\n{real} "$@"\nstatus=$?\nfor last; do :; done\n'
        f"{real} -X -q -A -t -w -d \"$last\" -c 'SELECT count(*) FROM users' >{folder}/rows\nexit $status\n"
    )
    path.chmod(0o755)
    return path


def test_an_older_psql_loads_statement_by_statement_and_leaves_nothing(shop: Shop, tmp_path: Path) -> None:
    """Before 15 a load is not one transaction: the rows of one that fails at its end are in, and go with the scratch (R3)."""
    plain, dump = shop.pg_dump(), tmp_path / "dump.sql"
    last = plain.rindex(b"\nALTER TABLE ONLY")
    dump.write_bytes(plain[:last] + b"\nSELECT 1 / 0;" + plain[last:])
    psql, request = psql_14(tmp_path), shop.request(like=shop.name)
    before = shop.server.databases()
    with LoadedByAnother(request, psql) as server:
        with pytest.raises(Refusal, match="SQLSTATE 22012"):
            loading.load(server, str(dump), shop.scratch(), request)
        assert shop.server.databases() == before
        assert (tmp_path / "rows").read_text().strip() == "50"
        assert not {"-1", "--single-transaction"} & set((tmp_path / "words").read_text().split())
        dump.write_bytes(plain)
        answer = loading.load(server, str(dump), shop.scratch(), request)
    assert answer["fingerprint"] == shop.fingerprint()


@pytest.mark.long
def test_the_reason_of_a_failed_load_is_told_where_its_rest_cannot_be_removed(shop: Shop) -> None:
    """Another user's session keeps the half-made database from being removed; what is told is why the load failed."""
    target, request, sessions = shop.scratch(), shop.request(), []
    seen = "SELECT datname FROM pg_stat_activity WHERE datname LIKE 'backout_part_%'"

    def fill(part: str) -> dict[str, object]:
        who = shop.server.superuser.to(part)
        sessions.append(subprocess.Popen(who.client(), env=who.environment(), stdin=subprocess.PIPE))
        while (part,) not in shop.server.superuser.rows(seen):
            assert sessions[0].poll() is None
        raise Refusal("damaged", "The load is not what the backup holds: orders 49 of 50.")

    try:
        with opened(request) as server, pytest.raises(Refusal) as told:
            make_scratch(server, target, shop.name, request, fill)
        assert (told.value.kind, "orders 49 of 50" in told.value.message) == ("damaged", True)
        names = shop.server.databases()
        assert target not in names
        assert any("backout_part_" in name for name in names)
    finally:
        for session in sessions:
            session.communicate()
    with opened(request) as server:
        made = make_scratch(
            server, target, shop.name, request, lambda part: {"fingerprint": server.fingerprint(part).hash}
        )
    assert made["target"] == target
    assert not any("backout_part_" in name for name in shop.server.databases())
