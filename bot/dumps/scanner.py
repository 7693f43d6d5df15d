"""Read a SQL dump as a stream of blocks, in flat memory, into a manifest and its hazards."""

from __future__ import annotations

import re
from typing import Optional

from bot.dumps import formats
from bot.dumps.copy_block import CopyBlock
from bot.dumps.endings import TAIL_BYTES, ending
from bot.dumps.findings import Findings
from bot.dumps.hazards import CLIENT_COMMAND, OTHER_DATABASE, RESTRICT, SANDBOX
from bot.dumps.insert_run import InsertRun
from bot.dumps.manifest import Hazard, Manifest, Reading
from bot.dumps.statements import COPY_HEAD, INSERT_HEAD, column_list, plain_name
from bot.dumps.tokens import MYSQL, PGSQL, SQLITE, statement_end

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

_BLANK = re.compile(rb"\s*")
_ROWS_AHEAD = re.compile(rb"(?:INSERT|REPLACE|COPY)\b", re.IGNORECASE)
_SANDBOX = re.compile(rb"/\*M?!999999.*?\*/")
_DELIMITER = re.compile(rb"DELIMITER\s+(\S+)[^\n]*\n", re.IGNORECASE)
_PG_COMMAND = re.compile(rb"\\(\w+|\S)")


class DumpScanner:
    """Reads one SQL dump: `feed` it every block in order, then ask `finish` for the reading."""

    def __init__(self, dump_format: str, migrations_table: str = "migrations") -> None:
        self._format = dump_format
        self._dialect = DIALECTS[dump_format]
        self._data = b""
        self._begun = False
        self._wanted_bytes = SHORTEST_BYTES
        self._place = 0
        self._tail = b""
        self._delimiter = b";"
        self._run: Optional[InsertRun] = None
        self._copy: Optional[CopyBlock] = None
        self._found = Findings(self._dialect, migrations_table)

    def feed(self, block: bytes) -> None:
        """Take the next block."""
        if not self._begun:
            block, self._begun = block.removeprefix(b"\xef\xbb\xbf"), True
        if b"\x00" in block and not self._found.damage:
            # No tool writes one into text: mysqldump and sqlite3 write it as an escape, PostgreSQL has none.
            self._found.damage = "it holds zero bytes, as after a crash of the disk or the host"
        if self._found.damage:
            return  # Nothing from there on is believed, and so nothing is read.
        self._tail = (self._tail + block)[-TAIL_BYTES:] if len(block) < TAIL_BYTES else block[-TAIL_BYTES:]
        self._data += block
        self._advance(last=False)
        self._data, self._place = self._rest(), 0

    def later(self) -> DumpScanner:
        """Return a scanner for a later part of this dump, which begins right behind a statement's `;` and line end.

        What was fed to this one so far decides only whether the dump's own header is known to stand before that part.
        """
        scanner = DumpScanner(self._format, self._found.migrations_table)
        scanner._found = self._found.later()
        scanner._begun = True
        return scanner

    def is_between_statements(self) -> bool:
        """Say whether the bytes fed so far end behind a statement, outside every string, comment and row list."""
        within = self._copy is not None or (self._run is not None and not self._run.between)
        return not within and self._delimiter == b";" and not self._rest().strip()

    def join(self, later: DumpScanner) -> bool:
        """Take over what a `later` scanner read of the bytes right behind those that were fed here, and go on from there.

        Returns False, and takes nothing, where this one is not between statements, as the later one took for granted, or
        where what it read means something else behind what stands here; then its part must be fed.
        """
        if not self.is_between_statements() or not self._found.takes(later._found):
            return False
        if self._run is not None:
            self._end_run(self._run)
        self._found.join(later._found)
        self._run, self._copy, self._delimiter = later._run, later._copy, later._delimiter
        self._data, self._place, self._wanted_bytes = later._data, later._place, later._wanted_bytes
        self._tail = (self._tail + later._tail)[-TAIL_BYTES:]
        return True

    def finish(self, damage: Optional[str] = None) -> Reading:
        """Return what the dump holds; `damage` says why its bytes ended early, where they did."""
        self._advance(last=True)
        outside = (
            self._run is None and self._copy is None and not (self._rest().strip() or self._found.damage)
        )
        if self._run is not None:
            self._end_run(self._run)
        if self._copy is not None:
            self._end_copy(self._copy)
        found = ending(
            self._dialect,
            tail=self._tail,
            outside=outside,
            last_statement=self._found.last_statement,
            has_header=self._found.header.seen,
            restrict_key=self._found.restrict_key,
        )
        self._found.judge_whole(found.marker)
        header, migrations = self._found.header, self._found.migrations
        manifest = Manifest(
            format=self._format,
            tool_version=header.tool_version,
            server_version=header.server_version,
            database=header.database,
            started=header.started,
            completed=found.time or header.completed,
            end_marker=found.marker,
            tables=self._found.tables(),
            migrations=None if migrations is None else [row._asdict() for row in migrations],
            schema_objects=self._found.object_counts(),
            damage=damage or self._found.damage,
        )
        return Reading(manifest, list(self._found.hazards.values()))

    def _rest(self) -> bytes:
        return self._data[self._place :]

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
        if self._place >= len(self._data) or self._found.damage:
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
            self._found.note(SANDBOX)
        self._found.read_comment(text)
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
        self._found.note(self._command_hazard(data[place : self._place]))
        return True

    def _command_hazard(self, line: bytes) -> Hazard:
        match = _PG_COMMAND.match(line)
        name = match.group(1) if match else b""
        if name in (b"restrict", b"unrestrict"):
            if name == b"restrict":
                self._found.restrict_key = line[match.end() :].strip() if match else b""
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
                KEPT_BYTES if self._found.is_migrations(table) else 0,
            )
            self._found.last_statement = b"INSERT"
            self._place = match.end()
            return True
        match = COPY_HEAD.match(self._data, self._place) if self._dialect == PGSQL else None
        if match:
            table, columns = plain_name(match.group("table")), column_list(match.group("columns"))
            self._copy = CopyBlock(table, columns, KEPT_BYTES if self._found.is_migrations(table) else 0)
            self._found.last_statement = b"COPY"
            self._place = match.end()
            return True
        if not last and len(self._data) - self._place < LONGEST_HEAD_BYTES:
            stop = statement_end(self._data, self._place, self._dialect, self._delimiter)
            # A COPY is told by the line end behind its semicolon (two bytes at most), which may come in the next block.
            return False if stop < 0 or len(self._data) - stop < 2 else None
        return None

    def _step_statement(self, last: bool) -> bool:
        stop = statement_end(self._data, self._place, self._dialect, self._delimiter)
        if stop < 0:
            if not last and len(self._data) - self._place > LONGEST_STATEMENT_BYTES:
                self._found.damage = "a statement in it does not end within 16 MB"
            return False
        self._found.read_statement(self._data[self._place : stop])
        self._place = stop
        return True

    def _end_run(self, run: InsertRun) -> None:
        self._run = None
        self._found.add_run(run)

    def _end_copy(self, copy: CopyBlock) -> None:
        self._copy = None
        self._found.add_copy(copy)
