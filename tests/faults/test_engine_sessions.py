"""A session that stands in the way of the change: the question that ends it asks as many persons as the change itself."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.faults.engine_stages import PHOTOS
from tests.servers.login import Login
from tests.site.bot_settings import APPROVER
from tests.site.fixtures import template_on
from tests.site.play import Player
from tests.site.scenario import Scene, Stages, stages_below

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def mariadb_stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    """An incident on MariaDB, whose application's user cannot see the sessions of others."""
    template = template_on(tmp_path_factory, "mariadb", PHOTOS)
    with stages_below(tmp_path_factory.getbasetemp(), template) as made:
        yield made


@contextmanager
def forgotten_session(login: Login) -> Iterator[None]:
    """A transaction of another program that has read a table, and stands idle since (R11)."""
    program, *words = login.client()
    client = subprocess.Popen(
        [program, *words, "--unbuffered"],
        env=login.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert client.stdin is not None
    assert client.stdout is not None
    client.stdin.write(b"start transaction; select count(*) from photos; select 'there';\n")
    client.stdin.flush()
    while client.stdout.readline() not in (b"there\n", b""):
        pass
    try:
        yield
    finally:
        client.kill()
        client.wait()
        client.stdin.close()
        client.stdout.close()


def superuser(scene: Scene) -> Login:
    assert scene.site.server is not None
    return scene.site.server.superuser()


def both_choose(scene: Scene, purpose: str, choice: str) -> None:
    """Two persons say yes; after the first nothing has begun."""
    [question] = scene.decisions(purpose)
    assert question["votes_needed"] == 2
    first = scene.api().answer(question["id"], choice, "album")
    assert (first["ok"], first["operation_id"]) == (True, None)
    assert "1 more person" in first["text"]
    assert scene.state()["operation"] is None
    assert scene.api(APPROVER).answer(question["id"], choice, "album")["ok"]


def deploy_and_reopen(player: Player, scene: Scene) -> None:
    """Go on from the restored data until the site is open again."""
    player.type(f"/app deploy {scene.site.corrected_commits[-1][:12]}")
    player.choose("deploy", "approve")
    player.step(7)
    player.type("/app check")
    player.step(9)
    for decision in [d for d in scene.decisions() if d["purpose"].startswith("manual:")]:
        assert player.api.answer(decision["id"], "ok")["ok"]
    player.type("/app reopen")
    player.choose("reopen", "reopen")
    player.decision("close")
    scene.at_rest()


def test_ending_sessions_asks_as_many_persons_as_the_change(mariadb_stages: Stages) -> None:
    """Two for a swap that loses rows, and two for an undo after the site was open: also where a session is in the way."""
    with mariadb_stages.at("safe") as scene:
        before, player = scene.content(), scene.player()
        player.type("/restore plan --swap")
        player.decision("cutover")
        with forgotten_session(superuser(scene)):
            both_choose(scene, "cutover", "approve")
            scene.until("the question", lambda s: s["operation"] is None and scene.decisions("sessions"))
            assert (scene.state()["cutover"], scene.content()) == ("none", before)
            note = scene.state()["steps"][4]["note"]
            assert note.startswith("Production was NOT changed: Another session keeps tables of album locked")
            assert ".." not in note
        both_choose(scene, "sessions", "again")
        scene.until("cut-over", lambda s: s["operation"] is None and s["cutover"] == "done")
        deploy_and_reopen(player, scene)
        player.type("/restore undo")
        assert "First: /app freeze" in player.decision("undo")["body"]
        player.type("/app freeze")
        player.choose("freeze", "freeze")
        scene.until("frozen", lambda s: s["operation"] is None and s["down_since"] is not None)
        player.type("/restore undo")
        scene.until("the question", lambda s: s["operation"] is None and asked_frozen(scene))
        with forgotten_session(superuser(scene)):
            both_choose(scene, "undo", "undo")
            scene.until("blocked", lambda s: s["operation"] is None and blocked(scene))
            assert scene.state()["cutover"] == "done"
        both_choose(scene, "undo", "end")
        scene.until("undone", lambda s: s["operation"] is None and s["cutover"] == "undone")
        assert scene.content() == before


def blocked(scene: Scene) -> bool:
    return any("End the sessions" in d["question"] for d in scene.decisions("undo"))


def asked_frozen(scene: Scene) -> bool:
    return any("/app freeze" not in d["body"] for d in scene.decisions("undo"))
