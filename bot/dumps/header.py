"""What the comments of a dump say about itself: tool, versions, database, times."""

from __future__ import annotations

import re
from typing import Optional

_TOOL = (
    # MariaDB before 11.1 and MySQL write `10.19  Distrib 10.11.8-MariaDB`, MariaDB since then `10.19-11.4.2-MariaDB`.
    re.compile(rb"-- ((?:MySQL|MariaDB) dump [\w.]+(?: +Distrib |-)[\w.~+:-]+)"),
    re.compile(rb"-- (phpMyAdmin SQL Dump)"),
    re.compile(rb"-- Dumped by (pg_dump version [\w.]+)"),
)
_SERVER = re.compile(rb"-- (?:Server version\s+|Dumped from database version )([\w.~+:-]+)")
_DATABASE = re.compile(rb"-- (?:Host: .*?\s+Database: |Current Database: |Database: )`?([^`\r\n]+?)`?\s*$")
_STARTED = re.compile(rb"-- Started on (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)")
_COMPLETED = re.compile(rb"-- Completed on (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)")
_PG_HEAD = b"-- PostgreSQL database dump"


class Header:
    """Collects what the comments outside statements say. `seen` is True once a tool's own comment was read."""

    def __init__(self, *, seen: bool = False) -> None:
        self.seen = seen
        self.tool_version: Optional[str] = None
        self.server_version: Optional[str] = None
        self.database: Optional[str] = None
        self.started: Optional[str] = None
        self.completed: Optional[str] = None

    def read(self, comment: bytes) -> None:
        """Take one comment. The first to say a thing is believed, but the last for the time of completion."""
        line = comment.rstrip()
        self.seen = self.seen or line == _PG_HEAD
        for pattern in _TOOL:
            tool = _said(pattern, line)
            if tool:
                self.tool_version = self.tool_version or tool
                self.seen = self.seen or not tool.startswith("phpMyAdmin")
        self.server_version = self.server_version or _said(_SERVER, line)
        self.database = self.database or _said(_DATABASE, line)
        self.started = self.started or _said(_STARTED, line)
        self.completed = _said(_COMPLETED, line) or self.completed

    def join(self, later: Header) -> None:
        """Add what a later part of the same dump says, as if its comments had been read behind these."""
        self.seen = self.seen or later.seen
        self.tool_version = self.tool_version or later.tool_version
        self.server_version = self.server_version or later.server_version
        self.database = self.database or later.database
        self.started = self.started or later.started
        self.completed = later.completed or self.completed


def _said(pattern: "re.Pattern[bytes]", line: bytes) -> Optional[str]:
    match = pattern.match(line)
    return match.group(1).decode("utf-8", "replace") if match else None
