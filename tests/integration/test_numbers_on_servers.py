"""No id is given again: counters of a table that only the broken state had, on real MariaDB and PostgreSQL (HAZARDS R2)."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.host_reader.__main__ import answer
from adapters.host_reader.answers import Refusal
from adapters.host_reader.images.questions import last_number
from adapters.postgresql_database.database import PostgresqlDatabase
from bot.model.database import Access
from tests.integration.image_servers import TYPES, _opened
from tests.servers.login import Login

NEW = "CREATE TABLE entries (id {id}, note TEXT);"
GIVEN = "INSERT INTO entries (note) VALUES ('a'), ('b'), ('c'); DELETE FROM entries WHERE id > 1;"


@pytest.fixture(params=("mariadb", "postgres"))
def shop(request: pytest.FixtureRequest) -> Iterator[Login]:
    """Return the limited user of a database, on each server."""
    server = request.getfixturevalue(f"{request.param}_server")
    login = server.make(f"numbers_{secrets.token_hex(4)}")
    yield login
    server.drop(login)


def ask(login: Login, verb: str, folder: Path, **more: Any) -> dict[str, Any]:
    """Return the reader's answer to a verb of the engine."""
    request = {"access": login.access(), "workspace": str(folder / "workspace"), **more}
    return answer(f"{login.driver}_{verb}", json.dumps(request))


def made(login: Login) -> None:
    """Make the table of the migration, empty."""
    login.run(NEW.format(**TYPES[login.driver]))


def safety_of(login: Login, folder: Path) -> str:
    """Take a safety backup of the broken state, after it gave three ids of which one is left."""
    made(login)
    login.run(GIVEN)
    safety = str(folder / "safety.dump")
    assert ask(login, "copy", folder, source=login.database, target=safety)["ok"]
    return safety


def test_a_table_made_again_gives_no_id_a_second_time(shop: Login, tmp_path: Path) -> None:
    """Ids that the broken state gave, deleted rows' too, stay given; the second call changes nothing more."""
    safety = safety_of(shop, tmp_path)
    shop.run("DROP TABLE entries;")
    made(shop)
    told = ask(shop, "raise_numbers", tmp_path, database=shop.database, safety=safety)
    again = ask(shop, "raise_numbers", tmp_path, database=shop.database, safety=safety)
    shop.run("INSERT INTO entries (note) VALUES ('next');")
    assert told == {"ok": True, "raised": {"entries": 3}, "given": {"entries": 3}}
    assert again == {"ok": True, "raised": {}, "given": {"entries": 3}}
    assert shop.rows("SELECT id FROM entries") == [("4",)]


def test_a_counter_is_never_set_back(shop: Login, tmp_path: Path) -> None:
    """A counter that stands higher already stays where it is."""
    safety = safety_of(shop, tmp_path)
    shop.run("INSERT INTO entries (id, note) VALUES (90, 'x');")
    if shop.driver == "pgsql":
        shop.run("SELECT setval('entries_id_seq', 90);")
    assert ask(shop, "raise_numbers", tmp_path, database=shop.database, safety=safety)["raised"] == {}
    shop.run("INSERT INTO entries (note) VALUES ('next');")
    assert shop.number("SELECT max(id) FROM entries") == 91


def test_the_numbers_outlive_the_image(shop: Login, tmp_path: Path) -> None:
    """The file beside the backup is enough: the image may be thrown away meanwhile."""
    safety = safety_of(shop, tmp_path)
    for image in (tmp_path / "workspace" / "images").iterdir():
        image.unlink()
    shop.run("DROP TABLE entries;")
    made(shop)
    assert ask(shop, "raise_numbers", tmp_path, database=shop.database, safety=safety)["raised"] == {
        "entries": 3
    }


def test_no_other_database_is_touched(shop: Login, tmp_path: Path) -> None:
    """Only live and Backout's own databases have their counters raised."""
    safety = safety_of(shop, tmp_path)
    other = shop.to("postgres" if shop.driver == "pgsql" else "information_schema").database
    with (
        _opened(shop.driver, {"access": shop.access(), "workspace": str(tmp_path)}) as server,
        pytest.raises(Refusal, match="no database of Backout's own"),
    ):
        server.raise_numbers(other, server.schema(shop.database).tables["entries"], 9, live=True)
    assert Path(f"{safety}.numbers.json").stat().st_mode & 0o777 == 0o600


def test_a_stale_number_outside_the_path_is_found(postgres_server: Any, tmp_path: Path) -> None:
    """On PostgreSQL a sequence that stands below the ids of its table is named in another schema too, once."""
    login = postgres_server.make(f"numbers_{secrets.token_hex(4)}")
    login.run(
        """CREATE SCHEMA side; CREATE TABLE side.told (id serial PRIMARY KEY); CREATE TABLE side.fine (id serial PRIMARY KEY);
        INSERT INTO side.told VALUES (7); INSERT INTO side.fine DEFAULT VALUES;"""
    )
    try:
        database = PostgresqlDatabase("pgsql", Access(argv=(), stdin=""), "")
        facts = database.facts(login.database).read(ask(login, "facts", tmp_path, database=login.database))
        asked = database.stale_numbers(facts, 30)
        found = ask(login, "check", tmp_path, **{k: asked.request[k] for k in ("database", "checks")})
        assert asked.read(found) == ("side.told",)
    finally:
        postgres_server.drop(login)


def test_a_table_outside_the_path_tells_its_number(postgres_server: Any, tmp_path: Path) -> None:
    """On PostgreSQL a numbered table of another schema, with a dot and quotes in its name, is known and raised."""
    login = postgres_server.make(f"numbers_{secrets.token_hex(4)}")
    login.run(
        """CREATE SCHEMA side; CREATE TABLE side."odd.""one" (id serial PRIMARY KEY);
        INSERT INTO side."odd.""one" DEFAULT VALUES; INSERT INTO side."odd.""one" DEFAULT VALUES;"""
    )
    try:
        with _opened("pgsql", {"access": login.access(), "workspace": str(tmp_path)}) as server:
            table = server.schema(login.database).tables['side.odd."one']
            assert last_number(server, login.database, table) == 2
            server.raise_numbers(login.database, table, 7, live=True)
            assert last_number(server, login.database, table) == 7
    finally:
        postgres_server.drop(login)
