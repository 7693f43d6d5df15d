"""Count the rows of one COPY block in PostgreSQL's plain text, in big blocks."""

from __future__ import annotations

from typing import List, Optional, Tuple


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

    def take(self, data: bytes, start: int) -> Tuple[int, bool]:
        """Count what `data` holds from `start` on; return how many bytes were used and whether the block is over."""
        if not self._line_open and data.startswith((b"\\.\n", b"\\.\r\n"), start):
            self.over = True
            return data.index(b"\n", start) + 1 - start, True
        stop = data.find(b"\n\\.", start)
        stop = stop + 1 if stop >= 0 else data.rfind(b"\n", start) + 1
        if stop <= start:  # One line, not ended yet; only what may become the end line waits.
            waits = not self._line_open and data[start:] in (b"\\", b"\\.", b"\\.\r")
            stop = start if waits else len(data)
        part = data[start:stop]
        self.rows += part.count(b"\n")
        self.tabs += part.count(b"\t")
        self.size_bytes += len(part)
        if part:
            self._line_open = not part.endswith(b"\n")
        if len(self.kept) < self._keep:
            self.kept += part
        return len(part), False
