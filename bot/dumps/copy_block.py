"""Count the rows of one COPY block in PostgreSQL's plain text, in big blocks."""

from __future__ import annotations

from typing import List, Optional, Tuple

# A table starts with a small window, so that a thousand small tables cost little, and doubles it while it lasts.
FIRST_WINDOW = 1 << 14
LAST_WINDOW = 1 << 19

_DROPPED = bytes(code for code in range(256) if code not in b"\t\n")


class CopyBlock:
    """The rows of one COPY, up to the line `\\.`; each line is a row, because COPY writes line ends as escapes."""

    def __init__(self, table: str, columns: Optional[List[str]], keep: int) -> None:
        self.table = table
        self.columns = columns
        self.rows = 0
        self.tabs = 0  # one less than columns for each row, because COPY writes tabs in values as escapes
        self.over = False
        self.size_bytes = 0
        self.kept = b""
        self._keep = keep
        self._line_open = False
        self._open_tabs = 0  # those of the line that is open
        self._window = FIRST_WINDOW
        self._row = b"\t" * (len(columns or ()) - 1) + b"\n"
        self._rows = b""  # so many rows' tabs and line ends that a window is compared with them at once

    def take(self, data: bytes, start: int) -> Tuple[int, bool]:
        """Count what `data` holds from `start` on; return how many bytes were used and whether the block is over."""
        if not self._line_open and data.startswith((b"\\.\n", b"\\.\r\n"), start):
            self.over = True
            return data.index(b"\n", start) + 1 - start, True
        return self._take_whole_rows(data, start) or self._take_lines(data, start), False

    def _take_whole_rows(self, data: bytes, start: int) -> int:
        """Count a window whose lines all have a row's tabs, and so none is the end; return 0 where that is not sure."""
        stop = data.rfind(b"\n", start, start + self._window) + 1
        if len(self._row) < 2 or stop <= start:
            return 0
        part = data[start:stop]
        signs = part.translate(None, _DROPPED)
        size = self._open_tabs + len(signs)
        if len(self._rows) < size:
            self._rows = self._row * (2 * size // len(self._row) + 1)
        if size % len(self._row) or not self._rows.startswith(signs, self._open_tabs):
            self._window = FIRST_WINDOW
            return 0
        self._window = min(self._window * 2, LAST_WINDOW)
        rows = size // len(self._row)
        return self._count(part, rows, len(signs) - rows)

    def _take_lines(self, data: bytes, start: int) -> int:
        """Count up to the end of the block where it is in sight, else up to the last line end."""
        stop = data.find(b"\n\\.", start)
        stop = stop + 1 if stop >= 0 else data.rfind(b"\n", start) + 1
        if stop <= start:  # One line, not ended yet; only what may become the end line waits.
            waits = not self._line_open and data[start:] in (b"\\", b"\\.", b"\\.\r")
            stop = start if waits else len(data)
        part = data[start:stop]
        return self._count(part, part.count(b"\n"), part.count(b"\t"))

    def _count(self, part: bytes, rows: int, tabs: int) -> int:
        self.rows += rows
        self.tabs += tabs
        self.size_bytes += len(part)
        if part:
            line = part.rfind(b"\n") + 1
            self._open_tabs = part.count(b"\t", line) + (0 if line else self._open_tabs)
            self._line_open = line < len(part)
        if len(self.kept) < self._keep:
            self.kept += part
        return len(part)
