"""The section "Timeline": the turning points of the incident in order, each at the time it happened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.model.event import Entry, Kind
from bot.report.blocks import Block, Bullets, Code, Paragraph, Phrase, Section, Strong, marked, phrase
from bot.report.facts import Facts
from bot.report.reading import corrected_text, person_of, plain_text, read
from bot.report.stopped import no_verdict_yet, repeats
from bot.report.wording import sentence, short_hash

LABELS = {
    Kind.INCIDENT_OPENED: "Incident opened",
    Kind.ASSESSED: "Damage assessed",
    Kind.FROZEN: "Maintenance mode enabled",
    Kind.FREEZE_BROKEN: "Freeze broken",
    Kind.SAFETY_MADE: "Safety backup made",
    Kind.PLAN_MADE: "Plan made",
    Kind.PLAN_VOID: "Plan void",
    Kind.REHEARSED: "Recovery rehearsed",
    Kind.APPROVED: "Plan approved",
    Kind.CUTOVER_DONE: "Database restored",
    Kind.CUTOVER_NOT_DONE: "Cut-over did not happen",
    Kind.CUTOVER_UNKNOWN: "Cut-over outcome unknown",
    Kind.UNDO_DONE: "Cut-over undone",
    Kind.ALIGNED: "Migrations table aligned",
    Kind.CORRECTED_PROPOSED: "Corrected migration proposed",
    Kind.CORRECTED_REHEARSED: "Corrected migration rehearsed",
    Kind.CORRECTED_DONE: "Corrected migration deployed",
    Kind.DATA_CHECKED: "Data verified",
    Kind.APP_TESTED: "Application tested",
    Kind.ROWS_SET_ASIDE: "Rows set aside",
    Kind.REOPENED: "Application back online",
    Kind.WATCH_ENDED: "Log watch ended",
    Kind.DECISION_ANSWERED: "Decision",
    Kind.ESCALATED: "Help called",
    Kind.ACKNOWLEDGED: "Call answered",
    Kind.UNACKNOWLEDGED: "Answered call lapsed",
    Kind.REFUSED: "Refused",
    Kind.STEP_FAILED: "Step failed",
    Kind.STEP_UNKNOWN: "Outcome of a step unknown",
    Kind.STEP_SKIPPED: "Step skipped",
    Kind.OPERATION_FAILED: "Operation failed",
    Kind.OPERATION_CANCELLED: "Operation cancelled",
    Kind.SITE_RELEASED: "Site released",
    Kind.RECOVERED_AFTER_CRASH: "Backout resumed after a crash",
    Kind.NOTE: "Note",
    Kind.CORRECTION: "Correction",
    Kind.INCIDENT_CLOSED: "Incident closed",
}
# Said otherwise where the entry reports a failure.
FAILED = {
    Kind.FROZEN: ("proven", "Maintenance mode enabled, freeze not proven"),
    Kind.REHEARSED: ("proven", "Recovery rehearsed, not proven"),
    Kind.CORRECTED_REHEARSED: ("passed", "Corrected migration stopped by its rehearsal"),
    Kind.DATA_CHECKED: ("passed", "Data verified, checks did not pass"),
    Kind.APP_TESTED: ("passed", "Application tested, did not pass"),
}


# What an entry without a text of its own is told by.
DETAILS = {
    Kind.INCIDENT_OPENED: ("title",),
    Kind.FREEZE_BROKEN: ("why",),
    Kind.SAFETY_MADE: ("path",),
    Kind.PLAN_MADE: ("strategy",),
    Kind.ALIGNED: ("how", "reason"),
    Kind.CORRECTED_PROPOSED: ("commit", "subject"),
    Kind.CORRECTED_REHEARSED: ("commit", "reasons"),
    Kind.CORRECTED_DONE: ("commit", "migrations"),
    Kind.DECISION_ANSWERED: ("question", "answer"),
    Kind.ESCALATED: ("reason",),
    Kind.REFUSED: ("reason",),
    Kind.CORRECTION: ("text",),
    Kind.INCIDENT_CLOSED: ("outcome",),
}


@dataclass(frozen=True, kw_only=True)
class Milestone:
    """A turning point. `entry` None: it was not recorded as an entry but is known (the migration itself)."""

    at: datetime
    label: str
    entry: Entry | None = None

    @property
    def kind(self) -> Kind | None:
        """Return what its entry records."""
        return self.entry.kind if self.entry else None


def milestones_of(facts: Facts) -> tuple[Milestone, ...]:
    """Return the turning points in the order in which they happened."""
    found: list[Milestone] = []
    for entry in facts.log.entries:
        if entry.kind in LABELS and not repeats(entry, facts.log):
            found.append(_milestone(entry, {item.at for item in found if item.kind is Kind.FROZEN}))
    migrated_at = facts.figures.migrated_at
    if migrated_at is not None:
        found.append(Milestone(at=migrated_at, label="Migration deployed"))
    return tuple(sorted(found, key=lambda item: (item.at, item.entry.sequence if item.entry else 0)))


def happened_at(entry: Entry) -> datetime:
    """Return when the thing itself happened: the recorded time of going down or up, else when it was written down."""
    key = {Kind.FROZEN: "down_at", Kind.REOPENED: "up_at"}.get(entry.kind)
    return (read(entry).moment(key) if key else None) or entry.at


def timeline(facts: Facts) -> Section:
    """Return the turning points as a list, with the date where they span more than one day."""
    found = milestones_of(facts)
    if not found:
        return Section(heading="Timeline", blocks=(Paragraph(phrase=("The timeline is empty.",)),))
    times = [item.at for item in found]
    days = {facts.zone.day(at) for at in times}
    date = f"on {next(iter(days))}, " if len(days) == 1 else ""
    intro = phrase(f"Times {date}{facts.zone.names(times)}. Who did it stands in brackets.")
    corrections = facts.log.corrections()
    items = tuple(_line(facts, item, corrections, dated=len(days) > 1) for item in found)
    blocks: tuple[Block, ...] = (Paragraph(phrase=intro), Bullets(items=items))
    return Section(heading="Timeline", blocks=blocks)


def _milestone(entry: Entry, downs: set[datetime]) -> Milestone:
    """Return an entry as a turning point. A later look at the same freeze (`downs`: known times of going down) is none
    of its own: it stands at the time of the look."""
    at = happened_at(entry)
    if entry.kind is Kind.FROZEN and at in downs:
        again = (
            "Freeze looked at again, not proven" if read(entry).flag("proven") is False else "Freeze proven"
        )
        return Milestone(at=entry.at, label=again, entry=entry)
    key, words = FAILED.get(entry.kind, ("", ""))
    said_no = key and read(entry).flag(key) is False and not no_verdict_yet(read(entry))
    return Milestone(at=at, label=words if said_no else LABELS[entry.kind], entry=entry)


def _line(facts: Facts, item: Milestone, corrections: dict[int, Entry], *, dated: bool) -> Phrase:
    at = f"{facts.zone.day(item.at)} " if dated else ""
    head = phrase(f"{at}{facts.zone.time(item.at)}: ", Strong(item.label))
    entry = item.entry
    if entry is None:
        return phrase(head, *((". ", Code(facts.migration)) if facts.migration else ()))
    told = _told(entry, item.label)
    return phrase(
        head,
        phrase(". ", marked(sentence(told))) if told else (),
        f" ({person_of(entry)})",
        _corrected(facts, corrections.get(entry.sequence)),
    )


def _told(entry: Entry, label: str) -> str | None:
    """Return what an entry says beyond its label: its text, or else what its data say."""
    text = plain_text(entry.text)
    if text is None or text.casefold().rstrip(".") in label.casefold():
        data = read(entry)
        details = filter(None, (data.text(key) for key in DETAILS.get(entry.kind, ())))
        text = " – ".join(map(short_hash, details)) or None
    return text


def _corrected(facts: Facts, correction: Entry | None) -> Phrase:
    if correction is None:
        return ()
    day = facts.zone.stamp(correction.at)
    return phrase(
        " ", Strong("Corrected"), f" by {person_of(correction)} at {day}: {corrected_text(correction)}"
    )
