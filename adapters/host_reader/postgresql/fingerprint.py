"""A hash of what a PostgreSQL database holds, whatever the order of its rows, computed by the server itself."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Dict, Iterable, List, Optional, Tuple

from adapters.host_reader.answers import progress
from adapters.host_reader.postgresql.catalogue import Catalogue, read_catalogue
from adapters.host_reader.postgresql.definitions import Definitions, read_definitions
from adapters.host_reader.postgresql.names import listed
from adapters.host_reader.postgresql.session import Session
from adapters.host_reader.server.port import Fingerprint

_LARGE_OBJECTS = """
SELECT count(*), coalesce(sum(hashtextextended(m.oid::text || ' ' || encode(lo_get(m.oid), 'hex'), 0)::numeric), 0)
FROM pg_largeobject_metadata m
"""

_Sum = Tuple[int, int]


@dataclass(frozen=True)
class Content:
    """A database as of one moment. `stored_rows` counts by the names that a dump uses: partitions by themselves."""

    fingerprint: Fingerprint
    stored_rows: Dict[str, int]
    catalogue: Catalogue
    definitions: Definitions


def read_content(session: Session, path_schema: Optional[str], left_out: Iterable[str] = ()) -> Content:
    """Return fingerprint, counts and shape of the database in a session's own snapshot; reads only.

    Each row counts by a 64-bit hash of its text form, in which NULL, an empty text and 0 differ; a table by the number
    of its rows and the sum of their hashes. The values of sequences are no content. Rows of `left_out` tables do not
    count, their definition does.
    """
    definitions = read_definitions(session, path_schema)
    catalogue = read_catalogue(session, path_schema)
    named = set(left_out)
    wanted = [name for name in catalogue.tables if name not in named]
    sums: Dict[str, _Sum] = {}
    stored_rows: Dict[str, int] = {}
    for done, name in enumerate(wanted):
        progress("fingerprint", done, len(wanted), "tables")
        parts = _sums_of(session, catalogue, name)
        stored_rows.update({part: count for part, (count, _) in parts.items()})
        sums[name] = (sum(count for count, _ in parts.values()), sum(total for _, total in parts.values()))
    progress("fingerprint", len(wanted), len(wanted), "tables")
    digest = hashlib.blake2b(definitions.hash.encode("ascii"), digest_size=16)
    for name in sorted(sums):
        digest.update(ascii((name, *sums[name])).encode("ascii"))
    digest.update(ascii(("large objects", *_pair(session, _LARGE_OBJECTS))).encode("ascii"))
    rows = {name: count for name, (count, _) in sums.items()}
    return Content(
        Fingerprint(digest.hexdigest(), definitions.hash, rows), stored_rows, catalogue, definitions
    )


def _sums_of(session: Session, catalogue: Catalogue, name: str) -> Dict[str, _Sum]:
    """Return rows and sum of hashes for each relation that holds rows of a table."""
    columns = listed(catalogue.tables[name].column_names, "t.")
    found = {}
    for part, source in catalogue.relations[name].stored.items():
        hashed = f'hashtextextended(ROW({columns})::text COLLATE "C", 0)::numeric'
        found[part] = _pair(session, f"SELECT count(*), coalesce(sum({hashed}), 0) FROM {source} AS t")
    return found


def _pair(session: Session, select: str) -> _Sum:
    row = session.rows(select)[0]
    return int(row[0] or 0), int(row[1] or 0)


def stored_counts(session: Session, catalogue: Catalogue) -> Dict[str, int]:
    """Return the number of rows by the names that a dump uses; reads only."""
    counts: Dict[str, int] = {}
    for relation in catalogue.relations.values():
        for part, source in relation.stored.items():
            counts[part] = session.number(f"SELECT count(*) FROM {source} AS t")
    return counts


def wrong_counts(expected: Dict[str, int], found: Dict[str, int]) -> List[str]:
    """Return in words which tables do not have the rows they should have."""
    return [
        f"{name!r} has {found.get(name, 'no')} rows, {count} are expected"
        for name, count in sorted(expected.items())
        if found.get(name) != count
    ]
