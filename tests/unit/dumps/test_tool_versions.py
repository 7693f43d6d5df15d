"""Each version's own first lines are known: dumps made by hand, their first lines as the versions named write them.

The first lines of MariaDB 10.11, PostgreSQL 15, 17 and 18 are recorded here and elsewhere from the programs themselves;
those of the others are as in dumps of these versions that people have published.
"""

from __future__ import annotations

import pytest

from bot.dumps import formats
from bot.dumps.manifest import Reading
from bot.dumps.scanner import DumpScanner
from bot.dumps.site_match import Expectation
from bot.dumps.verdict import Word, judge
from tests.zoo import texts

M_SANDBOX = rb"/*M!999999\- enable the sandbox mode */ " + b"\n"
# As the releases of May 2024 wrote it: 10.5.25, 10.6.18, 10.11.8, 11.0.6, 11.1.5, 11.2.4, 11.4.2. Source: MariaDB's note on it.
FIRST_SANDBOX = M_SANDBOX.replace(b"M!", b"!")
_MARIADB = [
    (b"", "MariaDB dump 10.19  Distrib 10.5.15-MariaDB", "10.5.15-MariaDB-0+deb11u1"),
    (FIRST_SANDBOX, "MariaDB dump 10.19  Distrib 10.6.18-MariaDB", "10.6.18-MariaDB"),
    (FIRST_SANDBOX, "MariaDB dump 10.19  Distrib 10.11.8-MariaDB", "10.11.8-MariaDB-0ubuntu0.24.04.1"),
    (b"", "MariaDB dump 10.19-11.1.2-MariaDB", "11.1.2-MariaDB"),
    (FIRST_SANDBOX, "MariaDB dump 10.19-11.4.2-MariaDB", "11.4.2-MariaDB-ubu2404"),
    (M_SANDBOX, "MariaDB dump 10.19-11.8.3-MariaDB", "11.8.3-MariaDB"),
    (M_SANDBOX, "MariaDB dump 10.19-12.0.2-MariaDB", "12.0.2-MariaDB"),
    (b"", "MariaDB dump 10.19-12.2.2-MariaDB", "8.0.45"),
]
_MYSQL = [
    ("MySQL dump 10.13  Distrib 5.7.44", "5.7.44-log"),
    ("MySQL dump 10.13  Distrib 8.0.36", "8.0.36-0ubuntu0.22.04.1"),
    ("MySQL dump 10.13  Distrib 8.4.7", "8.4.7"),
    ("MySQL dump 10.13  Distrib 9.3.0", "9.3.0"),
]
_POSTGRESQL = [
    ("13.22 (Debian 13.22-0+deb11u1)", "13.22", False),
    ("14.2", "14.2", False),
    ("14.22 (Ubuntu 14.22-0ubuntu0.22.04.1)", "14.22", True),
    ("16.10", "16.10", True),
    ("17.9 (Homebrew)", "17.9", True),
    ("18.1 (Ubuntu 18.1-1.pgdg24.04+2)", "18.1", True),
    ("18beta1", "18beta1", False),
]


def read(dump: bytes) -> Reading:
    """Return what the scanner of the format that the dump is told to have says of it."""
    scanner = DumpScanner(str(formats.format_of(dump[: formats.HEAD_BYTES])))
    scanner.feed(dump)
    return scanner.finish()


def words(reading: Reading) -> tuple[Word, str, str]:
    """Return the verdict's word, and the versions that the dump says."""
    manifest = reading.manifest
    verdict = judge(manifest, reading.hazards, None, Expectation())
    return verdict.word, str(manifest.tool_version), str(manifest.server_version)


@pytest.mark.parametrize(("first", "tool", "server"), _MARIADB, ids=[tool for _, tool, _ in _MARIADB])
def test_each_mariadb_dump_is_known(first: bytes, tool: str, server: str) -> None:
    """MariaDB's dumps from 10.5 to 12 are verified whole, and refused where their end is missing."""
    rest = texts.mariadb_dump().partition(b"--\n")[2].replace(b"10.11.19-MariaDB", server.encode())
    dump = first + f"-- {tool}, for debian-linux-gnu (x86_64)\n--\n".encode() + rest
    assert formats.format_of(dump) == formats.MARIADB_DUMP
    assert words(read(dump)) == (Word.VERIFIED, tool, server)
    assert words(read(dump.rpartition(b"-- Dump")[0]))[0] == Word.REFUSED
    assert ("sandbox_line" in {hazard.code for hazard in read(dump).hazards}) == bool(first)


@pytest.mark.parametrize(("tool", "server"), _MYSQL)
def test_each_mysql_dump_is_known(tool: str, server: str) -> None:
    """MySQL's dumps from 5.7 to 9 are verified whole, and refused where their end is missing."""
    rest = texts.mysql_dump().partition(b"--\n")[2].replace(b"8.0.36", server.encode())
    dump = f"-- {tool}, for Linux (x86_64)\n--\n".encode() + rest
    assert formats.format_of(dump) == formats.MYSQL_DUMP
    assert words(read(dump)) == (Word.VERIFIED, tool, server)
    assert words(read(dump.rpartition(b"-- Dump")[0]))[0] == Word.REFUSED


@pytest.mark.parametrize(("said", "version", "restricted"), _POSTGRESQL)
def test_each_pg_dump_is_known(said: str, version: str, restricted: bool) -> None:
    r"""pg_dump's plain dumps from 13 to 18, with and without \restrict, are verified whole and refused cut."""
    dump = texts.pg_dump().replace(b"15.18 (Debian 15.18-0+deb12u1)", said.encode())
    if not restricted:
        lines = dump.splitlines(keepends=True)
        dump = b"".join(line for line in lines if not line.startswith((b"\\restrict", b"\\unrestrict")))
    assert formats.format_of(dump) == formats.PG_PLAIN
    assert words(read(dump)) == (Word.VERIFIED, f"pg_dump version {version}", version)
    assert words(read(dump.rpartition(b"-- PostgreSQL")[0]))[0] == Word.REFUSED
