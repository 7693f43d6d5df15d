"""Whatever is killed before the cut-over on a database server, production is as it was, and the way on ends as without it.

The safety backup, the load of the backup, the copy of live, the repair in chunks: what was rehearsed after a kill is
compared with what is rehearsed without one, and production's content is looked at apart from the product.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.engine_stages import (
    ENGINES,
    PHOTOS,
    claims_nothing,
    confirm,
    engine_stages,
    rehearsed_without_a_kill,
)
from tests.faults.server_killing import Kill, kill, start_server
from tests.site import production
from tests.site.clone import clone_production
from tests.site.fixtures import template_on
from tests.site.play import Player, answer_tables
from tests.site.scenario import DIED, INCIDENT, Scene, Stages, make_scene

__all__ = ["engine_stages"]

SAFETY_MOMENTS = (
    "unsent:copy",
    "sent:copy",
    "before:safety:copy",
    "after:safety:copy",
    "before:safety:tell.made",
)
SAFETY_KILLS = (
    *(Kill(step="copy", moment="begun", victim=v) for v in ("shell", "reader")),
    *(Kill(step="copy", moment="client", victim=v) for v in ("client", "session", "server")),
)
LOAD_KILLS = tuple(
    Kill(step="load", moment="client", victim=v) for v in ("shell", "reader", "client", "session", "server")
)
REHEARSAL_KILLS = (
    *(Kill(step="scratch", moment="client", victim=v) for v in ("reader", "client", "session", "server")),
    *(Kill(step="repair", moment="imaged", victim=v) for v in ("shell", "reader", "client", "server")),
    *(Kill(step="repair", moment="chunk", victim=v) for v in ("reader", "client", "session", "server")),
)
IN_THE_REPAIR = Kill(step="repair", moment="chunk", victim="server")
PLAN_MOMENTS = (
    "sent:scratch",
    "sent:rollback",
    "sent:repair",
    "before:plan:prove",
    "before:plan:tell.planned",
)


def bring_back(scene: Scene, what: Kill) -> None:
    """Start a killed server again. *Changes*: starts it."""
    if what.victim == "server":
        claims_nothing(scene)
        start_server(scene)


# -- the safety backup


def judge_the_safety_backup(scene: Scene, before: str, made: int, victim: str = "") -> None:
    """There is one safety backup more, whole, or none, and the incident says which; then one can be had.

    A job whose watching shell was killed ends its work all the same, without an end that is known: it is told as failed,
    and what it leaves is whole, but counts for nothing, and is told by its path.
    """
    state, told = scene.at_rest(90), scene.entries("safety.made")
    failures = " ".join(entry["text"] for entry in scene.entries("operation.failed", "step.failed"))
    if len(told) == made:
        assert "no safety backup" in state["headline"].lower() or "failed" in state["headline"], state[
            "headline"
        ]
        scene.api().command("/backups create", INCIDENT)
        scene.until("a safety backup", lambda _: len(scene.entries("safety.made")) > made, 90)
        scene.at_rest()
        told = scene.entries("safety.made")
    assert len(told) == made + 1
    assert Path(told[-1]["data"]["path"]).stat().st_size == told[-1]["data"]["size_bytes"]
    assert scene.content() == before
    kept = {Path(entry["data"]["path"]).name for entry in told}
    folder = Path(told[-1]["data"]["path"]).parent
    left = {path.name for path in folder.iterdir() if path.suffix not in {".json", ".part"}} - kept
    assert len(left) <= (victim == "shell")
    for name in left:
        assert f"{folder / name} is not proven" in failures
        assert scene.bot.backout("inspect", str(folder / name)).returncode == 0


@pytest.mark.long
@pytest.mark.parametrize("moment", SAFETY_MOMENTS)
def test_backout_ends_in_the_safety_backup(engine_stages: Stages, moment: str) -> None:
    """The safety backup is taken once, and is whole."""
    with engine_stages.at("safe", moment) as scene:
        before, made = scene.content(), len(scene.entries("safety.made"))
        assert scene.api().command("/backups create", INCIDENT)["ok"]
        assert scene.bot.wait_for_death() == DIED
        scene.bot.start()
        judge_the_safety_backup(scene, before, made)


@pytest.mark.long
@pytest.mark.parametrize("what", SAFETY_KILLS, ids=str)
def test_anything_is_killed_in_the_safety_backup(engine_stages: Stages, what: Kill) -> None:
    """What was killed leaves a whole safety backup, or none; no step behind it is offered without one."""
    with engine_stages.at("safe") as scene:
        before, made = scene.content(), len(scene.entries("safety.made"))
        assert scene.api().command("/backups create", INCIDENT)["ok"]
        kill(scene, what)
        bring_back(scene, what)
        judge_the_safety_backup(scene, before, made, what.victim)


# -- the load of the backup, which begins as soon as the backup is known


@pytest.mark.long
@pytest.mark.parametrize("what", LOAD_KILLS, ids=str)
@pytest.mark.parametrize("engine", ENGINES)
def test_anything_is_killed_in_the_load(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, engine: str, what: Kill
) -> None:
    """Production is as it was, and the incident goes on: assessed by itself, or when it is asked for again."""
    template = template_on(tmp_path_factory, engine, PHOTOS)
    scene = make_scene(clone_production(template.folder, tmp_path / "production"), tmp_path / "bot")
    scene.bot.start()
    try:
        before, player = scene.content(), scene.player()
        player.type("/incident start album captions are gone")
        kill(scene, what)
        bring_back(scene, what)
        scene.at_rest(90)
        assert scene.content() == before
        if not scene.decisions("assessed"):
            player.type("/incident assess")
        player.choose("assessed", "freeze")
        player.step(2)
        assert scene.content() == before
    finally:
        scene.bot.kill()
        production.stop(scene.site.folder)


# -- the copy and the repair


def answer_as_advised(player: Player) -> None:
    """Answer each open question about rows, so that the rehearsal goes on."""
    found = player.until(
        "questions", lambda s: s["operation"] is None and [d for d in s["decisions"] if d["open"]]
    )
    for decision in [d for d in found if d["purpose"].startswith("missing:")]:
        advised = next(choice["key"] for choice in decision["choices"] if choice["style"] == "primary")
        assert player.api.answer(decision["id"], advised)["ok"]


def judge_the_rehearsal(scene: Scene, before: str, rehearsed: str) -> None:
    """Production is as it was and nothing else is claimed; the plan, made by itself or anew, is the one without a kill."""
    scene.at_rest(120)
    assert scene.content() == before
    assert scene.state()["cutover"] == "none"
    if not scene.decisions("cutover"):
        player = scene.player()
        if not scene.decisions("missing"):
            player.type("/restore plan")
        answer_tables(player)
        player.decision("cutover")
    assert (scene.content(), scene.rehearsed_content()) == (before, rehearsed)


def killed_in_the_rehearsal(stages: Stages, what: Kill) -> None:
    """Kill it, bring a killed server back, judge."""
    rehearsed = rehearsed_without_a_kill(stages)
    with stages.at("safe") as scene:
        before, player = scene.content(), scene.player()
        player.type("/restore plan")
        answer_as_advised(player)
        kill(scene, what)
        bring_back(scene, what)
        judge_the_rehearsal(scene, before, rehearsed)


@pytest.mark.long
def test_the_server_is_killed_in_the_repair(engine_stages: Stages) -> None:
    """A server killed between chunks of the repair: the plan made after it is the one without a kill."""
    killed_in_the_rehearsal(engine_stages, IN_THE_REPAIR)


@pytest.mark.long
@pytest.mark.parametrize("what", [each for each in REHEARSAL_KILLS if each != IN_THE_REPAIR], ids=str)
def test_anything_is_killed_in_the_rehearsal(engine_stages: Stages, what: Kill) -> None:
    """The shell, the reader, its clients or the server: production is as it was, and the plan is the one without a kill."""
    killed_in_the_rehearsal(engine_stages, what)


@pytest.mark.long
@pytest.mark.parametrize("moment", PLAN_MOMENTS)
def test_backout_ends_in_the_rehearsal(engine_stages: Stages, moment: str) -> None:
    """A rehearsal goes on where it was, and what it comes to goes live."""
    rehearsed = rehearsed_without_a_kill(engine_stages)
    with engine_stages.at("safe", moment) as scene:
        before, player = scene.content(), scene.player()
        player.type("/restore plan")
        answer_as_advised(player)
        assert scene.bot.wait_for_death(120) == DIED
        scene.bot.start()
        judge_the_rehearsal(scene, before, rehearsed)
        confirm(scene)
        state = scene.until("cut-over", lambda s: s["operation"] is None and s["cutover"] != "none", 90)
        assert (state["cutover"], scene.content()) == ("done", rehearsed)
