"""A host whose every answer the test tells: what the application says, and what the row reader says to each verb."""

from __future__ import annotations

import copy
import json
from datetime import timedelta
from typing import Any

from bot.model.errors import ReaderRefusalError
from bot.ports.host import Command, Completed, HostIdentity, JobState, JobStatus
from tests.unit.laravel.test_answer_and_facts import RECORDED, printed

EARLIER, BAD = "2025_01_01_000000_a", "2025_01_03_000000_gone"
LIVE = "/srv/album/live.sqlite"


class No:
    """An answer of the reader that is a no: of which kind, and why."""

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        self.message = message


def facts_answer(size_bytes: int = 5_000) -> dict[str, Any]:
    """Return what the reader says of the live database."""
    return {
        "sqlite_version": "3.40.1",
        "file": {
            "real_path": LIVE,
            "device": 1,
            "inode": 2,
            "size_bytes": size_bytes,
            "owner": "deploy",
            "mode": "0600",
        },
        "free_bytes": 10**12,
        "journal_mode": "wal",
        "page_size": 4096,
        "encoding": "UTF-8",
        "tables": {"things": {"rows": 10, "nulls": {}, "foreign_keys": [], "key": ["id"]}},
        "migrations": [{"migration": EARLIER, "batch": 1}, {"migration": BAD, "batch": 2}],
    }


def backup_answer(word: str = "VERIFIED", migrations: tuple[str, ...] = (EARLIER,)) -> dict[str, Any]:
    """Return what the reader says of the one backup."""
    manifest = {
        "path": "/backups/night.sqlite",
        "size_bytes": 4_000,
        "mtime": "2025-01-02T03:00:00+00:00",
        "completed": None,
        "sha256": "b" * 64,
        "format": "sqlite",
        "compression": None,
        "tables": {"things": {"rows": 10}},
        "migrations": [{"migration": name, "batch": 1} for name in migrations],
    }
    return {"manifest": manifest, "verdict": {"word": word, "reasons": [], "notes": [], "older_by": 0}}


def loss_answer(verdict: str = "loss") -> dict[str, Any]:
    """Return the reader's loss table."""
    lost = 7 if verdict == "loss" else 0
    column = {"status": "dropped", "values_before": 10, "values_lost": lost}
    totals = {
        "rows_lost": 0,
        "values_lost": lost,
        "values_moved": 0,
        "rows_missing": 0,
        "rows_new": 0,
        "rows_changed": 0,
        "tables_shrunk": [],
        "columns_rewritten": [],
        "values_nulled": 0,
        "columns_moved_unproven": [],
    }
    tables = {"things": {"status": "both", "rows_before": 10, "rows_after": 10, "columns": {"text": column}}}
    return {"loss": verdict, "tables": tables, "totals": totals}


def loaded_answer() -> dict[str, Any]:
    """Return what the reader says of a backup that it loaded into scratch."""
    return {
        "target": "/home/deploy/scratch/one.sqlite",
        "tables": {"things": 10},
        "foreign_key_violations": {},
        "fingerprint": "f" * 64,
        "migrations": [EARLIER],
    }


class ToldHost:
    """`answers` by verb: a dict, a No, an error that is raised, or what a function of the request says. Jobs end at once."""

    name = "host.example"

    def __init__(self) -> None:
        self.app = copy.deepcopy(RECORDED)
        self.answers: dict[str, Any] = {
            "facts": facts_answer(),
            "find": {"files": [{"path": "/backups/night.sqlite", "size_bytes": 4_000}], "complete": True},
            "inspect": backup_answer(),
            "load": loaded_answer(),
            "compare": loss_answer(),
            "sample": {"sample": "s"},
        }
        self._ended: dict[str, JobStatus] = {}

    async def identity(self) -> HostIdentity:
        return HostIdentity(address="host.example:22", host_key="SHA256:k", user="deploy", hostname="host")

    async def run(self, command: Command) -> Completed:
        argv = list(command.argv)
        said = ""
        if "backout" in argv:
            said = printed({"facts": self.app})
        elif "sh" in argv[:1] and "mkdir" in argv[2]:
            said = "/home/deploy/.backout/sites/shop"
        return Completed(command=" ".join(argv), exit_status=0, stdout=said, stderr="", duration_s=0.0)

    def _answer(self, verb: str, request: dict[str, object]) -> dict[str, Any]:
        """Return the reader's document; *raises* what the test tells to raise."""
        answer = self.answers.get(
            verb.removeprefix("sqlite_"), No("bad_request", f"no answer to {verb} was told")
        )
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, No):
            return {"ok": False, "error": {"kind": answer.kind, "message": answer.message}}
        return {"ok": True, **answer}

    async def reader(
        self, verb: str, request: dict[str, object], timeout: timedelta = timedelta(0)
    ) -> dict[str, Any]:
        answer = self._answer(verb, request)
        if not answer["ok"]:
            raise ReaderRefusalError(answer["error"]["message"], kind=answer["error"]["kind"])
        return answer

    async def reader_job(self, root: str, key: str, verb: str, request: dict[str, object]) -> JobStatus:
        answer = self._answer(verb, request)
        self._ended[key] = JobStatus(
            key=key,
            state=JobState.DONE,
            exit_status=0 if answer["ok"] else 1,
            duration_s=0.1,
            stdout=json.dumps(answer),
        )
        return self._ended[key]

    async def job_status(self, root: str, key: str) -> JobStatus:
        return self._ended.get(key, JobStatus(key=key, state=JobState.NONE))

    async def wait_job(self, root: str, key: str, timeout: timedelta) -> JobStatus:
        return self._ended[key]

    async def stop_job(self, root: str, key: str) -> JobStatus:
        return await self.job_status(root, key)

    async def close(self) -> None:
        """Nothing is open."""


class ToldHosts:
    """The one host of every site."""

    def __init__(self, host: ToldHost) -> None:
        self.host = host

    def of_site(self, site: str) -> ToldHost:
        return self.host

    async def close(self) -> None:
        """Nothing is open."""
