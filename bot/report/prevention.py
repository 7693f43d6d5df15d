"""The section "Prevention": the runbook's checklist, ticked only by evidence, and what this incident adds to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import PurePosixPath

from bot.model.action import Action, actions_of
from bot.model.event import Kind
from bot.report.blocks import ActionItem, Checklist, Code, Phrase, Section, codes, marked, phrase
from bot.report.facts import Facts
from bot.report.loss import assessment
from bot.report.people import escalations_of
from bot.report.reading import Reading, read
from bot.report.records import NOTHING_TO_MEND, deployed_proposal
from bot.report.recovery import Backup, backups_of
from bot.report.reentry import lists_of
from bot.report.root_cause import finding_words, findings_of_bad_migration
from bot.report.stopped import shrunk_words
from bot.report.wording import NOT_RECORDED, counted, duration_words, listed, seconds_words, short_hash

SEEN_LATE = timedelta(minutes=10)  # a loss that takes longer to be noticed is worth a check of its own
ANSWERED_LATE = timedelta(
    minutes=10
)  # a person who is called at night and does not answer by then is not reachable
NOBODY_YET = "nobody yet"
WEB_ROOTS = {"public", "public_html", "htdocs", "wwwroot"}


def prevention(facts: Facts) -> Section:
    """Return the action items."""
    tracked = {action.text: action for action in actions_of(facts.log.entries)}
    checklist = Checklist(
        title="Checklist of the runbook",
        items=tuple(_as_tracked(facts, item, tracked) for item in _runbook_items(facts)),
    )
    own = tuple(_as_tracked(facts, item, tracked) for derive in DERIVED for item in derive(facts))
    blocks = (checklist, Checklist(title="From this incident", items=own)) if own else (checklist,)
    return Section(heading="Prevention", blocks=blocks)


def plain_phrase(parts: Phrase) -> str:
    """Return a phrase as plain text."""
    return "".join(part if isinstance(part, str) else part.text for part in parts)


def _as_tracked(facts: Facts, item: ActionItem, tracked: Mapping[str, Action]) -> ActionItem:
    """Return an item as a person closed it since, with who and when; one that is open with whose it is."""
    action = tracked.get(plain_phrase(item.phrase))
    if item.done:
        return item
    if action is None or action.closed_at is None:
        return replace(item, owner=action.owner if action and action.owner else NOBODY_YET)
    note = f" ({action.note})" if action.note and action.note != plain_phrase(item.evidence) else ""
    said = f"closed by {action.closed_by}, {facts.zone.stamp(action.closed_at)}{note}"
    return replace(item, done=True, evidence=phrase(said))


def _runbook_items(facts: Facts) -> list[ActionItem]:
    """Return the runbook's eight safeguards, in its words. Only what the timeline proves is ticked."""
    backs_up, backup_evidence = _deploy_script(facts)
    return [
        _item(
            "Add pre-migration database backup verification to deployment script",
            done=backs_up,
            evidence=backup_evidence,
        ),
        _item("Require migration code review before deployment", evidence=_reviewed(facts)),
        _item("Test migrations with production-like data locally", evidence=_rehearsed(facts)),
        _item("Test rollback locally before deploying"),
        _item("Document all data migrations with analysis comments"),
        _item("Use the Laravel Safe Migrations skill for future data migrations"),
        _item("Add automated tests for critical migrations"),
        _item("Set up database backup monitoring/alerts"),
    ]


def _item(*parts: str | Code | Phrase, done: bool = False, evidence: Phrase = ()) -> ActionItem:
    return ActionItem(done=done, phrase=phrase(*parts), evidence=evidence)


def _deploy_script(facts: Facts) -> tuple[bool, Phrase]:
    """Return whether the deploy script's backup is proven good (it makes one, and none that was looked at is unusable)."""
    data = read(assessment(facts.log))
    backs_up = data.flag("backs_up_before_migrating")
    if backs_up is None:
        return False, phrase("not known whether the deploy script backs up before migrating")
    answer = phrase("deploy script backs up before migrating: ", "yes" if backs_up else "no", *_script(data))
    unusable = [backup for backup in backups_of(facts.log) if backup.usable is False]
    if backs_up and unusable:
        return False, phrase(
            answer, f"; but {counted(len(unusable), 'backup')} could not be used, so it is not verified"
        )
    return backs_up, answer


