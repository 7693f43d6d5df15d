"""What is shown to people: tables and sentences for what was found. Pure; no decision is taken here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bot.model.database import Loss, Proof
from bot.model.message import Progress, Table
from bot.model.site_check import JudgedCheck


def capitalised(sentence: str) -> str:
    """Return a sentence with a capital letter at its beginning; the rest stays as it is."""
    return sentence[:1].upper() + sentence[1:]


def shortened(text: str, letters: int) -> str:
    """Return a text, cut to that many letters with an ellipsis at its end where it is longer."""
    return text if len(text) <= letters else f"{text[: letters - 1]}…"


def bytes_words(size: int) -> str:
    """Return a size as a person reads it: `3.4 MB`."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        said = f"{value:.0f}" if unit == "B" else f"{value:.1f}"
        if float(said) < 1000 or unit == "GB":
            return f"{said} {unit}"
        value /= 1000
    return f"{size} B"


def duration_words(seconds: float) -> str:
    """Return a span as a person would say it: `3 min 20 s`, `2 h 5 min`, `4 days`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
    if seconds < 48 * 3600:
        return f"{seconds // 3600:.0f} h {seconds % 3600 // 60:.0f} min"
    return f"{seconds / 86400:.0f} days"


def pace_words(progress: Progress) -> str:
    """Return how fast a piece of work goes: `1.2 GB of 3.4 GB, 25.1 MB/s, about 1 min 28 s left`; '' where that is not known."""
    if progress.rate_per_s is None:
        return ""

    def amount(value: float) -> str:
        return bytes_words(int(value)) if progress.unit == "bytes" else f"{value:,.0f}"

    whole = f" of {amount(progress.total)}" if progress.total else ""
    unit = "" if progress.unit == "bytes" else f" {progress.unit}"
    left = "" if progress.left_s is None else f", about {duration_words(progress.left_s)} left"
    return f"{amount(progress.done)}{whole}{unit}, {amount(progress.rate_per_s)}{unit}/s{left}"


def scratch_right(engine: str) -> str:
    """Return what an administrator runs once, so that the application's user may make scratch databases.

    *Source*: MariaDB 10.11 and MySQL 8 manuals, GRANT (`_` and `%` in a database name are patterns); PostgreSQL 15,
    CREATE DATABASE.
    """
    if engine == "pgsql":
        return 'an administrator runs once: ALTER ROLE "the application\'s user" CREATEDB'
    return "an administrator runs once: GRANT ALL PRIVILEGES ON `backout\\_%`.* TO the application's user, written 'user'@'host' as in SHOW GRANTS; or the hosting panel makes one or two empty databases for that user, and the settings name them in scratch_databases"


def loss_sentence(loss: Loss) -> str:
    """Return the verdict of a loss table in one or two sentences."""
    if loss.verdict == "none":
        moved = f" {loss.values_moved:,} values were moved to their new place." if loss.values_moved else ""
        kept = "Every row and value of the backup is still there."
        return f"**No loss.** {_changed_since(loss) or kept}{moved}"
    if loss.verdict == "missing_rows":
        return (
            f"**No column was lost**, but {loss.rows_missing:,} rows of the backup are gone from tables that are otherwise whole. "
            "People may have deleted them since."
        )
    if loss.verdict == "rewritten":
        return f"**This may be a loss:** {'; '.join(_to_look_at(loss))}. Look at them."
    parts = []
    for table in loss.tables:
        parts += [
            f"{column.values_lost:,} values of `{table.table}.{column.column}`"
            for column in table.columns
            if column.values_lost and table.status == "both"
        ]
        if table.missing_suspect == "migration":
            parts.append(f"{table.missing:,} of {table.rows_before:,} rows of `{table.table}`")
    what = "; ".join(parts) or f"{loss.rows_lost:,} rows and {loss.values_lost:,} values"
    return f"**Data were lost:** {what}."


def _changed_since(loss: Loss) -> str:
    """Return how much of what is there was changed since the backup, empty where nothing was."""
    edited = sum(c.changed for table in loss.tables for c in table.columns if c.status == "dropped")
    counts = ((loss.rows_changed, "row"), (edited, "moved value"))
    parts = [f"{count:,} {word}{'' if count == 1 else 's'}" for count, word in counts if count]
    if not parts:
        return ""
    verb = "was" if loss.rows_changed + edited == 1 else "were"
    return (
        "Every row of the backup is still there; "
        f"{' and '.join(parts)} {verb} changed since (by people, as far as can be told)."
    )


def _to_look_at(loss: Loss) -> list[str]:
    """Return what only a person can judge, each with the columns it is about."""
    cleared = [
        f"{c.nulled:,} values of `{table.table}.{c.column}` are NULL or empty now"
        for table in loss.tables
        for c in table.columns
        if c.nulled
    ]
    many = [f"many values of `{name}` are others than in the backup" for name in loss.columns_rewritten]
    unproven = [
        f"values of `{name}` are only found again as a set, perhaps in the wrong rows"
        for name in loss.columns_moved_unproven
    ]
    gone = [f"{loss.rows_missing:,} rows of the backup are gone"] if loss.rows_missing else []
    return cleared + many + unproven + gone or ["values are others than in the backup"]


def check_table(checks: Sequence[JudgedCheck], *, before: str = "found broken", after: str = "now") -> Table:
    """Return the site's own checks as shown; what failed comes first.

    `before` and `after` name the numbers on both sides of the backup's: as it was found, and now.
    """

    def number(value: int | None) -> str:
        return "–" if value is None else f"{value:,}"

    rows = tuple(
        (
            one.name,
            number(one.before),
            number(one.backup),
            number(one.value) if one.value is not None else (one.error or "–"),
            one.expected,
            "good" if one.passed else "NOT GOOD",
        )
        for one in sorted(checks, key=lambda one: one.passed)
    )
    return Table(columns=("check", before, "backup", after, "expected", ""), rows=rows, numeric=(1, 2, 3))


def loss_table(loss: Loss, *, before: str = "rows in backup") -> Table:
    """Return the loss table as shown: tables that differ, worst first; a column in which nothing stands is left out.

    `before` names what the present rows are compared with.
    """
    rows = []
    for table in sorted(
        loss.tables, key=lambda t: -(t.missing + sum(c.values_lost + c.nulled for c in t.columns))
    ):
        lost = sum(column.values_lost for column in table.columns)
        cleared = sum(column.nulled for column in table.columns)
        moved = sum(column.values_moved for column in table.columns)
        if table.status == "both" and not (
            table.missing or table.new or table.changed or lost or cleared or moved
        ):
            continue
        rows.append(
            (
                table.table + {"dropped": " (dropped)", "created": " (new table)"}.get(table.status, ""),
                f"{table.rows_before:,}",
                f"{table.rows_after:,}",
                f"{table.missing:,}",
                f"{table.new:,}",
                f"{table.changed:,}",
                f"{lost:,}" if lost else "",
                f"{cleared:,}" if cleared else "",
                _moved(table.columns, moved),
            )
        )
    columns = (
        "table",
        before,
        "rows now",
        "rows gone",
        "rows new",
        "rows changed",
        "values lost",
        "values emptied",
        "values moved",
    )
    shown = [n for n in range(len(columns)) if n < _ALWAYS_SHOWN or any(row[n] for row in rows)]
    return Table(
        columns=tuple(columns[n] for n in shown),
        rows=tuple(tuple(row[n] for n in shown) for row in rows),
        numeric=tuple(place for place, n in enumerate(shown) if 0 < n <= _LAST_COUNT),
    )


_ALWAYS_SHOWN = 6
"""How many columns stand in every loss table; what follows is left out where nothing stands in it."""

_LAST_COUNT = 7
"""The place of "values emptied", the last column of plain counts."""


def _moved(columns: Sequence[Any], moved: int) -> str:
    if not moved:
        return ""
    targets = sorted({c.moved_to for c in columns if c.moved_to})
    return f"{moved:,} to {', '.join(targets)}" if targets else f"{moved:,}"


def backup_table(backups: Sequence[Mapping[str, Any]]) -> Table:
    """Return the list of backups as shown: the recommended one marked, each with its verdict, its time and the reasons.

    The time is the dump's own where the file tells one, else the file's, and says so: a copy changes the file's (B1).
    """
    rows = tuple(
        (
            ("→ " if b.get("recommended") else "") + b["path"].rsplit("/", 1)[-1],
            b["word"],
            bytes_words(b["size_bytes"]),
            _finished(b),
            "; ".join(b["reasons"]) or _no_reason(str(b["word"])),
        )
        for b in backups
    )
    return Table(columns=("file", "verdict", "size", "finished (UTC)", "why"), rows=rows, numeric=(2,))


def _no_reason(word: str) -> str:
    return (
        "whole, and taken before the bad migration" if word.startswith("VERIFIED") else "no reason was told"
    )


def _finished(backup: Mapping[str, Any]) -> str:
    own, file_time = backup.get("completed"), backup.get("mtime")
    if own:
        return _minute(str(own))
    return f"{_minute(str(file_time))} (file)" if file_time else "not known"


def _minute(text: str) -> str:
    """Return an ISO time as `2026-11-22 19:13` in UTC; another text as it is."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{at if at.tzinfo is None else at.astimezone(UTC):%Y-%m-%d %H:%M}"


