"""Lists of primary keys: a few in the answer, all of them in a private file on the host."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional, Tuple

from adapters.host_reader.answers import Refusal
from adapters.host_reader.sqlite_files import private_files

MOST_KEYS = 50
# A text key may be an e-mail address or the token of a session; only what is plainly an id is shown.
_PLAIN_ID = re.compile(
    r"[0-9]{1,20}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-7][0-9A-HJKMNP-TV-Z]{25}"
)
_NOT_IN_A_FILE_NAME = re.compile(r"[^A-Za-z0-9_]+")


class KeyLists:
    """Where the lists of one request go; `folder` is None when only a few keys are wanted."""

    def __init__(self, folder: Optional[str], verb: str, sample_keys: int = 20) -> None:
        if folder is not None and not Path(folder).is_dir():
            raise Refusal("not_found", f"There is no folder {folder} for the lists. Nothing was changed.")
        self._folder = folder
        self._verb = verb
        self._most = min(sample_keys, MOST_KEYS)

    def write(self, table: str, kind: str, keys: Iterable[Tuple[Any, ...]]) -> Dict[str, Any]:
        """Return `{count, keys: [the first few], file}`, and write all keys as JSON lines where a folder is given.

        A key of one column is written as the value itself, of several as a list. *Changes*: that file, mode 0600.
        """
        if self._folder is None:
            count, few = self._counted(keys)
            return {"count": count, "keys": few, "file": None}
        path = self._path(table, kind)
        with private_files(), path.open("w", encoding="utf-8") as file:
            count, few = self._counted(_written(file, keys))
        if not count:
            path.unlink()
        return {"count": count, "keys": few, "file": str(path) if count else None}

    def _counted(self, keys: Iterable[Tuple[Any, ...]]) -> Tuple[int, List[Any]]:
        count, few = 0, []
        for key in keys:
            count += 1
            if count <= self._most:
                few.append(shown_key(key))
        return count, few

    def _path(self, table: str, kind: str) -> Path:
        short = hashlib.sha256(table.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        name = _NOT_IN_A_FILE_NAME.sub("_", table)[:60]
        return Path(self._folder or ".") / f"{self._verb}-{name}-{short}-{kind}.jsonl"


def _written(file: Any, keys: Iterable[Tuple[Any, ...]]) -> Iterable[Tuple[Any, ...]]:
    for key in keys:
        plain = [part.hex() if isinstance(part, bytes) else part for part in key]
        file.write(json.dumps(plain[0] if len(plain) == 1 else plain) + "\n")
        yield key


def shown_key(key: Tuple[Any, ...]) -> Any:
    """Return a key as it may leave the host: numbers and ids as they are, other text as a short hash."""
    parts = [_shown(part) for part in key]
    return parts[0] if len(parts) == 1 else parts


def _shown(part: Any) -> Any:
    if (
        part is None
        or isinstance(part, (int, float))
        or (isinstance(part, str) and _PLAIN_ID.fullmatch(part))
    ):
        return part
    raw = part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogateescape")
    return "hash:" + hashlib.sha256(raw).hexdigest()[:12]