def _script(data: Reading) -> tuple[str | Code, ...]:
    script = data.text("deploy_script")
    return (", ", Code(script)) if script else ()


def _reviewed(facts: Facts) -> Phrase:
    proposed = deployed_proposal(facts)
    if not proposed.values:
        return ()
    found = [one for one in proposed.parts("findings") if one.text("severity") not in NOTHING_TO_MEND]
    words = counted(len(found), "finding") if found else "no findings"
    return phrase(
        "the corrected migration was reviewed here with ", words, "; not yet a rule before deployment"
    )


def _rehearsed(facts: Facts) -> Phrase:
    passed = [read(entry) for entry in facts.log.of(Kind.CORRECTED_REHEARSED) if read(entry).flag("passed")]
    if not passed:
        return ()
    commit = short_hash(passed[-1].text("commit") or NOT_RECORDED)
    return phrase("done here for commit ", Code(commit), " on a copy of production; not yet a rule")


def _reentry(facts: Facts) -> list[ActionItem]:
    """Return what nobody has ticked off of the lists of what could not be brought back."""
    return [
        _item(
            f"Re-enter what could not be brought back: {counted(one.whole('count'), 'row')} of ",
            Code(one.text("name") or NOT_RECORDED),
            *((", listed by key in ", Code(path)) if (path := one.text("file")) else ()),
        )
        for one, answer in lists_of(facts)
        if answer is None
    ]


def _bad_migration(facts: Facts) -> list[ActionItem]:
    """Return one item for all that the review found in it: the findings themselves stand under Root Cause."""
    found = findings_of_bad_migration(facts)
    if not found:
        return []
    name = facts.migration or f"(name {NOT_RECORDED})"
    first = marked(finding_words(found[0]))
    more = f"; {counted(len(found) - 1, 'more finding')} under Root Cause" if found[1:] else ""
    return [_item("Learn from the migration ", Code(name), ": ", first, more)]


def _deployed_findings(facts: Facts) -> list[ActionItem]:
    proposed = deployed_proposal(facts)
    commit = short_hash(proposed.text("commit") or NOT_RECORDED)
    return [
        _item(
            "Mend what the review still found in the deployed commit ",
            Code(commit),
            ": ",
            marked(finding_words(finding)),
        )
        for finding in proposed.parts("findings")
        if finding.text("severity") not in NOTHING_TO_MEND
    ]


def _shrunk(facts: Facts) -> list[ActionItem]:
    failed = [
        read(entry) for entry in facts.log.of(Kind.CORRECTED_REHEARSED) if read(entry).flag("passed") is False
    ]
    return [
        _item(
            "Count every table before and after a migration in its test: the rehearsal of ",
            Code(short_hash(data.text("commit") or NOT_RECORDED)),
            f" found {shrunk_words(data)}",
        )
        for data in failed
        if shrunk_words(data)
    ]


def _no_deploy_backup(facts: Facts) -> list[ActionItem]:
    data = read(assessment(facts.log))
    if data.flag("backs_up_before_migrating") is not False:
        return []
    script = data.text("deploy_script")
    return [
        _item(
            "Make the deploy script back up and verify before it migrates", f" ({script})" if script else ""
        )
    ]


def _unusable(facts: Facts) -> list[ActionItem]:
    bad = [backup for backup in backups_of(facts.log) if backup.usable is False]
    if not bad:
        return []
    verb = "was" if len(bad) == 1 else "were"
    reasons = tuple(part for number, backup in enumerate(bad) for part in _why_unusable(number, backup))
    return [
        _item(
            f"{counted(len(bad), 'backup')} {verb} not usable: ",
            reasons,
            ". Mend what makes them where the dump itself is bad, and verify each",
        )
    ]


def _why_unusable(number: int, backup: Backup) -> Phrase:
    reason = backup.reasons[0].rstrip(".") if backup.reasons else backup.word
    return phrase("; " if number else None, Code(backup.path), f" ({reason})" if reason else None)


