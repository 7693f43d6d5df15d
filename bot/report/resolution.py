"""The section "Resolution": what was done, from which backup, by whose approval, and how it was checked."""

from __future__ import annotations

from datetime import datetime

from bot.model.event import Kind
from bot.report.blocks import Block, Code, Fields, Paragraph, Phrase, Section, Strong, codes, joined, phrase
from bot.report.facts import Facts
from bot.report.reading import Reading, person_of, plain_text, read
from bot.report.records import deployed_proposal, records
from bot.report.recovery import Backup, strategy_words
from bot.report.stopped import shrunk_words
from bot.report.wording import (
    NOT_RECORDED,
    counted,
    duration_words,
    seconds_words,
    short_hash,
    size_words,
)

_CHANGES = {"A": "added", "D": "deleted", "M": "changed"}


def resolution(facts: Facts) -> Section:
    """Return the recovery as fields, then decisions, checks, calls for help and what was refused, as tables."""
    blocks: list[Block] = [
        *_standing(facts),
        Fields(rows=(*_restore(facts), *_corrected(facts), *_verified(facts), *_reopened(facts))),
        *records(facts),
    ]
    return Section(heading="Resolution", blocks=tuple(blocks))


def _standing(facts: Facts) -> list[Paragraph]:
    if facts.recovery.cut_over is not None:
        return []
    if facts.recovery.undone:
        text = "The cut-over was undone: production holds the data it had before it."
    else:
        text = "No cut-over is recorded: no backup was put in place of production's data."
    return [Paragraph(phrase=phrase(Strong(text)))]


def _restore(facts: Facts) -> list[tuple[str, Phrase]]:
    recovery = facts.recovery
    done = recovery.cut_over is not None
    return [
        ("Restored from" if done else "Backup of the plan", _backup(facts, recovery.backup)),
        ("Safety backup", _safety(facts)),
        ("Strategy", phrase(strategy_words(recovery.strategy) or NOT_RECORDED)),
        ("Plan", phrase(Code(short_hash(recovery.plan_hash)) if recovery.plan_hash else NOT_RECORDED)),
        ("Decisions by table", _table_decisions(facts)),
        ("Rehearsal", _rehearsal(facts)),
        ("Approved by", _approvals(facts)),
        ("Cut-over", _cut_over(facts)),
        ("Undo", _undo(facts)),
    ]


def _backup(facts: Facts, backup: Backup | None) -> Phrase:
    if backup is None:
        return phrase(NOT_RECORDED)
    at = backup.completed or backup.mtime
    kind = "completed" if backup.completed else "file time"
    return phrase(
        Code(backup.path),
        f" ({size_words(backup.size_bytes)}, " if backup.size_bytes is not None else " (",
        f"{kind} {facts.zone.when(at)}{_age(facts, at)}, " if at else f"age {NOT_RECORDED}, ",
        f"{backup.word}, " if backup.word else None,
        *_sha256(backup.sha256),
        ")",
    )


def _sha256(value: str | None) -> tuple[str | Code, ...]:
    return ("SHA-256 ", Code(value)) if value else (f"SHA-256 {NOT_RECORDED}",)


def _age(facts: Facts, at: datetime) -> str:
    """Return how old a backup was, against the deployment of the migration where its time is known, else against detection."""
    figures = facts.figures
    points = (
        (figures.migrated_at, "the migration was deployed"),
        (figures.detected_at, "the loss was found"),
    )
    known = next(((point, what) for point, what in points if point is not None), None)
    if known is None:
        return ""
    point, what = known
    side = "before" if at <= point else "after"
    return f", {duration_words(abs(point - at))} {side} {what}"


def _safety(facts: Facts) -> Phrase:
    data = read(facts.recovery.safety)
    path = data.text("path")
    if path is None:
        return phrase(NOT_RECORDED)
    size = data.whole("size_bytes")
    return phrase(
        Code(path),
        f" ({facts.zone.when(facts.recovery.safety.at)}, " if facts.recovery.safety else " (",
        f"{size_words(size)}, " if size is not None else None,
        *_sha256(data.text("sha256")),
        ")",
    )


def _table_decisions(facts: Facts) -> Phrase:
    pairs = facts.recovery.table_decisions
    return joined(
        [phrase(Code(name) if name else None, f": {text}" if name else text) for name, text in pairs], "; "
    ) or phrase("none")


def _rehearsal(facts: Facts) -> Phrase:
    entry = facts.recovery.rehearsal
    if entry is None:
        return phrase(NOT_RECORDED)
    data = read(entry)
    proven = {True: "proven on a scratch copy", False: "not proven", None: f"result {NOT_RECORDED}"}
    reasons = "; ".join(data.texts("reasons"))
    return phrase(
        f"{proven[data.flag('proven')]} at {facts.zone.when(entry.at)}", f" ({reasons})" if reasons else None
    )


def _approvals(facts: Facts) -> Phrase:
    found = [f"{item.person} at {facts.zone.when(item.at)}" for item in facts.recovery.approvals]
    return phrase("; ".join(found) or NOT_RECORDED)


def _cut_over(facts: Facts) -> Phrase:
    entry = facts.recovery.cut_over
    if entry is None:
        return phrase("undone" if facts.recovery.undone else "none")
    took = read(entry).number("duration_s")
    checked = ", its checks included" if took is not None else ""
    return phrase(facts.zone.when(entry.at), f", took {seconds_words(took)}{checked}")


def _undo(facts: Facts) -> Phrase:
    undone = [f"{facts.zone.when(entry.at)} by {person_of(entry)}" for entry in facts.recovery.undone]
    return phrase("; ".join(undone) or "none")


