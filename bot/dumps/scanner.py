"""Read a SQL dump as a stream of blocks, in flat memory, into a manifest and its hazards."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Dict, List, Optional, Set

from bot.dumps import formats
from bot.dumps.copy_block import CopyBlock
from bot.dumps.endings import TAIL_BYTES, ending
from bot.dumps.hazards import (
    CLIENT_COMMAND,
    FOREIGN_TEXT,
    LONG_STATEMENT,
    NO_STRUCTURE,
    OTHER_DATABASE,
    RESTRICT,
    SANDBOX,
    TWICE,
    holds_message,
    is_foreign,
    statement_hazards,
)
from bot.dumps.header import Header
from bot.dumps.insert_run import InsertRun
from bot.dumps.manifest import PRESENT, Hazard, Manifest, Reading, TableEntry
from bot.dumps.statements import COPY_HEAD, DEFAULT_ROW, INSERT_HEAD, column_list, created, plain_name
from bot.dumps.tokens import MYSQL, PGSQL, SQLITE, statement_end
from bot.dumps.values import MigrationRow, copy_rows, insert_tuples, migration_rows

DIALECTS = {
    formats.SQLITE_DUMP: SQLITE,
    formats.MYSQL_DUMP: MYSQL,
    formats.MARIADB_DUMP: MYSQL,
    formats.PG_PLAIN: PGSQL,
}

# Fewer do not tell a comment from a statement.
SHORTEST_BYTES = 16
# A statement that is not rows is read whole; the longest seen in real schemas are views of some 100 kB.
LONGEST_STATEMENT_BYTES = 1 << 24
# A head of an INSERT or COPY with 4096 columns of 64 bytes fits.
LONGEST_HEAD_BYTES = 1 << 19
# 4 MB of migrations rows are some 50,000 migrations.
KEPT_BYTES = 1 << 22
# Servers' usual limit for one statement (max_allowed_packet).
LONG_STATEMENT_BYTES = 1 << 24

_BLANK = re.compile(rb"\s*")
_ROWS_AHEAD = re.compile(rb"(?:INSERT|REPLACE|COPY)\b", re.IGNORECASE)
_SANDBOX = re.compile(rb"/\*M?!999999.*?\*/")
# In these character sets the second byte of a sign may be that of a backslash.
_SPLIT_SIGNS = re.compile(
    rb"\s*(?:/\*!\d*\s*)?SET\s+NAMES\s+'?(?:gbk|gb18030|gb2312|sjis|cp932|big5)\b", re.IGNORECASE
)
_DELIMITER = re.compile(rb"DELIMITER\s+(\S+)[^\n]*\n", re.IGNORECASE)
_PG_COMMAND = re.compile(rb"\\(\w+|\S)")


class DumpScanner:
    """Reads one SQL dump: `feed` it every block in order, then ask `finish` for the reading."""

    def __init__(self, dump_format: str, migrations_table: str = "migrations") -> None:
        self._format = dump_format
        self._dialect = DIALECTS[dump_format]
        self._migrations_table = migrations_table
        self._data = b""
        self._begun = False
        self._wanted_bytes = SHORTEST_BYTES
        self._place = 0
        self._tail = b""
        self._delimiter = b";"
        self._run: Optional[InsertRun] = None
        self._copy: Optional[CopyBlock] = None
        self._header = Header()
        self._tables: Dict[str, TableEntry] = {}
        self._created: Set[str] = set()
        self._objects: Dict[str, Set[str]] = {}
        self._table_indexes = 0
        self._hazards: Dict[str, Hazard] = {}
        self._migrations: Optional[List[MigrationRow]] = None
        self._last_statement = b""
        self._damage: Optional[str] = None
        self._restrict_key = b""
        self._countable = True

    def feed(self, block: bytes) -> None:
        """Take the next block."""
        if not self._begun:
            block, self._begun = block.removeprefix(b"\xef\xbb\xbf"), True
        if b"\x00" in block:
            # No tool writes one into text: mysqldump and sqlite3 write it as an escape, PostgreSQL has none.
            self._damage = self._damage or "it holds zero bytes, as after a crash of the disk or the host"
        self._tail = (self._tail + block)[-TAIL_BYTES:] if len(block) < TAIL_BYTES else block[-TAIL_BYTES:]
        self._data = self._data[self._place :] + block
        self._place = 0
        self._advance(last=False)

    def finish(self, damage: Optional[str] = None) -> Reading:
        """Return what the dump holds; `damage` says why its bytes ended early, where they did."""
        self._advance(last=True)
        outside = self._run is None and self._copy is None and not self._rest().strip()
        if self._run is not None:
            self._end_run(self._run)
        if self._copy is not None:
            self._end_copy(self._copy)
        found = ending(
            self._dialect,
            tail=self._tail,
            outside=outside,
            last_statement=self._last_statement,
            has_header=self._header.seen,
            restrict_key=self._restrict_key,
        )
        self._judge_whole(found.marker)
        manifest = Manifest(
            format=self._format,
            tool_version=self._header.tool_version,
            server_version=self._header.server_version,
            database=self._header.database,
            started=self._header.started,
            completed=found.time or self._header.completed,
            end_marker=found.marker,
            tables=self._tables if self._countable else self._uncounted(),
            migrations=None if self._migrations is None else [row._asdict() for row in self._migrations],
            schema_objects=self._object_counts(),
            damage=damage or self._damage,
        )
        return Reading(manifest, list(self._hazards.values()))

    def _judge_whole(self, marker: str) -> None:
        """Note what only shows when all was read: a beginning that is missing, rows without their tables."""
        if marker == PRESENT and self._dialect != SQLITE and not self._header.seen:
            self._damage = self._damage or "its beginning is missing"
        if set(self._tables) - self._created:
            self._note(NO_STRUCTURE)

    def _uncounted(self) -> Dict[str, TableEntry]:
        return {name: replace(entry, rows=None) for name, entry in self._tables.items()}

    def _rest(self) -> bytes:
        return self._data[self._place :]

    def _object_counts(self) -> Dict[str, int]:
        counts = {kind + "s": len(self._objects.get(kind, ())) for kind in ("trigger", "view")}
        counts["indexes"] = len(self._objects.get("index", ())) + self._table_indexes
        routines = self._objects.get("procedure", set()) | self._objects.get("function", set())
        counts["routines"] = len(routines)
        counts["events"] = len(self._objects.get("event", ()))
        return counts

    # Moving on. Each step uses some bytes and returns True, or returns False: more bytes are needed.

    def _advance(self, last: bool) -> None:
        while self._step(last):
            pass

    def _step(self, last: bool) -> bool:
        if self._run is not None:
            return self._step_run(self._run, last)
        if self._copy is not None:
            return self._step_copy(self._copy)
        blank = _BLANK.match(self._data, self._place)
        self._place = blank.end() if blank else self._place
        if self._place >= len(self._data) or self._damage:
            return False
        return self._step_outside(last)

    def _step_run(self, run: InsertRun, last: bool) -> bool:
        taken = run.take(self._data, self._place, last)
        self._place += taken.size
        if taken.over:
            self._end_run(run)
        return taken.size > 0 or taken.over

    def _step_copy(self, copy: CopyBlock) -> bool:
        size, over = copy.take(self._data, self._place)
        self._place += size
        if over:
            self._end_copy(copy)
        return size > 0

    def _step_outside(self, last: bool) -> bool:
        if not last and len(self._data) - self._place < self._wanted_bytes:
            return False
        self._wanted_bytes = SHORTEST_BYTES
        moved = self._step_word(last)
        if not moved:
            # Twice as much before the next look: a long statement is then looked at a few times only.
            self._wanted_bytes = 2 * (len(self._data) - self._place)
        return moved

    def _step_word(self, last: bool) -> bool:
        """Take the comment, command, head of rows or statement that begins here; False where more bytes are needed."""
        if self._is_comment():
            return self._step_comment(last)
        command = self._step_command(last)
        if command is not None:
            return command
        if _ROWS_AHEAD.match(self._data, self._place):
            begun = self._begin_rows(last)
            if begun is not None:
                return begun
        return self._step_statement(last)

    def _is_comment(self) -> bool:
        data, place = self._data, self._place
        if data.startswith(b"--", place) or (self._dialect == MYSQL and data.startswith(b"#", place)):
            return True
        if not data.startswith(b"/*", place):
            return False
        return bool(_SANDBOX.match(data, place)) or not data.startswith((b"/*!", b"/*M!"), place)

    def _step_comment(self, last: bool) -> bool:
        sign = b"*/" if self._data.startswith(b"/*", self._place) else b"\n"
        stop = self._data.find(sign, self._place)
        if stop < 0:
            if last and sign == b"\n":
                stop = len(self._data)
            else:
                return False
        text = self._data[self._place : stop]
        if _SANDBOX.match(text + sign):
            self._note(SANDBOX)
        if holds_message(text):
            self._note(FOREIGN_TEXT)
        self._header.read(text)
        self._place = min(stop + len(sign), len(self._data))
        return True

    def _step_command(self, last: bool) -> Optional[bool]:
        """Take a line that is for the client program; None where there is none here."""
        data, place = self._data, self._place
        if self._dialect == MYSQL:
            match = _DELIMITER.match(data, place)
            if match:
                self._delimiter = match.group(1)
                self._place = match.end()
                return True
            return None
        if not data.startswith(b"\\" if self._dialect == PGSQL else b".", place):
            return None
        stop = data.find(b"\n", place)
        if stop < 0 and not last:
            return False
        self._place = stop + 1 if stop >= 0 else len(data)
        self._note(self._command_hazard(data[place : self._place]))
        return True

    def _command_hazard(self, line: bytes) -> Hazard:
        match = _PG_COMMAND.match(line)
        name = match.group(1) if match else b""
        if name in (b"restrict", b"unrestrict"):
            if name == b"restrict":
                self._restrict_key = line[match.end() :].strip() if match else b""
            return RESTRICT
        return OTHER_DATABASE if name in (b"connect", b"c") else CLIENT_COMMAND

    def _begin_rows(self, last: bool) -> Optional[bool]:
        """Begin a run of INSERTs or a COPY block; False to wait for the rest of its head, None where it is neither."""
        match = INSERT_HEAD.match(self._data, self._place)
        if match:
            table, columns = plain_name(match.group("table")), column_list(match.group("columns"))
            self._run = InsertRun(
                table,
                match.group(),
                columns,
                self._dialect == MYSQL,
                KEPT_BYTES if self._is_migrations(table) else 0,
            )
            self._last_statement = b"INSERT"
            self._place = match.end()
            return True
        match = COPY_HEAD.match(self._data, self._place) if self._dialect == PGSQL else None
        if match:
            table, columns = plain_name(match.group("table")), column_list(match.group("columns"))
            self._copy = CopyBlock(table, columns, KEPT_BYTES if self._is_migrations(table) else 0)
            self._last_statement = b"COPY"
            self._place = match.end()
            return True
        if not last and len(self._data) - self._place < LONGEST_HEAD_BYTES:
            stop = statement_end(self._data, self._place, self._dialect, self._delimiter)
            # A COPY is told by the line end behind its semicolon (two bytes at most), which may come in the next block.
            return False if stop < 0 or len(self._data) - stop < 2 else None
        return None

    def _is_migrations(self, table: str) -> bool:
        return table.rpartition(".")[2] == self._migrations_table

    def _step_statement(self, last: bool) -> bool:
        stop = statement_end(self._data, self._place, self._dialect, self._delimiter)
        if stop < 0:
            if not last and len(self._data) - self._place > LONGEST_STATEMENT_BYTES:
                self._damage = "a statement in it does not end within 16 MB"
            return False
        statement = self._data[self._place : stop]
        self._place = stop
        self._last_statement = statement[:200]
        self._read_statement(statement)
        return True

    # What was read.

    def _read_statement(self, statement: bytes) -> None:
        for hazard in statement_hazards(statement, self._dialect):
            self._note(hazard)
        if self._dialect == MYSQL and _SPLIT_SIGNS.match(statement):
            self._countable = False
        if is_foreign(statement):
            self._note(FOREIGN_TEXT)
        made = created(statement, self._dialect)
        if made is None:
            self._read_default_row(statement)
            return
        if made.kind != "table":
            self._objects.setdefault(made.kind, set()).add(made.name)
            return
        if made.name in self._created:
            self._note(TWICE)
        self._created.add(made.name)
        self._table_indexes += made.indexes
        self._add_table(made.name, made.columns, 0, 0)
        if self._is_migrations(made.name) and self._migrations is None:
            self._migrations = []

    def _read_default_row(self, statement: bytes) -> None:
        """Count the row of `INSERT INTO t DEFAULT VALUES`, which pg_dump writes for tables without columns."""
        match = DEFAULT_ROW.match(statement)
        if match:
            self._add_table(plain_name(match.group("table")), None, 1, len(statement))

    def _note(self, hazard: Hazard) -> None:
        self._hazards.setdefault(hazard.code, hazard)

    def _end_run(self, run: InsertRun) -> None:
        self._run = None
        if self._dialect == MYSQL and run.longest_bytes > LONG_STATEMENT_BYTES:
            self._note(LONG_STATEMENT)
        if run.broken_line and self._dialect == MYSQL and self._header.seen:
            self._note(FOREIGN_TEXT)
        self._add_table(run.table, run.columns, run.rows, run.size_bytes)
        if self._is_migrations(run.table):
            self._add_migrations(insert_tuples(run.kept, self._dialect), run.table, run.columns)

    def _end_copy(self, copy: CopyBlock) -> None:
        self._copy = None
        if copy.columns and copy.over and copy.tabs != copy.rows * (len(copy.columns) - 1):
            self._note(FOREIGN_TEXT)
        self._add_table(copy.table, copy.columns, copy.rows, copy.size_bytes)
        if self._is_migrations(copy.table):
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
        self._migrations = migration_rows_joined(self._migrations, migration_rows(rows, names))


def migration_rows_joined(old: Optional[List[MigrationRow]], new: List[MigrationRow]) -> List[MigrationRow]:
    """Return both lists as one, in the order in which the migrations ran."""
    return sorted((old or []) + new, key=lambda row: (row.batch or 0, row.name))
