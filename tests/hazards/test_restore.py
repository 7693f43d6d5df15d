"""The restore (R4, R6–R8, R12): what `cp` and a plain load leave behind, and that Backout does not."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from adapters.host_reader.sqlite_verbs import (
    sqlite_cutover,
    sqlite_fingerprint,
    sqlite_load,
    sqlite_orphans,
    sqlite_swap_prepare,
)
from tests.hazards.typed import back_to_before, change, column, number, typed
from tests.hazards.watched import Watched
from tests.site.production import Production
from tests.site.since import Record

CAPTION = "select count(*) from pragma_table_info('photos') where name = 'caption'"


def restored(site: Production, folder: Path) -> Path:
    """Return the good backup as a database file, loaded by the sqlite3 program."""
    path = folder / "restored.sqlite"
    typed(site, f"sqlite3 {path} < {site.good_backup}")
    return path


def fingerprint(path: Path) -> str:
    """Return Backout's fingerprint of a database."""
    return str(sqlite_fingerprint({"path": str(path)})["fingerprint"])


def test_r4_cp_over_a_wal_keeps_the_broken_state(stopped: Production, tmp_path: Path) -> None:
    """`cp` over a database with a -wal ends with 0 and brings nothing usable; the cut-over brings the content itself."""
    live, good, spoilt = stopped.database_path, restored(stopped, tmp_path), tmp_path / "spoilt.sqlite"
    change(good, "pragma journal_mode=wal;")
    change(live, "pragma journal_mode=wal;")
    with closing(sqlite3.connect(live, isolation_level=None)) as application:
        application.execute("pragma wal_autocheckpoint=0")
        application.execute("update photos set updated_at = '2025-11-25 13:00:00'")
        typed(stopped, f"cp {live} {spoilt}; cp {live}-wal {spoilt}-wal")
        assert typed(stopped, f"cp {good} {spoilt}").returncode == 0
        assert not looks_restored(spoilt)
        sqlite_cutover(
            {
                "source": str(good),
                "target": str(live),
                "expect_source_fingerprint": fingerprint(good),
                "expect_target_fingerprint": fingerprint(live),
                "journal_mode": "wal",
            }
        )
        assert application.execute("select count(caption) from photos").fetchone()[0] == 1800
    assert looks_restored(live)


def looks_restored(path: Path) -> bool:
    """Return whether a database is readable and has its captions and comments."""
    try:
        with closing(sqlite3.connect(path)) as database:
            counts = database.execute(
                "select (select count(caption) from photos), (select count(*) from comments)"
            ).fetchone()
            whole = database.execute("pragma integrity_check").fetchone()[0] == "ok"
    except sqlite3.Error:
        return False
    return bool(whole and counts == (1800, 400))


def test_r6_a_load_goes_on_past_errors_and_keeps_orphans(
    production_template: Production, tmp_path: Path
) -> None:
    """With foreign keys off a dump brings comments without a photo, checked never again; Backout counts them per key."""
    # On SQLite an error within a script gives status 1, and what came after it is loaded all the same; the status 0 of
    # `SOURCE` is MariaDB's.
    site, dump, loaded = production_template, tmp_path / "orphans.sql", tmp_path / "loaded.sqlite"
    text = site.good_backup.read_text(encoding="utf-8")
    kept = [line for line in text.splitlines() if not line.startswith("INSERT INTO photos VALUES(1,")]
    dump.write_text("\n".join(kept) + "\n", encoding="utf-8")
    change(tmp_path / "probe.sqlite", "create table t (a);")
    (tmp_path / "probe.sql").write_text(
        "insert into x values(1);\ninsert into t values(2);\n", encoding="utf-8"
    )
    assert typed(site, f"sqlite3 {tmp_path}/probe.sqlite < {tmp_path}/probe.sql").returncode == 1
    assert number(tmp_path / "probe.sqlite", "select count(*) from t") == 1
    assert typed(site, f"sqlite3 {loaded} < {dump}").returncode == 0
    assert typed(site, f"sqlite3 {loaded} 'pragma foreign_keys=on; pragma integrity_check'").stdout == "ok\n"
    ours = sqlite_load({"backup": str(dump), "target": str(tmp_path / "scratch.sqlite")})
    assert sum(dict(ours["foreign_key_violations"]).values()) > 0
    counted = sqlite_orphans({"path": str(loaded)})["foreign_keys"]
    orphans = number(loaded, "select count(*) from comments where photo_id not in (select id from photos)")
    assert sum(key["violations"] for key in counted if key["table"] == "comments") == orphans


