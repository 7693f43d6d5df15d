"""What was done to get the application back: plan, backups, rehearsal, approvals, cut-over, corrected migration."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.model.event import Entry, Kind
from bot.report.figures import lasting_cut_over
from bot.report.reading import Log, Reading, person_of, read

STRATEGIES = {
    "repair": "repair: what the migration took was put back into a copy of the live database, which then went live",
    "repair_in_place": "repair in place: what the migration took was put back into the live tables, copied aside first",
    "swap_with_salvage": "swap with salvage: the backup went live, with the rows written since put back",
    "swap": "swap: the backup went live, newer rows were kept aside",
}


@dataclass(frozen=True, kw_only=True)
class Backup:
    """One backup as it was judged. `word` is its verdict; `completed` the dump's own end time, `mtime` the file's."""

    path: str
    word: str | None
    reasons: tuple[str, ...]
    size_bytes: int | None
    completed: datetime | None
    mtime: datetime | None
    sha256: str | None

    @property
    def usable(self) -> bool | None:
        """Return whether it was verified, None where no verdict is recorded."""
        return None if self.word is None else key_of(self.word).startswith("verified")


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Rows and values after the recovery, as the rehearsal of the plan counted them."""

    rows_kept: int | None
    rows_lost: int | None
    rows_restored: int | None
    values_restored: int | None
    values_mapped: int | None
    values_lost: int | None
    unaccounted: int | None

    @property
    def lost_for_good(self) -> bool | None:
        """Return whether anything could not be brought back; None where nothing was counted."""
        counts = [n for n in (self.rows_lost, self.values_lost, self.unaccounted) if n is not None]
        return any(counts) if counts else None


@dataclass(frozen=True, kw_only=True)
class Approval:
    """A yes to one plan by one person."""

    person: str
    at: datetime
    plan_hash: str | None


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """The recovery that stands. `cut_over` None: production's data were not changed, or the change was undone.

    `plan`, `rehearsal` and `approvals` belong to the plan that was carried out, or else to the last one made.
    """

    plan_hash: str | None
    strategy: str | None
    backup: Backup | None
    table_decisions: tuple[tuple[str, str], ...]
    safety: Entry | None
    rehearsal: Entry | None
    totals: Totals
    approvals: tuple[Approval, ...]
    cut_over: Entry | None
    undone: tuple[Entry, ...]
    aligned: Entry | None
    corrected: Entry | None


def recovery_of(log: Log) -> Recovery:
    """Return the recovery as the timeline tells it."""
    cut_over = lasting_cut_over(log)
    upto = log.before(cut_over) if cut_over else log
    plan_hash = _plan_hash(log, cut_over)
    plan = _of_plan(upto, Kind.PLAN_MADE, plan_hash)
    rehearsal = _of_plan(upto, Kind.REHEARSED, plan_hash)
    return Recovery(
        plan_hash=plan_hash,
        strategy=(read(cut_over).text("strategy") if cut_over else None) or read(plan).text("strategy"),
        backup=_backup(log, read(plan)),
        table_decisions=_decisions(read(plan)),
        safety=upto.last(Kind.SAFETY_MADE) or log.last(Kind.SAFETY_MADE),
        rehearsal=rehearsal,
        totals=_totals(read(rehearsal).part("totals")),
        approvals=_approvals(upto, plan_hash),
        cut_over=cut_over,
        undone=log.of(Kind.UNDO_DONE),
        aligned=log.last(Kind.ALIGNED) if cut_over else None,
        corrected=_lasting_corrected(log),
    )


def backups_of(log: Log) -> tuple[Backup, ...]:
    """Return every backup that was looked at, as last judged, in the order in which they were first listed."""
    found: dict[str, Backup] = {}
    for entry in log.of(Kind.BACKUPS_LISTED):
        for item in read(entry).parts("backups"):
            path = item.text("path")
            if path is not None:
                found[path] = _judged(path, item)
    return tuple(found.values())


