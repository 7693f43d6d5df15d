"""The verdict's rules, and the order of several backups."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.dumps.manifest import ABSENT, BLOCK, IMPOSSIBLE, NOTE, PRESENT, Hazard, Manifest, TableEntry
from bot.dumps.rank import rank
from bot.dumps.site_match import Expectation
from bot.dumps.verdict import Verdict, Word, exit_status, judge

LIVE = ["2024_01_01_a", "2024_02_01_b", "2024_03_01_c", "2025_01_01_bad"]
BAD = LIVE[-1]
SITE = Expectation(
    engine="mysql", tables=frozenset({"migrations", "albums", "notes"}), database="album", migrations=LIVE
)


def backup(names: list[str] = LIVE[:3], **changes: Any) -> Manifest:
    tables = {
        "migrations": TableEntry(rows=len(names)),
        "albums": TableEntry(rows=5),
        "notes": TableEntry(rows=0),
    }
    rows = [{"name": name, "batch": 1} for name in names]
    whole = Manifest(
        format="mysql_dump", end_marker=PRESENT, tables=tables, migrations=rows, database="album"
    )
    return replace(whole, **changes)


def verdict(manifest: Manifest, before: str | None = BAD, site: Expectation = SITE) -> Verdict:
    return judge(manifest, [], before, site)


def test_a_whole_backup_from_before_is_verified() -> None:
    """A whole backup with every earlier migration and without the bad one is VERIFIED and says why."""
    found = verdict(backup())

    assert (found.word, found.older_by) == (Word.VERIFIED, 0)
    assert "3 of 3 earlier ones are there" in found.reasons[-1]


def test_an_older_backup_is_verified_with_a_note() -> None:
    """A backup that lacks the newest earlier migrations is good, and says how much older it is."""
    found = verdict(backup(LIVE[:1]))

    assert (found.word, found.older_by) == (Word.VERIFIED, 2)
    assert "2 migrations older" in found.notes[0]


def test_a_backup_from_after_the_migration_is_refused() -> None:
    """The bad migration's name in the backup refuses it, and the reason says so."""
    found = verdict(backup(LIVE))

    assert found.word is Word.REFUSED
    assert "taken after the migration" in found.reasons[0]


def test_a_history_with_a_hole_is_refused() -> None:
    """A backup that lacks a migration but holds later ones was never a state of this site."""
    assert "not a state this site was in" in verdict(backup([LIVE[0], LIVE[2]])).reasons[0]


def test_an_unrecorded_migration_counts_by_its_name() -> None:
    """Where the bad migration was never recorded, the earlier ones are those with smaller names."""
    site = replace(SITE, migrations=LIVE[:3])

    assert verdict(backup(LIVE[:3]), BAD, site).word is Word.VERIFIED


def test_each_flaw_is_refused_in_plain_words() -> None:
    """Cut, empty, structure only, wrong engine, wrong database and wrong site each have their own reason."""
    flaws = {
        "cut short": backup(end_marker=ABSENT),
        "no tables": backup(tables={}),
        "structure only": backup(tables={"migrations": TableEntry(rows=3), "albums": TableEntry(rows=0)}),
        "no migrations table": backup(migrations=None),
        "migrations table is empty": backup(migrations=[]),
        "runs on mysql": backup(format="sqlite_dump"),
        "'shop'": backup(database="shop"),
        "not the site's": backup(tables={"migrations": TableEntry(rows=3), "orders": TableEntry(rows=9)}),
        "unknown to the site": backup(["2020_01_01_x", "2020_01_02_y", LIVE[0]]),
        "quick_check": backup(integrity="failed"),
        "is damaged: it is short": backup(damage="it is short"),
        "not a database backup": backup(format=None),
    }

    for words, manifest in flaws.items():
        found = verdict(manifest)
        assert found.word is Word.REFUSED, words
        assert words in " | ".join(found.reasons)


def test_a_blocking_hazard_refuses_and_a_note_does_not() -> None:
    """A hazard that blocks is a reason to refuse; one that is noted is told and decides nothing."""
    block, note = Hazard("use_database", BLOCK, "it names a database"), Hazard("definer", NOTE, "a DEFINER")

    assert judge(backup(), [block], BAD, SITE).reasons == ["it names a database"]
    assert judge(backup(), [note], BAD, SITE).notes == ["a DEFINER"]
    assert judge(backup(), [note], BAD, SITE).word is Word.VERIFIED


def test_what_cannot_be_proven_by_reading_is_not_verified() -> None:
    """No possible marker, uncounted rows or a missing program: COULD NOT VERIFY, with what would help."""
    uncounted = {"migrations": TableEntry(rows=3), "albums": TableEntry(rows=None)}

    assert verdict(backup(end_marker=IMPOSSIBLE)).word is Word.COULD_NOT_VERIFY
    assert "loading it into scratch" in verdict(backup(tables=uncounted)).reasons[0]
    assert judge(backup(), [], BAD, SITE, unread="no zstd here").reasons == ["no zstd here"]


def test_without_a_site_only_the_file_is_judged() -> None:
    """With nothing known about the site, a whole backup is VERIFIED on what it holds."""
    assert judge(backup(), [], None, Expectation()).word is Word.VERIFIED


