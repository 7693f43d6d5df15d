"""What could not be brought back: lists by key on the host, and who re-entered what."""

from __future__ import annotations

from bot.model.event import Entry, Kind
from bot.model.reentry import own_purpose, reentry_purposes
from bot.report.blocks import Block, Code, Grid, phrase
from bot.report.facts import Facts
from bot.report.reading import Reading, person_of, read
from bot.report.wording import NOT_RECORDED, count_words

_WHAT = {
    "unmapped": "values in the new shape",
    "unknown": "rows since the backup, perhaps with a value",
    "not_salvaged": "newer rows that do not fit",
    "collisions": "newer rows that clash",
    "new": "rows since the backup",
    "changed": "newer changes of rows",
    "reused_keys": "rows whose key another row has",
    "aside": "rows of a table that is not there any more",
}


def lists_of(facts: Facts) -> tuple[tuple[Reading, Entry | None], ...]:
    """Return the lists of the plan that went live, each with the answer that ticked it off, None where nobody did."""
    if facts.recovery.cut_over is None:
        return ()
    answers = {
        str(read(entry).text("purpose")): entry
        for entry in facts.log.after(facts.recovery.cut_over).of(Kind.DECISION_ANSWERED)
    }
    lists = read(facts.recovery.rehearsal).parts("lists")
    named = [(str(one.text("name")), str(one.text("what")), one.whole("count") or 0) for one in lists]
    asked = zip(lists, named, reentry_purposes(named), strict=True)
    # By its own question where it had one; lists of which many were there share one.
    return tuple(
        (one, answers.get(own_purpose(name, what)) or answers.get(purpose))
        for one, (name, what, _), purpose in asked
    )


def reentry(facts: Facts) -> list[Block]:
    """Return the table of what is to be re-entered by hand; nothing where all came back."""
    rows = tuple(
        (
            phrase(Code(one.text("name") or NOT_RECORDED)),
            phrase(_WHAT.get(one.text("what") or "", NOT_RECORDED)),
            phrase(count_words(one.whole("count"))),
            phrase(Code(path)) if (path := one.text("file")) else phrase("in the safety backup"),
            phrase(_state(answer)),
        )
        for one, answer in lists_of(facts)
    )
    if not rows:
        return []
    columns = ("Of", "What", "Rows", "All keys, on the host", "Re-entered")
    return [Grid(title="What could not be brought back", columns=columns, rows=rows, numeric=(2,))]


def _state(answer: Entry | None) -> str:
    if answer is None:
        return "open"
    word = "re-entered" if read(answer).text("answer") == "entered" else "looked at, not needed or given up"
    return f"{word}: {person_of(answer)}"
