"""The section "Impact": how long, which data, which users; before the recovery and after it."""

from __future__ import annotations

from bot.report.blocks import Block, Code, Fields, Grid, Paragraph, Phrase, Section, Strong, joined, phrase
from bot.report.facts import Facts
from bot.report.figures import DownSpan
from bot.report.loss import ColumnLoss, TableLoss
from bot.report.people import answer_of
from bot.report.reading import read
from bot.report.reentry import reentry
from bot.report.wording import NOT_RECORDED, count_words, counted, duration_words, key_words


def impact(facts: Facts) -> Section:
    """Return durations, the loss per table and column, and what of it came back."""
    blocks: list[Block] = [
        Fields(
            rows=(
                ("Duration", _duration(facts)),
                ("Data affected", _data(facts)),
                ("Users affected", _users(facts)),
            )
        ),
        Fields(title="How long each part took", rows=_intervals(facts)),
        *_tables(facts),
        *_columns(facts),
        *_afterwards(facts),
    ]
    return Section(heading="Impact", blocks=tuple(blocks))


def _duration(facts: Facts) -> Phrase:
    figures = facts.figures
    if not figures.down:
        return phrase("maintenance mode: ", NOT_RECORDED)
    spans = "; ".join(_span_words(facts, span) for span in figures.down)
    least = "at least " if figures.is_down else ""
    return phrase(Strong(f"{least}{duration_words(figures.downtime)} in maintenance mode"), f" ({spans})")


def _span_words(facts: Facts, span: DownSpan) -> str:
    start = facts.zone.stamp(span.start)
    if not span.ended:
        return f"from {start}, no reopening is recorded"
    return f"{start} to {facts.zone.stamp(span.end)}"


def _data(facts: Facts) -> Phrase:
    loss = facts.loss
    if facts.lost_something is None:
        return phrase("not measured")
    tables = [(Code(table.table),) for table in loss.tables if table.missing or _values_lost(table)]
    return phrase(
        f"{counted(loss.rows_lost, 'row')} missing, {counted(loss.values_lost, 'value')} lost",
        phrase(" in ", joined(tables)) if tables else (),
        f"; {counted(loss.values_moved, 'value')} only moved, and found again" if loss.values_moved else None,
        _new_rows(loss.rows_new),
    )


def _new_rows(rows_new: int | None) -> str | None:
    if not rows_new:
        return None
    verb = "was" if rows_new == 1 else "were"
    return f"; {counted(rows_new, 'row')} written since the backup {verb} still there, not lost"


def _values_lost(table: TableLoss) -> bool:
    return any(column.values_lost for column in table.columns)


def _users(facts: Facts) -> Phrase:
    answer = answer_of(facts.log, "users affected")
    if answer is not None:
        by = "counted in the broken database" if answer.person == "backout" else answer.person
        return phrase(answer.text, f" ({by})")
    everyone = (
        "everyone who opened the application while it was in maintenance mode; " if facts.figures.down else ""
    )
    return phrase(f"{everyone}a number is {NOT_RECORDED}")


def _intervals(facts: Facts) -> tuple[tuple[str, Phrase], ...]:
    figures = facts.figures
    rows = (
        ("Deployment to detection", figures.since_migration(figures.detected_at)),
        ("Detection to freeze", figures.since_detection(figures.frozen_at)),
        ("Detection to cut-over", figures.since_detection(figures.cut_over_at)),
        ("Detection to back online", figures.since_detection(figures.reopened_at)),
    )
    missing = NOT_RECORDED if figures.closed_at else "not known so far"
    return tuple(
        (label, phrase(missing if length is None else duration_words(length))) for label, length in rows
    )


def _tables(facts: Facts) -> list[Grid]:
    tables = [table for table in facts.loss.tables if table.touched]
    if not tables:
        return []
    columns = (
        "Table",
        "Rows before",
        "Rows after",
        "Missing",
        "New since the backup",
        "Changed since",
        "The table is",
    )
    rows = tuple(
        (
            phrase(Code(table.table)),
            *(
                phrase(count_words(number))
                for number in (table.rows_before, table.rows_after, table.missing, table.new, table.changed)
            ),
            phrase(_found(table.status)),
        )
        for table in tables
    )
    return [Grid(title="Loss by table, as found", columns=columns, rows=rows, numeric=(1, 2, 3, 4, 5))]


def _columns(facts: Facts) -> list[Grid]:
    found = [(table, column) for table in facts.loss.tables for column in table.columns]
    if not found:
        return []
    columns = ("Column", "Values before", "Lost", "Moved", "The column is")
    rows = tuple(
        (
            phrase(Code(f"{table.table}.{column.column}")),
            phrase(count_words(column.values_before)),
            phrase(count_words(column.values_lost)),
            phrase(count_words(column.values_moved)),
            _column_found(column),
        )
        for table, column in found
    )
    return [Grid(title="Loss by column, as found", columns=columns, rows=rows, numeric=(1, 2, 3))]


def _column_found(column: ColumnLoss) -> Phrase:
    status = _found(column.status)
    return phrase(status, ", now in ", Code(column.moved_to)) if column.moved_to else phrase(status)


def _found(status: str | None) -> str:
    """Return what became of a table or column in words."""
    words = {"both": "still there", "created": "new"}
    return words.get(status, key_words(status)) if status else NOT_RECORDED


def _afterwards(facts: Facts) -> list[Block]:
    """Return what the carried out plan kept, restored and lost; nothing where production was not changed."""
    if facts.recovery.cut_over is None:
        return []
    totals = facts.recovery.totals
    rows = (
        ("Rows kept", totals.rows_kept),
        ("Rows restored", totals.rows_restored),
        ("Values restored", totals.values_restored),
        ("Values mapped to the new shape", totals.values_mapped),
        ("Rows lost for good", totals.rows_lost),
        ("Values lost for good", totals.values_lost),
        ("Unaccounted for", totals.unaccounted),
    )
    return [
        Fields(
            title="After the recovery",
            rows=(
                *((label, phrase(_weighed(label, number))) for label, number in rows),
                *_left_deleted(facts),
                *_window(facts),
            ),
        ),
        Paragraph(phrase=phrase("Counted in the rehearsal of the plan that went live.")),
        *reentry(facts),
    ]


def _window(facts: Facts) -> list[tuple[str, Phrase]]:
    """Return from when to when no backup knows what was written; nothing where that is not recorded."""
    window = read(facts.recovery.rehearsal).text("window")
    return [("Written, and in no backup", phrase(window))] if window else []


def _left_deleted(facts: Facts) -> list[tuple[str, Phrase]]:
    """Return the rows of the backup that were not put back on purpose, so that missing and restored add up."""
    tables = read(facts.recovery.rehearsal).part("details").part("tables")
    labels = (
        ("left_deleted", "Rows left deleted, by decision"),
        ("parent_gone", "Rows that hang on rows left deleted"),
    )
    found = []
    for key, label in labels:
        counts = [(name, tables.part(name).part("rows").whole(key)) for name in tables.values]
        known = [(Code(name), f" {number:,}") for name, number in counts if number]
        if known:
            found.append((label, joined(known)))
    return found


def _weighed(label: str, number: int | None) -> Phrase:
    text = count_words(number)
    return phrase(Strong(text) if number and ("lost" in label or "Unaccounted" in label) else text)