def test_a_request_may_say_mariadb_and_give_rows() -> None:
    """An expectation reads engine aliases, tables as a mapping and migrations as rows."""
    site = Expectation.from_request(
        {"engine": "mariadb", "tables": {"albums": 1}, "migrations": [{"migration": "m"}]}
    )

    assert (site.engine, site.tables, site.migrations) == ("mysql", frozenset({"albums"}), ["m"])


def test_exit_statuses_tell_the_verdicts_apart() -> None:
    """0, 1 and 2 for VERIFIED, REFUSED and COULD NOT VERIFY."""
    assert [exit_status({"word": word.value}) for word in Word] == [0, 1, 2]


def _inspection(
    path: str, word: str, older_by: int = 0, completed: str | None = None, mtime: str = "2026"
) -> Any:
    return {
        "manifest": {"path": path, "completed": completed, "mtime": mtime},
        "verdict": {"word": word, "older_by": older_by},
    }


def test_backups_are_ranked_by_content_before_time() -> None:
    """The recommended one is VERIFIED and has most of the migrations, even where the file of another is newer."""
    older = _inspection("older", "VERIFIED", older_by=2, mtime="2027")
    early = _inspection("early", "VERIFIED", completed="2026-01-01", mtime="2028")
    best = _inspection("best", "VERIFIED", completed="2026-02-01", mtime="2025")
    unsure = _inspection("unsure", "COULD NOT VERIFY", mtime="2029")
    refused = _inspection("refused", "REFUSED", mtime="2030")

    ranking = rank([refused, older, unsure, early, best])

    assert [found["manifest"]["path"] for found in ranking.ordered] == [
        "best",
        "early",
        "older",
        "unsure",
        "refused",
    ]
    assert ranking.recommended is best
    assert "newest of 3 VERIFIED backups" in ranking.why


def test_nothing_verified_recommends_nothing() -> None:
    """Where no backup is VERIFIED none is recommended, and the way on is said."""
    ranking = rank([_inspection("unsure", "COULD NOT VERIFY")])

    assert ranking.recommended is None
    assert "loaded into scratch" in ranking.why


def test_what_the_live_server_lacks_is_noted() -> None:
    """A newer server's backup, another family's and one without the live routines are VERIFIED with a note."""
    newer = backup(server_version="11.4.2-MariaDB", schema_objects={"routines": 0})
    live = replace(SITE, version="10.11.19-MariaDB-log", objects={"routines": 2})

    found = verdict(newer, site=live)

    assert found.word is Word.VERIFIED
    assert "newer than the live server" in found.notes[0]
    assert found.notes[1] == (
        "it holds no routines, and the live database has 2: a swap to this backup would leave them out, a repair keeps them"
    )
    assert "do not know all" in verdict(backup(server_version="8.0.36"), site=live).notes[0]
    assert verdict(backup(server_version="10.11.2-MariaDB"), site=live).notes == []


def test_events_that_a_backup_lacks_stay_as_they_are() -> None:
    """A cut-over moves no events, and the note says so; a kind that the backup's format does not tell is not noted."""
    live = replace(SITE, objects={"events": 1, "routines": 2})

    found = verdict(backup(schema_objects={"events": 0}), site=live)

    assert found.notes == [
        "it holds no events, and the live database has 1: a cut-over leaves them as they are"
    ]


def test_where_lives_tables_are_not_known_no_backup_is_another_sites() -> None:
    """A single file that is inspected before an assessment is judged without live's tables, not refused for them."""
    unknown = Expectation.from_request({"engine": "mysql", "tables": None, "version": None, "objects": {}})

    assert verdict(backup(), site=replace(SITE, tables=unknown.tables)).word is Word.VERIFIED


def test_a_newer_pg_dump_is_noted_by_its_first_number() -> None:
    """pg_dump 17 for a server of 15 is noted, 15.9 for 15.2 is not."""
    site = Expectation(engine="pgsql", version="15.2 (Debian)")

    made = backup(format="pg_plain", tool_version="pg_dump version 17.1")

    assert "newer than the live server" in verdict(made, site=site).notes[0]
    assert verdict(replace(made, tool_version="pg_dump version 15.9"), site=site).notes == []


def test_tables_that_only_live_has_are_named() -> None:
    """Tables missing from the backup are named in a note."""
    site = replace(SITE, tables=frozenset({"migrations", "albums", "notes", "orders"}))

    assert verdict(backup(), site=site).notes == ["it lacks 1 table that the live database has: orders"]


def test_the_list_of_migrations_may_have_another_name() -> None:
    """With a prefix it is known by its own name: its rows are no data, and without it a backup cannot be told from when it is."""
    site = replace(SITE, migrations_table="app_migrations")
    whole = {**backup().tables, "app_migrations": TableEntry(rows=3)}
    del whole["migrations"]
    assert verdict(backup(tables=whole), site=site).word is Word.VERIFIED
    bare = {name: replace(entry, rows=3 if name == "app_migrations" else 0) for name, entry in whole.items()}
    assert "structure only" in verdict(backup(tables=bare), site=site).reasons[0]
    assert "(app_migrations)" in verdict(backup(migrations=None), site=site).reasons[0]
