"""A safety backup of PostgreSQL is whole and proven, or there is none (HAZARDS S1, S2, S6, S7)."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.host_reader.answers import Refusal
from adapters.host_reader.postgresql.dump_progress import table_being_read
from adapters.host_reader.postgresql.server import PostgresqlServer
from tests.integration.postgresql_shop import Shop, a_shop
from tests.integration.small_disk import ask_on_small_disk
from tests.servers.fixtures import Postgreses

LOSING = ("DROP ", "TRUNCATE", "DELETE FROM", "UPDATE ", "ALTER ", "RENAME")


@pytest.fixture(scope="module")
def shop(postgres_servers: Postgreses, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Return a small shop, which no test of this module changes for good."""
    with a_shop(postgres_servers[15], tmp_path_factory.mktemp("backup")) as shop:
        yield shop


def false_program(folder: Path, name: str, script: str) -> Path:
    """Make a program of that name that says it is of version 15 and then does what the script says."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    version = f'[ "$1" = --version ] && {{ echo "{name} (PostgreSQL) 15.1"; exit 0; }}\n'
    path.write_text(f"#!/bin/sh\n{version}{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return folder


def refused(shop: Shop, target: str, **more: object) -> Refusal:
    """Return why the safety backup was refused, after proving that no file was left and nothing was run that loses data."""
    mark = shop.server.log_position()
    with pytest.raises(Refusal) as told:
        shop.ask("copy", source=shop.name, target=target, **more)
    left = [path.name for path in Path(target).parent.glob(Path(target).name + "*")]
    assert left == []
    assert not [word for word in LOSING if word in shop.server.log_since(mark)]
    return told.value


def test_the_note_says_what_the_file_holds(shop: Shop) -> None:
    """The file and its note are private, and the same request tells the same again after the hash was proven."""
    target = shop.safety("noted.dump")
    made = shop.ask("copy", source=shop.name, target=target)
    again = shop.ask("copy", source=shop.name, target=target)
    note = json.loads(Path(target + ".json").read_text(encoding="utf-8"))
    assert (made["attached"], again["attached"]) == (False, True)
    assert made["sha256"] == again["sha256"] == note["sha256"]
    assert (note["rows"], note["engine"]) == ({"migrations": 2, "orders": 50, "users": 50}, "pgsql")
    assert [Path(target + end).stat().st_mode & 0o777 for end in ("", ".json")] == [0o600, 0o600]
    assert shop.ask("fingerprint", database=target)["fingerprint"] == made["fingerprint"]


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ("exit 1", "refused"),
        ("exit 0", "damaged"),
        ('while [ "$1" != -f ]; do shift; done; head -c 4000 {real} > "$2"; exit 0', "damaged"),
        ('while [ "$1" != -f ]; do shift; done; cp {real} "$2"; echo half >> "$2"; exit 0', "damaged"),
        ('while [ "$1" != -f ]; do shift; done; cp {other} "$2"; exit 0', "damaged"),
        ('echo "pg_dump: error: could not write: No space left on device" >&2; exit 1', "no_space"),
        ('while [ "$1" != -f ]; do shift; done; cp {real} "$2"; kill -9 $$', "refused"),
    ],
)
def test_a_dumper_that_fails_or_lies_leaves_nothing(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, kind: str
) -> None:
    """No exit status, cut file, wrong file or kill of the dumper makes a safety backup (S2, S6)."""
    real, other = tmp_path / "real", tmp_path / "other"
    real.write_bytes(shop.pg_dump("-Fc"))
    other.write_bytes(shop.pg_dump("-Fc", "--exclude-table-data=orders"))
    folder = false_program(tmp_path / "bin", "pg_dump", script.format(real=real, other=other))
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    assert refused(shop, shop.safety()).kind == kind


def test_progress_is_told_while_the_programs_run(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a dump the rows of all rows are told; while pg_restore works, how much of the live size scratch has."""
    for name in ("pg_dump", "pg_restore"):
        real = shutil.which(name, path="/usr/lib/postgresql/15/bin")
        false_program(tmp_path / "bin", name, f'{real} "$@" && {{ [ "$1" = -l ] || sleep 1.5; }}')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    told_path, seen = tmp_path / "progress.json", {}
    monkeypatch.setenv("BACKOUT_PROGRESS", str(told_path))
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.02):
            with contextlib.suppress(FileNotFoundError):
                told = json.loads(told_path.read_text(encoding="utf-8"))
                seen[told["what"]] = told

    looking = threading.Thread(target=look)
    looking.start()
    try:
        target = shop.safety("told.dump")
        shop.ask("copy", source=shop.name, target=target)
        shop.ask("copy", source=target, target=shop.scratch())
    finally:
        stop.set()
        looking.join()
    dumping, restoring = seen["dumping"], seen["restoring"]
    # What is told at the end stands there for a moment alone, until the next piece of work tells of itself.
    assert (dumping["total"], dumping["unit"]) == (102, "rows")
    assert 0 <= dumping["done"] <= 102
    assert 0 < restoring["done"] <= restoring["total"]
    assert restoring["unit"] == "bytes"


