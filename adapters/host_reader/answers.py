"""How a verb of the row reader answers, refuses and tells its progress."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Dict

# A person reads the progress line; four changes a second is as fast as an eye follows.
_PAUSE_S = 0.25
_last_told: Dict[str, float] = {}


class Refusal(Exception):  # noqa: N818 - an expected "no", with a message for the person; not a fault
    """An expected "no" of a verb.

    `kind` is one of not_found, unreadable, no_space, bad_request, refused, busy, damaged, foreign_keys, changed,
    decision_needed, ambiguous; `message` says what failed, what was changed and what to do. Neither holds row content.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


def progress(what: str, done: int, total: int, unit: str) -> None:
    """Tell how far the work is, in the file that BACKOUT_PROGRESS names; does nothing where it is not set.

    `total` is 0 while it is not known. *Changes*: that one file, replaced as a whole, at most 4 times a second; the
    last call of a piece of work (`done == total`) is always written. A file that cannot be written is no reason to
    end the work.
    """
    target = os.environ.get("BACKOUT_PROGRESS")
    now = time.monotonic()
    if not target or (done != total and now - _last_told.get(target, -1.0) < _PAUSE_S):
        return
    _last_told[target] = now
    document = json.dumps({"what": what, "done": done, "total": total, "unit": unit})
    part = Path(target + ".part")
    try:
        part.write_text(document, encoding="utf-8")
        part.replace(target)
    except OSError:
        return
