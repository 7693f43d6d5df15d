"""The post-mortem as people read it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.model.event import Kind
from bot.report.render import to_html, to_markdown
from bot.report.report import Report, report_of
from tests.unit.report.timelines import (
    BACKUP,
    GOOD_COMMIT,
    MIGRATION,
    PLAN,
    SAFETY,
    SHA,
    Row,
    at,
    entries_of,
    iso,
    story,
)

HEADINGS = [
    "# Migration Incident - 2025-11-26",
    "## What Happened",
    "## Impact",
    "## Root Cause",
    "## Resolution",
    "## Prevention",
    "## Timeline",
    "## Appendix: commands on the host",
]


def _report(rows: list[Row], now: float = 95) -> Report:
    return report_of(entries_of(rows), site="shop", now=at(now))


def _markdown(rows: list[Row], now: float = 95) -> str:
    return to_markdown(_report(rows, now))


def _changed(kind: Kind, **data: object) -> list[Row]:
    """Return the whole story with other data in the entries of a kind."""
    return [(*row[:4], {**row[4], **data}) if row[1] is kind else row for row in story()]


def test_headings_are_those_of_the_runbook():
    """The Markdown has the template's headings in its order, and nothing else on these levels."""
    lines = _markdown(story()).splitlines()
    assert [line for line in lines if line.startswith(("# ", "## "))] == HEADINGS


def test_what_is_known_is_said():
    """Backup, hashes, approvals, commit, checks and their persons stand in the resolution."""
    text = _markdown(story())
    for fact in (
        f"`{BACKUP}`",
        SHA,
        "3 min before the migration was deployed",
        f"`{SAFETY}`",
        "Ana Ruiz at 14:28:18; Mira Lindqvist at 14:29:00",
        f"`{GOOD_COMMIT}`",
        "| Home page loads | good | Ana Ruiz |",
        "Mira Lindqvist, after 2 min 24 s",
        "quiet over 30 min, 0 new errors",
        "**41 min in maintenance mode**",
    ):
        assert fact in text


def test_how_the_application_was_tested_is_told():
    """Each address, the walk, who ticked what and when, what nobody did, and in spite of what it was opened."""
    tested = {
        "passed": False,
        "reasons": ["/albums: HTTP 500, expected 200"],
        "pages": [{"path": "/albums", "status": 500, "ms": 71, "faults": ["HTTP 500, expected 200"]}],
        "browser": {
            "steps": [{"step": "open /", "ms": 900, "fault": None}],
            "console_errors": 2,
            "console_places": ["/app.js:7"],
            "failed_requests": 0,
            "failed_places": [],
        },
        "manual": [],
        "manual_items": ["Uploads work", "Editing works", "Home page loads"],
    }
    rows = [(*row[:4], tested) if row[1] is Kind.APP_TESTED else row for row in story()]
    cut_over = next(i for i, row in enumerate(rows) if row[1] is Kind.CUTOVER_DONE)
    tested_at = next(i for i, row in enumerate(rows) if row[1] is Kind.APP_TESTED)
    early = (rows[cut_over][0], Kind.DECISION_ANSWERED, "Ana Ruiz", "", _ticked("Home page loads", "ok"))
    ticks = [
        (rows[tested_at][0], Kind.DECISION_ANSWERED, "Ben Okafor", "", _ticked("Uploads work", "ok")),
        (rows[tested_at][0], Kind.DECISION_ANSWERED, "Ana Ruiz", "", _ticked("Editing works", "bad")),
    ]
    rows = [*rows[:cut_over], early, *rows[cut_over : tested_at + 1], *ticks, *rows[tested_at + 1 :]]
    against = {"in_spite_of": ["nobody has confirmed: Home page loads"]}
    text = _markdown([(*row[:4], {**row[4], **against}) if row[1] is Kind.REOPENED else row for row in rows])
    for line in (
        "| Before reopening | `/albums` | 500 | 71 | HTTP 500, expected 200 |",
        "| open / | 900 | good |",
        "| console errors | – | 2 (/app.js:7) |",
        "| Uploads work | good | Ben Okafor | ",
        "| Editing works | not good | Ana Ruiz | ",
        "| Home page loads | not confirmed | nobody | – |",
        "nobody has confirmed: Home page loads",
    ):
        assert line in text, line


