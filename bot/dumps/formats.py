"""What a file is, told by its first bytes and never by its name (HAZARDS B4)."""

from __future__ import annotations

import re
from typing import Dict, Optional

SQLITE_FILE = "sqlite_file"
SQLITE_DUMP = "sqlite_dump"
MYSQL_DUMP = "mysql_dump"
MARIADB_DUMP = "mariadb_dump"
PG_PLAIN = "pg_plain"
PG_CUSTOM = "pg_custom"
PG_TAR = "pg_tar"

# Enough for the longest preamble before the first telling line: phpMyAdmin's header is about 600 bytes.
HEAD_BYTES = 8192

ENGINES: Dict[str, str] = {
    SQLITE_FILE: "sqlite",
    SQLITE_DUMP: "sqlite",
    MYSQL_DUMP: "mysql",
    MARIADB_DUMP: "mysql",
    PG_PLAIN: "pgsql",
    PG_CUSTOM: "pgsql",
    PG_TAR: "pgsql",
}

_COMPRESSION_MAGIC = (
    ("gzip", b"\x1f\x8b\x08"),
    ("zstd", b"\x28\xb5\x2f\xfd"),
    ("bzip2", b"BZh"),
    ("xz", b"\xfd7zXZ\x00"),
    ("zip", b"PK\x03\x04"),
    ("zip", b"PK\x05\x06"),
)

# Tried in this order on the text after a byte-order mark and blank lines. Comments come first: they name the tool.
_TEXT_SIGNS = (
    (MARIADB_DUMP, re.compile(rb"/\*M?!999999|-- MariaDB dump|.*-MariaDB", re.IGNORECASE)),
    (MYSQL_DUMP, re.compile(rb"-- MySQL dump|-- phpMyAdmin SQL Dump|-- Adminer [0-9.]+ (MySQL|MariaDB)")),
    (PG_PLAIN, re.compile(rb"--\r?\n-- PostgreSQL database (cluster )?dump")),
    (SQLITE_DUMP, re.compile(rb"PRAGMA foreign_keys=OFF;\s+BEGIN TRANSACTION;|BEGIN TRANSACTION;")),
    (PG_PLAIN, re.compile(rb"\\restrict |SET statement_timeout = 0;|SET transaction_timeout = 0;")),
    (
        MYSQL_DUMP,
        re.compile(rb"(/\*!4\d{4} SET|DROP TABLE IF EXISTS `|CREATE TABLE (IF NOT EXISTS )?`|INSERT INTO `)"),
    ),
    (SQLITE_DUMP, re.compile(rb"(CREATE TABLE|INSERT INTO) ", re.IGNORECASE)),
)


def compression_of(head: bytes) -> Optional[str]:
    """Return how a file is compressed (gzip, zstd, bzip2, xz, zip), or None where it is not.

    `head` is the file's first bytes. *Source*: RFC 1952, RFC 8878, the bzip2, xz and zip format descriptions.
    """
    for name, magic in _COMPRESSION_MAGIC:
        if head.startswith(magic):
            return name
    return None


def format_of(head: bytes) -> Optional[str]:
    """Return which kind of backup begins with these (decompressed) bytes, or None where it is none.

    *Source*: the SQLite file format; pg_dump 15 (`PGDMP`, tar with `toc.dat`); the first lines of mysqldump,
    mariadb-dump 10.11, pg_dump 15.18 and sqlite3 3.40.
    """
    if head.startswith(b"SQLite format 3\x00"):
        return SQLITE_FILE
    if head.startswith(b"PGDMP"):
        return PG_CUSTOM
    if head[257:262] == b"ustar":
        return PG_TAR if head.startswith(b"toc.dat") else None
    if b"\x00" in head[:512]:
        return None
    text = head[:HEAD_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip()
    for name, sign in _TEXT_SIGNS:
        if sign.match(text):
            return name
    return None


_ENCRYPTED = (b"Salted__", b"-----BEGIN PGP MESSAGE-----", b"age-encryption.org/", b"U2FsdGVkX1")
_PAGE = re.compile(rb"\s*<(?:!DOCTYPE|html|head|\?xml)", re.IGNORECASE)
_MESSAGE = re.compile(
    rb"\s*(?:-bash|bash|sh|sudo|mysqldump|mariadb-dump|mysql|mariadb|pg_dump|pg_dumpall|psql|sqlite3|Warning|Error)\b[^\n]{0,40}:"
)


def why_unread(head: bytes) -> Optional[str]:
    """Return why a file of no known format may still hold a backup and what would help, or None where it can hold none.

    *Source*: OpenSSL's `enc` (`Salted__`), RFC 4880 (packet tags), the age format, POSIX ustar, 7z, rar.
    """
    # Packets with which an encrypted OpenPGP message begins: a session key by a public key or by a passphrase.
    if head.startswith(_ENCRYPTED) or (len(head) > 3 and head[0] in (0x84, 0x85, 0x8C, 0xC1, 0xC3)):
        return "it is encrypted, or no backup; decrypt it first and look again"
    if head[257:262] == b"ustar" or head.startswith((b"7z\xbc\xaf", b"Rar!")):
        return "it is an archive that may hold several files; unpack it and look at each"
    return None


def why_none(head: bytes) -> Optional[str]:
    """Return what a file that is no backup is instead, in words that tell what went wrong; None where it is not known."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or head[1:8:2] == b"\x00" * 4 or head[:8:2] == b"\x00" * 4:
        return "its text is UTF-16, as PowerShell's redirection writes it; values may have been changed on the way"
    if _PAGE.match(head):
        return "it is a web page, not a backup"
    if _MESSAGE.match(head):
        return "it begins with a program's message, not with a dump"
    return None