def _corrected(facts: Facts) -> list[tuple[str, Phrase]]:
    aligned, corrected = facts.recovery.aligned, facts.recovery.corrected
    rows: list[tuple[str, Phrase]] = []
    if aligned is not None:
        data = read(aligned)
        rows.append(
            (
                "Migrations table",
                phrase(data.text("how") or plain_text(aligned.text) or NOT_RECORDED, _why(data)),
            )
        )
    if corrected is None:
        return [*rows, ("Corrected migration", phrase("none deployed"))]
    data = read(corrected)
    took = seconds_words(data.number("duration_s"))
    return [
        *rows,
        ("Commit deployed", phrase(Code(data.text("commit") or NOT_RECORDED), _author(facts, data))),
        (
            "Corrected migration",
            phrase(
                codes(data.texts("migrations")) or NOT_RECORDED,
                f", {facts.zone.when(corrected.at)}, took {took}",
            ),
        ),
        ("Files changed", _files(deployed_proposal(facts))),
        ("Rehearsed on a copy", _corrected_rehearsal(facts, data.text("commit"))),
    ]


def _files(proposed: Reading) -> Phrase:
    files = proposed.parts("files")
    if not files:
        return phrase(NOT_RECORDED)
    total = proposed.whole("files_changed") or len(files)
    more = f" and {total - len(files)} more" if total > len(files) else None
    named = [
        phrase(
            Code(file.text("path") or NOT_RECORDED),
            f" ({_CHANGES.get(file.text('status') or '', 'changed')})",
        )
        for file in files
    ]
    return phrase(joined(named, ", "), more)


def _why(data: Reading) -> str | None:
    reason = data.text("reason")
    return f" ({reason})" if reason else None


def _author(facts: Facts, corrected: Reading) -> str | None:
    proposed = _last_about(facts, Kind.CORRECTED_PROPOSED, corrected.text("commit"))
    words = filter(None, (proposed.text("subject"), proposed.text("author")))
    return f" ({', '.join(words)})" if proposed.values else None


def _corrected_rehearsal(facts: Facts, commit: str | None) -> Phrase:
    data = _last_about(facts, Kind.CORRECTED_REHEARSED, commit)
    known = {True: "passed", False: "did not pass", None: NOT_RECORDED}[data.flag("passed")]
    shrunk = shrunk_words(data)
    return phrase(known, f" ({shrunk})" if shrunk else None)


def _last_about(facts: Facts, kind: Kind, commit: str | None) -> Reading:
    found = [read(entry) for entry in facts.log.of(kind) if read(entry).text("commit") == commit]
    return found[-1] if found else Reading()


def _verified(facts: Facts) -> list[tuple[str, Phrase]]:
    return [("Data verified", _data_verdict(facts)), ("Application tested", _tested(facts))]


def _data_verdict(facts: Facts) -> Phrase:
    entry = facts.log.last(Kind.DATA_CHECKED)
    if entry is None:
        return phrase(NOT_RECORDED)
    data = read(entry)
    checks = data.parts("checks")
    passed = sum(1 for check in checks if check.flag("passed"))
    broken = data.whole("foreign_key_violations")
    return phrase(
        _passed(data.flag("passed")),
        f" at {facts.zone.when(entry.at)}",
        f", {passed} of {counted(len(checks), 'check')} passed" if checks else None,
        f", {counted(broken, 'broken foreign key')}" if broken is not None else None,
        _remaining(data.part("loss_totals")),
    )


def _remaining(totals: Reading) -> str | None:
    """Return what the loss table said when it was measured again after the recovery."""
    known = [(key, totals.whole(key)) for key in ("rows_lost", "values_lost")]
    words = [counted(number, key.removesuffix("s_lost")) for key, number in known if number is not None]
    return f"; measured again: {' and '.join(words)} missing" if words else None


def _tested(facts: Facts) -> Phrase:
    entry = facts.log.last(Kind.APP_TESTED)
    if entry is None:
        return phrase(NOT_RECORDED)
    data = read(entry)
    pages = [
        f"{page.text('path') or '?'} {page.text('status') or NOT_RECORDED}" for page in data.parts("pages")
    ]
    errors = data.whole("log_errors")
    return phrase(
        _passed(data.flag("passed")),
        f" at {facts.zone.when(entry.at)}",
        f", pages: {', '.join(pages)}" if pages else None,
        f", {counted(errors, 'new error')} in the log" if errors is not None else None,
    )


def _passed(flag: bool | None) -> str:
    return {True: "passed", False: "did not pass", None: f"result {NOT_RECORDED}"}[flag]


def _reopened(facts: Facts) -> list[tuple[str, Phrase]]:
    at = facts.figures.reopened_at
    data = read(facts.log.last(Kind.REOPENED))
    status = data.whole("http_status")
    seen = f", HTTP {status} seen from outside" if at and status is not None else None
    despite = "; ".join(data.texts("in_spite_of")) if at else ""
    return [
        ("Back online", phrase(facts.zone.stamp(at), seen)),
        *([("Opened in spite of", phrase(despite))] if despite else []),
        ("Log watch", _watch(facts)),
    ]


def _watch(facts: Facts) -> Phrase:
    entry = facts.log.last(Kind.WATCH_ENDED)
    if entry is None:
        return phrase(NOT_RECORDED)
    data = read(entry)
    quiet = {True: "quiet", False: "not quiet", None: f"result {NOT_RECORDED}"}[data.flag("quiet")]
    asked = data.number("shortened_from_minutes")
    return phrase(
        quiet,
        f" over {_minutes(data.number('minutes'))}",
        f" (shortened from {_minutes(asked)})" if asked is not None else None,
        f", {counted(data.whole('new_errors'), 'new error')}",
    )


def _minutes(minutes: float | None) -> str:
    return f"a time {NOT_RECORDED}" if minutes is None else seconds_words(minutes * 60)
