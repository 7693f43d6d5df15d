"""Names of git's branches and remotes that can be given to git without being read as something else."""

from __future__ import annotations

import re
from typing import Final

_REMOTE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,199}")
# Beside these git allows quotes, dollars and the like in a branch's name; nobody needs them.
_BRANCH: Final = re.compile(r"\w[\w./+#@=,%&!-]{0,199}")
_NOWHERE: Final = ("..", "//", "/.", "@{")


def is_remote_name(text: str) -> bool:
    """Return whether it is a remote's name that can be no option, address or range."""
    return bool(_REMOTE.fullmatch(text)) and _is_ref(text)


def is_branch_name(text: str) -> bool:
    """Return whether it is a branch's name that can be no option, range, pattern or second half of a refspec."""
    return bool(_BRANCH.fullmatch(text)) and _is_ref(text)


def _is_ref(text: str) -> bool:
    """Return whether git takes it as part of a reference. *Source*: git-check-ref-format(1)."""
    return not text.endswith(("/", ".", ".lock")) and not any(part in text for part in _NOWHERE)
