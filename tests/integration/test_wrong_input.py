"""What goes wrong around Backout is told once, in words, changes nothing, and can be gone on from once it is mended.

The production is real (sshd, PHP, Laravel, SQLite), and so is the bot: a process of its own, spoken to over its API.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adapters.host_reader_pack import packed_reader
from adapters.ssh_host.shell_line import PINNED_PATH
from tests.integration.sshd import make_key
from tests.site import servers
from tests.site.bot_settings import RESPONDER, write_settings
from tests.site.fixtures import production, production_template
from tests.site.play import LONGEST_PAUSE_S, PAUSE_S
from tests.site.production import Production, start
from tests.site.running_bot import Api, RunningBot
from tests.site.servers import end_process, free_port, write_known_hosts

__all__ = ["production", "production_template"]

LIMIT_S = 60.0
HEADLINE_LETTERS = 139
"""What the headline shows of a failure, before an ellipsis; the step's message has all of it."""
START = "/incident start album captions are gone"


@dataclass
class Night:
    """One production, one running bot, and one person at the console."""

    production: Production
    bot: RunningBot
    api: Api
    incident: str = ""

    def types(self, text: str) -> dict[str, Any]:
        reply = self.api.command(text, self.incident)
        self.incident = reply.get("incident_id") or self.incident
        return reply

    def settled(self) -> dict[str, Any]:
        """Return the incident once nothing runs any more."""
        deadline, pause_s = time.monotonic() + LIMIT_S, PAUSE_S
        while time.monotonic() < deadline:
            state = dict(self.api.get(f"/api/incidents/{self.incident}"))
            if state["operation"] is None:
                return state
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, LONGEST_PAUSE_S)
        raise AssertionError(f"still running after {LIMIT_S} s: {state['operation']}")

    def after(self, text: str) -> dict[str, Any]:
        reply = self.types(text)
        assert reply["ok"], reply["text"]
        return self.settled()

    def entries(self, *kinds: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.api.get(f"/api/incidents/{self.incident}/timeline")
        return [e for e in entries if not kinds or e["kind"] in kinds]

    def failure(self, step: int) -> str:
        """Return the words of the one failure that was told, which stand in one entry and in the step's one message."""
        told = self.entries("step.failed", "operation.failed")
        assert len(told) == 1, "\n".join(e["kind"] + ": " + e["text"][:160] for e in self.entries())
        text = str(told[0]["text"])
        state = self.settled()
        assert [m["body"] for m in state["messages"] if m["slot"] == f"step-{step}"] == [text]
        assert state["steps"][step - 1]["status"] == "failed"
        assert text.split(". ", maxsplit=1)[0][:HEADLINE_LETTERS] in state["headline"]
        return text


@pytest.fixture
def night(production: Production, tmp_path: Path) -> Iterator[Night]:
    """A bot whose console answers, before anything was started."""
    port = free_port()
    bot = RunningBot(write_settings(production, tmp_path / "bot", port=port), port)
    token = bot.token(RESPONDER)
    bot.start()
    yield Night(production, bot, bot.as_person(token))
    bot.stop()


def content(production: Production) -> bytes:
    """Return the live database, byte by byte, with its write-ahead log."""
    wal = production.database_path.with_name(production.database_path.name + "-wal")
    return production.database_path.read_bytes() + (wal.read_bytes() if wal.exists() else b"")


def is_down(production: Production) -> bool:
    return (production.app_path / "storage/framework/down").exists()


def goes_on(night: Night) -> None:
    """Assert that the same incident can be assessed now, and that its timeline lost nothing."""
    before = night.entries()
    state = night.after("/incident assess")
    assert state["steps"][0]["status"] == "done", state["steps"][0]
    assert state["loss"]["verdict"] == "loss"
    assert night.entries()[: len(before)] == before


def test_a_host_that_is_down(night: Night) -> None:
    """A host that cannot be reached fails the assessment with one message; once it is up, the incident goes on."""
    before = content(night.production)
    end_process(night.production.pids[0])
    night.after(START)
    said = night.failure(1)
    assert "could not be reached" in said
    assert f"127.0.0.1:{night.production.ssh_port}" in said
    assert "othing was" in said
    assert "Check" in said
    assert content(night.production) == before
    start(night.production.folder)
    goes_on(night)


def test_a_host_key_that_changed(night: Night, tmp_path: Path) -> None:
    """Another host key is told with both fingerprints, nothing is sent, and the pinned key is never replaced."""
    make_key(tmp_path / "other")
    kind, key = (tmp_path / "other.pub").read_text().split()[:2]
    known = night.production.known_hosts_path
    other_line = f"[127.0.0.1]:{night.production.ssh_port} {kind} {key}\n"
    known.write_text(other_line)
    night.after(START)
    said = night.failure(1)
    assert night.production.host_key_fingerprint in said
    assert servers.fingerprint(tmp_path / "other.pub") in said
    assert "Nothing was sent" in said
    assert known.read_text() == other_line
    write_known_hosts(known.parent, night.production.ssh_port)
    goes_on(night)


def test_a_wrong_application_path(night: Night) -> None:
    """A path that holds no application is named with the key to mend; after a restart the incident goes on."""
    right = night.bot.settings.read_text()
    night.bot.stop()
    wrong = str(night.production.app_path) + "-old"
    night.bot.settings.write_text(
        right.replace(f'app_path = "{night.production.app_path}"', f'app_path = "{wrong}"')
    )
    night.bot.start()
    night.after(START)
    said = night.failure(1)
    assert wrong in said
    assert "Nothing was" in said
    night.bot.stop()
    night.bot.settings.write_text(right)
    night.bot.start()
    goes_on(night)
    assert night.bot.backout("timeline", "verify").returncode == 0
    assert "app_path" in said


@pytest.mark.long
def test_a_host_without_php(night: Night, tmp_path: Path) -> None:
    """Where there is no php for the login, that is what is said, with the remedy."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for program in Path("/usr/bin").iterdir():
        if not program.name.startswith("php"):
            (programs / program.name).symlink_to(program)
    login = night.production.user_key_path.parent / "login.sh"
    # Backout pins the PATH of every line it sends, so this host's login sends those lines to other folders.
    swap = f'SSH_ORIGINAL_COMMAND=$(printf %s "$SSH_ORIGINAL_COMMAND" | sed "s#{PINNED_PATH}#{programs}#g")\n'
    login.write_text(servers.LOGIN.replace("case ", swap + "case ", 1))
    night.after(START)
    said = night.failure(1)
    assert "no php" in said
    assert "Nothing was changed" in said
    assert "Install" in said
    login.write_text(servers.LOGIN)
    goes_on(night)


@pytest.mark.long
def test_an_empty_backup_folder(night: Night, tmp_path: Path) -> None:
    """Without any backup the loss is not guessed: the DBA is offered, no plan is made, and a found backup is taken up."""
    kept = tmp_path / "kept"
    shutil.copytree(night.production.backups_path, kept)
    for path in night.production.backups_path.iterdir():
        path.unlink()
    state = night.after(START)
    assert "No backup could be verified" in state["steps"][0]["note"]
    (question,) = [d for d in state["decisions"] if d["state"] == "open" and d["purpose"] == "assessed"]
    assert [c["key"] for c in question["choices"]] == ["dba", "search", "freeze", "wait"]
    assert not is_down(night.production)
    plan = night.types("/restore plan")
    assert not plan["ok"]
    shutil.copytree(kept, night.production.backups_path, dirs_exist_ok=True)
    goes_on(night)


def test_a_backup_folder_that_is_not_there(night: Night) -> None:
    """A folder of the settings that does not exist is told by name, and is not taken for an empty one."""
    night.production.backups_path.rename(night.production.folder / "elsewhere")
    state = night.after(START)
    told = json.dumps([state["messages"], night.entries()])
    (night.production.folder / "elsewhere").rename(night.production.backups_path)
    goes_on(night)
    assert f"{night.production.backups_path}: it is not there" in told


def test_mistakes_and_commands_out_of_order(night: Night) -> None:
    """A wrong site, a missing word or a step too early begins nothing, says what would be right, and is kept."""
    before = content(night.production)
    mistakes = {
        "/incident start albmu": "no site 'albmu'",
        "/incident start": "<site> is missing",
        "/app freeze": "none is open",
        "/incdient start album": "/incident",
    }
    for text, said in mistakes.items():
        reply = night.types(text)
        assert not reply["ok"], text
        assert said in reply["text"] + " ".join(reply["suggestions"])
    assert night.api.get("/api/incidents") == []
    night.after(START)
    early = {
        "/backups create": "/app freeze",
        "/restore plan": "/app freeze",
        "/restore confirm album": "/restore plan",
        "/restore undo": "nothing to undo",
        "/app deploy": "/restore plan",
        "/app check": "/restore plan",
        "/app reopen": "nothing to reopen",
    }
    for text, said in {**early, START: night.incident}.items():
        reply = night.types(text)
        assert not reply["ok"], text
        assert said in reply["text"], reply["text"]
    assert [e["data"]["command"] for e in night.entries("refused")] == list(early)
    assert content(night.production) == before
    assert not is_down(night.production)


def test_the_wrong_backup_named(night: Night) -> None:
    """A plan on a file that is not a verified backup is refused with the way to see which are, changing nothing."""
    night.after(START)
    decision = next(d for d in night.settled()["decisions"] if d["purpose"] == "assessed")
    assert night.api.answer(decision["id"], "freeze")["ok"]
    night.settled()
    assert is_down(night.production)
    night.after("/backups create")
    before = content(night.production)
    reply = night.types("/restore plan /etc/passwd")
    assert not reply["ok"]
    assert "/etc/passwd is not a VERIFIED backup" in reply["text"]
    assert "Nothing was changed" in reply["text"]
    assert "/backups list" in reply["text"]
    assert night.settled()["steps"][4]["status"] == "waiting"
    assert content(night.production) == before


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Any]:
    """Gives a way to mount a small disk on a folder, and unmounts all of them afterwards."""
    mounted: list[Path] = []

    def mount(folder: Path, size: str) -> None:
        options = f"size={size}"
        if folder in mounted:
            options += ",remount"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
        if folder not in mounted:
            mounted.append(folder)

    yield mount
    for folder in reversed(mounted):
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="a small disk can be mounted by root only")


@needs_root
def test_a_full_disk_on_the_host(night: Night, small_disk: Any) -> None:
    """No room for the scratch copy is told with the host, changes nothing, and once there is room the incident goes on."""
    # Room for the row reader itself, and for little else.
    small_disk(night.production.home_path, f"{len(packed_reader()) // 1024 + 300}k")
    before = content(night.production)
    night.after(START)
    said = night.failure(1)
    assert "space" in said or "room" in said, said
    assert "127.0.0.1" in said, said
    assert "othing was" in said or "not changed" in said, said
    assert content(night.production) == before
    small_disk(night.production.home_path, "200m")
    goes_on(night)


@pytest.mark.long
@needs_root
def test_a_full_disk_of_backouts_own(night: Night, small_disk: Any) -> None:
    """Where Backout cannot write its own records, a command changes nothing and says so; afterwards it can be repeated."""
    night.bot.stop()
    records = night.bot.settings.parent / "records"
    tokens = (records / "tokens.json").read_text()
    small_disk(records, "2m")
    (records / "tokens.json").write_text(tokens)
    night.bot.start()
    filler = records / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"\0" * 4096):
            pass
    reply = night.types(START)
    assert not reply["ok"]
    assert "cannot write its own records" in reply["text"], reply["text"]
    assert "Nothing was changed" in reply["text"]
    filler.unlink()
    assert night.types(START)["ok"]
    assert night.settled()["steps"][0]["status"] in ("done", "failed")
