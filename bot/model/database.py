"""What a database and its copies were found to hold: counts, hashes and keys, never rows.

The shapes are those of the row reader's answers (adapters/host_reader); unknown keys are ignored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Access:
    """A program that the row reader runs on the host to learn the application's own database credentials.

    It holds no secret itself; what it prints never leaves the host.
    """

    argv: tuple[str, ...]
    stdin: str
    env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class DatabaseFacts:
    """Identity and shape of one database. `rows` counts by table; `migrations` rows in order, None: no such table.

    `path` is its place: the real path of a file, the name of a server's database. `journal_mode` and `page_size` are
    SQLite's; elsewhere they are empty and 0.
    """

    engine: str
    version: str
    path: str
    identity: str  # device:inode for a file; server id and name for a server
    size_bytes: int
    free_bytes: int
    journal_mode: str
    page_size: int
    encoding: str
    rows: dict[str, int]
    nulls: dict[str, dict[str, int]]
    migrations: tuple[tuple[str, int], ...] | None  # (name, batch) in the order of the table's id
    owner: str = ""
    mode: str = ""
    cascading_children: dict[str, tuple[str, ...]] = field(
        default_factory=dict
    )  # parent → tables whose rows go with it
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)  # columns of the primary key by table
    objects: dict[str, int] = field(
        default_factory=dict
    )  # how many triggers, views, routines, events; where known


@dataclass(frozen=True, kw_only=True)
class Rights:
    """What the application's user may do on its server: make databases of Backout's own, and change all of the live one.

    `missing` are the rights that it lacks on the live database, as the engine names them.
    """

    may_make_scratch: bool
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Writer:
    """A process of the site's own user, a place that starts one (`kind` cron, pid 0), or a session of the server.

    `writes`: it can write to the database while the application is down. `command` has secrets masked. `session` is the
    server's number of a session (`kind` session), which is no process that could be signalled; None for all others.
    """

    pid: int
    command: str
    kind: str
    writes: bool
    session: int | None = None


@dataclass(frozen=True, kw_only=True)
class CopyMade:
    """A proven copy of a database: equal to its source by count and checksum, whole on disk. `path` is its place.

    `database` is what the application calls it; `way` tells why it lies elsewhere than in a database of its own, '' else.
    """

    path: str
    size_bytes: int
    sha256: str
    fingerprint: str
    rows: dict[str, int]
    database: str
    way: str = ""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A backup loaded into a scratch database. `way` tells why it is none of its own, '' where it is."""

    path: str
    rows: dict[str, int]
    foreign_key_violations: int
    fingerprint: str
    migrations: tuple[str, ...]
    way: str = ""


@dataclass(frozen=True, kw_only=True)
class ColumnLoss:
    """One column in the loss table. `moved_to` is `table.column` where its values were found again.

    `moved_by`: `key` (row by row, proven) or `multiset` (equal values stand there; in which rows is not known). `nulled`:
    values that are NULL or an empty text now. Of a dropped column `changed` and `nulled` count values that moved by key
    and are others there since; they are neither in `values_moved` nor in `values_lost`.
    """

    column: str
    status: str
    values_before: int = 0
    values_lost: int = 0
    values_moved: int = 0
    moved_to: str | None = None
    moved_by: str | None = None
    nulls_before: int = 0
    nulls_after: int = 0
    changed: int = 0
    nulled: int = 0


@dataclass(frozen=True, kw_only=True)
class TableLoss:
    """One table in the loss table; counts of rows by primary key. `missing_suspect`: migration, people or None."""

    table: str
    status: str
    rows_before: int
    rows_after: int
    matched: int = 0
    missing: int = 0
    new: int = 0
    changed: int = 0
    reused_keys: int = 0
    missing_suspect: str | None = None
    columns: tuple[ColumnLoss, ...] = ()
    missing_keys: tuple[Any, ...] = ()
    new_keys: tuple[Any, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Loss:
    """The loss table between a backup and the live database.

    `verdict`, the worst that holds: `loss`; `rewritten`, a person must look, as values were cleared in place
    (`values_nulled`), many values of a column are others now (`columns_rewritten`), or values were found again only as
    a set, perhaps in the wrong rows (`columns_moved_unproven`); `missing_rows` (some rows are gone: people may have
    deleted them); `none`. Below a twentieth of a column, changed values are taken for people's edits, also under `none`.
    """

    verdict: str
    tables: tuple[TableLoss, ...]
    rows_lost: int
    values_lost: int
    values_moved: int
    rows_missing: int
    rows_new: int
    rows_changed: int
    tables_shrunk: tuple[str, ...] = ()
    columns_rewritten: tuple[str, ...] = ()
    values_nulled: int = 0
    columns_moved_unproven: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Proof:
    """An independent account of every row and value after a rehearsal. `reasons` say why it is not proven."""

    proven: bool
    rows_kept: int = 0
    rows_lost: int = 0
    rows_restored: int = 0
    values_restored: int = 0
    values_mapped: int = 0
    values_lost: int = 0
    unaccounted: int = 0
    reasons: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SetAside:
    """Rows that were taken out of a table of the live database, and the file on the host that puts them back."""

    table: str
    rows: int
    file: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class CutoverMade:
    """Production's data are now the source's. `already`: they were so before this run (a resumed job).

    `notes` tell in words what of the old database could not be carried over.
    """

    fingerprint: str
    duration_s: float
    already: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """One of the site's own read-only checks."""

    name: str
    value: int | None
    expected: int | None
    passed: bool
    error: str | None = None