def proof_facts(proof: Proof) -> tuple[tuple[str, str], ...]:
    """Return the totals of a proof as labelled facts."""
    return (
        ("rows lost", f"{proof.rows_lost:,}"),
        ("values lost", f"{proof.values_lost:,}"),
        ("unaccounted", f"{proof.unaccounted:,}"),
        ("rows put back", f"{proof.rows_restored:,}"),
        ("values put back", f"{proof.values_restored:,}"),
        ("values written since, put back in place", f"{proof.values_mapped:,}"),
        ("rows kept", f"{proof.rows_kept:,}"),
    )


def findings_table(findings: Sequence[Mapping[str, Any]]) -> Table:
    """Return the review of a migration as shown: what to stop at first, each with its file and line."""
    order = {"stop": 0, "warn": 1, "ok": 2}
    rows = tuple(
        (str(f["severity"]).upper(), finding_place(f), str(f["message"]))
        for f in sorted(findings, key=lambda f: order.get(str(f["severity"]), 3))
    )
    return Table(columns=("", "where", "finding"), rows=rows)


def finding_place(finding: Mapping[str, Any]) -> str:
    """Return where a finding is, `name.php:12`; the line alone where no file was recorded."""
    line = str(finding.get("line") or "")
    name = str(finding.get("file") or "").rpartition("/")[2]
    return f"{name}:{line}" if name and line else name or line
