"""A PostgreSQL server that speaks German is understood as one that speaks English is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.host_reader.answers import Refusal
from adapters.host_reader.postgresql.server import PostgresqlServer
from adapters.host_reader.postgresql.session import ServerRefusal
from adapters.host_reader.postgresql.verbs import opened
from tests.integration.postgresql_shop import Shop, a_shop
from tests.servers.postgres import postgres_bin, start_postgres

pytestmark = pytest.mark.long


@pytest.fixture
def german(tmp_path: Path) -> Iterator[Shop]:
    """Return a shop on a server whose messages are German, as where the system that it was installed on is."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for program in postgres_bin().iterdir():
        (programs / program.name).symlink_to(program)
    (programs / "postgres").unlink()
    (programs / "postgres").write_text(
        f'#!/bin/sh\nLANGUAGE=de exec {postgres_bin() / "postgres"} "$@"\n', encoding="utf-8"
    )
    (programs / "postgres").chmod(0o755)
    server = start_postgres(tmp_path / "server", programs=programs)
    try:
        with a_shop(server, tmp_path) as shop:
            with pytest.raises(RuntimeError, match=r"FEHLER|ERROR") as said:
                shop.login.run("SELECT 1 / 0")
            if "FEHLER" not in str(said.value):
                pytest.skip("this PostgreSQL has no German messages")
            yield shop
    finally:
        server.kill()


def test_its_refusals_are_read_by_their_state(german: Shop) -> None:
    """A missing table, a missing right and a lock are told as what they are."""
    with PostgresqlServer(german.request()) as server:
        for statement, state, kind in (
            ("SELECT * FROM nowhere", "42P01", "refused"),
            ("CREATE ROLE theirs", "42501", "refused"),
            ("INSERT INTO orders (user_id) VALUES (999999)", "23503", "foreign_keys"),
        ):
            with (
                server.session(german.name, path=True) as session,
                pytest.raises(ServerRefusal) as told,
            ):
                session.run(statement)
            assert (told.value.state, told.value.kind) == (state, kind)


def test_a_closed_live_database_is_looked_for_from_another(german: Shop) -> None:
    """A database that takes no connections is reported so, and the server is reached all the same, as a cut-over needs it."""
    root = german.server.superuser
    root.run(f'ALTER DATABASE "{german.name}" ALLOW_CONNECTIONS false')
    with PostgresqlServer(german.request()) as server:
        assert server.home == "postgres"
        with pytest.raises(ServerRefusal, match="another language") as told:
            server.session(german.name)
        assert told.value.is_unread
    root.run(f'ALTER DATABASE "{german.name}" ALLOW_CONNECTIONS true')


def test_a_backup_goes_into_scratch_and_a_wrong_password_is_refused(german: Shop) -> None:
    """Its safety backup and its copy are as those of any server; who is not let in is told that it was refused."""
    target = german.safety()
    german.ask("copy", source=german.name, target=target)
    scratch = german.scratch()
    german.ask("copy", source=target, target=scratch)
    assert german.fingerprint(scratch) == german.fingerprint()
    german.server.superuser.run(f"ALTER ROLE \"{german.login.username}\" PASSWORD 'another'")
    with pytest.raises(Refusal, match="the server refuses it"), opened(german.request()):
        pass
