"""The repair worked out on images, on real MariaDB and PostgreSQL: content, proof, hostile values, triggers, kills."""

from __future__ import annotations

import json
import os
import secrets
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from adapters.host_reader.answers import Refusal
from adapters.host_reader.images.image import make_image
from adapters.host_reader.images.verbs import compare, prove, repair, salvage, swap_prepare
from adapters.host_reader.server.port import Row, Server, ServerTable
from tests.integration.image_servers import HOSTILE, TABLES, Album, build_album, literal, make_place, own_name
from tests.unit.rows.shapes import rows as image_rows

ENGINES = ("mariadb", "postgres")


@pytest.fixture(params=ENGINES, scope="module")
def album(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Album]:
    """Return the incident on a real server, as the application's own limited user; each test works on its own scratch."""
    server = request.getfixturevalue(f"{request.param}_server")
    login = server.make(f"album_{secrets.token_hex(4)}")
    yield build_album(login, tmp_path_factory.mktemp("images"))
    server.drop(login)


def scratch_request(album: Album, stage: str = "scratch", **more: Any) -> dict[str, Any]:
    """Make a scratch as it is at a stage, and return the request to repair it."""
    return album.request(scratch=make_place(album.login, own_name("scratch"), stage), **more)


def contents(album: Album, place: str) -> dict[str, list[str]]:
    """Return all rows of all tables of a database, as its image has them."""
    with album.open_server(album.request()) as server:
        made = Path(make_image(server, place, str(album.workspace)))
    return {table: sorted(map(repr, image_rows(made, f"SELECT * FROM {table}"))) for table in TABLES}


def test_everything_is_back_and_proven(album: Album) -> None:
    """Lost notes, prices and remarks, rows and edits since, and notes in the new shape are all there; nothing else is."""
    request = scratch_request(album)
    scratch = request["scratch"]
    answer = json.loads(json.dumps(repair(request, album.open_server)))
    assert answer["chunks"] > 0
    notes = album.rows(scratch, "SELECT id, note FROM pictures WHERE id IN (4, 90001) ORDER BY id")
    assert notes == [("4", "edited since"), ("90001", "note since")]
    assert album.rows(scratch, "SELECT id FROM pictures WHERE place = 'by trigger'") == []
    same = "SELECT id, cost, note FROM pictures WHERE id NOT IN (4, 7) AND id < 90000 ORDER BY id"
    assert album.rows(scratch, same) == album.rows(album.baseline, same)
    assert album.rows(scratch, "SELECT born FROM users WHERE id = 2") == [("2001-02-03",)]
    proof = json.loads(json.dumps(prove(request, album.open_server)))
    assert (proof["proven"], proof["reasons"]) == (True, [])
    assert proof["schema_differences"]["triggers_missing"] == []
    with album.open_server(request) as server:
        assert answer["fingerprint"] == server.fingerprint(scratch).hash
    assert repair(request, album.open_server)["attached"] is True
    album.login.run("INSERT INTO remarks (picture_id, body) VALUES (1, 'next')", database=scratch)
    assert album.rows(scratch, "SELECT max(id) FROM remarks") == [("90003",)]


LETTERS = """
CREATE TABLE migrations (id INT PRIMARY KEY, migration VARCHAR(190) NOT NULL, batch INT NOT NULL);
CREATE TABLE letters (id INT PRIMARY KEY, created_at TIMESTAMP NULL, {column});
INSERT INTO letters (id, created_at, lost) VALUES {values};
"""
SINCE = "ALTER TABLE letters DROP COLUMN lost; INSERT INTO letters (id) VALUES (4);"


