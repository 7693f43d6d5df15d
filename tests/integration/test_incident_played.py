"""A whole incident, played over the JSON API against a real site; and one in which nothing was lost."""

from __future__ import annotations

import shutil
import sqlite3
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hazards.watched import Watched, production_template, watched
from tests.site import faults
from tests.site import production as productions
from tests.site.fixtures import SMALL
from tests.site.production import Production
from tests.site.report_gaps import gaps
from tests.site.scenario import Scene, content_of, fresh_scene

__all__ = ["production_template", "watched"]

Change = Callable[[sqlite3.Connection], object]


def test_the_played_incident_recovers(watched: Watched, tmp_path: Path) -> None:
    """The incident is played to its end, an independent oracle agrees, and the timeline tells of every command."""
    state, scene, entries = watched.state, watched.scene, watched.entries
    assert (state["outcome"], state["cutover"]) == ("recovered", "done")
    assert watched.disagreements == []
    assert_checks_are_told(state, entries)
    assert_application_was_tested(entries)
    assert_every_command_is_told(scene, entries)
    assert_report_is_whole(scene)
    assert_verified(scene)
    for change, fault in TAMPERED:
        assert_named(scene, tmp_path / "copy", change, fault)


def assert_every_command_is_told(scene: Scene, entries: list[dict[str, Any]]) -> None:
    commands = [e for e in entries if e["kind"] == "host.command"]
    host = f"{scene.site.ssh_host}:{scene.site.ssh_port}"
    for entry in commands:
        data = entry["data"]
        assert data["host"] in (scene.site.ssh_host, host), entry
        assert data["person"] in (("Anna",) if data.get("job_key") else ("Anna", "backout")), entry
        assert isinstance(data["exit_status"], int), entry
        assert isinstance(data["duration_s"], float), entry
        assert 0 <= data["duration_s"] < 60, entry
        assert data["outcome"] in ("ended", "done"), entry
        assert data["command"], entry
        assert entry["text"].startswith(data["command"]), entry
    keys = [e["data"]["job_key"] for e in commands if "job_key" in e["data"]]
    assert len(keys) == len(set(keys)) == len(scene.jobs("*"))


def assert_checks_are_told(state: dict[str, Any], entries: list[dict[str, Any]]) -> None:
    """The site's checks stand there as it was found, as in the backup and now; so does the number of users."""
    (checked,) = [e["data"]["checks"] for e in entries if e["kind"] == "data.checked"]
    found = {one["name"]: one for one in checked}
    kept = found["captions are kept"]
    assert kept["before"] < kept["backup"] <= kept["value"]
    assert all(one["passed"] for one in checked)
    assert found["every photo hangs on a post"]["backup"] is None
    message = next(m for m in state["messages"] if m["title"] == "The site's own checks")
    assert message["table"]["columns"][:4] == ["check", "found broken", "backup", "now"]
    assert [e["text"] for e in entries if e["text"].startswith("Users affected: ")] != []
    rehearsed = [e["data"] for e in entries if e["kind"] == "corrected.rehearsed"][-1]
    on_copy = {one["name"]: one for one in rehearsed["checks"]}
    assert on_copy.keys() == found.keys()
    assert all(one["passed"] for one in on_copy.values())
    # Before the corrected migration the copy has no table of posts yet, and every check has its number after it.
    linked = on_copy["as many posts as photos"]
    assert (linked["before"], linked["value"]) == (None, found["as many posts as photos"]["value"])


def assert_report_is_whole(scene: Scene) -> None:
    """The report leaves no field empty, says who did what, and whose each action item is; the PDF lies beside it."""
    reports = scene.bot.settings.parent / "records" / "reports"
    text = (reports / "inc-album-1.md").read_text()
    assert gaps(text) == []
    assert "| Anna |" in text.partition("### Who did what")[2].partition("###")[0]
    open_items = [line for line in text.splitlines() if line.startswith("- [ ] ")]
    assert open_items
    assert all("owner: " in line for line in open_items)
    assert (reports / "inc-album-1.pdf").read_bytes().startswith(b"%PDF-")


def assert_application_was_tested(entries: list[dict[str, Any]]) -> None:
    """Addresses behind the bypass, a walk in the browser and a person's tick before reopening; addresses again after it."""
    (tested,) = [e["data"] for e in entries if e["kind"] == "app.tested"]
    (reopened,) = [e["data"] for e in entries if e["kind"] == "reopened"]
    for pages in (tested["pages"], reopened["pages"]):
        assert [(page["status"], page["faults"]) for page in pages] == [(200, []), (200, [])]
        assert pages[-1]["path"] == "/"
    walk = tested["browser"]
    assert [(step["step"], step["fault"]) for step in walk["steps"]] == [
        ("open /", None),
        ("click li a", None),
        ("expect “Comment”", None),
    ]
    assert (walk["console_errors"], walk["failed_requests"]) == (0, 0)
    assert reopened["in_spite_of"] == []
    ticked = [
        e
        for e in entries
        if e["data"].get("purpose", "").startswith("manual:") and e["kind"].endswith("answered")
    ]
    assert {(e["actor"], e["data"]["purpose"], e["data"]["answer"]) for e in ticked} == {
        ("Anna", "manual:the newest photos are shown", "ok"),
        (
            "Anna",
            "manual:jobs, failed jobs, sessions and locks may be as they are when the application opens",
            "ok",
        ),
    }


