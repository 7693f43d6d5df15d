"""Recorded timelines for the report's tests: built with the product's own hash chain."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.model.event import GENESIS, Entry, Kind, NewEntry, chain

START = datetime(2025, 11, 26, 14, 0, tzinfo=UTC)
MIGRATION = "2025_11_25_120000_merge_albums_into_stories"
BACKUP = "/home/shop/backups/backup-2025-11-26-135712.sql.gz"
SAFETY = "/home/shop/backups/pre-restore-20251126-142210.sql.gz"
PLAN = "b7e1c0d2" * 8
SHA = "5f2c9a1e" * 8
BAD_COMMIT = "9c1fe27ab3d04e5561b7aa02c3d4e5f60718293a"
GOOD_COMMIT = "4e0d8b6127f3c9a8d1e2b3c4d5f60718293a4b5c"

Row = tuple[float, Kind, str, str, dict[str, Any]]


def at(minutes: float) -> datetime:
    """Return the time so many minutes after 14:00 UTC."""
    return START + timedelta(minutes=minutes)


def iso(minutes: float) -> str:
    """Return that time as the recorded data hold it."""
    return at(minutes).isoformat()


def entries_of(rows: Sequence[Row], incident_id: str = "shop-7") -> list[Entry]:
    """Return a chained timeline from (minutes after 14:00, kind, actor, text, data)."""
    entries: list[Entry] = []
    last = (0, GENESIS)
    for minutes, kind, actor, text, data in rows:
        new = NewEntry(kind=kind, text=text, actor=actor, data=data)
        entries += chain(incident_id, last, at(minutes), [new])
        last = (entries[-1].sequence, entries[-1].hash)
    return entries


def host_command(minutes: float, person: str, command: str, status: int | None, seconds: float | None) -> Row:
    """Return the row of one command on the host."""
    data = {
        "command": command,
        "host": "web1.example.net:22",
        "person": person,
        "exit_status": status,
        "duration_s": seconds,
        "job_key": "op-1.dump",
        "outcome": "done" if status is not None else "link cut; looked up: done",
    }
    return (minutes, Kind.HOST_COMMAND, "backout", "", data)


LOSS = {
    "verdict": "loss",
    "tables": [
        {
            "table": "albums",
            "status": "columns_dropped",
            "rows_before": 48_210,
            "rows_after": 48_224,
            "missing": 0,
            "new": 14,
            "changed": 3,
            "columns": [
                {
                    "column": "subtitle",
                    "status": "dropped",
                    "values_before": 38_204,
                    "values_lost": 38_204,
                    "values_moved": 0,
                    "moved_to": None,
                },
                {
                    "column": "shown_on",
                    "status": "dropped",
                    "values_before": 48_210,
                    "values_lost": 0,
                    "values_moved": 48_210,
                    "moved_to": "stories.shown_on",
                },
            ],
        },
        {
            "table": "comments",
            "status": "missing_rows",
            "rows_before": 10_000,
            "rows_after": 8_796,
            "missing": 1_204,
            "new": 0,
            "changed": 0,
            "columns": [],
        },
        {
            "table": "users",
            "status": "same",
            "rows_before": 912,
            "rows_after": 912,
            "missing": 0,
            "new": 0,
            "changed": 0,
            "columns": [],
        },
    ],
    "totals": {"rows_lost": 1_204, "values_lost": 38_204, "values_moved": 48_210, "rows_new": 14},
}

BACKUPS = [
    {
        "path": BACKUP,
        "word": "VERIFIED",
        "reasons": ["end marker found", "no .sha256 beside it"],
        "size_bytes": 412_300_000,
        "mtime": iso(-2.5),
        "completed": iso(-2.8),
        "recommended": True,
    },
    {
        "path": "/home/shop/backups/nightly-2025-11-26.sql.gz",
        "word": "REFUSED",
        "reasons": ["cut short: the end marker is missing after line 88,120"],
        "size_bytes": 190_000_000,
        "mtime": iso(-680),
        "completed": None,
        "recommended": False,
    },
    {
        "path": "/home/shop/domains/shop.example/public_html/dump.sql",
        "word": "REFUSED",
        "reasons": ["holds the bad migration", "lies under the web root"],
        "size_bytes": 1_200_000,
        "mtime": iso(3),
        "completed": iso(3),
        "recommended": False,
    },
]


def story() -> list[Row]:
    """Return the rows of a whole incident: a dropped column, a first fix that its rehearsal stopped, a quiet end."""
    return [
        (
            12.6,
            Kind.INCIDENT_OPENED,
            "Ana Ruiz",
            "Subtitles are gone",
            {
                "site": "shop",
                "title": "Subtitles are gone",
                "what_happened": "Support says every album lost its subtitle after the 14:00 deploy.\nThe page shows empty lines.",
                "person": "Ana Ruiz",
            },
        ),
        (
            13.4,
            Kind.ASSESSED,
            "backout",
            "1,204 rows missing and 38,204 values lost in 2 tables",
            {
                "loss": LOSS,
                "bad_migration": MIGRATION,
                "laravel_version": "8.83.27",
                "php_version": "8.2.28",
                "engine": "MariaDB 10.11.19",
                "database": "shop_production",
                "backup": BACKUP,
                "backs_up_before_migrating": True,
                "deploy_script": "/home/shop/deploy.sh",
                "migrated_at": iso(0.2),
                "findings": [
                    {
                        "code": "drop_before_copy",
                        "severity": "error",
                        "line": 31,
                        "message": "no copy of `subtitle` before it is dropped",
                    }
                ],
            },
        ),
        host_command(13.1, "Ana Ruiz", "cd /home/shop/app && php artisan migrate:status", 0, 0.61),
        (
            14.0,
            Kind.REFUSED,
            "Ben Okafor",
            "Restore refused: there is no safety backup yet",
            {"reason": "no safety backup"},
        ),
        (
            16.2,
            Kind.FROZEN,
            "backout",
            "503 seen from outside, but a queue worker still writes",
            {
                "proven": False,
                "down_at": iso(15.5),
                "http_status": 503,
                "flag": "file",
                "writers": ["queue:work (pid 4411)"],
                "samples_agree": False,
                "seconds_between": 5,
            },
        ),
        (
            16.9,
            Kind.DECISION_ANSWERED,
            "Ana Ruiz",
            "",
            {
                "question": "A queue worker is still running. Stop it?",
                "answer": "Stop it",
                "person": "Ana Ruiz",
            },
        ),
        (
            17.6,
            Kind.FROZEN,
            "backout",
            "The freeze is proven",
            {"proven": True, "down_at": iso(15.5), "http_status": 503, "writers": [], "samples_agree": True},
        ),
        (18.1, Kind.BACKUPS_LISTED, "backout", "3 backups, 1 verified", {"backups": BACKUPS}),
        (
            18.3,
            Kind.ESCALATED,
            "backout",
            "",
            {"reason": "two backups could not be used", "rule": "backup unsure"},
        ),
        (18.3, Kind.PAGED, "backout", "", {"contact": "Mira Lindqvist (DBA)"}),
        (20.7, Kind.ACKNOWLEDGED, "Mira Lindqvist", "On my way", {"person": "Mira Lindqvist"}),
        (
            22.2,
            Kind.SAFETY_MADE,
            "backout",
            "The safety backup is proven",
            {
                "path": SAFETY,
                "sha256": "c4" * 32,
                "size_bytes": 409_900_000,
                "fingerprint": "f1",
                "rows": 67_932,
            },
        ),
        host_command(
            22.1,
            "Ana Ruiz",
            "setsid mariadb-dump --defaults-extra-file=/dev/fd/3 --single-transaction --quick --routines --triggers "
            f"--hex-blob --skip-lock-tables shop_production | gzip -1 > {SAFETY}",
            0,
            84.3,
        ),
        (
            23.0,
            Kind.PLAN_MADE,
            "backout",
            "Repair on a copy of the live database",
            {
                "plan_hash": PLAN,
                "strategy": "repair",
                "backup_path": BACKUP,
                "backup_sha256": SHA,
                "decisions": {"jobs": "keep the current rows", "sessions": "empty"},
            },
        ),
        (
            27.4,
            Kind.REHEARSED,
            "backout",
            "The rehearsal proved the plan",
            {
                "plan_hash": PLAN,
                "proven": True,
                "totals": {
                    "rows_kept": 57_932,
                    "rows_lost": 0,
                    "rows_restored": 1_204,
                    "values_restored": 38_192,
                    "values_mapped": 0,
                    "values_lost": 12,
                    "unaccounted": 0,
                },
                "reasons": [],
            },
        ),
        (28.3, Kind.APPROVED, "Ana Ruiz", "Approved", {"plan_hash": PLAN, "person": "Ana Ruiz"}),
        (29.0, Kind.APPROVED, "Mira Lindqvist", "Approved", {"plan_hash": PLAN, "person": "Mira Lindqvist"}),
        (29.2, Kind.CUTOVER_INTENT, "backout", "", {"plan_hash": PLAN}),
        (
            29.3,
            Kind.CUTOVER_DONE,
            "backout",
            "The repaired copy is live",
            {"duration_s": 0.024, "fingerprint": "f2", "strategy": "repair"},
        ),
        host_command(29.3, "Mira Lindqvist", "RENAME TABLE … (34 tables)", None, None),
        (
            29.9,
            Kind.ALIGNED,
            "backout",
            "",
            {"how": "rolled back on the copy", "reason": "the bad migration was the last one"},
        ),
        (
            33.0,
            Kind.CORRECTED_PROPOSED,
            "Ben Okafor",
            "",
            {
                "commit": BAD_COMMIT,
                "subject": "Copy subtitles first",
                "author": "Ben Okafor",
                "migrations": [MIGRATION],
            },
        ),
        (
            34.6,
            Kind.CORRECTED_REHEARSED,
            "backout",
            "A table shrank",
            {
                "commit": BAD_COMMIT,
                "passed": False,
                "reasons": ["a table shrank while the migration ran"],
                "shrunk": {"comments": [10_000, 0]},
            },
        ),
        (
            45.1,
            Kind.CORRECTED_PROPOSED,
            "Ben Okafor",
            "",
            {
                "commit": GOOD_COMMIT,
                "subject": "Copy subtitles first, keep comments",
                "author": "Ben Okafor",
                "migrations": [MIGRATION],
                "findings": [
                    {
                        "code": "no_down",
                        "severity": "warning",
                        "file": f"database/migrations/{MIGRATION}.php",
                        "line": 58,
                        "message": "down() does not bring subtitle back",
                    }
                ],
                "commits": [
                    {
                        "commit": GOOD_COMMIT,
                        "author": "Ben Okafor",
                        "time": iso(44.0),
                        "subject": "Copy subtitles first, keep comments",
                    }
                ],
                "files": [
                    {"status": "M", "path": f"database/migrations/{MIGRATION}.php"},
                    {"status": "A", "path": "app/Titles.php"},
                ],
                "files_changed": 2,
            },
        ),
        (
            46.7,
            Kind.CORRECTED_REHEARSED,
            "backout",
            "",
            {"commit": GOOD_COMMIT, "passed": True, "reasons": [], "shrunk": {}},
        ),
        (
            49.4,
            Kind.CORRECTED_DONE,
            "backout",
            "The corrected migration ran",
            {"commit": GOOD_COMMIT, "migrations": [MIGRATION], "duration_s": 6.4},
        ),
        host_command(
            49.4,
            "Ana Ruiz",
            f"php artisan migrate --force --path=database/migrations/{MIGRATION}.php",
            0,
            6.4,
        ),
        (
            51.0,
            Kind.DATA_CHECKED,
            "backout",
            "All checks passed",
            {
                "passed": True,
                "checks": [
                    {
                        "name": "albums with a subtitle",
                        "value": 38_192,
                        "expected": "at least 38,192",
                        "passed": True,
                    },
                    {"name": "comments", "value": 10_000, "expected": "10,000", "passed": True},
                ],
                "loss_totals": {"rows_lost": 0, "values_lost": 12},
                "foreign_key_violations": 0,
            },
        ),
        (
            54.2,
            Kind.APP_TESTED,
            "backout",
            "The application works",
            {
                "passed": True,
                "pages": [{"path": "/", "status": 200}, {"path": "/albums/1", "status": 200}],
                "log_errors": 0,
                "manual": [
                    {"item": "Home page loads", "person": "Ana Ruiz", "ok": True},
                    {"item": "Edit functionality works", "person": "Ben Okafor", "ok": True},
                ],
            },
        ),
        (56.7, Kind.REOPENED, "backout", "200 seen from outside", {"up_at": iso(56.5), "http_status": 200}),
        (86.9, Kind.WATCH_ENDED, "backout", "", {"minutes": 30, "new_errors": 0, "quiet": True}),
        (
            88.0,
            Kind.NOTE,
            "Ben Okafor",
            "Root cause: up() dropped albums.subtitle on line 31 and copied it on line 40, from a column that was gone.",
            {},
        ),
        (
            90.0,
            Kind.INCIDENT_CLOSED,
            "Ana Ruiz",
            "",
            {"outcome": "Recovered; 12 values could not be brought back"},
        ),
    ]
