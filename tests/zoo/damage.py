"""Ways in which a whole backup becomes a bad one, or stays good in another wrapping."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import re
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.zoo.make import COULD_NOT_VERIFY, PACKERS, REFUSED, VERIFIED

MARKERS = (b"-- Dump completed", b"-- PostgreSQL database dump complete\n--\n")


@dataclass(frozen=True)
class Case:
    """One file: its kind (for the table of counts), its name, the word it must get, its bytes; `beside` a sidecar."""

    kind: str
    name: str
    word: str
    data: bytes
    beside: bytes | None = None


def end_of(dump: bytes) -> int:
    """Return where a dump's content ends: the last byte without which it is not whole."""
    if dump.startswith(b"PGDMP"):
        return len(dump)
    at = max(dump.rfind(marker) for marker in MARKERS)
    return len(dump.rstrip()) if dump[at:].startswith(MARKERS[0]) else at + len(MARKERS[1]) - 1


def cuts(name: str, dump: bytes, step: int = 1) -> Iterator[Case]:
    """Yield the dump cut at every `step` per cent."""
    for part in range(step, 100, step):
        size = min(len(dump) * part // 100, end_of(dump) - 1)
        yield Case("cut at a per cent", f"{name}-cut-{part:02d}", REFUSED, dump[:size])


def statement_cuts(name: str, dump: bytes, every: int = 1) -> Iterator[Case]:
    """Yield the dump cut behind every statement, told by the line's end behind a semicolon, rows of values included."""
    ends = [match.end() for match in re.finditer(rb";\n", dump) if match.end() < end_of(dump)]
    for place in ends[::every]:
        yield Case("cut behind a statement", f"{name}-cut-at-{place}", REFUSED, dump[:place])


def front_cuts(name: str, dump: bytes) -> Iterator[Case]:
    """Yield the dump without its beginning: some bytes, and whole statements."""
    for part in (1, 5, 20, 50, 90):
        yield Case("beginning lost", f"{name}-tail-{part}", REFUSED, dump[max(60, len(dump) * part // 100) :])
    ends = [match.end() for match in re.finditer(rb";\n", dump[: end_of(dump)])]
    for place in ends[3 :: max(1, len(ends) // 5)]:
        yield Case("beginning lost", f"{name}-tail-at-{place}", REFUSED, dump[place:])


def packed(name: str, dump: bytes, folder: Path) -> Iterator[Case]:
    """Yield each packing: whole; cut before and after it; bytes changed; more behind it."""
    for suffix, pack in PACKERS.items():
        target = folder / f"packing.{suffix}"
        pack(dump, target)
        data = target.read_bytes()
        pack(dump[: end_of(dump) * 2 // 3], target)
        cut_before = target.read_bytes()
        base = f"{name}.{suffix}"
        yield Case("packed", base, VERIFIED, data)
        yield Case("cut, then packed", f"cut-before-{base}", REFUSED, cut_before)
        for place in (len(data) // 4, len(data) // 2, len(data) - 30, len(data) - 1):
            yield Case("packed, then cut", f"cut-after-{place}-{base}", REFUSED, data[:place])
        for part in (15, 40, 60, 85):
            place = len(data) * part // 100
            changed = data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]
            yield Case("one bit changed in a packing", f"bit-{part}-{base}", REFUSED, changed)
        if suffix != "zip":
            yield Case("garbage behind a packing", f"garbage-{base}", REFUSED, data + b"garbage\n")


def members(name: str, dump: bytes) -> Iterator[Case]:
    """Yield dumps in several gzip members, as appending and pigz make them."""
    half = len(dump) // 2
    yield Case(
        "packed", f"{name}-two-members.gz", VERIFIED, gzip.compress(dump[:half]) + gzip.compress(dump[half:])
    )
    yield Case("packed", f"{name}-padded.gz", VERIFIED, gzip.compress(dump) + b"\0" * 512)
    yield Case("two dumps in one file", f"{name}-twice.gz", REFUSED, gzip.compress(dump) * 2)
    yield Case("two dumps in one file", f"{name}-twice.bz2", REFUSED, bz2.compress(dump) * 2)
    yield Case("two dumps in one file", f"{name}-twice", REFUSED, dump + dump)
    cut = dump[: end_of(dump) // 2]
    yield Case("two dumps in one file", f"{name}-cut-then-whole", REFUSED, cut + dump)


def messages(name: str, dump: bytes, program: str, step: int = 4096) -> Iterator[Case]:
    """Yield the dump with a program's message in it: before, behind, and wherever the pipe's blocks ended."""
    lines = {
        "warning": b"mysqldump: [Warning] Using a password on the command line interface can be insecure.\n",
        "lost": b"mysqldump: Error 2013: Lost connection to server during query when dumping table `x` at row: 17\n",
    }
    if program == "pg_dump":
        lines = {
            "warning": b"pg_dump: warning: there are circular foreign-key constraints on this table:\n",
            "lost": b"pg_dump: error: query failed: SSL connection has been closed unexpectedly\n",
        }
    for label, line in lines.items():
        yield Case("a program's message in it", f"{name}-{label}-first", REFUSED, line + dump)
        if label == "lost":
            yield Case("a program's message in it", f"{name}-{label}-last", REFUSED, dump + line)
        for place in range(4096, end_of(dump) - 200, step):
            data = dump[:place] + line + dump[place:]
            yield Case("a program's message in it", f"{name}-{label}-at-{place}", REFUSED, data)


def converted(name: str, dump: bytes) -> Iterator[Case]:
    """Yield the dump as editors, shells and disks change it."""
    text = dump.decode("utf-8", "replace")
    yield Case("UTF-16", f"{name}-powershell", REFUSED, b"\xff\xfe" + text.encode("utf-16-le"))
    yield Case("UTF-16", f"{name}-utf16be", REFUSED, b"\xfe\xff" + text.encode("utf-16-be"))
    yield Case("UTF-16", f"{name}-utf16-no-bom", REFUSED, text.encode("utf-16-le"))
    yield Case("a byte-order mark before it", f"{name}-bom", VERIFIED, b"\xef\xbb\xbf" + dump)
    yield Case("no last line end", f"{name}-stripped", VERIFIED, dump.rstrip())
    yield Case("Windows line ends", f"{name}-crlf", VERIFIED, dump.replace(b"\n", b"\r\n"))
    for part in (10, 50, 80):
        place = len(dump) * part // 100
        hole = dump[:place] + b"\0" * 512 + dump[place + 512 :]
        yield Case("a hole of zero bytes", f"{name}-zeros-{part}", REFUSED, hole)


def of_other_tools(name: str, dump: bytes) -> Iterator[Case]:
    """Yield a MariaDB dump with what MySQL 8, MariaDB 11.4 and other users write into theirs (documented, put in by hand)."""
    gtid = b"SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '3E11FA47-71CA-11E1-9E33-C80AA9429562:1-5';\n"
    first_table = dump.index(b"\nDROP TABLE") + 1
    edited = {
        "gtid": dump[:first_table] + b"SET @@SESSION.SQL_LOG_BIN= 0;\n" + gtid + dump[first_table:],
        "0900": dump.replace(b"utf8mb4_unicode_ci", b"utf8mb4_0900_ai_ci"),
        "uca1400": dump.replace(b"utf8mb4_unicode_ci", b"utf8mb4_uca1400_ai_ci"),
        "definer": dump.replace(b"DEFINER=`root`@`localhost`", b"DEFINER=`gone`@`10.0.0.1`"),
        "no-sandbox": dump.split(b"\n", 1)[1],
    }
    for label, data in edited.items():
        yield Case("written by another tool or user", f"{name}-{label}", VERIFIED, data)
    use = b"USE `mysql`;\n"
    yield Case(
        "goes to another database", f"{name}-use", REFUSED, dump[:first_table] + use + dump[first_table:]
    )
    shell = b"system touch x;\n"
    yield Case(
        "goes to another database", f"{name}-shell", REFUSED, dump[:first_table] + shell + dump[first_table:]
    )


def hashes(name: str, dump: bytes) -> Iterator[Case]:
    """Yield the dump with a hash beside it that fits, and one that does not."""
    right = hashlib.sha256(dump).hexdigest().encode()
    changed = dump.replace(b"square", b"sqvare", 1)
    yield Case("a hash beside it", f"{name}-hash", VERIFIED, dump, right + b"  dump.sql\n")
    yield Case("another hash beside it", f"{name}-changed", REFUSED, changed, right + b"  dump.sql\n")
    yield Case("another hash beside it", f"{name}-other-hash", REFUSED, dump, b"0" * 64)


def wrapped(name: str, dump: bytes, folder: Path) -> Iterator[Case]:
    """Yield what must be unpacked or decrypted by a person first."""
    tar, archive = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as writer, zipfile.ZipFile(archive, "w") as zipped:
        for number in (1, 2):
            info = tarfile.TarInfo(f"{number}.sql")
            info.size = len(dump)
            writer.addfile(info, io.BytesIO(dump))
            zipped.writestr(f"{number}.sql", dump)
    yield Case("several files in one", f"{name}.tar", COULD_NOT_VERIFY, tar.getvalue())
    yield Case("several files in one", f"{name}.tar.gz", COULD_NOT_VERIFY, gzip.compress(tar.getvalue()))
    yield Case("several files in one", f"{name}-two.zip", COULD_NOT_VERIFY, archive.getvalue())
    encrypt = ["openssl", "enc", "-aes-256-cbc", "-pbkdf2", "-pass", "pass:x"]
    for label, words in (("", []), ("-base64", ["-base64"])):
        data = subprocess.run([*encrypt, *words], input=dump, capture_output=True, check=True).stdout
        yield Case("encrypted", f"{name}-openssl{label}", COULD_NOT_VERIFY, data)
    home = folder / "gnupg"
    home.mkdir(mode=0o700, exist_ok=True)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--passphrase", "x", "--symmetric"]
    gpg += ["--pinentry-mode", "loopback", "--no-symkey-cache", "-o", "-"]
    for label, words in (("", []), ("-armor", ["--armor"])):
        data = subprocess.run([*gpg, *words], input=dump, capture_output=True, check=True).stdout
        yield Case("encrypted", f"{name}-gpg{label}", COULD_NOT_VERIFY, data)
    # The agent that gpg started would stay.
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "gpg-agent"], check=True)


def no_backups() -> Iterator[Case]:
    """Yield files that are no backup at all."""
    files = {
        "empty.sql": b"",
        "empty.sql.gz": gzip.compress(b""),
        "line-end.sql": b"\n",
        "blanks.sql": b"   \n\n\t\n",
        "page.sql": b"<!DOCTYPE html>\n<html><body><h1>404 Not Found</h1></body></html>\n",
        "page-packed.sql.gz": gzip.compress(b"<html><body>503</body></html>\n"),
        "xml.sql": b'<?xml version="1.0"?>\n<mysqldump></mysqldump>\n',
        "json.sql": b'{"error": "not found"}\n',
        "password.sql": b"Enter password: \n",
        "access.sql": b"mysqldump: Got error: 1045: \"Access denied for user 'a'@'localhost'\" when trying to connect\n",
        "connection.sql": b'pg_dump: error: connection to server at "localhost" failed\n',
        "no-program.sql": b"bash: line 1: mysqldump: command not found\n",
        "picture.sql": b"\xff\xd8\xff\xe0" + bytes(range(256)) * 8,
        "zeros.sql": b"\0" * 8192,
        "text.sql": b"Dear team, the backup is on the other disk.\n",
        "only-the-end.sql": b"\n-- Dump completed on 2026-11-22 15:53:01\n",
    }
    for name, data in files.items():
        yield Case("no backup at all", name, REFUSED, data)
