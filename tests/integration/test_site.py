"""The production that is recovered: that it is real, that its harm is real, and that its copies are apart."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.site.backups import dump_text
from tests.site.by_hand import http_status, play_by_hand
from tests.site.clone import clone_production
from tests.site.fixtures import production, production_template
from tests.site.history import git
from tests.site.production import Production, artisan, build, copy_database, deploy, load, start, stop
from tests.site.servers import is_alive
from tests.site.since import Record

__all__ = ["production", "production_template"]


def number(path: Path, sql: str) -> int:
    """Return the one number of a query."""
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute(sql).fetchone()[0])


def send(url: str, method: str, **fields: str) -> str:
    """Send a form as a browser does, follow the redirect, and return the page."""
    request = urllib.request.Request(url, urllib.parse.urlencode(fields).encode(), method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.read().decode())


def ssh(site: Production, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command on the production's host, with its user key and nothing else."""
    options = (f"UserKnownHostsFile={site.known_hosts_path}", "StrictHostKeyChecking=yes", "BatchMode=yes")
    words = [
        "ssh",
        "-F",
        "none",
        "-i",
        str(site.user_key_path),
        "-p",
        str(site.ssh_port),
        "-o",
        "IdentitiesOnly=yes",
    ]
    words += [word for option in options for word in ("-o", option)]
    target = f"{site.ssh_user}@{site.ssh_host}"
    return subprocess.run([*words, target, command], capture_output=True, text=True, check=False, timeout=20)


def test_the_bad_migration_lost_captions_and_comments_and_said_nothing(
    production_template: Production,
) -> None:
    """The deployment ended well, and yet every old caption and every comment of before is gone."""
    before, live = production_template.oracle_path / "before.sqlite", production_template.database_path
    assert number(before, "select count(*) from comments") == 400
    assert number(before, "select count(caption) from photos") == 1800
    assert number(before, "select count(location) from photos") == 1500
    assert number(live, "select count(*) from comments where id <= 400") == 0
    typed_since = "select count(caption) from posts where id <= 2000"
    assert number(live, typed_since) == 4
    assert (
        number(
            live, f"select count(*) from migrations where migration = '{production_template.bad_migration}'"
        )
        == 1
    )


def test_people_went_on_using_the_album(production_template: Production) -> None:
    """There are uploads with and without caption, comments, edits, deletions and jobs after the deployment."""
    since = Record.load(production_template.oracle_path / "since.json")
    captions = [upload["post"]["caption"] for upload in since.uploads]
    assert len(captions) == 20
    assert sum(caption is not None for caption in captions) == 12
    assert (len(since.comments), len(since.edits), len(since.deleted_photos)) == (10, 9, 6)
    assert (len(since.jobs), since.jobs_done) == (3, [1, 2])
    assert all(upload["photo"]["post_id"] != upload["photo"]["id"] for upload in since.uploads)


@pytest.mark.long
def test_the_album_is_built_the_same_each_time(production_template: Production, tmp_path: Path) -> None:
    """A second build holds the same rows before and after, and the same commits."""
    second = build(tmp_path / "second", photos=2_000, run=False)
    for name in ("before.sqlite", "since.json"):
        first_file, second_file = production_template.oracle_path / name, second.oracle_path / name
        read = dump_text if name.endswith("sqlite") else Path.read_bytes
        assert read(first_file) == read(second_file)
    assert dump_text(production_template.database_path) == dump_text(second.database_path)
    assert second.corrected_commits == production_template.corrected_commits


def test_the_web_front_answers_and_writes(production: Production) -> None:
    """Uploading, commenting, editing and deleting through the application change the live database."""
    live, url = production.database_path, production.url
    assert http_status(url) == 200
    page = send(f"{url}/photos", "POST", caption="it's new; isn't it", filename="a.jpg", location="Porto")
    assert "it&#039;s new; isn&#039;t it" in page
    photo = number(live, "select id from photos where filename = 'a.jpg'")
    send(f"{url}/photos/{photo}/comments", "POST", body="nice")
    send(f"{url}/photos/{photo}", "POST", _method="PATCH", caption="edited")
    assert number(live, f"select count(*) from comments where photo_id = {photo}") == 1
    assert number(live, "select count(*) from posts where caption = 'edited'") == 1
    send(f"{url}/photos/{photo}", "POST", _method="DELETE")
    assert number(live, f"select count(*) from photos where id = {photo}") == 0
    assert number(live, f"select count(*) from comments where photo_id = {photo}") == 0
    assert number(live, "select count(*) from posts where caption = 'edited'") == 0