def test_r7_finished_jobs_come_back_and_run_again(stopped: Production, watched: Watched) -> None:
    """The literal restore queues jobs that were done long ago; after Backout's the queue is what it was."""
    done = set(Record.load(stopped.oracle_path / "since.json").jobs_done)
    assert not done & set(column(stopped.database_path, "select id from jobs"))
    back_to_before(stopped)
    assert done <= set(column(stopped.database_path, "select id from jobs"))
    assert watched.jobs_before
    assert column(watched.site.database_path, "select id from jobs order by id") == watched.jobs_before


def test_r8_what_was_written_since_is_lost_by_cp_and_named_by_backout(
    stopped: Production, tmp_path: Path
) -> None:
    """The literal restore ends with 0 and the newer rows are gone; a swap names each by its key first."""
    since = Record.load(stopped.oracle_path / "since.json")
    uploads = {row["photo"]["id"] for row in since.uploads} - set(since.deleted_photos)
    broken, scratch = tmp_path / "broken.sqlite", restored(stopped, tmp_path)
    shutil.copy(stopped.database_path, broken)
    assert typed(stopped, f"cp {scratch} database/database.sqlite").returncode == 0
    assert not uploads & set(column(stopped.database_path, "select id from photos"))
    lists = tmp_path / "lists"
    lists.mkdir()
    answer = sqlite_swap_prepare(
        {
            "scratch": str(scratch),
            "live_copy": str(broken),
            "runtime_tables": ["jobs", "failed_jobs"],
            "lists_folder": str(lists),
        }
    )
    lost = answer["rows_would_be_lost"]["photos"]
    named = "".join(path.read_text(encoding="utf-8") for path in lists.rglob("*") if path.is_file())
    assert lost["new"] == len(uploads)
    assert uploads <= {int(word) for word in "".join(c if c.isdecimal() else " " for c in named).split()}


def test_r8_nothing_written_since_is_lost_in_a_played_incident(watched: Watched) -> None:
    """After the whole incident every upload of since is there, and the rehearsal had counted no row as lost."""
    since = Record.load(watched.site.oracle_path / "since.json")
    uploads = {row["photo"]["id"] for row in since.uploads} - set(since.deleted_photos)
    assert uploads <= set(column(watched.site.database_path, "select id from photos"))
    (rehearsed,) = watched.of("rehearsed")
    totals = rehearsed["data"]["totals"]
    assert (totals["rows_lost"], totals["values_lost"], totals["unaccounted"]) == (0, 0, 0)


def test_r12_dropping_a_column_empties_the_comments_and_the_rehearsal_stops_it(
    stopped: Production, watched: Watched
) -> None:
    """Laravel 8 on SQLite: the first corrected migration ends with 0 and takes all comments; Backout never ran it on production."""
    back_to_before(stopped)
    typed(stopped, f"git fetch -q origin && git checkout -q {stopped.corrected_commits[0]}")
    done = typed(stopped, "php artisan migrate --force")
    assert done.returncode == 0
    assert number(stopped.database_path, "select count(*) from comments") == 0
    stopped_by, passed = (entry["data"] for entry in watched.of("corrected.rehearsed"))
    assert stopped_by["passed"] is False
    assert stopped_by["shrunk"]["comments"][1] == 0
    assert passed["passed"] is True
    assert number(watched.site.database_path, "select count(*) from comments") >= 400
    assert json.dumps(watched.of("corrected.intent")[0]["data"]).count(stopped.corrected_commits[0]) == 0
