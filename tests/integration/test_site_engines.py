"""The production on MariaDB and on PostgreSQL: real, harmed as it is on that engine, and recovered by Backout whole."""

from __future__ import annotations

import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.engine_stages import assert_truthful, claims_nothing, told
from tests.faults.server_killing import Kill, kill, start_server
from tests.site.by_hand import http_status
from tests.site.clone import clone_production
from tests.site.fixtures import template_on
from tests.site.oracle import conclusion, judge
from tests.site.play import Player, play
from tests.site.production import Production, artisan, load, session, start, stop
from tests.site.scenario import Scene, disagreements, fresh_scene, play_to_planned
from tests.site.servers import is_alive

SERVERS = ("mariadb", "postgresql")
FEW = 400


@pytest.fixture(params=SERVERS)
def template(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Production:
    """Return a small production on a server that is not running: never change it, clone it."""
    return template_on(tmp_path_factory, request.param, FEW)


def numbers(site: Production, *queries: str) -> list[int]:
    """Return the one number of each query."""
    with closing(session(site)) as live:
        return [live.number(query) for query in queries]


@dataclass(kw_only=True)
class KillingPlayer(Player):
    """A person whose database server is killed in the swap, and who plans again where it did not take place."""

    scene: Scene

    def approve(self, site: str) -> None:
        """Approve the plan, and see the server die of it and come back: live is as before or as rehearsed, as is told."""
        before, rehearsed = self.scene.content(), self.scene.rehearsed_content()
        super().approve(site)
        kill(self.scene, Kill(step="write", moment="intended", victim="server"))
        claims_nothing(self.scene)
        start_server(self.scene)
        told_s = 60
        state = self.scene.until(
            "a result", lambda s: s["operation"] is None and told(self.scene)[1:], told_s
        )
        assert_truthful(self.scene, state, before, rehearsed)
        if state["cutover"] == "none":
            play_to_planned(self)
            super().approve(site)


@pytest.mark.long
def test_the_played_incident_recovers(template: Production, tmp_path: Path) -> None:
    """The incident is played over the JSON API to its end, its server killed in the swap; an independent oracle agrees."""
    site = clone_production(template.folder, tmp_path / "production")
    try:
        with fresh_scene(site, tmp_path / "bot") as scene:
            player = KillingPlayer(scene.api(), lambda _: None, scene=scene)
            state = play(player, commits=site.corrected_commits, before=lambda _: None)
        assert (state["outcome"], state["cutover"]) == ("recovered", "done")
        assert disagreements(site, "corrected", online=True) == []
    finally:
        stop(site.folder)


def test_the_bad_migration_lost_captions_and_no_comment(template: Production, tmp_path: Path) -> None:
    """Dropping a column takes nothing else along on a server: all captions are gone, comments and locations stay."""
    site = clone_production(template.folder, tmp_path / "production")
    try:
        old, kept = "select count(caption) from posts where id <= 400", "select count(*) from comments"
        places = "select count(location) from photos where id <= 412"
        assert numbers(site, old) == [4]
        assert numbers(site, kept)[0] >= 80
        assert numbers(site, places)[0] >= 290
        found = {name: finding.differences for name, finding in judge(site.folder).items()}
        assert {name for name, differences in found.items() if differences} == {"posts"}
        assert http_status(site.url) == 200
    finally:
        stop(site.folder)


def test_the_good_backup_is_the_state_of_before(template: Production, tmp_path: Path) -> None:
    """The deploy script's dump, loaded into a database of its own, holds the counts of before and no posts."""
    site = clone_production(template.folder, tmp_path / "production")
    try:
        assert site.server is not None
        superuser = site.server.superuser()
        superuser.run("create database loaded;")
        superuser.to("loaded").run(site.good_backup.read_text(encoding="utf-8"))
        loaded = superuser.to("loaded")
        before = [loaded.number(f"select count({what})") for what in ("caption) from photos where (1=1",)]
        assert before == [360]
        assert loaded.number("select count(*) from migrations") == 6
        with pytest.raises(RuntimeError, match=r"posts"):
            loaded.run("select count(*) from posts;")
    finally:
        stop(site.folder)


def test_the_decoys_are_this_engines(template: Production) -> None:
    """Newest by time is the dump taken after the harm; an empty, a cut, an old and a stranger's dump lie beside it."""
    files = sorted(template.backups_path.iterdir(), key=lambda path: path.stat().st_mtime)
    mark = b"-- Dump completed on" if template.database == "mariadb" else b"PostgreSQL database dump complete"
    assert files[-1].name.startswith("nightly-")
    assert template.bad_migration.encode() in files[-1].read_bytes()
    assert mark in template.good_backup.read_bytes()[-200:]
    (cut,) = [path for path in files if path.suffix == ".zst"]
    text = subprocess.run(["zstd", "-dcq", str(cut)], capture_output=True, check=True).stdout
    assert mark not in text[-200:]
    (blog,) = [path for path in files if path.name.startswith("blog-")]
    assert b"articles" in blog.read_bytes()
    assert mark in blog.read_bytes()[-200:]


def test_a_clone_leaves_its_template_alone(template: Production, tmp_path: Path) -> None:
    """Two copies have servers of their own: what is written in one is in no other, and both end with their servers."""
    first = clone_production(template.folder, tmp_path / "first")
    second = clone_production(first.folder, tmp_path / "second")
    first = load(first.folder)
    try:
        assert first.server is not None
        assert second.server is not None
        assert first.server.port != second.server.port
        with closing(session(second)) as live:
            live.query("delete from comments")
        assert numbers(second, "select count(*) from comments") == [0]
        assert numbers(first, "select count(*) from comments")[0] >= 80
        artisan(second, "down")
        assert (http_status(second.url), http_status(first.url)) == (503, 200)
    finally:
        stop(first.folder)
        stop(second.folder)
    assert not any(is_alive(process) for process in (*first.pids, *second.pids))
    assert load(template.folder).pids == ()


@pytest.mark.parametrize(
    "template", ["mariadb", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)
def test_a_stopped_production_comes_back_with_its_rows(template: Production, tmp_path: Path) -> None:
    """After `start` the same ports answer, the rows are there, and the oracle says of them what it said before."""
    site = clone_production(template.folder, tmp_path / "production")
    said = conclusion(judge(site.folder))
    stop(site.folder)
    again = start(site.folder)
    try:
        assert site.server is not None
        assert again.server is not None
        assert (again.server.port, again.url) == (site.server.port, site.url)
        assert conclusion(judge(again.folder)) == said
        assert http_status(again.url) == 200
    finally:
        stop(again.folder)
