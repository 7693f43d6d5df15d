"""How far a copy inside the server is, in rows, while one statement copies a whole table and says nothing itself."""

from __future__ import annotations

import contextlib
import threading
from typing import Callable, Iterator, Optional

from adapters.host_reader.answers import Refusal, progress
from adapters.host_reader.mysql.client import Session
from adapters.host_reader.mysql.names import text_literal

_LOOK_S = 0.5
# InnoDB counts a row when it is put in, not when it is committed. Source: row_insert_for_mysql (row0mysql.cc) of MariaDB
# and MySQL 8.0; a table's count is an estimate in the manuals, and is used as one.
_ROWS = (
    "SELECT TABLE_ROWS FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = {}"
    " AND CAST(TABLE_NAME AS BINARY) = CAST({} AS BINARY)"
)


class CopyProgress:
    """Tells how many of a copy's rows are in. `total` is exact; so is what the tables that are over had."""

    def __init__(self, begin: Callable[[], Session], total: int, look_s: float = _LOOK_S) -> None:
        """`begin` gives a session in the target, for looks alone; it is asked for with the first look."""
        self._begin = begin
        self._looking: Optional[Session] = None
        self._look_s = look_s
        self._total = total
        self._over = 0
        self._can_look = True

    @contextlib.contextmanager
    def of(self, table: str, rows: int) -> Iterator[None]:
        """Tell how far a table of so many rows is while the block copies it; once it is over all of them are in."""
        ended = threading.Event()
        looking = threading.Thread(
            target=self._look, args=(table, rows, ended), name="copy progress", daemon=True
        )
        looking.start()
        try:
            yield
        finally:
            ended.set()
            looking.join()
        self._over += rows
        progress("copying", self._over, self._total, "rows")

    def _look(self, table: str, rows: int, ended: threading.Event) -> None:
        # A table is not said to be whole before its copy is over, whatever the estimate.
        while self._can_look and not ended.wait(self._look_s):
            try:
                there = self.rows_in(table)
            except Refusal:
                # As where the user may have so many sessions and no more: the copy goes before its progress.
                self._can_look = False
            else:
                progress("copying", self._over + min(there, max(rows - 1, 0)), self._total, "rows")

    def rows_in(self, table: str) -> int:
        """Return about how many rows a table of the target has by now, those not committed too; reads only."""
        name = text_literal(table)
        if self._looking is None:
            self._looking = self._begin()
        return int(self._looking.one(_ROWS.format(name, name), f"looking how far {table!r} is") or 0)

    def end(self) -> None:
        """End the session of the looks."""
        if self._looking is not None:
            self._looking.end()
