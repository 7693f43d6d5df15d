"""Choosing a backup (B1–B4, B7, B8): what the literal commands show and load, and what Backout says of the same files."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from adapters.host_reader.files import find
from adapters.host_reader.inspect import inspect
from adapters.host_reader.scripts import scripts
from tests.hazards.typed import number, typed
from tests.hazards.watched import PASSWORD, Watched
from tests.site.production import Production

LIVE_TABLES = [
    "users",
    "photos",
    "comments",
    "tags",
    "photo_tag",
    "jobs",
    "failed_jobs",
    "posts",
    "migrations",
]
SHORTEST = 12
"""Shorter texts ("NULL", "old") stand in any page by chance."""


def judged(site: Production, path: Path) -> dict[str, Any]:
    """Return what Backout's reader says of one backup file."""
    with closing(sqlite3.connect(site.database_path)) as live:
        names = [row[0] for row in live.execute("select migration from migrations order by id")]
    expect = {
        "engine": "sqlite",
        "tables": LIVE_TABLES,
        "database": str(site.database_path),
        "migrations": names,
    }
    return inspect({"path": str(path), "before": site.bad_migration, "expect": expect})


def word(site: Production, path: Path) -> str:
    """Return the verdict on one backup file."""
    return str(judged(site, path)["verdict"]["word"])


def found(site: Production, *roots: Path) -> set[str]:
    """Return the names of the files that Backout's search takes for backups."""
    answer = find(
        {
            "roots": [str(root) for root in roots],
            "live": str(site.database_path),
            "app_path": str(site.app_path),
        }
    )
    return {Path(file["path"]).name for file in answer["files"]}


def texts_of_people(site: Production) -> set[str]:
    """Return every text that people typed: captions, comments, names and addresses, of before and of since."""
    questions = {
        site.oracle_path / "before.sqlite": ("select caption from photos", "select body from comments"),
        site.database_path: (
            "select caption from posts",
            "select body from comments",
            "select email from users",
            "select location from photos where length(location) > 15",
        ),
    }
    texts: set[str] = set()
    for path, selects in questions.items():
        with closing(sqlite3.connect(path)) as database:
            texts |= {row[0] for select in selects for row in database.execute(select) if row[0]}
    return {text for text in texts if len(text) >= SHORTEST}


def test_b1_the_newest_by_time_was_taken_after_the_harm(production_template: Production) -> None:
    """`ls -t | head -1` names the nightly dump that holds the bad migration; Backout refuses it and takes the right one."""
    site = production_template
    newest = typed(site, "ls -t | head -1", at=site.backups_path).stdout.strip()
    assert newest.startswith("nightly-")
    assert site.bad_migration in (site.backups_path / newest).read_text(encoding="utf-8")
    assert word(site, site.backups_path / newest) == "REFUSED"
    assert word(site, site.good_backup) == "VERIFIED"


def test_b1_copying_makes_an_old_backup_the_newest(stopped: Production) -> None:
    """After `cp` the oldest backup is the newest by time; Backout's choice stays the same."""
    site = stopped
    old = min(site.backups_path.glob("*.gz"), key=lambda path: path.stat().st_mtime)
    typed(site, f"sleep 0.02; cp {old} {old.parent}/weekly.sql.gz")
    assert typed(site, "ls -t | head -1", at=site.backups_path).stdout.strip() == "weekly.sql.gz"
    copied, good = judged(site, site.backups_path / "weekly.sql.gz"), judged(site, site.good_backup)
    assert copied["verdict"]["older_by"] > good["verdict"]["older_by"] == 0


def test_b2_looking_into_a_dump_shows_what_people_wrote(
    production_template: Production, watched: Watched
) -> None:
    """`head -n 50` prints people's addresses; nothing that Backout said or keeps of a whole incident holds a single text."""
    site = production_template
    shown = typed(site, f"head -n 50 {site.good_backup}").stdout
    texts = texts_of_people(site)
    assert any(text in shown for text in texts)
    assert len(texts) > 1500
    leaks = {(place, text[:40]) for place, said in watched.said.items() for text in texts if text in said}
    assert leaks == set()


def test_b3_a_dump_cut_at_a_statement_restores_with_success(
    production_template: Production, tmp_path: Path
) -> None:
    """`sqlite3 db < cut.sql` ends with 0 and leaves an empty database; Backout refuses the dump."""
    site, cut, restored = production_template, tmp_path / "cut.sql", tmp_path / "restored.sqlite"
    lines = site.good_backup.read_bytes().splitlines(keepends=True)
    cut.write_bytes(b"".join(lines[: lines.index(b"COMMIT;\n", 40)]))
    assert typed(site, f"sqlite3 {restored} < {cut}").returncode == 0
    assert number(restored, "select count(*) from sqlite_master") == 0
    assert word(site, cut) == "REFUSED"


