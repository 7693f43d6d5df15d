"""An incident at known stages on each server engine, and what is true of it after any kill."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.site.fixtures import template_on
from tests.site.scenario import INCIDENT, Scene, Stages, play_to_planned, stages_below

PHOTOS = 400
ENGINES = ("mariadb", "postgresql")
INTENT, RESULT = "cutover.intent", ("cutover.done", "cutover.not_done", "cutover.unknown")


@pytest.fixture(scope="session", params=ENGINES)
def engine_stages(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stages]:
    """An incident of a production on that engine at known stages, put back for each test."""
    template = template_on(tmp_path_factory, request.param, PHOTOS)
    with stages_below(tmp_path_factory.getbasetemp(), template) as made:
        yield made


def confirm(scene: Scene) -> None:
    """Approve the plan; a process that dies before it can answer has taken the approval all the same."""
    reply = scene.api().command("/restore confirm album", INCIDENT)
    assert reply["ok"], reply


def told(scene: Scene) -> list[str]:
    """Return what the timeline tells of the change itself, in order."""
    return [entry["kind"] for entry in scene.entries(INTENT, *RESULT)]


def assert_truthful(scene: Scene, state: dict[str, Any], before: str, rehearsed: str) -> None:
    """The live database is as before or as rehearsed, never a mix, and state and timeline say which of the two."""
    now = scene.content()
    assert now in (before, rehearsed), state["headline"]
    said = {before: ("none", "cutover.not_done"), rehearsed: ("done", "cutover.done")}[now]
    assert (state["cutover"], told(scene)[-1]) == said, state["headline"]


def claims_nothing(scene: Scene) -> None:
    """While nobody can look, the incident claims neither."""
    state = scene.state()
    assert state["cutover"] in ("unknown", "none"), state["headline"]
    assert "cutover.done" not in told(scene)


def can_plan_again(scene: Scene) -> None:
    """After a cut-over that did not take place nothing keeps the site: a plan can be made anew."""
    reply = scene.api().command("/restore plan", INCIDENT)
    assert reply["ok"], reply


def cut_over_at_last(scene: Scene, rehearsed: str) -> None:
    """A plan that is made anew is carried out, and production holds what it would have held at the first time."""
    play_to_planned(scene.player())
    confirm(scene)
    state = scene.until("cut-over", lambda s: s["operation"] is None and s["cutover"] != "none", 60)
    assert state["cutover"] == "done", state["headline"]
    assert scene.content() == rehearsed


def rehearsed_without_a_kill(stages: Stages) -> str:
    """Return the content of the copy that was rehearsed when the incident was played to its plan undisturbed."""
    with stages.at("planned") as scene:
        return scene.rehearsed_content()
