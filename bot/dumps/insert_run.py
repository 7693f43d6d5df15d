"""Count the rows of INSERT statements in big blocks, exactly, whatever the values hold.

A run is every statement after one another with the same head (`INSERT INTO "t" VALUES`). It is taken window by window;
rows are the brackets that open on the outermost level, outside strings (`outline.py`), and none is looked at one by one.
"""

from __future__ import annotations

import re
from typing import List, NamedTuple, Tuple

from bot.dumps.outline import Outline, outline

# A run starts with a small window, so that a thousand small tables cost little, and doubles it while it lasts, up to
# what the C library keeps at hand when it is freed: bigger pieces are given back to the system and fetched anew.
FIRST_WINDOW = 1 << 14
LAST_WINDOW = 1 << 17


class Taken(NamedTuple):
    """What a run took from the bytes it was given: how many, and whether the run is over."""

    size: int
    over: bool


class InsertRun:
    """One run of INSERT statements: give it bytes with `take`, and read `rows` and `size_bytes` when it is over."""

    def __init__(
        self, table: str, head: bytes, columns: "List[str] | None", backslash: bool, keep: int = 0
    ) -> None:
        self.table = table
        self.columns = columns
        self.rows = 0
        self.size_bytes = len(head)
        self.kept = (
            b""  # the bytes behind the first head, at most `keep` of them; for the migrations table only
        )
        self.longest_bytes = 0  # the longest statement, to within one window
        self.broken_line = False  # a line that the dump's own tool would not have written
        self._open_bytes = 0
        self._keep = keep
        self._head = head
        self._again = b";\n" + head
        self._plain = not any(code in b"'();" for code in head)
        self._end = re.compile(b";\n(?!" + re.escape(head) + b")")
        self._backslash = backslash
        self._inside = False
        self.between = False  # a statement has ended, and what follows is not known yet
        self._depth = 0
        self._window = FIRST_WINDOW

    def take(self, data: bytes, start: int, last: bool) -> Taken:
        """Count what `data` holds from `start` on and return how much of it was used; `last` says no more comes."""
        if self.between:
            return self._take_head(data, start, last)
        part = self._cut(data, start, last)
        if not part:
            return Taken(0, False)
        found, repeats = self._outline(part)
        if found.ends == 0:
            self._widen()
            return self._count(part, found, False)
        whole = part.endswith(b";\n") and not found.inside
        if found.ends == repeats + whole and not found.end_in_string:
            self._widen()
            self.between = whole
            return self._count(part, found, False)
        return self._take_to_end(part, found.end_in_string)

    def _widen(self) -> None:
        self._window = min(self._window * 2, LAST_WINDOW)

    def _take_head(self, data: bytes, start: int, last: bool) -> Taken:
        """Behind a statement's end: go on where the same head follows; else the run is over."""
        if data.startswith(self._head, start):
            self.between = False
            self.size_bytes += len(self._head)
            self._keep_bytes(self._head)
            return Taken(len(self._head), False)
        ahead = data[start : start + len(self._head)]
        return Taken(0, last or len(ahead) == len(self._head) or not self._head.startswith(ahead))

    def _take_to_end(self, part: bytes, end_in_string: bool) -> Taken:
        """Find the end of the run in `part`: by its pattern where that is certain, else quote by quote."""
        match = None if end_in_string else self._end.search(part)
        if match:
            shorter = part[: match.start() + 1]
            found, repeats = self._outline(shorter)
            if found.ends == repeats + 1 and not found.inside:
                return self._count(shorter, found, True)
        stop, over = self._exact_end(part)
        shorter = part[:stop]
        found, _ = self._outline(shorter)
        return self._count(shorter, found, over)

    def _cut(self, data: bytes, start: int, last: bool) -> bytes:
        """Return the next window, ended at a line's end where there is one and never between a backslash and its sign."""
        while True:
            stop = min(start + self._window, len(data))
            line_end = data.rfind(b"\n", start, stop) + 1
            if line_end > start:
                return data[start:line_end]
            if stop == len(data) and last:
                return data[start:stop]
            # A `;` at the edge waits for what follows it, a backslash for the sign it escapes.
            end = stop
            while end > start and data[end - 1] in b"\\;":
                end -= 1
            if end > start or stop == len(data):
                return data[start:end]
            self._window *= 2

    def _outline(self, part: bytes) -> Tuple[Outline, int]:
        """Return the outline of `part` without the repeated heads in it, and how many of these there were."""
        if self._plain:
            found = self._outline_of(part)
            return found, part.count(self._again) if found.ends else 0
        bare = part.replace(self._again, b";\n")
        repeats = (len(part) - len(bare)) // len(self._head)
        return self._outline_of(bare), repeats

    def _outline_of(self, part: bytes) -> Outline:
        return outline(part, inside=self._inside, depth=self._depth, backslash=self._backslash)

    def _count(self, part: bytes, found: Outline, over: bool) -> Taken:
        self._depth = found.depth
        self.rows += found.rows
        self.broken_line |= found.broken_line
        # A line end between two statements is of neither.
        self.size_bytes += len(part) - (found.ends - over)
        self._open_bytes += len(part)
        self.longest_bytes = max(self.longest_bytes, self._open_bytes)
        if found.ends:
            self._open_bytes = 0
        self._inside = found.inside
        self._keep_bytes(part)
        return Taken(len(part), over)

    def _keep_bytes(self, part: bytes) -> None:
        if len(self.kept) < self._keep:
            self.kept += part

    def _exact_end(self, part: bytes) -> Tuple[int, bool]:
        """Return where the run's last statement in `part` ends, and whether the run is over there; quote by quote."""
        place, begin, inside = 0, 0, self._inside
        while True:
            place = part.find(b";", place)
            if place < 0:
                return len(part), False
            inside ^= self._odd_quotes(part[begin:place])
            begin = place = place + 1
            if inside:
                continue
            if not part.startswith(self._again, place - 1):
                return place, True
            begin = place = place + len(self._head) + 1

    def _odd_quotes(self, text: bytes) -> bool:
        if self._backslash and b"\\" in text:
            text = text.replace(b"\\\\", b"").replace(b"\\'", b"")
        return bool(text.count(b"'") & 1)
