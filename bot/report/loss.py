"""What the migration took: per table and column, as the assessment before the cut-over measured it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bot.model.event import Entry, Kind
from bot.report.reading import Log, Reading, read


@dataclass(frozen=True, kw_only=True)
class ColumnLoss:
    """One column. `moved_to` says where its values were found again, `table.column`."""

    column: str
    status: str | None
    values_before: int | None
    values_lost: int | None
    values_moved: int | None
    moved_to: str | None


@dataclass(frozen=True, kw_only=True)
class TableLoss:
    """One table: rows before and after the migration, rows missing, new and changed since the backup."""

    table: str
    status: str | None
    rows_before: int | None
    rows_after: int | None
    missing: int | None
    new: int | None
    changed: int | None
    columns: tuple[ColumnLoss, ...]

    @property
    def touched(self) -> bool:
        """Return whether anything of this table is missing, new, changed, or of another status than unchanged."""
        return bool(
            self.missing or self.new or self.changed or self.columns or self.rows_before != self.rows_after
        )


@dataclass(frozen=True, kw_only=True)
class Loss:
    """The whole loss as it was found. `verdict` is `none`, `loss`, `missing_rows`, or None where nothing was measured."""

    verdict: str | None
    tables: tuple[TableLoss, ...]
    rows_lost: int | None
    values_lost: int | None
    values_moved: int | None
    rows_new: int | None


def loss_of(log: Log) -> Loss:
    """Return the loss by the last assessment before production was changed (a later one measures the recovery)."""
    data = read(assessment(log)).part("loss")
    tables = tuple(_table(item) for item in data.parts("tables"))
    totals = data.part("totals")
    columns = [column for table in tables for column in table.columns]
    return Loss(
        verdict=data.text("verdict"),
        tables=tables,
        rows_lost=_first(totals.whole("rows_lost"), _sum(table.missing for table in tables)),
        values_lost=_first(totals.whole("values_lost"), _sum(column.values_lost for column in columns)),
        values_moved=_first(totals.whole("values_moved"), _sum(column.values_moved for column in columns)),
        rows_new=_first(totals.whole("rows_new"), _sum(table.new for table in tables)),
    )


def assessment(log: Log) -> Entry | None:
    """Return the assessment that measured the damage: the last one with a loss table before the first cut-over."""
    changed = log.first(Kind.CUTOVER_INTENT, Kind.CUTOVER_DONE)
    before = (log.before(changed) if changed else log).of(Kind.ASSESSED)
    found = before or log.of(Kind.ASSESSED)
    measured = [entry for entry in found if read(entry).part("loss").values]
    return next(reversed(measured or list(found)), None)


def assessed_text(log: Log, key: str) -> str | None:
    """Return what the assessments say of a key (`engine`, `bad_migration`): the chosen one first, then the others."""
    chosen = assessment(log)
    entries = ([chosen] if chosen else []) + list(log.of(Kind.ASSESSED))
    return next((text for text in (read(entry).text(key) for entry in entries) if text), None)


def _table(data: Reading) -> TableLoss:
    return TableLoss(
        table=data.text("table") or "a table without a recorded name",
        status=data.text("status"),
        rows_before=data.whole("rows_before"),
        rows_after=data.whole("rows_after"),
        missing=data.whole("missing"),
        new=data.whole("new"),
        changed=data.whole("changed"),
        columns=tuple(_column(item) for item in data.parts("columns")),
    )


def _column(data: Reading) -> ColumnLoss:
    return ColumnLoss(
        column=data.text("column") or "a column without a recorded name",
        status=data.text("status"),
        values_before=data.whole("values_before"),
        values_lost=data.whole("values_lost"),
        values_moved=data.whole("values_moved"),
        moved_to=data.text("moved_to"),
    )


def _first(known: int | None, counted: int | None) -> int | None:
    return counted if known is None else known


def _sum(numbers: Iterable[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None