def test_b3_a_sound_archive_of_a_cut_dump_restores_with_success(
    production_template: Production, tmp_path: Path
) -> None:
    """Cut before it was compressed: `gzip -t` and `zcat | sqlite3` both end with 0; Backout refuses it."""
    site, packed, restored = production_template, tmp_path / "cut.sql.gz", tmp_path / "restored.sqlite"
    typed(site, f"grep -v '^COMMIT;$' {site.good_backup} | gzip > {packed}")
    assert typed(site, f"gzip -t {packed}").returncode == 0
    assert typed(site, f"zcat {packed} | sqlite3 {restored}").returncode == 0
    assert number(restored, "select count(*) from sqlite_master") == 0
    assert word(site, packed) == "REFUSED"


def test_b4_find_by_name_misses_backups_and_takes_a_schema(stopped: Production, tmp_path: Path) -> None:
    """`find -name '*.sql'` misses packed and unnamed backups and lists a schema without rows; Backout's search does not."""
    site = stopped
    typed(
        site,
        f"cp {site.good_backup} {site.backups_path}/before-deploy && gzip -k {site.backups_path}/before-deploy",
    )
    listed = typed(site, f"find {site.folder} -name '*.sql' -type f -mtime -7").stdout
    by_name = {Path(line).name for line in listed.splitlines()}
    ours = found(site, site.backups_path, site.app_path / "database")
    assert "mysql-schema.sql" in by_name
    assert "mysql-schema.sql" not in ours
    assert {"before-deploy", "before-deploy.gz"} & by_name == set()
    assert {"before-deploy", "before-deploy.gz", site.good_backup.name} < ours
    assert {name for name in ours if name.endswith((".gz", ".zst"))} > {"before-deploy.gz"}


def test_b4_a_backup_under_the_web_root_is_said_to_be(stopped: Production) -> None:
    """A dump that anyone may download is served with 200 by the web front's folder; Backout marks it."""
    public = stopped.app_path / "public"
    shutil.copy(stopped.good_backup, public / "dump.sql")
    answer = find({"roots": [str(public)], "web_root": str(public)})
    assert [file["under_web_root"] for file in answer["files"]] == [True]


def test_b7_grep_backup_prints_the_password_and_backout_never_says_it(
    production_template: Production, watched: Watched
) -> None:
    """`cat deploy.sh | grep backup` shows the database password; Backout reads the same script and tells the folder only."""
    site = production_template
    assert PASSWORD in typed(site, f"cat {site.deploy_script} | grep backup").stdout
    told = scripts({"paths": [str(site.deploy_script)], "app_path": str(site.app_path)})
    assert str(site.backups_path) in str(told)
    assert PASSWORD not in str(told)
    assert [place for place, said in watched.said.items() if PASSWORD in said] == []
    assert [line for line in watched.shown_by_ps if PASSWORD in line] == []


def test_b7_another_sites_dump_is_listed_by_find_and_refused(production_template: Production) -> None:
    """`find` gives the blog's dump like any other; Backout says that it is another site's."""
    site = production_template
    (blog,) = site.backups_path.glob("blog-*.sql")
    assert str(blog) in typed(site, f"find {site.folder} -name '*.sql' -type f -mtime -7").stdout
    assert word(site, blog) == "REFUSED"


def test_b8_the_end_markers_text_stands_in_captions(production_template: Production, tmp_path: Path) -> None:
    """A dump cut in the middle holds "Dump completed" in people's captions; Backout looks at its end and refuses it."""
    site, cut = production_template, tmp_path / "cut.sql"
    lines = site.good_backup.read_text(encoding="utf-8").splitlines(keepends=True)
    last = max(number for number, line in enumerate(lines) if "-- Dump completed" in line)
    cut.write_text("".join(lines[: last + 1]), encoding="utf-8")
    assert "Dump completed" in typed(site, f"tail -c 400 {cut}").stdout
    assert word(site, cut) == "REFUSED"


def test_b8_equal_contents_have_unequal_files(stopped: Production) -> None:
    """Two dumps of one content differ in their bytes where the file was packed again; the manifest is what is compared."""
    one, two = stopped.backups_path / "one.sql.gz", stopped.backups_path / "two.sql.gz"
    typed(stopped, f"gzip -1c {stopped.good_backup} > {one}; gzip -9c {stopped.good_backup} > {two}")
    first, second = judged(stopped, one)["manifest"], judged(stopped, two)["manifest"]
    assert first["sha256"] != second["sha256"]
    assert (first["tables"], first["migrations"]) == (second["tables"], second["migrations"])
