"""The safety backup of a live database: a dump by the host's own dump program, proven before it has its name (HAZARDS S2, S3)."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Dict, List

from adapters.host_reader.answers import Refusal, progress
from adapters.host_reader.mysql.client import Programs, SqlRefusal, version_of
from adapters.host_reader.mysql.fitness import refuse_history
from adapters.host_reader.mysql.rights import refuse_unseen_triggers
from adapters.host_reader.mysql.schema import Structure, refuse_hidden
from adapters.host_reader.mysql.server import MysqlServer
from adapters.host_reader.opening import raw_blocks
from adapters.host_reader.server.port import Fingerprint
from adapters.host_reader.sqlite_files import prove_space
from adapters.host_reader.sqlite_request import Request, number, optional_text
from bot.dumps import formats
from bot.dumps.manifest import PRESENT, Manifest
from bot.dumps.scanner import DIALECTS, DumpScanner

_OPTIONS = (
    "--single-transaction",
    "--quick",
    "--skip-lock-tables",
    "--no-tablespaces",
    "--routines",
    "--triggers",
    "--events",
    "--hex-blob",
)
# It says: Got error: 1045: …, or Error 2013: …, or Couldn't execute '…': … (1142).
_ERROR = re.compile(rb"(?:[Ee]rror:? *|\()(\d{4})(?:[:) ]|$)")
_WRITE_ERROR = re.compile(rb"errno:? *\(?(\d+)")
_FULL = {28: "the disk is full", 122: "the quota is used up", 27: "the file would be larger than allowed"}
_PAUSE_S = 0.2
_KINDS = {"triggers": ("TRIGGER",), "views": ("VIEW",), "routines": ("PROCEDURE", "FUNCTION")}


def dump_options(programs: Programs) -> List[str]:
    """Return the options of the dump program for its vendor and version. *Source*: HAZARDS S3."""
    said = version_of(str(programs.dumper))
    options = list(_OPTIONS)
    if "MariaDB" not in said:
        options.append("--set-gtid-purged=OFF")
        found = re.search(r"(?:Distrib|Ver) (\d+)\.", said.replace("Ver 10.13 Distrib", "Distrib"))
        if found and int(found.group(1)) >= 8:
            options.append("--column-statistics=0")
    return options


def dump_proven(server: MysqlServer, database: str, request: Request, part: str) -> Fingerprint:
    """Write a dump of a database to `part`, prove it against the database, and return the database's fingerprint.

    Proven are: room for it before, the program's exit status, the end marker in the last bytes, the row count of each
    table, the number of views, triggers and routines, and that the database did not change meanwhile.
    *Changes*: `part`. *Raises* Refusal: no_space, refused, changed, damaged.
    """
    if server.connector.programs.dumper is None:
        raise Refusal("not_found", "This host has neither mariadb-dump nor mysqldump. Nothing was changed.")
    refuse_unseen_triggers(server.asking(), database, is_mariadb=server.is_mariadb)
    structure = server.structure(database)
    refuse_hidden(structure.definitions)
    looking = server.session(database)
    refuse_history(looking)
    looking.end()
    size = _expected_bytes(server, database, structure)
    prove_space(str(Path(part).parent), size, number(request, "reserve_bytes", 0))
    before = server.fingerprint(database)
    _refuse_changed(optional_text(request, "expect_fingerprint") or before.hash, before.hash, database)
    _dump(server, database, part, size)
    _prove_dump(_manifest(part), before, structure)
    _refuse_changed(before.hash, server.fingerprint(database).hash, database)
    return before


def _expected_bytes(server: MysqlServer, database: str, structure: Structure) -> int:
    """Return how long the dump may become: the tables' data, twice where values are written in hexadecimal digits."""
    session = server.session(database)
    rows = session.rows(
        "SELECT CONCAT('=', TABLE_NAME), DATA_LENGTH FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()",
        "asking for the size",
    )
    session.end()
    total = 0
    for name, length in rows:
        table = structure.schema.tables.get(str(name)[1:])
        if table is not None:
            total += int(length or 0) * (2 if any(each.kind == "binary" for each in table.columns) else 1)
    return total


def _dump(server: MysqlServer, database: str, part: str, expected: int) -> None:
    connector = server.connector
    argv = connector.argv(str(connector.programs.dumper), *dump_options(connector.programs), "--", database)
    said = str(connector.folder.path / "dump-said")
    with Path(part).open("wb") as out, Path(said).open("wb") as err:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=connector.environment()
        )
        try:
            _wait(process, part, expected)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if process.returncode != 0:
        raise _dump_failed(process.returncode, Path(said).read_bytes())


def _wait(process: subprocess.Popen[bytes], part: str, expected: int) -> None:
    while True:
        try:
            process.wait(timeout=_PAUSE_S)
        except subprocess.TimeoutExpired:
            done = Path(part).stat().st_size
            progress("safety backup", min(done, expected), expected, "bytes")
        else:
            return


def _dump_failed(status: int, said: bytes) -> Refusal:
    """Return the refusal for a failed dump: of what it said only the numbers are read, the rest may hold rows."""
    written = _WRITE_ERROR.search(said)
    if written and int(written.group(1)) in _FULL:
        reason = _FULL[int(written.group(1))]
        return Refusal(
            "no_space",
            f"The safety backup failed: {reason}. No file was kept and nothing was changed; make room.",
        )
    codes = _ERROR.findall(said)
    if codes:
        refusal = SqlRefusal(int(codes[0]), "making the safety backup")
        return Refusal(refusal.kind, f"{refusal.message} No file was kept and nothing was changed.")
    ended = f"by signal {-status}" if status < 0 else f"with exit status {status}"
    return Refusal(
        "damaged",
        f"The safety backup's program ended {ended}. No file was kept and nothing was changed; try again.",
    )


def _manifest(part: str) -> Manifest:
    with Path(part).open("rb") as file:
        kind = formats.format_of(file.read(formats.HEAD_BYTES))
        if kind not in DIALECTS:
            raise _not_proven("it is no dump")
        file.seek(0)
        scanner = DumpScanner(str(kind))
        for block in raw_blocks(file, "proving the safety backup", Path(part).stat().st_size):
            scanner.feed(block)
    return scanner.finish().manifest


def _prove_dump(manifest: Manifest, live: Fingerprint, structure: Structure) -> None:
    if manifest.damage or manifest.end_marker != PRESENT:
        raise _not_proven("its end marker is missing")
    found: Dict[str, int] = {}
    for name, rows in live.rows.items():
        entry = manifest.tables.get(name)
        if entry is None:
            raise _not_proven(f"table {name!r} is not in it")
        found[name] = entry.rows or 0
        if found[name] != rows:
            raise _not_proven(f"it has {found[name]} rows of {name!r}, the database {rows}")
    for word, kinds in _KINDS.items():
        wanted = sum(each.kind in kinds for each in structure.definitions)
        if manifest.schema_objects.get(word, 0) != wanted:
            raise _not_proven(f"it has {manifest.schema_objects.get(word, 0)} {word}, the database {wanted}")


def _not_proven(why: str) -> Refusal:
    return Refusal(
        "damaged",
        f"The safety backup could not be proven: {why}. No file was kept and nothing was changed; try again.",
    )


def _refuse_changed(wanted: str, found: str, database: str) -> None:
    if wanted != found:
        raise Refusal(
            "changed",
            f"{database} was changed while it was backed up. No file was kept and nothing was changed; look who writes.",
        )