def _ticked(item: str, answer: str) -> dict[str, object]:
    return {"purpose": f"manual:{item}", "question": f"Looked at by a person: {item}?", "answer": answer}


def test_users_that_were_counted_are_told_as_counted() -> None:
    """The number of the site's own question is nobody's word; what a person says is."""
    rows = story()
    for actor, told in (("backout", "50 (counted in the broken database)"), ("Ana Ruiz", "50 (Ana Ruiz)")):
        note = (rows[5][0], Kind.NOTE, actor, "Users affected: 50", {"topic": "users affected"})
        assert f"**Users affected:** {told}" in _markdown([*rows[:5], note, *rows[5:]])


def test_the_summary_counts_what_was_taken_and_what_is_gone():
    """The first paragraph alone tells a reader how bad it was and how it ended."""
    first = _markdown(story()).split("\n\n")[1]
    assert "took 1,204 rows and 38,204 values, noticed 12 min 24 s after its deployment" in first
    assert "1,204 rows and 38,192 values were brought back" in first
    assert "lost for good: 12 values" in first


def test_rows_written_since_the_backup_are_not_called_lost():
    """What people wrote between backup and discovery is named as still there, and kept (HAZARDS R8)."""
    text = _markdown(story())
    assert "14 rows written since the backup were still there, not lost" in text
    assert "14 rows written since the backup are kept" in text


def test_the_loss_is_the_one_found_before_the_cut_over():
    """An assessment after the recovery, which finds nothing, does not replace the damage in the report."""
    after: Row = (40, Kind.ASSESSED, "backout", "", {"loss": {"verdict": "none", "tables": [], "totals": {}}})
    rows = sorted([*story(), after], key=lambda row: row[0])
    assert _report(rows).loss.rows_lost == 1204


def test_the_plan_of_the_cut_over_counts_not_a_later_one():
    """A plan made after the cut-over does not change which backup production was restored from."""
    later: Row = (60, Kind.PLAN_MADE, "backout", "", {"plan_hash": "f" * 64, "backup_path": "/other.sql"})
    assert f"**Restored from:** `{BACKUP}`" in _markdown(sorted([*story(), later], key=lambda row: row[0]))


def test_an_approval_of_another_plan_is_not_claimed():
    """Only who approved the plan that went live is named as its approver."""
    stranger: Row = (28.0, Kind.APPROVED, "Eve", "", {"plan_hash": "e" * 64, "person": "Eve"})
    text = _markdown(sorted([*story(), stranger], key=lambda row: row[0]))
    line = next(line for line in text.splitlines() if line.startswith("- **Approved by:**"))
    assert "Eve" not in line
    assert PLAN[:12] in text


def test_a_first_fix_that_was_stopped_is_told_with_its_reason():
    """The corrected commit that its rehearsal stopped stands among the refusals, and becomes an action item."""
    text = _markdown(story())
    assert "The rehearsal on a copy stopped the corrected commit `9c1fe27ab3d0`" in text
    assert "comments from 10,000 to 0 rows" in text
    assert "Count every table before and after a migration in its test" in text


def test_root_cause_is_asked_for_until_a_person_answers():
    """Without an answer it says so and gives the evidence; with one it quotes the person."""
    unanswered = [row for row in story() if row[1] is not Kind.NOTE]
    assert "**Root cause: asked, not answered yet.**" in _markdown(unanswered)
    assert "no copy of `subtitle` before it is dropped (line 31)" in _markdown(unanswered)
    assert "> up() dropped albums.subtitle" in _markdown(story())
    assert "asked, not answered yet" not in _markdown(story())


