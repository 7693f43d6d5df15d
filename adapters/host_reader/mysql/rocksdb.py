"""The statements by which Percona's mysqldump makes RocksDB, where it is there, load faster: they are never run here."""

from __future__ import annotations

import re
from typing import List

from adapters.host_reader.mysql.ddl import Piece

# Source: dumps of Percona Server 5.7 and 8.0. The longest of these beginnings has so many pieces.
_PIECES = 8
_BEGINNINGS = [
    re.compile(pattern)
    for pattern in (
        r"SELECT COUNT \( \* \) INTO @ \w*ROCKSDB\w*$",
        r"SET @ \w*(?:ROCKSDB|BULK_LOAD)\w* = IF \(",
        r"PREPARE S FROM @ \w*(?:ROCKSDB|BULK_LOAD)\w*$",
        r"EXECUTE S$",
        r"DEALLOCATE PREPARE S$",
    )
]


def is_for_rocksdb(found: List[Piece]) -> bool:
    """Say whether a statement is one of them. What is prepared as `s` is no other's: another PREPARE is refused."""
    words = " ".join(piece.word.decode("utf-8", "replace") for piece in found[:_PIECES])
    return any(pattern.match(words) for pattern in _BEGINNINGS)