def assert_verified(scene: Scene) -> None:
    done = scene.bot.backout("timeline", "verify", "--settings", str(scene.bot.settings))
    assert (done.returncode, done.stdout) == (0, "Every timeline is whole.\n")


def drop_guards(store: sqlite3.Connection) -> None:
    """Take away what makes the table append-only, as someone does who has the file itself in hand."""
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        edit(store)
    for (name,) in store.execute("select name from sqlite_master where type = 'trigger'").fetchall():
        store.execute(f'drop trigger "{name}"')


def edit(store: sqlite3.Connection) -> None:
    store.execute("update entries set text = text || '.' where sequence = 7")


def delete(store: sqlite3.Connection) -> None:
    store.execute("delete from entries where sequence = 9")


def reorder(store: sqlite3.Connection) -> None:
    for number, other in ((11, -1), (12, 11), (-1, 12)):
        store.execute("update entries set sequence = ? where sequence = ?", (other, number))


def cut_off(store: sqlite3.Connection) -> None:
    store.execute("delete from entries where sequence = (select max(sequence) from entries)")


TAMPERED: tuple[tuple[Change, str], ...] = (
    (edit, "inc-album-1 entry 7: "),
    (delete, "inc-album-1 entry 9: "),
    (reorder, "inc-album-1 entry 11: "),
    (cut_off, ": the end of the timeline is missing"),
)


def assert_named(scene: Scene, folder: Path, change: Change, fault: str) -> None:
    """A copy of the records that was tampered with is found out, and the entry is named."""
    shutil.copytree(scene.bot.settings.parent, folder)
    store = sqlite3.connect(folder / "records" / "backout.db")
    drop_guards(store)
    change(store)
    store.commit()
    store.close()
    done = scene.bot.backout("timeline", "verify", "--settings", str(folder / "backout.toml"))
    assert done.returncode == 1
    assert fault in done.stdout.replace("\n", " "), done.stdout
    shutil.rmtree(folder)


@pytest.fixture
def converted(tmp_path: Path) -> Iterator[Production]:
    """A production on which the same conversion was done right, with some hours of visitors since."""
    site = productions.build(tmp_path / "production", photos=SMALL, migration="correct")
    yield site
    productions.stop(site.folder)


def test_a_correct_run_of_the_same_migration_ends_in_no_loss(converted: Production, tmp_path: Path) -> None:
    """The same conversion, done right, is no loss: the incident is closed, and nothing was changed on production."""
    state = closed_without_a_change(converted, tmp_path / "bot", "No loss was found")
    assert (state["outcome"], state["loss"]["verdict"]) == ("no loss", "none")


def test_rows_that_people_deleted_are_asked_about(converted: Production, tmp_path: Path) -> None:
    """After a right conversion, a comment that is gone is named and asked about; closing it says that a person looked."""
    faults.lost_comment(converted)
    state = closed_without_a_change(converted, tmp_path / "bot", "Only deleted rows were found")
    assert (state["outcome"], state["loss"]["verdict"]) == ("closed after a look", "missing_rows")
    assert (state["loss"]["rows_missing"], state["loss"]["values_lost"]) == (1, 0)


def closed_without_a_change(site: Production, folder: Path, question: str) -> dict[str, Any]:
    """Start an incident, close it by the answer to that question, and return its end; production must be as before."""
    before, files = content_of(site.database_path), listing(site)
    with fresh_scene(site, folder) as scene:
        player = scene.player()
        player.type("/incident start album is anything gone")
        assert player.decision("assessed")["question"].startswith(question)
        player.choose("assessed", "close")
        state = dict(player.until("closed", lambda s: s["closed_at"] and s["operation"] is None and s))
    assert (content_of(site.database_path), listing(site)) == (before, files)
    assert state["cutover"] == "none"
    with urllib.request.urlopen(site.url, timeout=10) as front:
        assert front.status == 200
    return state


def listing(site: Production) -> dict[str, bytes]:
    """Return the files of the application that a person deploys or sets, with their content."""
    places = [site.app_path / ".env", site.deploy_script, *site.app_path.glob("database/migrations/*")]
    flags = [p for p in (site.app_path / "storage" / "framework").glob("*") if p.is_file()]
    return {str(p): p.read_bytes() for p in (*places, *flags)}
