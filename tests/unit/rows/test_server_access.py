"""Credentials are asked for on the host and are in no answer; a safety backup is whole, or not there (HAZARDS S1, S2, S7)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.host_reader.answers import Refusal
from adapters.host_reader.server.access import PrivateFolder, read_credentials
from adapters.host_reader.server.notes import known_note, make_safety_file, refuse_foreign, verified_note
from adapters.host_reader.server.port import Fingerprint

SECRET = "pa ss'\"word\\ #$(x)"
FOUND = Fingerprint("f" * 32, "s" * 32, {"users": 2})


def access(line: str, *, status: int = 0) -> dict[str, Any]:
    return {"access": {"argv": ["sh", "-c", f"cat; exit {status}"], "stdin": line, "env": {}}}


def told(**more: Any) -> str:
    credentials = {
        "driver": "mysql",
        "host": "127.0.0.1",
        "port": "3306",
        "password": SECRET,
        "database": "shop",
        **more,
    }
    return "a notice\nBACKOUT1:{}\nBACKOUT1:" + json.dumps({"credentials": credentials}) + "\n"


def test_the_last_marked_line_tells_the_credentials() -> None:
    """Other output is passed over; what is empty or missing is None; the port is a number."""
    found = read_credentials(access(told(unix_socket="")))
    assert (found.driver, found.port, found.password, found.unix_socket, found.username) == (
        "mysql",
        3306,
        SECRET,
        None,
        None,
    )


def test_the_password_is_in_no_repr() -> None:
    """A credentials object can be logged by mistake without telling the password."""
    assert SECRET not in repr(read_credentials(access(told())))


@pytest.mark.parametrize(
    "request_",
    [
        access(f"no mark {SECRET}"),
        access(f"BACKOUT1:not json {SECRET}"),
        access("BACKOUT1:[]"),
        access(told(driver="")),
        access(told(port=SECRET)),
        access(told(password=SECRET + "\nuser=root")),
        access(told(), status=3),
        {"access": {"argv": ["/nowhere/php"]}},
        {"access": {"argv": "php"}},
        {},
    ],
)
def test_what_is_no_credentials_is_refused_without_telling_it(request_: dict[str, Any]) -> None:
    """A program that fails, or tells something else, is refused; what it printed is in no message."""
    with pytest.raises(Refusal) as said:
        read_credentials(request_)
    assert "ss'" not in said.value.message


def test_files_with_credentials_are_private_and_go_away(tmp_path: Path) -> None:
    """The folder is 0700 and its files 0600; `remove` takes all away, and one of a dead process is removed by the next."""
    left = tmp_path / "tmp" / "access-4194303-0-dead"
    folder = PrivateFolder({"workspace": str(tmp_path)})
    path = Path(folder.write("client.cnf", SECRET))
    assert (path.stat().st_mode & 0o777, folder.path.stat().st_mode & 0o777) == (0o600, 0o700)
    left.mkdir()
    (tmp_path / "tmp" / "access-4194303-77-dead").mkdir()
    other = PrivateFolder({"workspace": str(tmp_path)})
    assert folder.path.is_dir()
    assert not (tmp_path / "tmp" / "access-4194303-77-dead").exists()
    folder.remove()
    other.remove()
    other.remove()
    assert not folder.path.exists()


def test_a_safety_file_is_made_once_and_known_again(tmp_path: Path) -> None:
    """The same target tells the same answer without building again; the file is its owner's only."""
    target = tmp_path / "s.sql"
    built: list[str] = []

    def build(part: str) -> Fingerprint:
        built.append(part)
        Path(part).write_text("content")
        return FOUND

    first = make_safety_file(str(target), "mariadb", "shop", build)
    again = make_safety_file(str(target), "mariadb", "shop", build)
    assert (first["attached"], again["attached"], len(built), first["sha256"]) == (
        False,
        True,
        1,
        again["sha256"],
    )
    assert (target.stat().st_mode & 0o777, verified_note(str(target), "mariadb").as_fingerprint()) == (
        0o600,
        FOUND,
    )
    with pytest.raises(Refusal, match="no backup of other"):
        make_safety_file(str(target), "mariadb", "other", build)
    with pytest.raises(Refusal, match="backup of mariadb"):
        verified_note(str(target), "pgsql")


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    """A part that could not be proven is removed, one that a killed process left as well."""
    target = tmp_path / "s.sql"
    Path(f"{target}.part").write_text("left by a killed process")

    def build(part: str) -> Fingerprint:
        Path(part).write_text("half")
        raise Refusal("damaged", "no end marker")

    with pytest.raises(Refusal, match="no end marker"):
        make_safety_file(str(target), "mariadb", "shop", build)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["changed", "longer", "no note", "note damaged", "gone"])
def test_a_file_that_is_not_what_was_made_is_never_taken(tmp_path: Path, damage: str) -> None:
    """Other bytes, no note or a damaged one: it is refused, and stays as it is."""
    target = tmp_path / "s.sql"
    make_safety_file(
        str(target), "mariadb", "shop", lambda part: (Path(part).write_text("content"), FOUND)[1]
    )
    note = Path(f"{target}.json")
    if damage == "changed":
        target.write_text("c0ntent")
    elif damage == "longer":
        target.write_text("content\n")
    elif damage == "no note":
        note.unlink()
    elif damage == "note damaged":
        note.write_text('{"sha256": 1}')
        assert known_note(str(target)) is None
    else:
        target.unlink()
    with pytest.raises(Refusal):
        verified_note(str(target))


@pytest.mark.parametrize("name", ["shop", "Backout_x", "/backout_x", " backout_x", ""])
def test_only_backouts_own_names_are_written(name: str) -> None:
    """Every other name is refused before anything is done."""
    with pytest.raises(Refusal, match="Backout's own"):
        refuse_foreign(name)
    refuse_foreign("backout_repair_20260101000000_00000000")
