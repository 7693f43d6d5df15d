"""The restore bench on MariaDB: scratch load, refill of a lost column, cut-over under readers."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adapters.host_reader.mysql.load import load_dump
from adapters.host_reader.mysql.server import open_server
from adapters.host_reader.mysql.verbs import cutover, fingerprint
from tests.bench.cpu import spent_s, told
from tests.bench.restore_data import MARIADB, counts, write_sql
from tests.bench.restore_report import Measured, tell
from tests.servers.login import Login
from tests.servers.mariadb import MariadbServer, make_data, mariadb_bin, server_program
from tests.servers.private import give_away, launch, socket_folder
from tests.site.servers import free_port

DATABASE = "bench"
PLAIN = "backout_bench_plain"
SCRATCH = "backout_load_20250101000000_0000000b"
# As the shared rooms ask for it: one statement on the server for so many keys.
FILL_KEYS = 50_000
READ_PAUSE_S = 0.01
START_LIMIT_S = 60
SETTLE_LIMIT_S = 60
SETTLED_PAGES = 200
SETTLING_IO = 20_000  # pages in a second; the usual 200 would take minutes
_TOLD = ", ".join(
    f"'{name}'"
    for name in (
        "innodb_buffer_pool_size",
        "innodb_log_file_size",
        "innodb_flush_log_at_trx_commit",
        "innodb_io_capacity",
        "innodb_doublewrite",
        "innodb_flush_method",
        "log_bin",
    )
)


@contextmanager
def running(folder: Path, pool_mb: int) -> Iterator[MariadbServer]:
    """Start a server of which only the buffer pool is set, with temporary files in a folder of its own; stop it at the end.

    Servers that share a folder for temporary files remove one another's when they start (error 6).
    """
    make_data(folder)
    (folder / "tmp").mkdir(exist_ok=True)
    give_away(folder)
    socket, port = socket_folder() / "mysql.sock", free_port()
    places = (
        f"--datadir={folder / 'data'}",
        f"--tmpdir={folder / 'tmp'}",
        f"--socket={socket}",
        f"--port={port}",
    )
    places = (*places, f"--innodb-buffer-pool-size={pool_mb}M")
    words = ["--no-defaults", *places, "--bind-address=127.0.0.1", "--skip-log-bin", "--skip-name-resolve"]
    process = launch("mariadbd", [str(server_program()), *words], folder)
    server = MariadbServer(
        folder=folder,
        bin=mariadb_bin(),
        version="MariaDB",
        host="127.0.0.1",
        port=port,
        socket=socket,
        log=folder / "general.log",
        process=process,
    )
    try:
        _wait(server)
        yield server
    finally:
        server.kill()


def _wait(server: MariadbServer) -> None:
    ends = time.monotonic() + START_LIMIT_S
    while True:
        try:
            server.superuser.run("SELECT 1")
        except RuntimeError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.1)
        else:
            return


def settings(server: MariadbServer) -> str:
    """Return in words what the server is set to, as it tells by itself."""
    told = dict(server.superuser.rows(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({_TOLD})"))
    return "MariaDB " + ", ".join(f"`{name} = {value}`" for name, value in sorted(told.items()))


def settle(server: MariadbServer) -> None:
    """Have the server write its changed pages, so that no side pays for what the other left behind."""
    dirty = "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'Innodb_buffer_pool_pages_dirty'"
    [(most, usual)] = server.superuser.rows("SELECT @@innodb_io_capacity_max, @@innodb_io_capacity")
    hurry = f"innodb_io_capacity_max = {SETTLING_IO}, GLOBAL innodb_io_capacity = {SETTLING_IO}"
    server.superuser.run(f"SET GLOBAL {hurry}, GLOBAL innodb_max_dirty_pages_pct = 0")
    ends = time.monotonic() + SETTLE_LIMIT_S
    while server.superuser.number(dirty) > SETTLED_PAGES and time.monotonic() < ends:
        time.sleep(0.2)
    usually = f"innodb_io_capacity = {usual}, GLOBAL innodb_io_capacity_max = {most}"
    server.superuser.run(f"SET GLOBAL {usually}, GLOBAL innodb_max_dirty_pages_pct = DEFAULT")


def request(login: Login, folder: Path, **more: Any) -> dict[str, Any]:
    """Return a request to the row reader."""
    return {"access": login.access(), "workspace": str(folder / "workspace"), **more}


def prepared(server: MariadbServer, folder: Path, rows: int) -> tuple[Login, Path]:
    """Make the database with its rows, and its dump. *Changes*: makes both."""
    login = server.make(DATABASE)
    source, dump = folder / "source.sql", folder / "dump.sql"
    write_sql(source, rows, MARIADB)
    server.superuser.run(f"CREATE DATABASE {PLAIN} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
    _feed(login, DATABASE, source)
    source.unlink()
    options = ["--no-defaults", f"--socket={server.socket}", "--user=root", "--single-transaction", "--quick"]
    with dump.open("wb") as file:
        subprocess.run(
            [str(server.bin / "mariadb-dump"), *options, "--hex-blob", DATABASE], stdout=file, check=True
        )
    return login, dump


def _feed(login: Login, database: str, path: Path) -> float:
    """Return how many seconds `mariadb < file` takes."""
    began = time.perf_counter()
    with path.open("rb") as file:
        subprocess.run(login.client(database), stdin=file, env=login.environment(), check=True)
    return time.perf_counter() - began


def loads(server: MariadbServer, login: Login, dump: Path, folder: Path, runs: int) -> list[Measured]:
    """Return the load into scratch against `mariadb < dump`, both into new databases, `runs` times in turn."""
    plain: list[float] = []
    ours: list[float] = []
    proofs: list[float] = []
    used: tuple[list[float], list[float]] = ([], [])
    for run in range(runs):
        login.run(
            f"DROP DATABASE {PLAIN}; CREATE DATABASE {PLAIN} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"
        )
        settle(server)
        before = spent_s(server.process.pid)
        plain.append(_feed(login, PLAIN, dump))
        used[0].append(spent_s(server.process.pid) - before)
        reader = open_server(request(login, folder))
        try:
            reader.drop(SCRATCH)
            settle(server)
            before = spent_s(server.process.pid)
            began = time.perf_counter()
            answer = load_dump(reader, str(dump), SCRATCH, like=DATABASE)
            proofs.append(answer["seconds"]["proof"])
            ours.append(time.perf_counter() - began - proofs[-1])
            tell(f"load {run + 1}: plain {plain[-1]:.2f} s, ours {ours[-1]:.2f} s, of it {answer['seconds']}")
        finally:
            reader.close()
        used[1].append(spent_s(server.process.pid) - before)
    _refuse_other_content(login)
    megabytes = dump.stat().st_size / 1e6
    what = f"scratch restore against `mariadb < dump` ({megabytes:.0f} MB)"
    proof = ", ".join(f"{each:.1f}" for each in proofs)
    note = f"counts and anti-joins after it, not in the figure: {proof} s; {told(*used)}, those in it"
    return [Measured(what=what, plain=plain, ours=ours, bound=1.8, faster=True, note=note)]


def _refuse_other_content(login: Login) -> None:
    """End the bench where the two databases are not the same."""
    for name in counts(100):
        sums = [login.rows(f"CHECKSUM TABLE {name}", database=each)[0][1] for each in (PLAIN, SCRATCH)]
        if sums[0] != sums[1]:
            raise SystemExit(f"the loads differ in {name}")


def refills(server: MariadbServer, login: Login, folder: Path, rows: int, runs: int) -> list[Measured]:
    """Return the refill of one lost column in ranges of keys against one plain UPDATE … JOIN."""
    plain: list[float] = []
    ours: list[float] = []
    keys = counts(rows)["photos"]
    lost = "ALTER TABLE photos DROP COLUMN location; ALTER TABLE photos ADD COLUMN location varchar(120) AFTER caption"
    proofs: list[float] = []
    for run in range(runs):
        login.run(lost, database=PLAIN)
        settle(server)
        began = time.perf_counter()
        login.run(
            f"UPDATE photos t JOIN {SCRATCH}.photos s ON s.id = t.id SET t.location = s.location",
            database=PLAIN,
        )
        plain.append(time.perf_counter() - began)
        login.run(lost, database=PLAIN)
        settle(server)
        reader = open_server(request(login, folder))
        try:
            began = time.perf_counter()
            with reader.filling(PLAIN):
                filled = 0
                table = reader.schema(PLAIN).tables["photos"]
                for low in range(1, keys + 1, FILL_KEYS):
                    filled += (
                        reader.fill_columns(
                            PLAIN, SCRATCH, table, ["location"], (low,), (low + FILL_KEYS - 1,)
                        )
                        or 0
                    )
                ours.append(time.perf_counter() - began)
            proofs.append(time.perf_counter() - began - ours[-1])
        finally:
            reader.close()
        if filled != keys:
            raise SystemExit(f"{filled} rows were filled where {keys} are")
        tell(f"repair {run + 1}: plain {plain[-1]:.2f} s, ours {ours[-1]:.2f} s, proof {proofs[-1]:.2f} s")
    what = f"repair of one lost column, {keys:,} rows, in ranges of {FILL_KEYS:,} keys, against one UPDATE … JOIN"
    note = (
        f"foreign keys counted after it, not in the figure: {', '.join(f'{each:.1f}' for each in proofs)} s"
    )
    return [Measured(what=what, plain=plain, ours=ours, bound=0.8, faster=True, note=note)]


_SWAPPED = ("one", "two", "three")
_READ = "SELECT " + ", ".join(f"(SELECT mark FROM {name} LIMIT 1)" for name in _SWAPPED)


class Readers:
    """Reads all swapped tables by one statement a hundred times a second, and counts mixed answers and errors."""

    def __init__(self, login: Login, folder: Path) -> None:
        self.reads = self.errors = self.mixed = 0
        self._reader = open_server(request(login, folder / "readers"))
        self._database = login.database
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="readers")
        self._thread.start()

    def _run(self) -> None:
        session = self._reader.session(self._database)
        while not self._ended.wait(READ_PAUSE_S):
            try:
                self.reads += 1
                self.mixed += len(set(session.rows(_READ, "reading")[0])) != 1
            except Exception:  # noqa: BLE001 - an error is allowed here, a mix is not
                self.errors += 1
                session = self._reader.session(self._database)

    def end(self) -> None:
        """Stop reading."""
        self._ended.set()
        self._thread.join()
        self._reader.close()


def swaps(server: MariadbServer, folder: Path, count: int) -> list[Measured]:
    """Return how long each of many cut-overs took, and what readers saw meanwhile."""
    login = server.make("swapped")
    source = "backout_swap_20250101000000_00000000"
    login.run(f"CREATE DATABASE {source} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
    for database, mark in ((login.database, 1), (source, 2)):
        for name in _SWAPPED:
            rows = ", ".join(f"({n}, {mark})" for n in range(1, 101))
            login.run(
                f"CREATE TABLE {name} (id int PRIMARY KEY, mark int); INSERT INTO {name} VALUES {rows}",
                database=database,
            )
    prints = [
        fingerprint(request(login, folder, database=each))["fingerprint"] for each in (source, login.database)
    ]
    closed: list[float] = []
    readers = Readers(login, folder)
    try:
        for _ in range(count):
            expected = {"expect_source_fingerprint": prints[0], "expect_target_fingerprint": prints[1]}
            answer = cutover(
                request(login, folder, source=source, target=login.database, busy_timeout_s=5, **expected)
            )
            closed.append(float(answer["closed_s"]))
            source, prints = str(answer["aside"]), prints[::-1]
    finally:
        readers.end()
    note = f"{readers.reads} reads at about 100 Hz: {readers.mixed} mixed, {readers.errors} errors"
    if readers.mixed:
        note += " — A MIX WAS SEEN"
    what = f"cut-over of {len(_SWAPPED)} tables, {count} times: seconds at most"
    return [Measured(what=what, plain=[], ours=[max(closed)], bound=1.0, faster=False, note=note)]
