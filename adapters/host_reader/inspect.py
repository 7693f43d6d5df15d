"""Inspect one backup file on the host: its manifest, its hazards and the verdict; reads only."""

from __future__ import annotations

import hmac
import os
import re
import time
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

from adapters.host_reader.answers import Refusal
from adapters.host_reader.files import iso_time
from adapters.host_reader.inspect_sqlite import read_sqlite_file
from adapters.host_reader.opening import (
    FileHash,
    ProgramMissingError,
    compression,
    content_blocks,
    content_head,
    unreadable,
)
from adapters.host_reader.second_process import Unpacking
from adapters.host_reader.second_reader import PartsReader
from bot.dumps import formats
from bot.dumps.compression import DamagedError
from bot.dumps.manifest import BLOCK, IMPOSSIBLE, Hazard, Manifest, Reading
from bot.dumps.pg_custom import read_archive
from bot.dumps.scanner import DIALECTS, DumpScanner
from bot.dumps.site_match import Expectation
from bot.dumps.verdict import Verdict, judge
from bot.dumps.verdict import exit_status as verdict_exit_status

_SHA256 = re.compile(r"\b[0-9a-fA-F]{64}\b")
# A sidecar is one line; more is not read.
_SIDECAR_BYTES = 4096


class _Content(NamedTuple):
    """What reading a file gave. `unread` says why it could not be read for want of a program or a way."""

    format: Optional[str]
    reading: Reading
    unread: Optional[str] = None


def inspect(request: Dict[str, Any]) -> Dict[str, Any]:
    """Return manifest, hazards and verdict of the backup at the request's `path`; reads only.

    `before` names the migration it must be older than; `expect` what the live site looks like. *Raises* Refusal when
    the file is missing or unreadable, or is changed by someone while it is read.
    """
    if not isinstance(request.get("path"), str):
        raise Refusal("bad_request", "inspect needs `path`, the backup file. Nothing was changed.")
    path = Path(os.path.expanduser(request["path"]))  # noqa: PTH111 - Path.expanduser raises for an unknown user
    began = time.monotonic()
    status = _status(path)
    file_hash = FileHash(path)
    try:
        content = _read(
            path,
            file_hash,
            _migrations_table(request),
            request.get("work_folder"),
        )
    except OSError as error:
        raise unreadable(path, error) from None
    sha256 = file_hash.result()
    _refuse_changed(path, status)
    manifest = replace(content.reading.manifest, completed=_utc(content.reading.manifest.completed))
    manifest = replace(manifest, started=_utc(manifest.started))
    hazards = content.reading.hazards + _hash_hazards(path, sha256, request.get("sha256_known"))
    verdict = _verdict(status, manifest, hazards, content, request)
    return {
        "manifest": {
            **manifest.as_json(),
            "path": str(path),
            "size_bytes": status.st_size,
            "mtime": iso_time(status.st_mtime),
            "compression": compression(path),
            "sha256": sha256,
            "duration_s": round(time.monotonic() - began, 3),
        },
        "hazards": [
            {"code": found.code, "severity": found.severity, "message": found.message} for found in hazards
        ],
        "verdict": verdict.as_json(),
    }


def inspect_file(
    path: str, before: Optional[str] = None, migrations_table: str = "migrations"
) -> Dict[str, Any]:
    """Return the inspection of one file without a site, for the command line. *Raises* Refusal as `inspect` does."""
    return inspect({"path": path, "before": before, "migrations_table": migrations_table})


def exit_status(verdict: Dict[str, Any]) -> int:
    """Return the exit status for an inspection's verdict: 0 VERIFIED, 1 REFUSED, 2 COULD NOT VERIFY."""
    return verdict_exit_status(verdict)


def _status(path: Path) -> os.stat_result:
    try:
        status = path.stat()
    except OSError as error:
        raise unreadable(path, error) from None
    if not path.is_file():
        raise Refusal(
            "unreadable",
            f"{path} is no file. Of pg_dump's directory format name the file toc.dat in it; of others each file.",
        )
    return status


def _refuse_changed(path: Path, before: os.stat_result) -> None:
    after = _status(path)
    if (before.st_size, before.st_mtime_ns, before.st_ino) != (
        after.st_size,
        after.st_mtime_ns,
        after.st_ino,
    ):
        raise Refusal(
            "changed", f"{path} was changed while it was read; it may still be written. Look again later."
        )


