"""MariaDB: the safety backup is whole and proven, or there is none and it is said why (HAZARDS S1, S2, S3, S6, S7, R5)."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.host_reader.answers import Refusal
from adapters.host_reader.mysql.dumping import dump_proven
from adapters.host_reader.mysql.server import open_server
from tests.integration.mysql_scene import TYPES, Scene, opened_scene
from tests.integration.small_disk import ask_on_small_disk
from tests.servers.mariadb import MariadbServer

LOSING = "INSERT|UPDATE|DELETE|REPLACE|DROP|ALTER|TRUNCATE|RENAME|CREATE|LOAD|CALL"
SECRET_ROW = "a row nobody may see"
FILLER = "CREATE TABLE bulk (id int PRIMARY KEY, v varchar(2000)); INSERT INTO bulk SELECT seq, repeat(md5(seq), 60) FROM seq_1_to_3000"


@pytest.fixture
def shop(mariadb_server: MariadbServer, tmp_path: Path) -> Iterator[Scene]:
    """Return a small shop's database of the test's own."""
    with opened_scene(mariadb_server, tmp_path) as made:
        yield made


def nothing_left(shop: Scene, name: str = "safety.sql") -> bool:
    """Return whether neither a backup, a part, a note nor credentials were left behind."""
    beside = [path.name for path in shop.workspace.iterdir() if path.name.startswith(name)]
    return not beside and not list((shop.workspace / "tmp").glob("access-*"))


@contextlib.contextmanager
def refused(shop: Scene, match: str, *, but: str = "") -> Iterator[pytest.ExceptionInfo[Refusal]]:
    """Prove that it is refused so, leaves nothing, and that the server was sent no statement that could lose data.

    `but` is what the test itself sends meanwhile.
    """
    position = shop.server.log_position()
    with pytest.raises(Refusal, match=match) as told:
        yield told
    assert nothing_left(shop)
    ran = shop.server.log_since(position)
    assert "Query" in ran
    changes = re.findall(rf"Query\s+((?:{LOSING})\b.*)", ran, re.IGNORECASE)
    assert changes == ([but] if but else [])


def test_a_safety_backup_is_known_again_and_loads_to_the_same_content(shop: Scene) -> None:
    """Its note has hash, counts and fingerprint; the same request tells it again; its load is equal to live."""
    path = shop.safety()
    note = json.loads(Path(f"{path}.json").read_text())
    assert note["fingerprint"] == shop.fingerprint() == shop.fingerprint(str(path))
    assert (note["rows"]["orders"], note["size_bytes"], path.stat().st_mode & 0o777) == (
        3,
        path.stat().st_size,
        0o600,
    )
    again = shop.ask("copy", source=shop.login.database, target=str(path))
    assert (again["attached"], again["sha256"]) == (True, note["sha256"])
    scratch = shop.scratch(path)
    assert shop.fingerprint(scratch) == note["fingerprint"]
    assert shop.login.rows("SELECT plus(1)", database=scratch) == [("2",)]


def test_every_type_comes_through_a_safety_backup(mariadb_server: MariadbServer, tmp_path: Path) -> None:
    """Bytes, NUL, zero dates, beyond-63-bit numbers and floats of more than six digits are in scratch as in live."""
    with opened_scene(mariadb_server, tmp_path, TYPES) as typed:
        path = typed.safety()
        assert typed.fingerprint(typed.scratch(path)) == typed.fingerprint()


def test_a_changed_safety_backup_is_not_taken(shop: Scene) -> None:
    """One byte more, and neither its fingerprint nor a copy of it is given; another's file is not written over."""
    path = shop.safety()
    with path.open("ab") as file:
        file.write(b"\n")
    for ask in (lambda: shop.fingerprint(str(path)), lambda: shop.scratch(path), shop.safety):
        with pytest.raises(Refusal, match="not as it was when it was made"):
            ask()
    (shop.workspace / "other.sql").write_text("not ours")
    with pytest.raises(Refusal, match=r"left as it is|left as it was|no backup of"):
        shop.safety("other.sql")
    assert (shop.workspace / "other.sql").read_text() == "not ours"


