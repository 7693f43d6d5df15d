"""Who was called and when they answered; who ran what on the host; who ticked what by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.model.event import Entry, Kind
from bot.report.reading import Log, corrected_text, person_of, plain_text, read


@dataclass(frozen=True, kw_only=True)
class Escalation:
    """A call for help. `acknowledged_after` None: nobody has answered as far as the timeline goes."""

    at: datetime
    reason: str | None
    rule: str | None
    contacts: tuple[str, ...]
    acknowledged_by: str | None
    acknowledged_after: timedelta | None


@dataclass(frozen=True, kw_only=True)
class HostCommand:
    """One command on the host, masked. `exit_status` None: not known; `outcome` says more where it was looked up."""

    at: datetime
    person: str
    host: str | None
    command: str
    exit_status: int | None
    duration_s: float | None
    outcome: str | None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a person said to a question of the report, and when."""

    text: str
    person: str
    at: datetime


TICKED = "manual:"
"""How the purpose of a question about an item of the manual list begins."""
_NOTHING_COUNTS_ANY_MORE = (Kind.CUTOVER_DONE, Kind.UNDO_DONE, Kind.CORRECTED_INTENT)


@dataclass(frozen=True, kw_only=True)
class Tick:
    """An item that a person has to look at. `at` None: nobody has answered, so it is not confirmed."""

    item: str
    is_good: bool | None = None
    person: str | None = None
    at: datetime | None = None


def escalations_of(log: Log) -> tuple[Escalation, ...]:
    """Return every call for help, with the first answer after it."""
    calls = log.of(Kind.ESCALATED)
    ends = [*calls[1:], None][: len(calls)]
    return tuple(_escalation(log, call, end) for call, end in zip(calls, ends, strict=True))


def host_commands_of(log: Log) -> tuple[HostCommand, ...]:
    """Return the commands on the host, in order."""
    return tuple(
        HostCommand(
            at=entry.at,
            person=person_of(entry),
            host=data.text("host"),
            command=data.text("command") or plain_text(entry.text) or "not recorded",
            exit_status=data.whole("exit_status"),
            duration_s=data.number("duration_s"),
            outcome=data.text("outcome"),
        )
        for entry in log.of(Kind.HOST_COMMAND)
        for data in (read(entry),)
    )


def ticks_of(log: Log) -> tuple[Tick, ...]:
    """Return each item of the manual list, as last answered since the data or the code last changed."""
    tested = log.last(Kind.APP_TESTED)
    found: dict[str, Tick] = {item: Tick(item=item) for item in read(tested).texts("manual_items")}
    changed = log.last(*_NOTHING_COUNTS_ANY_MORE)
    since = log.after(changed) if changed else log
    for entry in since.of(Kind.APP_TESTED, Kind.DECISION_ANSWERED, Kind.ROWS_SET_ASIDE):
        data = read(entry)
        if entry.kind is Kind.ROWS_SET_ASIDE and data.flag("settled"):
            item = data.text("item") or "an item without a recorded name"
            found[item] = Tick(item=item, is_good=True, person=person_of(entry), at=entry.at)
        for part in data.parts("manual"):
            item = part.text("item") or "an item without a recorded name"
            person = part.text("person") or entry.actor
            found[item] = Tick(item=item, is_good=part.flag("ok"), person=person, at=entry.at)
        item = (data.text("purpose") or "").partition(TICKED)[2]
        if item and entry.kind is Kind.DECISION_ANSWERED:
            is_good = {"ok": True, "bad": False}.get(data.text("answer") or "")
            found[item] = Tick(item=item, is_good=is_good, person=person_of(entry), at=entry.at)
    return tuple(found.values())


def answer_of(log: Log, topic: str) -> Answer | None:
    """Return the last answer to a question of the report (`root cause`, `users affected`), or None.

    It is the answer to a decision whose purpose or question names the topic, or a note that begins `Root cause:`.
    A later correction of that entry stands in its place.
    """
    corrections = log.corrections()
    found = None
    for entry in log.of(Kind.DECISION_ANSWERED, Kind.NOTE):
        text = _answer_text(entry, topic)
        if text is not None:
            correction = corrections.get(entry.sequence)
            found = Answer(text=text, person=person_of(entry), at=entry.at)
            if correction is not None:
                text = _without_topic(corrected_text(correction) or text, topic)
                found = Answer(text=text, person=person_of(correction), at=correction.at)
    return found


def _escalation(log: Log, call: Entry, end: Entry | None) -> Escalation:
    data, after = read(call), log.after(call)
    pages = (after.before(end) if end else after).of(Kind.PAGED)
    answer = after.first(Kind.ACKNOWLEDGED)
    contacts = (read(page).text("contact") or plain_text(page.text) for page in pages)
    return Escalation(
        at=call.at,
        reason=data.text("reason") or plain_text(call.text),
        rule=data.text("rule"),
        contacts=tuple(dict.fromkeys(filter(None, contacts))),
        acknowledged_by=person_of(answer) if answer else None,
        acknowledged_after=answer.at - call.at if answer else None,
    )


def _answer_text(entry: Entry, topic: str) -> str | None:
    data = read(entry)
    text = plain_text(entry.text)
    if entry.kind is Kind.NOTE:
        named = _names(data.text("topic"), topic)
        begins = text is not None and text.casefold().startswith(f"{topic}:")
        return _without_topic(text, topic) if text is not None and (named or begins) else None
    if _names(data.text("purpose"), topic) or _names(data.text("question"), topic):
        return data.text("answer") or text
    return None


def _names(text: str | None, topic: str) -> bool:
    return text is not None and topic in text.replace("_", " ").casefold()


def _without_topic(text: str, topic: str) -> str:
    return text[len(topic) + 1 :].strip() if text.casefold().startswith(f"{topic}:") else text