def test_root_cause_by_decision_and_its_correction():
    """A decision about the root cause is its answer too; a correction stands in its place."""
    rows: list[Row] = [
        (1, Kind.INCIDENT_OPENED, "Ana", "", {}),
        (2, Kind.DECISION_ANSWERED, "Ana", "", {"question": "What was the root cause?", "answer": "haste"}),
        (3, Kind.CORRECTION, "Ben", "", {"of": 2, "text": "no review"}),
    ]
    assert "> haste" in _markdown(rows[:2])
    assert "> no review" in _markdown(rows)
    assert "**Corrected** by Ben" in _markdown(rows)


def test_checklist_is_ticked_only_by_evidence():
    """The deploy script's backup is ticked when it makes one and no backup looked at was unusable."""
    good = [{"path": BACKUP, "word": "VERIFIED", "reasons": []}]
    ticked = "- [x] Add pre-migration database backup verification to deployment script"
    assert ticked in _markdown(_changed(Kind.BACKUPS_LISTED, backups=good))
    assert "deploy script backs up before migrating: yes, `/home/shop/deploy.sh`" in _markdown(story())
    assert ticked not in _markdown(story())
    assert ticked not in _markdown(_changed(Kind.ASSESSED, backs_up_before_migrating=None))
    assert _markdown(story()).count("- [x]") == 0


@pytest.mark.parametrize(
    "wanted",
    [
        "no copy of `subtitle` before it is dropped (line 31)",
        "2 backups were not usable",
        "Move dumps out of the web root",
        "Write a .sha256 file beside every backup: 1 had none",
        "Make these stop in maintenance mode",
        "this one took 12 min 24 s to be noticed",
        "Decide who is told of what could not be brought back: 12 values",
        "remove the safety backup (by a person)",
    ],
)
def test_action_items_follow_from_the_incident(wanted: str):
    """What went badly becomes an action item of its own."""
    items = [line for line in _markdown(story()).splitlines() if line.startswith("- [ ] ")]
    assert any(wanted in item for item in items)


def test_a_call_nobody_answered_is_an_action_item():
    """A contact who never answered has to be looked at."""
    silent = [row for row in story() if row[1] is not Kind.ACKNOWLEDGED]
    assert "nobody answered the call of" in _markdown(silent)


def test_an_undone_recovery_claims_nothing():
    """After an undo without another cut-over nothing is said to be restored."""
    undo: Row = (30, Kind.UNDO_DONE, "backout", "", {"person": "Mira"})
    text = _markdown([row for row in story() if row[0] < 29.5] + [undo])
    assert "**The cut-over was undone: production holds the data it had before it.**" in text
    assert "Restored from" not in text
    assert "brought back" not in text.split("\n\n")[1]


def test_an_undone_corrected_migration_is_not_called_deployed():
    """An undo of the corrected migration alone leaves the restored database, and no commit is said to be deployed."""
    undo: Row = (50, Kind.UNDO_DONE, "backout", "", {"person": "Mira", "of": "corrected"})
    text = _markdown([*(row for row in story() if row[0] < 50), undo])
    assert f"**Restored from:** `{BACKUP}`" in text
    assert "- **Corrected migration:** none deployed" in text


def test_an_approval_of_a_plan_that_became_void_does_not_count():
    """Only approvals given after the plan was void, if any, are named."""
    void: Row = (28.5, Kind.PLAN_VOID, "backout", "the live database changed", {"plan_hash": PLAN})
    text = _markdown(sorted([*story(), void], key=lambda row: row[0]))
    line = next(line for line in text.splitlines() if line.startswith("- **Approved by:**"))
    assert line == "- **Approved by:** Mira Lindqvist at 14:29:00"


def test_no_loss_is_said_plainly():
    """A closed false alarm does not speak of lost data."""
    rows: list[Row] = [
        (1, Kind.INCIDENT_OPENED, "Ana", "", {"title": "Rows gone?"}),
        (2, Kind.ASSESSED, "backout", "", {"loss": {"verdict": "none", "tables": []}, "bad_migration": "m1"}),
        (3, Kind.INCIDENT_CLOSED, "Ana", "", {"outcome": "no loss"}),
    ]
    assert "nothing was found missing" in _markdown(rows).split("\n\n")[1]