def test_maintenance_answers_503(production: Production) -> None:
    """`artisan down` turns the front to 503, `up` back to 200."""
    artisan(production, "down", "--retry=300")
    assert http_status(production.url) == 503
    artisan(production, "up")
    assert http_status(production.url) == 200


def test_each_commit_fits_its_schema(production: Production) -> None:
    """The code of before the conversion shows photos.caption, and the corrected code shows posts.caption."""
    copy_database(production.oracle_path / "before.sqlite", production.database_path)
    git(production.app_path, "checkout", "--quiet", production.good_commit)
    page = send(f"{production.url}/photos", "POST", caption="on the photo", filename="b.jpg")
    assert "on the photo" in page
    assert number(production.database_path, "select count(*) from photos where caption = 'on the photo'") == 1
    git(production.app_path, "fetch", "--quiet", "origin")
    git(production.app_path, "checkout", "--quiet", production.corrected_commits[1])
    artisan(production, "migrate", "--force")
    assert "on the photo" in send(production.url, "GET")
    assert "on the post" in send(f"{production.url}/photos", "POST", caption="on the post", filename="c.jpg")


@pytest.mark.parametrize(("which", "comments"), [(0, 0), (1, 400)])
def test_only_the_second_correction_keeps_the_comments(
    production_template: Production, tmp_path: Path, which: int, comments: int
) -> None:
    """On the data of before, the first corrected migration keeps captions but loses comments; the second loses none."""
    site = clone_production(production_template.folder, tmp_path / "site", run=False)
    copy_database(site.oracle_path / "before.sqlite", site.database_path)
    git(site.app_path, "fetch", "--quiet", "origin")
    git(site.app_path, "checkout", "--quiet", site.corrected_commits[which])
    artisan(site, "migrate", "--force")
    assert number(site.database_path, "select count(caption) from posts") == 1800
    assert number(site.database_path, "select count(*) from comments") == comments
    artisan(site, "migrate:rollback", "--step=1", "--force")
    assert number(site.database_path, "select count(caption) from photos") == 1800
    assert number(site.database_path, "select count(*) from comments") == comments


def test_rolling_the_bad_migration_back_takes_the_new_comments_too(
    production_template: Production, tmp_path: Path
) -> None:
    """On Laravel 8 and SQLite the bad migration's own down() rebuilds the table, and comments written since go."""
    site = clone_production(production_template.folder, tmp_path / "site", run=False)
    assert number(site.database_path, "select count(*) from comments") == 9
    artisan(site, "migrate:rollback", "--step=1", "--force")
    assert number(site.database_path, "select count(*) from comments") == 0
    assert number(site.database_path, "select count(caption) from photos") == 0


def test_the_good_backup_is_the_state_of_before(production_template: Production, tmp_path: Path) -> None:
    """The deploy script's dump, loaded, holds exactly what was there right before the migration."""
    loaded = tmp_path / "loaded.sqlite"
    dump = production_template.good_backup.read_bytes()
    subprocess.run(["sqlite3", str(loaded)], input=dump, check=True)
    assert dump_text(loaded) == dump_text(production_template.oracle_path / "before.sqlite")
    assert b"-- Dump completed on 2025-11-25 10:00:00" in dump


def test_the_decoys_are_what_they_seem_not_to_be(production_template: Production) -> None:
    """Newest by time is the dump taken after the harm; an empty, a cut, an old and a stranger's dump lie beside it."""
    files = sorted(production_template.backups_path.iterdir(), key=lambda path: path.stat().st_mtime)
    assert files[-1].name.startswith("nightly-")
    assert production_template.bad_migration.encode() in files[-1].read_bytes()
    assert [path.stat().st_size for path in files if path.name.startswith("database-")] == [0]
    (cut,) = [path for path in files if path.suffix == ".zst"]
    text = subprocess.run(["zstd", "-dcq", str(cut)], capture_output=True, check=True).stdout
    assert text.endswith(b");\n")
    assert b"COMMIT;\n" not in text.splitlines()[-1:]
    assert {path.suffix for path in files} == {".sql", ".gz", ".zst"}


def test_grep_backup_shows_a_password(production_template: Production) -> None:
    """The runbook's search for the backup folder in the deploy script prints a password."""
    script = production_template.deploy_script.read_text(encoding="utf-8")
    found = [line for line in script.splitlines() if "backup" in line]
    assert any(re.search(r"-p'[^']+'", line) for line in found)


