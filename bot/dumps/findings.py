"""What has been read of a SQL dump so far, statement by statement and run by run, and how a later part adds to it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Dict, List, Optional, Set

from bot.dumps.copy_block import CopyBlock
from bot.dumps.hazards import (
    FOREIGN_TEXT,
    LONG_STATEMENT,
    NO_STRUCTURE,
    TWICE,
    holds_message,
    is_foreign,
    statement_hazards,
)
from bot.dumps.header import Header
from bot.dumps.insert_run import InsertRun
from bot.dumps.manifest import PRESENT, Hazard, TableEntry
from bot.dumps.statements import DEFAULT_ROW, created, plain_name
from bot.dumps.tokens import MYSQL, SQLITE
from bot.dumps.values import MigrationRow, copy_rows, insert_tuples, migration_rows

# Servers' usual limit for one statement (max_allowed_packet).
LONG_STATEMENT_BYTES = 1 << 24

# In these character sets the second byte of a sign may be that of a backslash.
_SPLIT_SIGNS = re.compile(
    rb"\s*(?:/\*!\d*\s*)?SET\s+NAMES\s+'?(?:gbk|gb18030|gb2312|sjis|cp932|big5)\b", re.IGNORECASE
)


class Findings:
    """Collects what statements, comments and rows say. `begun_seen`: the tool's own header stands before this part."""

    def __init__(self, dialect: str, migrations_table: str, *, begun_seen: bool = False) -> None:
        self.header = Header(seen=begun_seen)
        self.hazards: Dict[str, Hazard] = {}
        self.migrations: Optional[List[MigrationRow]] = None
        self.last_statement = b""
        self.damage: Optional[str] = None
        self.restrict_key = b""
        self._begun_seen = begun_seen
        self._dialect = dialect
        self.migrations_table = migrations_table
        self._tables: Dict[str, TableEntry] = {}
        self._created: Set[str] = set()
        self._objects: Dict[str, Set[str]] = {}
        self._table_indexes = 0
        self._countable = True

    def later(self) -> Findings:
        """Return findings without anything in them, for a part of the same dump that is read by itself."""
        return Findings(self._dialect, self.migrations_table, begun_seen=self.header.seen)

    def note(self, hazard: Hazard) -> None:
        """Take a hazard; the same twice is one."""
        self.hazards.setdefault(hazard.code, hazard)

    def is_migrations(self, table: str) -> bool:
        """Say whether a table, with or without a schema in front, is the migrations table."""
        return table.rpartition(".")[2] == self.migrations_table

    def read_comment(self, text: bytes) -> None:
        """Take a comment, which may be the tool's own or a program's message."""
        if holds_message(text):
            self.note(FOREIGN_TEXT)
        self.header.read(text)

    def read_statement(self, statement: bytes) -> None:
        """Take a whole statement that is no run of rows."""
        self.last_statement = statement[:200]
        for hazard in statement_hazards(statement, self._dialect):
            self.note(hazard)
        if self._dialect == MYSQL and _SPLIT_SIGNS.match(statement):
            self._countable = False
        if is_foreign(statement):
            self.note(FOREIGN_TEXT)
        made = created(statement, self._dialect)
        if made is None:
            self._read_default_row(statement)
            return
        if made.kind != "table":
            self._objects.setdefault(made.kind, set()).add(made.name)
            return
        if made.name in self._created:
            self.note(TWICE)
        self._created.add(made.name)
        self._table_indexes += made.indexes
        self._add_table(made.name, made.columns, 0, 0)
        if self.is_migrations(made.name) and self.migrations is None:
            self.migrations = []

    def _read_default_row(self, statement: bytes) -> None:
        """Count the row of `INSERT INTO t DEFAULT VALUES`, which pg_dump writes for tables without columns."""
        match = DEFAULT_ROW.match(statement)
        if match:
            self._add_table(plain_name(match.group("table")), None, 1, len(statement))

    def add_run(self, run: InsertRun) -> None:
        """Take a run of INSERT statements that is over."""
        if self._dialect == MYSQL and run.longest_bytes > LONG_STATEMENT_BYTES:
            self.note(LONG_STATEMENT)
        if run.broken_line and self._dialect == MYSQL and self.header.seen:
            self.note(FOREIGN_TEXT)
        self._add_table(run.table, run.columns, run.rows, run.size_bytes)
        if self.is_migrations(run.table):
            self._add_migrations(insert_tuples(run.kept, self._dialect), run.table, run.columns)

    def add_copy(self, copy: CopyBlock) -> None:
        """Take a COPY block that is over, or as far as the dump holds it."""
        if copy.columns and copy.over and copy.tabs != copy.rows * (len(copy.columns) - 1):
            self.note(FOREIGN_TEXT)
        self._add_table(copy.table, copy.columns, copy.rows, copy.size_bytes)
        if self.is_migrations(copy.table):
            self._add_migrations(copy_rows(copy.kept), copy.table, copy.columns)

    def _add_table(self, name: str, columns: Optional[List[str]], rows: int, size_bytes: int) -> None:
        if self._dialect == SQLITE and name.startswith("sqlite_"):
            return  # SQLite's own tables are no tables of the application.
        old = self._tables.get(name, TableEntry(rows=0))
        self._tables[name] = TableEntry(
            columns=old.columns or columns,
            rows=(old.rows or 0) + rows,
            size_bytes=old.size_bytes + size_bytes,
        )

    def _add_migrations(self, rows: List[List[str]], table: str, columns: Optional[List[str]]) -> None:
        names = columns or self._tables[table].columns
        self.migrations = _joined_migrations(self.migrations, migration_rows(rows, names))

    def judge_whole(self, marker: str) -> None:
        """Note what only shows when all was read: a beginning that is missing, rows without their tables."""
        if marker == PRESENT and self._dialect != SQLITE and not self.header.seen:
            self.damage = self.damage or "its beginning is missing"
        if set(self._tables) - self._created:
            self.note(NO_STRUCTURE)

    def tables(self) -> Dict[str, TableEntry]:
        """Return the tables by name; without rows where these cannot be counted for the dump's character set."""
        if self._countable:
            return self._tables
        return {name: replace(entry, rows=None) for name, entry in self._tables.items()}

    def object_counts(self) -> Dict[str, int]:
        """Return how many triggers, views, indexes, routines and events the dump creates."""
        counts = {kind + "s": len(self._objects.get(kind, ())) for kind in ("trigger", "view")}
        counts["indexes"] = len(self._objects.get("index", ())) + self._table_indexes
        routines = self._objects.get("procedure", set()) | self._objects.get("function", set())
        counts["routines"] = len(routines)
        counts["events"] = len(self._objects.get("event", ()))
        return counts

    def takes(self, later: Findings) -> bool:
        """Say whether a part read by itself means the same behind this one: nothing in it hangs on what stands here."""
        if self.damage or later.damage or later._begun_seen != self.header.seen:
            return False
        if self._created & later._created:
            return False
        # The columns' names may stand with the first rows or the CREATE only.
        return not (self._holds_migrations() and later._holds_migrations())

    def _holds_migrations(self) -> bool:
        return any(self.is_migrations(name) for name in self._tables)

    def join(self, later: Findings) -> None:
        """Add what a later part said, which `takes` must have allowed."""
        self.header.join(later.header)
        for hazard in later.hazards.values():
            self.note(hazard)
        for name, entry in later._tables.items():
            self._add_table(name, entry.columns, entry.rows or 0, entry.size_bytes)
        self._created |= later._created
        for kind, names in later._objects.items():
            self._objects.setdefault(kind, set()).update(names)
        self._table_indexes += later._table_indexes
        if later.migrations is not None:
            self.migrations = _joined_migrations(self.migrations, later.migrations)
        self.last_statement = later.last_statement or self.last_statement
        self.restrict_key = later.restrict_key or self.restrict_key
        self._countable = self._countable and later._countable


def _joined_migrations(old: Optional[List[MigrationRow]], new: List[MigrationRow]) -> List[MigrationRow]:
    """Return both lists as one, in the order in which the migrations ran."""
    return sorted((old or []) + new, key=lambda row: (row.batch or 0, row.name))