@pytest.mark.parametrize(
    ("engine", "column", "before", "since"),
    [
        (
            "mariadb",
            "lost ENUM('it''s new', 'sent', 'read') NOT NULL",
            ["sent", "it's new", "read"],
            "it's new",
        ),
        ("mariadb", "lost VARCHAR(9) DEFAULT 'all'", [None, "all", "some"], "all"),
        ("postgres", "lost VARCHAR(9) DEFAULT 'all'", [None, "all", "some"], "all"),
        ("mariadb", "lost DATETIME DEFAULT CURRENT_TIMESTAMP", [None, "2025-11-01 10:00:00", None], ""),
        ("mariadb", "lost TIMESTAMP(3) NOT NULL DEFAULT now(3)", ["2025-11-01 10:00:00.250"] * 3, ""),
        ("postgres", "lost TIMESTAMP(0) DEFAULT CURRENT_TIMESTAMP", [None, "2025-11-01 10:00:00", None], ""),
        ("postgres", "lost TIMESTAMPTZ NOT NULL DEFAULT now()", ["2025-11-01 10:00:00.25+00"] * 3, ""),
    ],
)
def test_what_a_column_was_given_when_it_came_back_is_no_value_of_its_own(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    engine: str,
    column: str,
    before: list[str | None],
    since: str,
) -> None:
    """A default, the first of a list or the time: the backup's values are put back over it, its NULL too."""
    login = request.getfixturevalue(f"{engine}_server").make(f"letters_{secrets.token_hex(4)}")
    born = "2025-11-01 09:00:00"
    values = ", ".join(
        "(" + ", ".join(literal(engine, each) for each in (number, born, kept)) + ")"
        for number, kept in enumerate(before, 1)
    )
    script = LETTERS.format(column=column, values=values)
    album = Album(
        login=login,
        live=login.database,
        baseline=own_name("base"),
        scratch=own_name("scratch"),
        workspace=tmp_path,
    )
    login.run(script + SINCE)
    for place, more in (
        (album.baseline, ""),
        (album.scratch, f"{SINCE} ALTER TABLE letters ADD COLUMN {column};"),
    ):
        login.run(f"CREATE DATABASE {place}")
        login.run(script + more, database=place)
    asked = album.request(decisions={}, mappings=[])
    repair(asked, album.open_server)
    *kept, [fourth] = album.rows(album.scratch, "SELECT lost FROM letters ORDER BY id")
    assert kept == album.rows(album.baseline, "SELECT lost FROM letters ORDER BY id")
    assert fourth == since if since else fourth > born
    proof = prove(asked, album.open_server)
    assert (proof["proven"], proof["reasons"]) == (True, [])
    for place in (album.scratch, album.baseline):
        login.run(f"DROP DATABASE {place}")


def test_an_image_holds_hostile_values_as_they_are(album: Album) -> None:
    """Texts, bytes, decimals and dates are in the image as the server has them."""
    with album.open_server(album.request()) as server:
        made = Path(make_image(server, album.baseline, str(album.workspace)))
    notes = [row[0] for row in image_rows(made, "SELECT note FROM pictures WHERE id <= 11 ORDER BY id")]
    assert notes == [*HOSTILE, None]
    face, born = image_rows(made, "SELECT face, born FROM users WHERE id = 3")[0]
    assert (face, born) == (bytes([0, 3, 255, 10, 92, 9]), "1973-01-03")
    assert image_rows(made, "SELECT cost FROM pictures WHERE id = 7") == [("7.5000",)]


def test_the_loss_table_names_what_the_migration_took(album: Album) -> None:
    """Lost values and rows are counted from the images."""
    asked = {**album.request(), "before": album.baseline, "after": album.live}
    answer = compare(asked, album.open_server)
    assert answer["loss"] == "loss"
    assert answer["tables"]["pictures"]["columns"]["cost"]["values_lost"] == 59
    assert answer["tables"]["remarks"]["missing"] == 120
    assert answer["triggers_missing"] == []


@pytest.mark.long
def test_killed_after_each_chunk_it_ends_the_same(album: Album) -> None:
    """A reader killed after any commit leaves a scratch from which the same request goes on to the same content."""
    whole = scratch_request(album)
    repair(whole, album.open_server)
    request = scratch_request(album, chunk_rows=100)
    kills = 0
    while killed_at_a_chunk(album, request):
        kills += 1
        assert kills < 20
    assert kills >= 3
    assert prove(request, album.open_server)["proven"]
    assert contents(album, request["scratch"]) == contents(album, whole["scratch"])


def test_killed_in_the_middle_of_a_chunk_nothing_of_it_is_in(album: Album) -> None:
    """Half a chunk leaves the rows as they were; the same request does it whole, and triggers and keys are back."""
    request = scratch_request(album)
    before = contents(album, request["scratch"])
    assert killed_at_a_chunk(album, request, in_the_middle=True)
    assert contents(album, request["scratch"]) == before
    repair(request, album.open_server)
    proof = prove(request, album.open_server)
    assert (proof["proven"], proof["schema_differences"]["triggers_missing"]) == (True, [])


