"""The section "What Happened"."""

from __future__ import annotations

from bot.model.event import Kind
from bot.report.blocks import Block, Code, Fields, Paragraph, Phrase, Quote, Section, phrase
from bot.report.facts import Facts
from bot.report.reading import corrected_text, person_of, read
from bot.report.wording import NOT_RECORDED, duration_words, sentence


def what_happened(facts: Facts) -> Section:
    """Return what happened, in a paragraph, in the words of the one who opened the incident, and as fields."""
    blocks: list[Block] = [Paragraph(phrase=_story(facts)), *_quote(facts), Fields(rows=_rows(facts))]
    return Section(heading="What Happened", blocks=tuple(blocks))


def _story(facts: Facts) -> Phrase:
    figures, zone = facts.figures, facts.zone
    ran = (
        f" was deployed at {zone.stamp(figures.migrated_at)}."
        if figures.migrated_at
        else " ran at a time not recorded."
    )
    found = f" The incident was opened at {zone.stamp(figures.detected_at)}"
    seen = figures.since_migration(figures.detected_at)
    later = f", {duration_words(seen)} after the deployment." if seen is not None else "."
    return phrase(
        "The migration ", _migration(facts), " on ", Code(facts.site), ran, found, later, _verdict(facts)
    )


def _migration(facts: Facts) -> Phrase:
    return phrase(Code(facts.migration)) if facts.migration else phrase(f"(name {NOT_RECORDED})")


def _verdict(facts: Facts) -> str:
    lost = facts.lost_something
    if lost is None:
        return " The damage was not measured."
    return " Rows or values were found missing." if lost else " No rows or values were found missing."


def _quote(facts: Facts) -> list[Quote]:
    """Return what was typed when the incident was opened, or its correction."""
    opened = facts.log.first(Kind.INCIDENT_OPENED)
    text = read(opened).text("what_happened")
    if opened is None or text is None:
        return []
    correction = facts.log.corrections().get(opened.sequence)
    if correction is None:
        return [Quote(text=text, who=person_of(opened))]
    return [Quote(text=corrected_text(correction) or text, who=f"{person_of(correction)} (corrected)")]


def _rows(facts: Facts) -> tuple[tuple[str, Phrase], ...]:
    opened = facts.log.first(Kind.INCIDENT_OPENED)
    figures = facts.figures
    return (
        ("Incident", _known(read(opened).text("title") or (opened.text.strip() if opened else None))),
        ("Site", phrase(Code(facts.site))),
        ("Migration", _migration(facts)),
        ("Migration deployed", phrase(facts.zone.stamp(figures.migrated_at))),
        (
            "Discovered",
            phrase(facts.zone.stamp(figures.detected_at), f" by {person_of(opened)}" if opened else None),
        ),
        ("Database", phrase(_known(facts.assessed("engine")), ", ", _code(facts.assessed("database")))),
        (
            "Application",
            phrase(f"Laravel {_or_not(facts, 'laravel_version')}, PHP {_or_not(facts, 'php_version')}"),
        ),
        ("Outcome", _known(facts.outcome) if figures.closed_at else phrase("the incident is still open")),
    )


def _or_not(facts: Facts, key: str) -> str:
    return facts.assessed(key) or f"version {NOT_RECORDED}"


def _known(text: str | None) -> Phrase:
    return phrase(sentence(text).rstrip(".") if text else NOT_RECORDED)


def _code(text: str | None) -> Phrase:
    return phrase(Code(text) if text else f"name {NOT_RECORDED}")
