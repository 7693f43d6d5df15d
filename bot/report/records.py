"""The tables of the section "Resolution": decisions, checks, calls for help, and what was refused."""

from __future__ import annotations

from collections.abc import Iterable

from bot.model.event import Kind
from bot.report.blocks import Code, Grid, Phrase, marked, phrase
from bot.report.deeds import deeds
from bot.report.facts import Facts
from bot.report.people import escalations_of, ticks_of
from bot.report.reading import Reading, person_of, plain_text, read
from bot.report.root_cause import finding_place
from bot.report.stopped import stops_of
from bot.report.wording import NOT_RECORDED, count_words, duration_words, short_hash

NOTHING_TO_MEND = ("info", "ok")  # findings of a review that only say what is well done
RESULTS = {True: "passed", False: "did not pass", None: NOT_RECORDED}


def records(facts: Facts) -> list[Grid]:
    """Return the tables that have rows."""
    return [
        *deeds(facts),
        *_decisions(facts),
        *_incoming(facts),
        *_review(facts),
        *_data_checks(facts),
        *_pages(facts),
        *_browser(facts),
        *_manual(facts),
        *_escalations(facts),
        *_stops(facts),
    ]


def _grid(title: str, columns: tuple[str, ...], rows: Iterable[tuple[Phrase, ...]]) -> list[Grid]:
    """Return a table, or nothing where it would have no rows."""
    filled = tuple(rows)
    return [Grid(title=title, columns=columns, rows=filled)] if filled else []


def _decisions(facts: Facts) -> list[Grid]:
    rows = (
        (
            phrase(facts.zone.when(entry.at)),
            phrase(data.text("question") or plain_text(entry.text) or NOT_RECORDED),
            phrase(data.text("label") or data.text("answer") or NOT_RECORDED),
            phrase(person_of(entry)),
        )
        for entry in facts.log.of(Kind.DECISION_ANSWERED)
        for data in (read(entry),)
    )
    return _grid("Decisions", ("Time", "Question", "Answer", "Person"), rows)


def deployed_proposal(facts: Facts) -> Reading:
    """Return the proposal of the commit that was deployed; an empty one where none was."""
    commit = read(facts.recovery.corrected).text("commit")
    proposed = [read(entry) for entry in facts.log.of(Kind.CORRECTED_PROPOSED)]
    found = [one for one in proposed if commit and one.text("commit") == commit]
    return found[-1] if found else Reading()


def _incoming(facts: Facts) -> list[Grid]:
    rows = (
        (
            phrase(Code(short_hash(commit.text("commit") or NOT_RECORDED))),
            phrase(_when(facts, commit)),
            phrase(commit.text("author") or NOT_RECORDED),
            phrase(commit.text("subject") or NOT_RECORDED),
        )
        for commit in deployed_proposal(facts).parts("commits")
    )
    return _grid("Commits that were deployed", ("Commit", "Written", "Author", "Subject"), rows)


def _when(facts: Facts, commit: Reading) -> str:
    at = commit.moment("time")
    return NOT_RECORDED if at is None else facts.zone.when(at)


def _review(facts: Facts) -> list[Grid]:
    rows = (
        (
            phrase((finding.text("severity") or NOT_RECORDED).upper()),
            phrase(finding_place(finding)),
            marked(finding.text("message") or NOT_RECORDED),
        )
        for finding in deployed_proposal(facts).parts("findings")
        if finding.text("severity") not in NOTHING_TO_MEND
    )
    return _grid("Review of the corrected migration", ("Severity", "Where", "Finding"), rows)


def _data_checks(facts: Facts) -> list[Grid]:
    rows = (
        (
            phrase(check.text("name") or NOT_RECORDED),
            phrase(_amount(check, "before", "–")),
            phrase(_amount(check, "backup", "–")),
            phrase(_amount(check, "value")),
            phrase(_amount(check, "expected")),
            phrase(RESULTS[check.flag("passed")]),
        )
        for check in read(facts.log.last(Kind.DATA_CHECKED)).parts("checks")
    )
    columns = ("Check", "As it was found", "In the backup", "At the end", "Expected", "Result")
    return _grid("Checks of the data, as last run", columns, rows)


def _amount(check: Reading, key: str, none: str = NOT_RECORDED) -> str:
    """Return what a check found or expected; a number with its thousands marked, `none` where there is none."""
    number = check.whole(key)
    return check.text(key) or none if number is None else count_words(number)


def _pages(facts: Facts) -> list[Grid]:
    tested = (("Before reopening", Kind.APP_TESTED), ("After reopening", Kind.REOPENED))
    rows = (
        (
            phrase(when),
            phrase(Code(page.text("path") or NOT_RECORDED)),
            phrase(page.text("status") or "no answer"),
            phrase(page.text("ms") or NOT_RECORDED),
            phrase("; ".join(page.texts("faults")) or "good"),
        )
        for when, kind in tested
        for page in read(facts.log.last(kind)).parts("pages")
        if "faults" in page.values
    )
    return _grid(
        "Addresses of the application, as last asked", ("Asked", "Address", "HTTP", "ms", "Result"), rows
    )


def _browser(facts: Facts) -> list[Grid]:
    walk = read(facts.log.last(Kind.APP_TESTED)).part("browser")
    steps = [
        (
            phrase(step.text("step") or NOT_RECORDED),
            phrase(step.text("ms") or NOT_RECORDED),
            phrase(step.text("fault") or "good"),
        )
        for step in walk.parts("steps")
    ]
    counts = [
        (phrase(what), phrase("–"), phrase(f"{count}{_places(walk, places)}"))
        for what, key, places in (
            ("console errors", "console_errors", "console_places"),
            ("failed requests", "failed_requests", "failed_places"),
        )
        if (count := walk.whole(key)) is not None
    ]
    error = walk.text("error")
    rows = [(phrase("not tested"), phrase("–"), phrase(error))] if error else [*steps, *counts]
    return _grid("In the browser", ("Step", "ms", "Result"), rows)


def _places(walk: Reading, key: str) -> str:
    places = ", ".join(walk.texts(key))
    return f" ({places})" if places else ""


def _manual(facts: Facts) -> list[Grid]:
    words = {True: "good", False: "not good", None: NOT_RECORDED}
    rows = (
        (
            phrase(tick.item),
            phrase(words[tick.is_good] if tick.at else "not confirmed"),
            phrase(tick.person or "nobody"),
            phrase(facts.zone.when(tick.at) if tick.at else "–"),
        )
        for tick in ticks_of(facts.log)
    )
    return _grid("Checked by hand", ("Check", "Result", "Person", "Time"), rows)


def _escalations(facts: Facts) -> list[Grid]:
    rows = (
        (
            phrase(facts.zone.when(item.at)),
            phrase(item.reason or NOT_RECORDED, f" (rule: {item.rule})" if item.rule else None),
            phrase(", ".join(item.contacts) or NOT_RECORDED),
            phrase(
                f"{item.acknowledged_by}, after {duration_words(item.acknowledged_after)}"
                if item.acknowledged_by
                else "nobody has answered"
            ),
        )
        for item in escalations_of(facts.log)
    )
    return _grid("Calls for help", ("Time", "Why", "Called", "Answered"), rows)


def _stops(facts: Facts) -> list[Grid]:
    rows = (
        (
            phrase(facts.zone.when(stop.at)),
            phrase(stop.what, f" ({count_words(stop.times)} times)" if stop.times > 1 else None),
            marked(stop.why),
        )
        for stop in stops_of(facts.log)
    )
    return _grid("What was refused or failed, and why", ("Time", "What", "Why"), rows)
