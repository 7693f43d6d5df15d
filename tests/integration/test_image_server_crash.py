"""The database server is killed in the middle of a repair: the same request goes on when it is up again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.host_reader.answers import Refusal
from adapters.host_reader.images.verbs import prove, repair
from tests.integration.image_servers import Album, build_album
from tests.integration.test_image_repair_on_servers import Killing
from tests.servers import mariadb, postgres
from tests.servers.fixtures import made_once
from tests.servers.mariadb import MariadbServer, start_mariadb
from tests.servers.postgres import DEBIAN_VERSION, PostgresServer, postgres_bin, start_postgres

Start = Callable[[int], MariadbServer | PostgresServer]


@pytest.fixture(params=["mariadb", "postgres"])
def start(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Start:
    """Return how to start a server of its own on a port, again and again on the same data."""
    folder = tmp_path_factory.mktemp("crash")
    if request.param == "mariadb":
        template = made_once(tmp_path_factory, "data-of-mariadb", mariadb.make_data)
        return lambda port: start_mariadb(folder, template=template, port=port)
    programs = postgres_bin(DEBIAN_VERSION)
    template = made_once(
        tmp_path_factory,
        f"data-of-postgres-{DEBIAN_VERSION}",
        lambda where: postgres.make_data(where, programs),
    )
    return lambda port: start_postgres(folder, programs=programs, template=template, port=port)


@pytest.mark.long
def test_a_killed_server_and_the_repair_goes_on(start: Start, tmp_path: Path) -> None:
    """Killed after the first chunk and in the middle of the second: refused, and then repaired and proven."""
    server = start(0)
    try:
        album = build_album(server.make("album"), tmp_path)
        request = album.request(chunk_rows=60)
        for in_the_middle in (False, True):
            with pytest.raises(Refusal):
                repair(request, _killing(album, server, in_the_middle))
            server = start(album.login.port)
        repair(request, album.open_server)
        assert prove(request, album.open_server)["proven"]
    finally:
        server.kill()


def _killing(album: Album, server: MariadbServer | PostgresServer, in_the_middle: bool) -> Any:
    ended: list[int] = []

    def end(place: int) -> None:
        if not ended:
            ended.append(place)
            server.kill()

    @contextmanager
    def open_server(request: dict[str, Any]) -> Iterator[Any]:
        with album.open_server(request) as opened:
            yield Killing(opened, end, in_the_middle=in_the_middle)

    return open_server