def test_the_host_lets_in_the_key_and_stays_in_its_own_home(production: Production) -> None:
    """A login by key, with the host key known, runs commands in the production's home."""
    done = ssh(production, 'printf "%s|%s" "$PWD" "$HOME"; exit 7')
    assert done.stdout == f"{production.home_path}|{production.home_path}"
    assert done.returncode == 7
    listed = ssh(production, f"cd '{production.app_path}' && php artisan migrate:status")
    assert production.bad_migration in listed.stdout
    fingerprint = subprocess.run(
        ["ssh-keygen", "-lf", str(production.known_hosts_path)], capture_output=True, text=True, check=True
    )
    assert production.host_key_fingerprint in fingerprint.stdout


def test_a_clone_leaves_its_template_alone(production_template: Production, production: Production) -> None:
    """Nothing in a clone names the template's folder, and what is deployed there leaves the template as it was."""
    before = dump_text(production_template.database_path)
    head = git(production_template.app_path, "rev-parse", "HEAD")
    # Git's own memory of earlier fetches (reflog, FETCH_HEAD) is never used again.
    past = ("--exclude-dir=logs", "--exclude=FETCH_HEAD")
    named = subprocess.run(
        ["grep", "-rlI", *past, f"{production_template.folder}/", str(production.folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert named.stdout == ""
    assert deploy(production) != ""
    send(f"{production.url}/photos/1/comments", "POST", body="only here")
    assert dump_text(production_template.database_path) == before
    assert git(production_template.app_path, "rev-parse", "HEAD") == head


def test_a_clone_does_not_inherit_cached_settings(production: Production, tmp_path: Path) -> None:
    """A cached configuration names the first production's database; the clone reads its own `.env`."""
    artisan(production, "config:cache")
    second = clone_production(production.folder, tmp_path / "a $(b) clone", run=False)
    artisan(second, "migrate:rollback", "--step=1", "--force")
    assert number(second.database_path, "select count(*) from migrations") == 6
    assert number(production.database_path, "select count(*) from migrations") == 7


def test_stop_ends_both_programs_and_start_takes_the_same_ports(production: Production) -> None:
    """After `stop` nothing of it runs; after `start` the settings that name its ports are right again."""
    stop(production.folder)
    assert not any(is_alive(process) for process in production.pids)
    assert load(production.folder).pids == ()
    again = start(production.folder)
    assert (again.ssh_port, again.url) == (production.ssh_port, production.url)
    assert start(production.folder).pids == again.pids
    assert http_status(again.url) == 200


def test_a_production_before_its_deployment_can_be_deployed(tmp_path: Path) -> None:
    """With "none" the bad commit waits in the remote, and the deploy script brings it."""
    site = build(tmp_path / "site", photos=2_000, migration="none", run=False)
    assert number(site.database_path, "select count(*) from comments") == 400
    deploy(site)
    assert number(site.database_path, "select count(*) from comments") == 0
    assert git(site.app_path, "rev-parse", "HEAD") == site.bad_commit


def test_build_refuses_a_folder_that_holds_something(tmp_path: Path) -> None:
    """A folder with a file in it is not built over."""
    (tmp_path / "mine").write_text("keep", encoding="utf-8")
    with pytest.raises(FileExistsError, match="is not empty"):
        build(tmp_path, photos=2_000)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.fixture(scope="module")
def by_hand(production_template: Production) -> dict[str, Any]:
    """Return what came of the runbook, played once, after a proof that the production itself was only read."""
    before = dump_text(production_template.database_path)
    result = play_by_hand(production_template.folder)
    assert dump_text(production_template.database_path) == before
    return result


def test_by_hand_every_check_is_green_and_the_data_are_lost(by_hand: dict[str, Any]) -> None:
    """The runbook word for word: all checks pass; locations and comments are gone, and so is what came since."""
    really = by_hand["really"]
    assert by_hand["all_checks_green"] is True
    assert really["location"] == {"before": 1500, "after": 0}
    assert really["comments"] == {"before": 400, "after": 0}
    assert really["captions"] == {"before": 1800, "after": 1800}
    assert really["uploads since"] == {"before": 19, "after": 0}
    assert really["comments since"] == {"before": 9, "after": 0}


def test_by_hand_the_site_stays_up_in_maintenance(by_hand: dict[str, Any]) -> None:
    """The runbook's `down --message` fails on Laravel 8 and visitors go on writing; what destroys ends with 0."""
    ended = {step["command"].split(" --")[0]: step["exit_status"] for step in by_hand["steps"]}
    assert ended["php artisan down"] == 1
    assert by_hand["status_in_maintenance"] == 200
    assert {step["exit_status"] for step in by_hand["steps"] if step["step"] in (5, 6, 7)} == {0}
