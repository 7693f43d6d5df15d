"""The window that no backup covers, to the minute, and the other backups that have more."""

from __future__ import annotations

from typing import Any

import pytest

from bot.model.event import Kind
from bot.model.incident import Incident
from bot.runbook.missing import holders_of, window_words
from tests.playbooks.story import Story, backup, moment

NIGHT = "2026-01-30T19:13:20+00:00"


def state(migrated_at: str | None = None, *backups: dict[str, Any]) -> Incident:
    listed = moment(Kind.BACKUPS_LISTED, backups=list(backups))
    return Story(listed, moment(Kind.ASSESSED, migrated_at=migrated_at)).state()


@pytest.mark.parametrize(
    ("line", "migrated_at", "words"),
    [
        (
            {"completed": NIGHT},
            "2026-01-31T02:40:59+00:00",
            "from 2026-01-30 19:13 to 2026-01-31 02:40 UTC (7 h 27 min), as far as the migration took it",
        ),
        (
            {"mtime": "2026-01-30T21:13:20+02:00"},
            "2026-01-31T03:40:59+01:00",
            "from 2026-01-30 19:13 to 2026-01-31 02:40 UTC (7 h 27 min), as far as the migration took it",
        ),
        (
            {"completed": NIGHT},
            None,
            "from 2026-01-30 19:13 UTC until the migration ran, the time of which is not known",
        ),
        (
            {"completed": NIGHT},
            "2026-01-30T19:00:00+00:00",
            "from 2026-01-30 19:13 UTC until the migration ran; its code was deployed before, at 2026-01-30 19:00 UTC",
        ),
        ({"completed": None, "mtime": "m"}, "2026-01-31T02:40:59+00:00", None),
    ],
)
def test_the_window_is_named_to_the_minute(
    line: dict[str, Any], migrated_at: str | None, words: str | None
) -> None:
    """From the backup's own end (else its file's time) to the deployment, in UTC; what is not known is not guessed."""
    assert window_words(state(migrated_at), line) == words


def test_other_verified_backups_with_more_rows_are_told() -> None:
    """The newest first, table by table; a refused one, the one restored and uncounted tables say nothing."""
    found = holders_of(
        state(
            None,
            backup("used.sql", recommended=True, rows={"things": 99}),
            backup(
                "old.sql", rows={"things": 12, "notes": 3, "parts": None}, completed="2026-01-01T00:00:00"
            ),
            backup("older.sql", rows={"things": 9, "gone": 4}, completed="2025-01-01T00:00:00"),
            backup("less.sql", rows={"things": 1}),
            backup("cut.sql", "REFUSED", rows={"things": 500}),
        ),
        {"things": 10, "notes": 3},
    )
    assert [(one.path, dict(one.more)) for one in found] == [
        ("/backups/old.sql", {"things": 2}),
        ("/backups/older.sql", {"gone": 4}),
    ]
