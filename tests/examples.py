"""How many examples a property is tried with: all of them in the long suite, some of them in the normal one."""

from __future__ import annotations

import os

VARIABLE = "BACKOUT_TEST_EXAMPLES"
_SHARE = 3


def examples(most: int) -> int:
    """Return the number of examples of this run, of `most`; `BACKOUT_TEST_EXAMPLES=all` asks for all (`deploy/test.sh long`)."""
    return most if os.environ.get(VARIABLE) == "all" else max(most // _SHARE, 10)