def strategy_words(strategy: str | None) -> str | None:
    """Return a strategy as a sentence a reader of the report understands; an unknown one as it is."""
    return None if strategy is None else STRATEGIES.get(key_of(strategy), strategy)


def key_of(text: str) -> str:
    """Return a word in the form of a key (`VERIFIED BY LOAD` becomes `verified_by_load`)."""
    return "_".join(text.replace("-", " ").replace("_", " ").casefold().split())


def _lasting_corrected(log: Log) -> Entry | None:
    """Return the corrected migration that stands: the last one that no undo came after."""
    done = log.last(Kind.CORRECTED_DONE)
    return done if done is not None and log.after(done).last(Kind.UNDO_DONE) is None else None


def _plan_hash(log: Log, cut_over: Entry | None) -> str | None:
    """Return the plan that was carried out, or else the last one that was made."""
    if cut_over is not None:
        intent = log.before(cut_over).last(Kind.CUTOVER_INTENT)
        return read(cut_over).text("plan_hash") or read(intent).text("plan_hash")
    return read(log.last(Kind.PLAN_MADE)).text("plan_hash")


def _of_plan(log: Log, kind: Kind, plan_hash: str | None) -> Entry | None:
    """Return the last entry of this kind about this plan; where no plan is named, the last of the kind."""
    if plan_hash is None:
        return log.last(kind)
    found = [entry for entry in log.of(kind) if read(entry).text("plan_hash") in (plan_hash, None)]
    return next(reversed(found), None)


def _approvals(log: Log, plan_hash: str | None) -> tuple[Approval, ...]:
    """Return the first yes of each person to this plan, those left out that were given before the plan became void."""
    void = _of_plan(log, Kind.PLAN_VOID, plan_hash)
    found: dict[str, Approval] = {}
    for entry in (log.after(void) if void else log).of(Kind.APPROVED):
        approved = read(entry).text("plan_hash")
        if plan_hash is None or approved in (plan_hash, None):
            person = person_of(entry)
            found.setdefault(person, Approval(person=person, at=entry.at, plan_hash=approved))
    return tuple(found.values())


def _backup(log: Log, plan: Reading) -> Backup | None:
    """Return the backup of a plan with all that was found out about it; None where no plan names one."""
    path = plan.text("backup_path")
    if path is None:
        return None
    listed = next((backup for backup in backups_of(log) if backup.path == path), None)
    if listed is None:
        return _judged(path, Reading(values={"sha256": plan.text("backup_sha256")}))
    return Backup(
        path=path,
        word=listed.word,
        reasons=listed.reasons,
        size_bytes=listed.size_bytes,
        completed=listed.completed,
        mtime=listed.mtime,
        sha256=plan.text("backup_sha256") or listed.sha256,
    )


def _judged(path: str, data: Reading) -> Backup:
    return Backup(
        path=path,
        word=data.text("word"),
        reasons=data.texts("reasons"),
        size_bytes=data.whole("size_bytes"),
        completed=data.moment("completed"),
        mtime=data.moment("mtime"),
        sha256=data.text("sha256"),
    )


def _totals(data: Reading) -> Totals:
    return Totals(
        rows_kept=data.whole("rows_kept"),
        rows_lost=data.whole("rows_lost"),
        rows_restored=data.whole("rows_restored"),
        values_restored=data.whole("values_restored"),
        values_mapped=data.whole("values_mapped"),
        values_lost=data.whole("values_lost"),
        unaccounted=data.whole("unaccounted"),
    )


def _decisions(plan: Reading) -> tuple[tuple[str, str], ...]:
    """Return the plan's table decisions as (table, decision), from an object or from a list of objects or texts."""
    pairs = [(name, plan.part("decisions").text(name)) for name in plan.part("decisions").values]
    for item in plan.parts("decisions"):
        answer = item.text("decision") or item.text("answer") or item.text("choice")
        pairs.append((item.text("table") or item.text("question") or "a table", answer))
    pairs += [("", text) for text in plan.items("decisions") if isinstance(text, str)]
    return tuple((name, text) for name, text in pairs if text)