def test_a_killed_client_is_told_and_the_repair_goes_on(album: Album) -> None:
    """Where the engine's own client is killed in the middle of a chunk it is refused; the same request goes on."""
    request = scratch_request(album)

    def ends_clients(number: int) -> None:
        for client in children():
            os.kill(client, signal.SIGKILL)

    with pytest.raises(Refusal):
        repair(request, lambda asked: _killing(album, asked, ends_clients, in_the_middle=True))
    repair(request, album.open_server)
    assert prove(request, album.open_server)["proven"]


@pytest.mark.long
def test_a_foreign_write_is_refused(album: Album) -> None:
    """A scratch in which somebody wrote between two tries is left as it is."""
    request = scratch_request(album, chunk_rows=100)
    assert killed_at_a_chunk(album, request)
    album.login.run("UPDATE users SET email = 'x' WHERE id = 1", database=request["scratch"])
    with pytest.raises(Refusal, match="neither it was nor it shall be") as refused:
        repair(request, album.open_server)
    assert refused.value.kind == "changed"


@pytest.mark.long
def test_salvage_is_proven_too(album: Album) -> None:
    """The loaded backup with the rows since put in holds all that fits."""
    request = scratch_request(album, "baseline")
    answer = salvage(request, album.open_server)
    assert answer["put_back_rows"] == {"pictures": 1, "remarks": 1}
    proof = prove(request, album.open_server)
    assert (proof["proven"], proof["reasons"], proof["totals"]["rows_lost"]) == (True, [], 0)


def test_a_backup_is_made_ready_for_a_swap(album: Album) -> None:
    """Runtime rows are live's, and what a swap would lose is told."""
    request = scratch_request(album, "baseline")
    answer = swap_prepare(request, album.open_server)
    assert album.rows(request["scratch"], "SELECT id FROM sessions") == [("now",)]
    assert answer["rows_would_be_lost"]["pictures"]["new"] == 1
    assert set(answer["tables"]) == set(TABLES)


def children() -> list[int]:
    """Return the client programs that this process has running."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            name, _, rest = stat.read_text().rpartition(")")
            if int(rest.split()[1]) == os.getpid() and name.split("(")[1] in ("mariadb", "mysql", "psql"):
                found.append(int(stat.parent.name))
    return found


class Killing:
    """The engine's server, which calls `end` in the middle of a chunk's rows or after its commit."""

    def __init__(self, server: Server, end: Callable[[int], None], *, in_the_middle: bool) -> None:
        self._server = server
        self._end = end
        self._in_the_middle = in_the_middle

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def insert_rows(
        self, database: str, table: ServerTable, columns: Sequence[str], rows: Iterable[Row]
    ) -> None:
        self._server.insert_rows(database, table, columns, self._rows(rows))
        self._end(0)

    def update_rows(
        self, database: str, table: ServerTable, columns: Sequence[str], rows: Iterable[Row]
    ) -> None:
        self._server.update_rows(database, table, columns, self._rows(rows))
        self._end(0)

    def delete_rows(self, database: str, table: ServerTable, keys: Iterable[Row]) -> None:
        self._server.delete_rows(database, table, self._rows(keys))
        self._end(0)

    def _rows(self, rows: Iterable[Row]) -> Iterator[Row]:
        listed = list(rows)
        for place, row in enumerate(listed):
            if self._in_the_middle and 2 * place >= len(listed):
                self._end(place)
            yield row


def killed_at_a_chunk(album: Album, request: dict[str, Any], *, in_the_middle: bool = False) -> bool:
    """Run the repair in a process of its own that is killed at its first chunk; return whether it was."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            repair(request, lambda asked: _killing(album, asked, kill_me, in_the_middle=in_the_middle))
            status = 0
        finally:
            os._exit(status)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def kill_me(_place: int) -> None:
    """End this process as `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def _killing(
    album: Album, request: dict[str, Any], end: Callable[[int], None], *, in_the_middle: bool
) -> Iterator[Any]:
    with album.open_server(request) as server:
        yield Killing(server, end, in_the_middle=in_the_middle)
