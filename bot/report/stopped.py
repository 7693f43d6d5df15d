"""What was refused, failed or stopped on the way, and why: the part from which most is learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from bot.model.event import Entry, Kind
from bot.report.blocks import Code, Phrase, phrase
from bot.report.reading import Log, Reading, plain_text, read
from bot.report.wording import NOT_RECORDED, counted, listed, short_hash


@dataclass(frozen=True, kw_only=True)
class Stop:
    """One thing that did not happen as asked. `times` counts equal ones; `at` is the first."""

    at: datetime
    what: Phrase
    why: str
    times: int = 1


def stops_of(log: Log) -> tuple[Stop, ...]:
    """Return what was stopped, in order of time, equal ones once."""
    found: dict[tuple[Phrase, str], Stop] = {}
    for entry in log.entries:
        stop = _stop(entry)
        if stop is not None and not repeats(entry, log):
            key = (stop.what, stop.why)
            earlier = found.get(key)
            times = earlier.times + 1 if earlier else 1
            found[key] = Stop(
                at=earlier.at if earlier else stop.at, what=stop.what, why=stop.why, times=times
            )
    return tuple(found.values())


def repeats(entry: Entry, log: Log) -> bool:
    """Return whether a failed step only says again what the entry right before it says."""
    before = next((other for other in log.entries if other.sequence == entry.sequence - 1), None)
    return entry.kind is Kind.STEP_FAILED and before is not None and before.text == entry.text


def no_verdict_yet(data: Reading) -> bool:
    """Return whether an entry of the freeze only says that the application went down, before anything was measured."""
    return data.flag("proven") is False and not {"http_status", "samples_agree", "writers"} & set(data.values)


def shrunk_words(data: Reading) -> str | None:
    """Return the tables that shrank in a rehearsal (`comments from 10,000 to 0 rows`); None where none did."""
    tables = data.part("shrunk")
    words = []
    for table in tables.values:
        match tables.items(table):
            case [int() as before, int() as after]:
                words.append(f"{table} from {before:,} to {counted(after, 'row')}")
            case _:
                words.append(table)
    return f"tables that shrank: {listed(words)}" if words else None


def _stop(entry: Entry) -> Stop | None:
    data = read(entry)
    judge = JUDGED.get(entry.kind)
    if judge is not None:
        what, why = judge(data)
        return Stop(at=entry.at, what=what, why=why or _told(entry)) if what else None
    title = ALWAYS.get(entry.kind)
    if title is None:
        return None
    return Stop(at=entry.at, what=phrase(title), why=_told(entry, _reasons(data)))


def _told(entry: Entry, reasons: str | None = None) -> str:
    """Return what an entry says, with its reasons where the text does not name them."""
    text = plain_text(entry.text)
    if text is None or reasons is None:
        return text or reasons or NOT_RECORDED
    return text if reasons.casefold() in text.casefold() else f"{text} ({reasons})"


def _reasons(data: Reading) -> str | None:
    return "; ".join((*data.texts("reasons"), *data.texts("reason"), *data.texts("why"))) or None


def _plan(data: Reading) -> tuple[Phrase, str | None]:
    if data.flag("proven") is not False:
        return (), None
    plan_hash = data.text("plan_hash")
    return phrase("The rehearsal did not prove plan ", Code(short_hash(plan_hash or "?"))), _reasons(data)


def _freeze(data: Reading) -> tuple[Phrase, str | None]:
    if data.flag("proven") is not False or no_verdict_yet(data):
        return (), None
    writers = data.texts("writers")
    why = f"still writing: {'; '.join(writers)}" if writers else None
    if why is None and data.flag("samples_agree") is False:
        why = "two samples of the database differed"
    return phrase("The freeze was not proven, so the cut-over stayed refused"), why


def _corrected(data: Reading) -> tuple[Phrase, str | None]:
    if data.flag("passed") is not False:
        return (), None
    why = _reasons(data) or shrunk_words(data)
    commit = short_hash(data.text("commit") or "?")
    return phrase("The rehearsal on a copy stopped the corrected commit ", Code(commit)), why


def _data(data: Reading) -> tuple[Phrase, str | None]:
    if data.flag("passed") is not False:
        return (), None
    failed = [check for check in data.parts("checks") if check.flag("passed") is False]
    words = [
        f"{check.text('name') or 'a check'} gave {check.text('value') or NOT_RECORDED}"
        f" (expected {check.text('expected') or NOT_RECORDED})"
        for check in failed
    ]
    return phrase("The checks of the data did not pass"), "; ".join(words) or None


def _application(data: Reading) -> tuple[Phrase, str | None]:
    if data.flag("passed") is not False:
        return (), None
    if reasons := _reasons(data):
        return phrase("The test of the application did not pass"), reasons
    bad = [page for page in data.parts("pages") if (page.whole("status") or 0) >= 400]
    words = [f"{page.text('path') or 'a page'} answered {page.text('status')}" for page in bad]
    errors = data.whole("log_errors")
    words += [f"{counted(errors, 'new error')} in the log"] if errors else []
    manual = [check for check in data.parts("manual") if check.flag("ok") is False]
    words += [f"by hand: {check.text('item') or 'a check'}" for check in manual]
    return phrase("The test of the application did not pass"), "; ".join(words) or None


JUDGED: dict[Kind, Callable[[Reading], tuple[Phrase, str | None]]] = {
    Kind.REHEARSED: _plan,
    Kind.FROZEN: _freeze,
    Kind.CORRECTED_REHEARSED: _corrected,
    Kind.DATA_CHECKED: _data,
    Kind.APP_TESTED: _application,
}
ALWAYS = {
    Kind.REFUSED: "Asked for and refused",
    Kind.FREEZE_BROKEN: "The freeze was broken",
    Kind.PLAN_VOID: "An approved or proposed plan became void",
    Kind.CUTOVER_NOT_DONE: "The cut-over did not happen; production was as before",
    Kind.CUTOVER_UNKNOWN: "The outcome of the cut-over could not be told at once",
    Kind.STEP_FAILED: "A step failed",
    Kind.STEP_UNKNOWN: "The outcome of a step could not be told at once",
    Kind.OPERATION_FAILED: "An operation failed",
}