def test_an_open_incident_is_a_draft():
    """The report can be asked for at any time, and says when it is not final."""
    rows = story()[:10]
    assert "**Draft: the incident is not closed.**" in _markdown(rows, 25)
    assert "Draft: the incident is not closed" in to_html(_report(rows, 25))
    assert "Draft" not in _markdown(story())


def test_an_empty_timeline_gives_a_report():
    """Nothing recorded: every fact says so, none is made up."""
    text = _markdown([])
    assert "## Timeline\n\nThe timeline is empty." in text
    assert "not recorded" in text


JUNK = [
    None,
    "text",
    7,
    -1.5,
    -1e300,
    True,
    [],
    [None, 3, "x", {}],
    {"totals": [], "tables": "x", "a": {"b": None}},
]
"""What stands in an entry of an older or damaged shape."""


def _assert_written(kinds: Iterable[Kind], junk: object) -> None:
    keys = sorted({key for row in story() for key in row[4]})
    rows = [(15 + place, kind, "", "", dict.fromkeys(keys, junk)) for place, kind in enumerate(kinds)]
    report = _report([*story()[:3], *rows])
    assert to_markdown(report)
    assert to_html(report)


@pytest.mark.parametrize("junk", JUNK, ids=repr)
def test_data_of_any_shape_does_not_stop_the_report(junk: object):
    """Entries of an older or damaged shape are read as far as they can be; both forms are written."""
    _assert_written(Kind, junk)


@pytest.mark.long
@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("junk", JUNK, ids=repr)
def test_no_kind_of_any_shape_stops_the_report(kind: Kind, junk: object):
    """The same for an entry of each kind alone, whatever another kind would hide."""
    _assert_written([kind], junk)


@pytest.mark.parametrize("left_out", sorted({row[1] for row in story()}))
def test_any_kind_of_entry_may_be_missing(left_out: Kind):
    """Whatever was not recorded, the rest of the report is written."""
    report = _report([row for row in story() if row[1] is not left_out])
    assert to_markdown(report)
    assert to_html(report)


def test_times_are_written_in_the_zone_of_the_readers():
    """The same incident read in Berlin shows Berlin's time, and names the zone."""
    report = report_of(entries_of(story()), site="shop", now=at(95), people_times=ZoneInfo("Europe/Berlin"))
    text = to_markdown(report)
    assert "- 15:00:12: **Migration deployed**" in text
    assert "Times are CET" in text


def test_an_incident_over_midnight_dates_its_timeline():
    """Where it spans two days every line of the timeline has its date, and they are in order."""
    rows: list[Row] = [
        (0, Kind.INCIDENT_OPENED, "Ana", "", {}),
        (11 * 60, Kind.REOPENED, "backout", "", {"up_at": iso(11 * 60)}),
    ]
    text = _markdown(rows, 12 * 60)
    assert "- 2025-11-26 14:00:00: **Incident opened**" in text
    assert "- 2025-11-27 01:00:00: **Application back online**" in text


def test_every_command_on_the_host_is_listed():
    """Each has time, person, host, exit status and duration; one without a status says that it is unknown."""
    appendix = _markdown(story()).split("## Appendix: commands on the host")[1]
    assert (
        "| 14:13:06 | Ana Ruiz | web1.example.net:22 | `cd /home/shop/app && php artisan migrate:status` | 0 | 0.61 s |"
        in appendix
    )
    assert "unknown (link cut; looked up: done)" in appendix
    assert "4 commands, 0 with an exit status other than 0, 1 without one" in appendix


def test_figures_are_there_for_other_readers():
    """Chat and console can take the numbers from the report without reading its text."""
    report = _report(story())
    assert report.figures.downtime == timedelta(minutes=41)
    assert report.loss.values_moved == 48_210
    assert report.final


def test_the_report_shows_what_the_deployed_commit_brought() -> None:
    """Incoming commits, changed files and the review's findings by file and line stand in the section of the resolution."""
    text = _markdown(story())
    assert "Commits that were deployed" in text
    assert "Copy subtitles first, keep comments" in text
    assert "`app/Titles.php` (added)" in text
    assert f"{MIGRATION}.php:58" in text
