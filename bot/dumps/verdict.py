"""The verdict on one backup: VERIFIED, REFUSED or COULD NOT VERIFY, with every reason in plain words."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence

from bot.dumps import formats
from bot.dumps.manifest import ABSENT, BLOCK, FAILED, IMPOSSIBLE, Hazard, Manifest
from bot.dumps.site_match import (
    Expectation,
    counted,
    earlier_migrations,
    migration_names,
    missing_migrations,
    server_notes,
    site_refusals,
    time_refusals,
)

# What takes the end marker's place in formats that have none.
_WHOLE = {formats.SQLITE_FILE: "quick_check is ok", formats.PG_CUSTOM: "each of its data blocks is whole"}


class Word(enum.Enum):
    """The three verdicts; the value is what a person reads."""

    VERIFIED = "VERIFIED"
    REFUSED = "REFUSED"
    COULD_NOT_VERIFY = "COULD NOT VERIFY"


@dataclass(frozen=True)
class Verdict:
    """A word and its reasons. `notes` are worth knowing but decide nothing; `older_by` counts missing migrations."""

    word: Word
    reasons: List[str]
    notes: List[str] = field(default_factory=list)
    older_by: int = 0

    def as_json(self) -> Dict[str, Any]:
        """Return the verdict as a JSON object."""
        return {
            "word": self.word.value,
            "reasons": self.reasons,
            "notes": self.notes,
            "older_by": self.older_by,
        }


def judge(
    manifest: Manifest,
    hazards: Sequence[Hazard],
    before: Optional[str],
    expect: Expectation,
    unread: Optional[str] = None,
) -> Verdict:
    """Return the verdict on a backup that is to be from before the migration `before` (None: any time).

    `unread` says why the file could not be read for want of a program or a way, where that is so.
    """
    notes = [hazard.message for hazard in hazards if hazard.severity != BLOCK]
    if unread:
        return Verdict(Word.COULD_NOT_VERIFY, [unread], notes)
    refusals = list(dict.fromkeys(_refusals(manifest, hazards, before, expect)))
    if refusals:
        return Verdict(Word.REFUSED, refusals, notes)
    missing = missing_migrations(migration_names(manifest), before, expect.migrations)
    if missing:
        notes.append(
            f"{counted(len(missing), 'migration')} older than the newest possible backup: made before {missing[0]}"
        )
    notes += server_notes(manifest, expect)
    doubts = list(_doubts(manifest))
    if doubts:
        return Verdict(Word.COULD_NOT_VERIFY, doubts, notes, len(missing))
    return Verdict(Word.VERIFIED, _proofs(manifest, before, expect), notes, len(missing))


def _refusals(
    manifest: Manifest, hazards: Sequence[Hazard], before: Optional[str], expect: Expectation
) -> Iterator[str]:
    """Yield every reason for which this backup must not be used."""
    if manifest.damage and manifest.format is None:
        yield manifest.damage
        return
    if manifest.damage:
        yield f"it is damaged: {manifest.damage}"
    if manifest.format is None:
        yield "it is not a database backup in any form that Backout knows"
        return
    if manifest.integrity == "failed":
        yield "it is damaged: SQLite's own quick_check found errors in it"
    if manifest.end_marker == FAILED:
        yield "the program that wrote it ended with an error (ROLLBACK stands where COMMIT should)"
    elif manifest.end_marker == ABSENT and not manifest.damage:
        yield "it is cut short: its end marker is missing"
    for hazard in hazards:
        if hazard.severity == BLOCK:
            yield hazard.message
    yield from _content_refusals(manifest, expect.migrations_table)
    yield from site_refusals(manifest, expect)
    yield from time_refusals(manifest, before, expect)


def _content_refusals(manifest: Manifest, migrations_table: str) -> Iterator[str]:
    if not manifest.tables:
        if not manifest.damage and _countable(manifest):
            yield "it holds no tables"
        return
    if not _holds_rows(manifest, migrations_table):
        yield "it holds no rows outside the migrations table: structure only"
    if manifest.migrations is None:
        named = "" if migrations_table == "migrations" else f" ({migrations_table})"
        yield f"it has no migrations table{named}, so it cannot be told from when it is"
    elif not manifest.migrations and _holds_no_migrations(manifest, migrations_table):
        yield "its migrations table is empty, so it cannot be told from when it is"


def _countable(manifest: Manifest) -> bool:
    """Say whether tables and rows can be read from this format without loading it."""
    if manifest.format == formats.PG_TAR:
        return False
    return not (manifest.format == formats.PG_CUSTOM and manifest.end_marker == IMPOSSIBLE)


def _holds_no_migrations(manifest: Manifest, migrations_table: str) -> bool:
    """Say whether the migrations table is known to be empty, not merely uncounted."""
    return not any(
        entry.rows is None
        for name, entry in manifest.tables.items()
        if name.rpartition(".")[2] == migrations_table
    )


def _holds_rows(manifest: Manifest, migrations_table: str) -> bool:
    return any(
        entry.rows is None or entry.rows > 0
        for name, entry in manifest.tables.items()
        if name.rpartition(".")[2] != migrations_table
    )


def _doubts(manifest: Manifest) -> Iterator[str]:
    """Yield why this backup may be good but cannot be proven by reading it."""
    if manifest.format == formats.PG_TAR:
        yield "it is a tar archive of pg_dump, which has no end marker; loading it into scratch would prove it"
    elif manifest.end_marker == IMPOSSIBLE and manifest.format == formats.PG_CUSTOM:
        yield "its data lie beside it or are packed in a way that is not read here; loading it into scratch would prove it"
        return
    elif manifest.end_marker == IMPOSSIBLE and manifest.format != formats.SQLITE_FILE:
        yield "it was made without an end marker, so a cut cannot be told; loading it into scratch would prove it"
    if any(entry.rows is None for entry in manifest.tables.values()):
        yield "its rows cannot be counted without loading it; loading it into scratch would prove it"


def _proofs(manifest: Manifest, before: Optional[str], expect: Expectation) -> List[str]:
    """Return what makes the backup good, in the order in which a person would ask."""
    rows = sum(entry.rows or 0 for entry in manifest.tables.values())
    proofs = [f"read to its last byte: {counted(len(manifest.tables), 'table')}, {counted(rows, 'row')}"]
    proofs.append(_WHOLE.get(manifest.format or "", "its end marker is there"))
    if before:
        earlier = earlier_migrations(before, expect.migrations)
        known = (
            f", {len(earlier) - len(missing_migrations(migration_names(manifest), before, expect.migrations))} of {len(earlier)} earlier ones are there"
            if earlier
            else ""
        )
        proofs.append(f"{before} is not in its migrations table{known}")
    return proofs


def exit_status(verdict: Mapping[str, Any]) -> int:
    """Return the exit status for a verdict as JSON: 0 VERIFIED, 1 REFUSED, 2 COULD NOT VERIFY."""
    order = [Word.VERIFIED.value, Word.REFUSED.value, Word.COULD_NOT_VERIFY.value]
    return order.index(str(verdict["word"]))