def _web_root(facts: Facts) -> list[ActionItem]:
    paths = [backup.path for backup in backups_of(facts.log) if _under_web_root(backup)]
    return (
        [_item("Move dumps out of the web root, anyone might download them: ", codes(paths))] if paths else []
    )


def _under_web_root(backup: Backup) -> bool:
    told = any("web root" in reason.casefold() or "webroot" in reason.casefold() for reason in backup.reasons)
    return told or bool(WEB_ROOTS.intersection(PurePosixPath(backup.path).parent.parts))


def _no_checksum(facts: Facts) -> list[ActionItem]:
    bare = [
        backup
        for backup in backups_of(facts.log)
        if any(
            "no .sha256" in reason.casefold() or "no sha256" in reason.casefold() for reason in backup.reasons
        )
    ]
    if not bare:
        return []
    return [_item(f"Write a .sha256 file beside every backup: {len(bare)} had none")]


def _writers(facts: Facts) -> list[ActionItem]:
    seen = dict.fromkeys(w for entry in facts.log.of(Kind.FROZEN) for w in read(entry).texts("writers"))
    if not seen:
        return []
    return [
        _item(
            f"Make these stop in maintenance mode, they were still there after the freeze: {listed([*seen])}"
        )
    ]


def _freeze_broken(facts: Facts) -> list[ActionItem]:
    return [
        _item(
            "Find out what wrote during maintenance mode: ",
            read(entry).text("why") or entry.text or NOT_RECORDED,
        )
        for entry in facts.log.of(Kind.FREEZE_BROKEN)
    ]


def _seen_late(facts: Facts) -> list[ActionItem]:
    length = facts.figures.since_migration(facts.figures.detected_at)
    if length is None or length < SEEN_LATE:
        return []
    return [
        _item(
            f"Add a check after each deployment that sees such a loss: this one took {duration_words(length)} to be noticed"
        )
    ]


def _unanswered(facts: Facts) -> list[ActionItem]:
    items = []
    for call in escalations_of(facts.log):
        who = f" ({', '.join(call.contacts)})" if call.contacts else ""
        if call.acknowledged_after is None:
            items.append(
                _item(
                    f"Check the list of contacts: nobody answered the call of {facts.zone.stamp(call.at)}{who}"
                )
            )
        elif call.acknowledged_after > ANSWERED_LATE:
            length = duration_words(call.acknowledged_after)
            items.append(_item(f"Check the list of contacts: a call was answered only after {length}{who}"))
    return items


def _lost_for_good(facts: Facts) -> list[ActionItem]:
    totals = facts.recovery.totals
    if facts.recovery.cut_over is None or not totals.lost_for_good:
        return []
    known = (
        (totals.rows_lost, "row"),
        (totals.values_lost, "value"),
        (totals.unaccounted, "unaccounted item"),
    )
    words = [counted(number, noun) for number, noun in known if number]
    return [_item(f"Decide who is told of what could not be brought back: {listed(words)}")]


def _watch(facts: Facts) -> list[ActionItem]:
    data = read(facts.log.last(Kind.WATCH_ENDED))
    asked, minutes = data.number("shortened_from_minutes"), data.number("minutes")
    if asked is None:
        return []
    watched = "fewer minutes" if minutes is None else seconds_words(minutes * 60)
    return [
        _item(
            f"Look at the log once more: the watch was shortened from {seconds_words(asked * 60)} to {watched}"
        )
    ]


def _clean_up(facts: Facts) -> list[ActionItem]:
    path = read(facts.recovery.safety).text("path")
    if path is None:
        return []
    return [_item("When nobody needs it any more, remove the safety backup (by a person): ", Code(path))]


DERIVED: tuple[Callable[[Facts], list[ActionItem]], ...] = (
    _reentry,
    _lost_for_good,
    _bad_migration,
    _deployed_findings,
    _shrunk,
    _no_deploy_backup,
    _unusable,
    _web_root,
    _no_checksum,
    _writers,
    _freeze_broken,
    _seen_late,
    _unanswered,
    _watch,
    _clean_up,
)