def test_the_table_that_is_read_is_told_with_its_rows(shop: Shop) -> None:
    """While a COPY of the user's own waits to be read on, its table and the rows so far are known; none once it is over."""
    shop.login.run(
        "CREATE TABLE long AS SELECT id, repeat('x', 200) AS v FROM generate_series(1, 20000) AS id"
    )
    # By the socket, whose buffers are small: what is not read holds the server up.
    local = replace(shop.login, host=shop.login.socket)
    reading = subprocess.Popen(
        [*local.client(), "-c", "COPY public.long TO STDOUT"],
        env=local.environment(),
        stdout=subprocess.PIPE,
    )
    try:
        with PostgresqlServer(shop.request()) as server, server.session(shop.name) as session:
            found = None
            while found is None or not found[1]:
                assert reading.poll() is None
                found = table_being_read(session)
            assert found[0] == "long"
            assert 0 < found[1] < 20000
            reading.communicate()
            assert table_being_read(session) is None
    finally:
        reading.kill()
        reading.wait()
        shop.login.run("DROP TABLE long")


def test_a_full_disk_leaves_nothing(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too little room is refused before dumping; a disk that fills up meanwhile, by the dumper's exit status."""
    assert refused(shop, shop.safety(), reserve_bytes=1 << 60).kind == "no_space"
    dumper = shutil.which("pg_dump", path="/usr/lib/postgresql/15/bin")
    script = f'for word; do [ "$last" = -f ] && word=/dev/full; last=$word; set -- "$@" "$word"; shift; done; exec {dumper} "$@"'
    folder = false_program(tmp_path / "bin", "pg_dump", script)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    assert refused(shop, shop.safety()).kind == "no_space"


def test_a_small_file_system_is_refused(shop: Shop, tmp_path: Path) -> None:
    """On a file system smaller than the database nothing is begun, and nothing is left on it."""
    folder = tmp_path / "small"
    folder.mkdir()
    mark, target = shop.server.log_position(), str(folder / "safety.dump")
    with pytest.raises(Refusal, match="bytes free") as told:
        ask_on_small_disk(folder, "64k", "pgsql_copy", shop.request(source=shop.name, target=target))
    assert told.value.kind == "no_space"
    assert not [word for word in LOSING if word in shop.server.log_since(mark)]


def test_a_missing_right_leaves_nothing(shop: Shop) -> None:
    """A table that the user may not read is told before the dump; after the dump began, by its exit status."""
    shop.server.superuser.run("CREATE TABLE hidden (id int)", database=shop.name)
    try:
        assert refused(shop, shop.safety()).kind == "refused"
    finally:
        shop.server.superuser.run("DROP TABLE hidden", database=shop.name)


@pytest.mark.long
def test_a_lock_of_another_session_ends_it_in_seconds(shop: Shop) -> None:
    """A table that another session holds locked makes it refuse after some seconds, not wait for ever (R11)."""
    with PostgresqlServer(shop.request()) as server, server.session(shop.name, path=True) as other:
        other.run("BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        assert refused(shop, shop.safety()).kind == "busy"
        assert time.monotonic() - began < 20


def test_a_write_during_the_dump_is_noticed(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row written while pg_dump ran makes the backup void, since production is another one now."""
    dumper = shutil.which("pg_dump", path="/usr/lib/postgresql/15/bin")
    folder = false_program(
        tmp_path / "bin", "pg_dump", f'{dumper} "$@" || exit 1; touch {tmp_path}/done; sleep 1'
    )
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def write() -> None:
        while not (tmp_path / "done").exists():
            time.sleep(0.01)
        shop.login.run("INSERT INTO users (name) VALUES ('late')")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with pytest.raises(Refusal) as told:
            shop.ask("copy", source=shop.name, target=shop.safety())
        assert told.value.kind == "changed"
        assert not Path(shop.safety()).exists()
    finally:
        writer.join()
        shop.login.run("DELETE FROM users WHERE name = 'late'")


def test_a_changed_file_is_not_taken(shop: Shop) -> None:
    """One changed byte in the file makes every use of it a refusal, and no scratch is left."""
    target = shop.safety("changed.dump")
    shop.ask("copy", source=shop.name, target=target)
    content = bytearray(Path(target).read_bytes())
    content[len(content) // 2] ^= 1
    Path(target).write_bytes(content)
    before = shop.server.databases()
    for verb, fields in (
        ("copy", {"source": target, "target": shop.scratch()}),
        ("copy", {"source": shop.name, "target": target}),
        ("fingerprint", {"database": target}),
    ):
        with pytest.raises(Refusal) as told:
            shop.ask(verb, **fields)
        assert told.value.kind == "changed"
    assert shop.server.databases() == before


@pytest.mark.long
def test_a_restore_that_is_killed_leaves_no_half_scratch(shop: Shop) -> None:
    """After `kill -9` of the reader the scratch is not there by its name; the same request makes it whole."""
    target, scratch = shop.safety("killed.dump"), shop.scratch()
    made = shop.ask("copy", source=shop.name, target=target)
    reader = shop.start("copy", source=target, target=scratch)
    time.sleep(0.6)
    os.kill(reader.pid, signal.SIGKILL)
    assert reader.stdout is not None
    reader.stdout.close()
    reader.wait()
    copied = shop.ask("copy", source=target, target=scratch)
    assert copied["fingerprint"] == made["fingerprint"] == shop.fingerprint(scratch)
    assert not [name for name in shop.server.databases() if name.startswith("backout_part_")]


def test_the_password_is_nowhere_to_be_seen(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a copy runs no process of the host has the password in its arguments or environment; no answer has it (S1, S7)."""
    secret = shop.login.password.encode()
    seen: list[bytes] = []
    looked = 0
    reader = shop.start("copy", source=shop.name, target=shop.scratch())
    while reader.poll() is None:
        for folder in Path("/proc").iterdir():
            try:
                parts = (
                    [(folder / name).read_bytes() for name in ("cmdline", "environ")]
                    if folder.name.isdigit()
                    else []
                )
            except OSError:
                continue
            looked += any(b"psql" in part or b"pg_dump" in part for part in parts)
            seen += [part for part in parts if secret in part]
    assert reader.stdout is not None
    answer = reader.stdout.read()
    reader.stdout.close()
    assert (seen, looked > 0) == ([], True)
    assert b'"ok": true' in answer
    assert secret not in answer
    left = [path for path in shop.workspace.rglob("*") if path.is_file() and secret in path.read_bytes()]
    assert left == []


def test_a_wrong_password_is_told_without_it(shop: Shop) -> None:
    """A refused login names the reason and neither the password nor the server's own words."""
    request = shop.request(database=shop.name)
    request["access"]["stdin"] = request["access"]["stdin"].replace(shop.login.password, "wr0ng: \\\\ word")
    with pytest.raises(Refusal) as told, PostgresqlServer(request):
        pass
    assert told.value.kind == "refused"
    assert "wr0ng" not in told.value.message
    assert "password is not accepted" in told.value.message
