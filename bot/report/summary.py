"""The head of the report: the whole incident in a paragraph, and the figures a reader looks for first."""

from __future__ import annotations

from bot.report.blocks import Code, Phrase, Tile, phrase
from bot.report.facts import Facts
from bot.report.wording import NOT_RECORDED, count_words, counted, duration_words, listed


def summary(facts: Facts) -> Phrase:
    """Return the incident in three or four sentences."""
    return phrase(_damage(facts), _downtime(facts), _restored(facts), _state(facts))


def tiles(facts: Facts) -> tuple[Tile, ...]:
    """Return the head figures: time down, time unseen, what was missing, what is lost for good."""
    figures, loss, totals = facts.figures, facts.loss, facts.recovery.totals
    seen = figures.since_migration(figures.detected_at)
    return (
        Tile(
            label="In maintenance mode",
            value=duration_words(figures.downtime),
            note="still down" if figures.is_down else _stretches(len(figures.down)),
            tone="bad" if figures.is_down else "neutral",
        ),
        Tile(label="Until it was noticed", value=duration_words(seen), note="from the deployment"),
        Tile(
            label="Taken by the migration",
            value=_amount(loss.rows_lost, loss.values_lost),
            note=f"rows / values; {count_words(loss.values_moved)} moved"
            if loss.values_moved
            else "rows / values",
        ),
        Tile(
            label="Lost for good",
            value=_amount(totals.rows_lost, totals.values_lost)
            if facts.recovery.cut_over
            else "not known yet",
            note=_lost_note(facts),
            tone=_lost_tone(facts),
        ),
    )


def _stretches(number: int) -> str:
    return "from down to up" if number <= 1 else f"in {number} stretches"


def _amount(rows: int | None, values: int | None) -> str:
    if rows is None and values is None:
        return NOT_RECORDED
    return " / ".join("?" if number is None else f"{number:,}" for number in (rows, values))


def _lost_note(facts: Facts) -> str:
    if facts.recovery.cut_over is None:
        return "no cut-over is recorded"
    unaccounted = facts.recovery.totals.unaccounted
    return f"rows / values; {unaccounted:,} unaccounted for" if unaccounted else "rows / values"


def _lost_tone(facts: Facts) -> str:
    lost = facts.recovery.totals.lost_for_good if facts.recovery.cut_over else None
    return {True: "bad", False: "good", None: "neutral"}[lost]


def _damage(facts: Facts) -> Phrase:
    name = Code(facts.migration) if facts.migration else f"(name {NOT_RECORDED})"
    took = facts.lost_something
    if took is None:
        return phrase(
            "A migration ",
            name,
            " on ",
            Code(facts.site),
            " was reported to have lost data; the loss was not measured.",
        )
    if not took:
        return phrase(
            "The migration ",
            name,
            " on ",
            Code(facts.site),
            " was reported to have lost data; nothing was found missing.",
        )
    known = ((facts.loss.rows_lost, "row"), (facts.loss.values_lost, "value"))
    amount = listed([counted(number, noun) for number, noun in known if number]) or "data"
    seen = facts.figures.since_migration(facts.figures.detected_at)
    later = f", noticed {duration_words(seen)} after its deployment" if seen is not None else ""
    return phrase("The migration ", name, " on ", Code(facts.site), f" took {amount}{later}.")


def _downtime(facts: Facts) -> str:
    figures = facts.figures
    if figures.downtime is None:
        return " No maintenance mode is recorded."
    if figures.is_down:
        return (
            f" The application has been in maintenance mode for at least {duration_words(figures.downtime)}."
        )
    return f" The application was in maintenance mode for {duration_words(figures.downtime)}."


def _restored(facts: Facts) -> str:
    recovery, totals = facts.recovery, facts.recovery.totals
    if recovery.cut_over is None:
        return " The cut-over was undone." if recovery.undone else " No cut-over is recorded."
    known = ((totals.rows_restored, "row"), (totals.values_restored, "value"))
    back = listed([counted(number, noun) for number, noun in known if number])
    brought = f" {back} were brought back" if back else " The backup was brought back"
    kept = facts.loss.rows_new
    since = (
        f"; {counted(kept, 'row')} written since the backup {'is' if kept == 1 else 'are'} kept"
        if _kept_all(facts)
        else ""
    )
    lost = (
        (totals.rows_lost, "row"),
        (totals.values_lost, "value"),
        (totals.unaccounted, "unaccounted item"),
    )
    gone = listed([counted(number, noun) for number, noun in lost if number])
    end = {None: "; what was lost for good was not counted.", False: "; nothing was lost for good."}
    return brought + since + end.get(totals.lost_for_good, f"; lost for good: {gone}.")


def _kept_all(facts: Facts) -> bool:
    """Return whether there were rows written since the backup and none of any kind was lost."""
    return bool(facts.loss.rows_new) and facts.recovery.totals.rows_lost == 0


def _state(facts: Facts) -> str:
    if facts.figures.closed_at is None:
        return f" The incident is still open; this is how it stood at {facts.zone.stamp(facts.now)}."
    return ""