def test_a_full_disk_leaves_no_file(shop: Scene) -> None:
    """On a file system that is too small the dump is not begun or fails, nothing is left, and it is said why."""
    folder = shop.workspace / "small"
    folder.mkdir()
    shop.login.run(FILLER)
    request = shop.request(source=shop.login.database, target=str(folder / "s.sql"))
    with refused(shop, "bytes free|disk is full") as said:
        ask_on_small_disk(folder, "1m", "mysql_copy", request)
    assert said.value.kind == "no_space"


def test_a_disk_that_fills_up_meanwhile_leaves_no_file(shop: Scene) -> None:
    """When every write fails (`/dev/full`) nothing is kept: the dump program's own failure is seen and named."""
    opened = open_server(shop.request())
    full = shop.workspace / "full"
    full.symlink_to("/dev/full")
    with refused(shop, "disk is full") as said:
        try:
            dump_proven(opened, shop.login.database, shop.request(), str(full))
        finally:
            opened.close()
    assert said.value.kind == "no_space"


def fake_dumper(shop: Scene, text: str) -> dict[str, str]:
    """Return a PATH on which the dump program is a script that stands before the real one."""
    folder = shop.workspace / "bin"
    folder.mkdir(exist_ok=True)
    for name in ("mariadb-dump", "mysqldump"):
        script = folder / name
        real = shop.server.bin / "mariadb-dump"
        script.write_text(
            f'#!/bin/sh\ncase "$*" in *--version*) exec {real} --version;; esac\nreal={real}\n{text}\n'
        )
        script.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ('"$real" "$@" | head -c 4000', "end marker|proven"),
        ('"$real" "$@" | head -c 4000; exit 3', "exit status 3"),
        ("exit 0", "no dump"),
        ("kill -9 $$", "signal 9"),
        ('"$real" "$@" | grep -v "^INSERT INTO .pairs"', "rows of|not in it|proven"),
        ('"$real" "$@" | grep -v "^INSERT INTO" | grep -v "^("', "0 rows of"),
        ('"$real" "$@" | sed "s/TRIGGER/TRIGGRE/"', "0 triggers"),
        ('"$real" "$@" | sed "/Dump completed/d"', "end marker"),
        ('echo "mysqldump: Got error: 1045: Access denied" >&2; exit 2', "error 1045"),
        (f'echo "Got errno 28 on write {SECRET_ROW}" >&2; exit 5', "disk is full"),
    ],
)
def test_a_dump_that_is_not_whole_is_never_kept(
    shop: Scene, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    """Cut short, killed, rows or triggers left out, marker gone, refused: no file stays, and the reason is named."""
    for name, value in fake_dumper(shop, script).items():
        monkeypatch.setenv(name, value)
    with refused(shop, said) as told:
        shop.safety()
    assert SECRET_ROW not in told.value.message


def test_a_write_meanwhile_makes_it_void(shop: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the database is written to while it is dumped there is no safety backup, and it says so."""
    write = " ".join(map(repr, [*shop.login.client(), "--execute", "UPDATE pairs SET v = 99"]))
    environment = fake_dumper(shop, f'"$real" "$@"; MYSQL_PWD={shop.login.password!r} {write}')
    monkeypatch.setenv("PATH", environment["PATH"])
    with refused(shop, "changed while it was backed up", but="UPDATE pairs SET v = 99"):
        shop.safety()


@pytest.mark.parametrize(
    ("right", "said"),
    [("SELECT", "error 1142"), ("SHOW VIEW", "error 1142"), ("TRIGGER", "error 1227")],
)
def test_a_revoked_right_stops_it(shop: Scene, right: str, said: str) -> None:
    """Without the right to read tables, views or triggers there is no safety backup, not one that lacks them."""
    user, place = shop.login.username, shop.login.database.replace("_", "\\_")
    shop.server.superuser.run(f"REVOKE {right} ON `{place}`.* FROM `{user}`@`%`")
    with refused(shop, said):
        shop.safety()


def test_another_users_routine_is_named(shop: Scene, mariadb_server: MariadbServer) -> None:
    """Another user's routine cannot be read, so a backup would miss it: it is refused by the routine's name."""
    mariadb_server.superuser.run("CREATE PROCEDURE hidden() SELECT 1", database=shop.login.database)
    with refused(shop, "procedure 'hidden'"):
        shop.safety()
    assert shop.ask("facts")["routines"] == ["hidden", "nothing", "plus"]


def test_a_wrong_password_is_said_and_never_told(shop: Scene) -> None:
    """The refusal names the error's number, not the password; nothing of the credentials stays on the disk."""
    access = shop.login.access()
    access["stdin"] = access["stdin"].replace("secret of", "wrong of")
    with pytest.raises(Refusal, match="1045") as told:
        shop.ask("facts", access=access)
    assert "wrong of" not in told.value.message
    assert not list((shop.workspace / "tmp").glob("access-*"))


def test_an_error_never_tells_a_row(shop: Scene) -> None:
    """What the client prints of a failing statement, rows and all, stays on the host and goes with the session (R5)."""
    opened = open_server(shop.request())
    session = opened.session(shop.login.database)
    with pytest.raises(Refusal) as told:
        session.run(f"INSERT INTO users (email) VALUES ('{SECRET_ROW}'), ('{SECRET_ROW}')", "trying")
    assert "1062" in told.value.message
    assert SECRET_ROW not in told.value.message
    opened.close()
    assert nothing_left(shop)


def seen_by_others(secret: bytes, stop: threading.Event, found: list[str]) -> None:
    """Look at every process's command line and environment again and again, for a secret in them."""
    me = str(os.getpid())
    while not stop.is_set():
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit() or folder.name == me:
                continue
            for name in ("cmdline", "environ"):
                with contextlib.suppress(OSError):
                    if secret in (folder / name).read_bytes():
                        found.append(f"{folder.name}/{name}")


def test_the_password_is_in_no_process_and_no_answer(shop: Scene) -> None:
    """While verbs run, no command line and no environment on the host has the password, and no answer either (S1, S7)."""
    secret = shop.login.password
    shop.login.run(FILLER)
    stop, found = threading.Event(), list[str]()
    looking = threading.Thread(target=seen_by_others, args=(secret.encode(), stop, found), name="looking")
    looking.start()
    try:
        path = shop.safety()
        answers = [
            shop.ask("facts"),
            shop.ask("copy", source=str(path), target="backout_s_20260101000000_000000aa"),
        ]
        answers += [shop.ask("writers"), shop.ask("sample")]
    finally:
        stop.set()
        looking.join()
    assert found == []
    assert secret not in json.dumps(answers)
    assert secret not in Path(f"{path}.json").read_text()
    kept = [p for p in shop.workspace.rglob("*") if p.is_file() and secret.encode() in p.read_bytes()]
    assert kept == []


def test_credentials_of_a_killed_reader_are_removed_by_the_next(shop: Scene) -> None:
    """A reader killed in the middle leaves its option file; the next one on this host takes it away."""
    command = ["python3", "-c", _READER, json.dumps(shop.request())]
    reader = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert reader.stdout is not None
    left = Path(reader.stdout.readline().strip())
    assert left.is_dir()
    reader.kill()
    reader.wait()
    reader.stdout.close()
    shop.ask("exists")
    assert not left.exists()


_READER = """
import json, sys, time
from adapters.host_reader.mysql.server import open_server
server = open_server(json.loads(sys.argv[1]))
print(server.connector.folder.path, flush=True)
time.sleep(60)
"""


def test_the_option_file_wins_over_the_hosts_own(shop: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `.my.cnf` in the home of the host's user, and MYSQL_ variables, change neither the user nor the database."""
    home = shop.workspace / "home"
    home.mkdir()
    (home / ".my.cnf").write_text(
        "[client]\nuser=root\npassword=other\nhost=192.0.2.1\n[mysqldump]\nno-data\n"
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("MYSQL_PWD", "other")
    monkeypatch.setenv("MYSQL_HOST", "192.0.2.1")
    began = time.monotonic()
    assert shop.fingerprint(str(shop.safety())) == shop.fingerprint()
    assert time.monotonic() - began < 30