def _read(path: Path, file_hash: FileHash, migrations_table: str, work_folder: Optional[str]) -> _Content:
    """Read the file in the way of its format, with its hash beside it; damage becomes part of the manifest."""
    kind: Optional[str] = None
    try:
        head = content_head(path)
        kind = formats.format_of(head)
        if kind in DIALECTS and compression(path):
            unpacking = Unpacking(path, f"reading {path.name}")
            file_hash.start()
            return _Content(kind, _read_packed(unpacking, str(kind), migrations_table))
        if kind in DIALECTS:
            with PartsReader(path, str(kind), migrations_table, head) as reader:
                file_hash.start()
                return _Content(kind, reader.read(f"reading {path.name}"))
        file_hash.start()
        if kind == formats.SQLITE_FILE:
            found = read_sqlite_file(path, migrations_table, work_folder)
            return _Content(kind, found.reading, found.unread)
        if kind == formats.PG_CUSTOM:
            return _Content(
                kind, read_archive(content_blocks(path, f"reading {path.name}"), migrations_table)
            )
        _read_through(path)
        instead = formats.why_none(head) if kind is None else None
        unread = formats.why_unread(head) if kind is None else None
        return _Content(
            kind, Reading(Manifest(format=kind, end_marker=IMPOSSIBLE, damage=instead), []), unread
        )
    except DamagedError as error:
        return _Content(kind, Reading(Manifest(format=kind, damage=str(error)), []))
    except ProgramMissingError as error:
        return _Content(kind, Reading(Manifest(format=kind), []), str(error))


def _read_packed(unpacking: Unpacking, kind: str, migrations_table: str) -> Reading:
    scanner = DumpScanner(kind, migrations_table)
    damage: Optional[str] = None
    try:
        for block in unpacking.blocks():
            scanner.feed(block)
    except DamagedError as error:
        damage = str(error)
    return scanner.finish(damage)


def _read_through(path: Path) -> None:
    """Read a file of which only wholeness can be told. *Raises* DamagedError."""
    for _ in content_blocks(path, f"reading {path.name}"):
        pass


def _utc(text: Optional[str]) -> Optional[str]:
    """Return a dump's own time, which is the local time of the host that wrote it, as ISO text in UTC."""
    if text is None:
        return None
    try:
        local = datetime.strptime(text, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - local time is what the dump means
    except ValueError:
        return None
    return local.astimezone(timezone.utc).isoformat()


def _hash_hazards(path: Path, sha256: str, known: Optional[str]) -> List[Hazard]:
    """Compare the file's hash with the `.sha256` file beside it and with the hash known from before."""
    found: List[Hazard] = []
    beside = _sidecar_hash(path)
    if beside and not hmac.compare_digest(beside, sha256):
        found.append(
            Hazard("sha256_differs", BLOCK, "its SHA-256 is not the one in the .sha256 file beside it")
        )
    if known and not hmac.compare_digest(known.lower(), sha256):
        found.append(
            Hazard("changed_since", BLOCK, "it was changed since it was last inspected: its SHA-256 differs")
        )
    return found


def _sidecar_hash(path: Path) -> Optional[str]:
    try:
        with (path.parent / (path.name + ".sha256")).open("rb") as file:
            match = _SHA256.search(file.read(_SIDECAR_BYTES).decode("utf-8", "replace"))
    except OSError:
        return None
    return match.group().lower() if match else None


def _migrations_table(request: Dict[str, Any]) -> str:
    return str(request.get("migrations_table") or "migrations")


def _verdict(
    status: os.stat_result,
    manifest: Manifest,
    hazards: List[Hazard],
    content: _Content,
    request: Dict[str, Any],
) -> Verdict:
    if status.st_size == 0:
        manifest = replace(manifest, format=None)
    verdict = judge(
        manifest,
        hazards,
        request.get("before") or None,
        replace(Expectation.from_request(request.get("expect")), migrations_table=_migrations_table(request)),
        content.unread,
    )
    if status.st_size == 0:
        return replace(verdict, reasons=["it is empty (0 bytes)"])
    if not (manifest.completed or manifest.started) and manifest.format:
        return replace(verdict, notes=[*verdict.notes, "it says no time of its own; the file's time is used"])
    return verdict
