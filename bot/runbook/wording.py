"""What is shown to people: tables and sentences for what was found. Pure; no decision is taken here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.model.database import Loss, Proof
from bot.model.message import Table


def bytes_words(size: int) -> str:
    """Return a size as a person reads it: `3.4 MB`."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{size} B"


def loss_sentence(loss: Loss) -> str:
    """Return the verdict of a loss table in one or two sentences."""
    if loss.verdict == "none":
        moved = f" {loss.values_moved:,} values were moved to their new place." if loss.values_moved else ""
        return f"**No loss.** Every row and value of the backup is still there.{moved}"
    if loss.verdict == "missing_rows":
        return (
            f"**No column was lost**, but {loss.rows_missing:,} rows of the backup are gone from tables that are otherwise whole. "
            "People may have deleted them since."
        )
    if loss.verdict == "rewritten":
        columns = ", ".join(f"`{name}`" for name in loss.columns_rewritten)
        return f"**No row and no value is gone**, but most values of {columns} are others than in the backup. Look at them."
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


def loss_table(loss: Loss) -> Table:
    """Return the loss table as shown: tables that differ, worst first."""
    rows = []
    for table in sorted(loss.tables, key=lambda t: -(t.missing + sum(c.values_lost for c in t.columns))):
        lost = sum(column.values_lost for column in table.columns)
        moved = sum(column.values_moved for column in table.columns)
        if table.status == "both" and not (table.missing or table.new or table.changed or lost or moved):
            continue
        rows.append(
            (
                table.table,
                {"both": "", "dropped": "dropped", "created": "new"}.get(table.status, table.status),
                f"{table.rows_before:,}",
                f"{table.rows_after:,}",
                f"{table.missing:,}",
                f"{table.new:,}",
                f"{table.changed:,}",
                f"{lost:,}" if lost else "",
                _moved(table.columns, moved),
            )
        )
    columns = (
        "table",
        "",
        "rows in backup",
        "rows now",
        "gone",
        "new since",
        "changed",
        "values lost",
        "values moved",
    )
    return Table(columns=columns, rows=tuple(rows), numeric=(2, 3, 4, 5, 6, 7))


def _moved(columns: Sequence[Any], moved: int) -> str:
    if not moved:
        return ""
    targets = sorted({c.moved_to for c in columns if c.moved_to})
    return f"{moved:,} to {', '.join(targets)}"


def backup_table(backups: Sequence[Mapping[str, Any]]) -> Table:
    """Return the list of backups as shown: the recommended one first, each with its verdict and the first reason."""
    rows = tuple(
        (
            ("→ " if b.get("recommended") else "") + b["path"].rsplit("/", 1)[-1],
            b["word"],
            bytes_words(b["size_bytes"]),
            str(b.get("completed") or "not in the file"),
            str(b.get("mtime") or ""),
            "; ".join(b["reasons"]) or "whole, and taken before the bad migration",
        )
        for b in backups
    )
    columns = ("file", "verdict", "size", "finished (own time)", "file time", "why")
    return Table(columns=columns, rows=rows, numeric=(2,))


def proof_facts(proof: Proof) -> tuple[tuple[str, str], ...]:
    """Return the totals of a proof as labelled facts."""
    return (
        ("rows kept", f"{proof.rows_kept:,}"),
        ("rows restored", f"{proof.rows_restored:,}"),
        ("values restored", f"{proof.values_restored:,}"),
        ("values mapped back", f"{proof.values_mapped:,}"),
        ("rows lost", f"{proof.rows_lost:,}"),
        ("values lost", f"{proof.values_lost:,}"),
        ("unaccounted", f"{proof.unaccounted:,}"),
    )


def findings_table(findings: Sequence[Mapping[str, Any]]) -> Table:
    """Return the review of a migration as shown: what to stop at first."""
    order = {"stop": 0, "warn": 1, "ok": 2}
    rows = tuple(
        (str(f["severity"]).upper(), str(f.get("line") or ""), str(f["message"]))
        for f in sorted(findings, key=lambda f: order.get(str(f["severity"]), 3))
    )
    return Table(columns=("", "line", "finding"), rows=rows, numeric=(1,))
