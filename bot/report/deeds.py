"""Who did what: one row for each person, counted from the timeline."""

from __future__ import annotations

from bot.model.event import Entry, Kind
from bot.report.blocks import Grid, phrase
from bot.report.facts import Facts
from bot.report.people import host_commands_of, ticks_of
from bot.report.reading import person_of
from bot.report.wording import counted, listed

BACKOUT = "backout"
_ONCE = {
    Kind.INCIDENT_OPENED: "opened the incident",
    Kind.ACKNOWLEDGED: "answered a call for help",
    Kind.SITE_RELEASED: "released the site",
    Kind.INCIDENT_CLOSED: "closed the incident",
}
_MANY = {
    Kind.COMMAND: "command typed",
    Kind.DECISION_ANSWERED: "decision",
    Kind.APPROVED: "approval",
    Kind.NOTE: "note",
    Kind.CORRECTION: "correction",
    Kind.ACTION_CHANGED: "change of an action item",
}
_PLURALS = {
    Kind.COMMAND: "commands typed",
    Kind.ACTION_CHANGED: "changes of action items",
}


def deeds(facts: Facts) -> list[Grid]:
    """Return the table of the people; nothing where no person did anything."""
    people = dict.fromkeys(who for entry in facts.log.entries if (who := _who(entry)) is not None)
    rows = tuple(
        (
            phrase(name),
            phrase(facts.zone.when(own[0].at)),
            phrase(facts.zone.when(own[-1].at)),
            phrase(_words(facts, name, own)),
        )
        for name in people
        if (own := [entry for entry in facts.log.entries if _who(entry) == name])
    )
    columns = ("Person", "From", "To", "What")
    return [Grid(title="Who did what", columns=columns, rows=rows)] if rows else []


def _who(entry: Entry) -> str | None:
    """Return the person who did what an entry tells; None where it was Backout, or nothing that a person does."""
    if entry.kind not in _ONCE and entry.kind not in _MANY:
        return None
    person = person_of(entry)
    return None if person == BACKOUT else person


def _words(facts: Facts, name: str, own: list[Entry]) -> str:
    kinds = [entry.kind for entry in own]
    once = [words for kind, words in _ONCE.items() if kind in kinds]
    many = [
        counted(kinds.count(kind), noun, _PLURALS.get(kind)) for kind, noun in _MANY.items() if kind in kinds
    ]
    ticked = sum(tick.person == name for tick in ticks_of(facts.log))
    on_host = sum(command.person == name for command in host_commands_of(facts.log))
    also = [counted(ticked, "check by hand", "checks by hand")] if ticked else []
    also += (
        [counted(on_host, "command on the host for them", "commands on the host for them")] if on_host else []
    )
    return listed([*once, *many, *also])
