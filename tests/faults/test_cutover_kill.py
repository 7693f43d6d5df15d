"""Backout or its host ends at each moment of the cut-over; the incident ends truthfully, and nothing is written twice."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.crashing_bot import session_of
from tests.site.fixtures import production_template
from tests.site.production import Production
from tests.site.scenario import DIED, INCIDENT, Scene, Stages, content_of, stages_below

__all__ = ["production_template"]

INTENT, RESULT = "cutover.intent", ("cutover.done", "cutover.not_done", "cutover.unknown")

# From the record of the intent to the record of the result, in order. The normal suite has one of each kind.
BEFORE_LAUNCH = ("after:cutover:plan", "before:cutover:cutover.intent")
NORMAL_MOMENTS = (
    "before:cutover:cutover.intent",
    "after:cutover:cutover.intent",
    "sent:write",
    "before:cutover:write",
    "after:cutover:tell.done",
)
OTHER_MOMENTS = (
    "after:cutover:plan",
    "after:cutover:tell.began.RESTORE",
    "after:cutover:journal",
    "before:cutover:write.intent",
    "after:cutover:write.intent",
    "unsent:write",
    "before:cutover:write.launched",
    "after:cutover:write.launched",
    "after:cutover:write",
    "before:cutover:tell.done",
)


@pytest.fixture(scope="session")
def stages(production_template: Production, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    """An incident at known stages, put back for each test."""
    with stages_below(tmp_path_factory.getbasetemp(), production_template) as made:
        yield made


def confirm(scene: Scene) -> None:
    """Approve the plan; a process that dies before it can answer has taken the approval all the same."""
    reply = scene.api().command("/restore confirm album", INCIDENT)
    assert reply["ok"], reply


def rehearsed_content(scene: Scene) -> str:
    return content_of(Path(scene.planned()["scratch_path"]))


def told(scene: Scene) -> list[str]:
    """Return what the timeline tells of the change itself, in order."""
    return [e["kind"] for e in scene.entries(INTENT, *RESULT)]


def assert_written_once(scene: Scene) -> None:
    """Judge by the host: one job, and it was this launch of it that wrote, as a second one would find it written."""
    [job] = scene.jobs("write")
    assert json.loads((job / "stdout").read_text())["already"] is False
    [end] = [e for e in scene.entries("host.command") if str(e["data"].get("job_key", "")).endswith(".write")]
    assert (end["data"]["outcome"], end["data"]["exit_status"]) == ("done", 0)


def assert_cut_over_once(scene: Scene, rehearsed: str, state: dict[str, Any]) -> None:
    assert state["cutover"] == "done", state["headline"]
    assert scene.content() == rehearsed
    assert_written_once(scene)
    assert told(scene) == [INTENT, "cutover.done"]


def assert_timelines_whole(scene: Scene) -> None:
    done = scene.bot.backout("timeline", "verify", "--settings", str(scene.bot.settings))
    assert done.returncode == 0, done.stdout


def crash_and_go_on(stages: Stages, moment: str) -> None:
    """Kill Backout at that moment of the cut-over, start it again, and judge what it comes to by itself."""
    with stages.at("planned", moment) as scene:
        before, rehearsed = scene.content(), rehearsed_content(scene)
        confirm(scene)
        assert scene.bot.wait_for_death() == DIED
        if moment in BEFORE_LAUNCH:
            assert scene.content() == before
            assert scene.jobs("write") == []
        scene.bot.start()
        state = scene.at_rest()
        assert_cut_over_once(scene, rehearsed, state)
        # What came after the last commit is nothing: such an operation may have been found ended, or goes on to its end.
        assert [e["data"]["kind"] for e in scene.entries("recovered.after_crash")] == ["cutover"]
        assert_timelines_whole(scene)


@pytest.mark.parametrize("moment", NORMAL_MOMENTS)
def test_backout_ends_in_the_cut_over(stages: Stages, moment: str) -> None:
    """Whenever Backout ends between intent, act and result, the next start brings one cut-over to its end."""
    crash_and_go_on(stages, moment)


@pytest.mark.long
@pytest.mark.parametrize("moment", OTHER_MOMENTS)
def test_backout_ends_at_any_other_moment(stages: Stages, moment: str) -> None:
    """The same at every other boundary of the cut-over."""
    crash_and_go_on(stages, moment)


def test_backout_ends_while_the_job_runs(stages: Stages) -> None:
    """While the job runs on without Backout nothing is claimed, and the next start attaches to it and sees it end."""
    with stages.at("planned", "paused:write") as scene:
        before, rehearsed = scene.content(), rehearsed_content(scene)
        confirm(scene)
        assert scene.bot.wait_for_death() == DIED
        [job] = scene.jobs("write")
        try:
            scene.bot.start()
            time.sleep(1.5)
            state = scene.state()
            assert (state["cutover"], state["operation"]["kind"]) == ("unknown", "cutover")
            assert scene.content() == before
        finally:
            for pid in session_of(job):
                os.kill(pid, signal.SIGCONT)
        assert_cut_over_once(scene, rehearsed, scene.at_rest())


def host_fails(stages: Stages, moment: str) -> tuple[Scene, str, str, dict[str, Any]]:
    """Play the cut-over with a host that fails at that moment, and return the scene, both contents, and the end."""
    with stages.at("planned", moment) as scene:
        before, rehearsed = scene.content(), rehearsed_content(scene)
        confirm(scene)
        scene.until("the cut-over was taken up", lambda s: bool(told(scene)) or s["operation"] is None)
        state = scene.at_rest(60)
        now, kinds = scene.content(), told(scene)
        assert kinds[:1] == [INTENT]
        assert len(scene.jobs("write")) <= 1
        assert_truthful(state, kinds, now, before, rehearsed)
        can_go_on(scene, state)
    return scene, before, rehearsed, state


def assert_truthful(
    state: dict[str, Any], kinds: list[str], now: str, before: str, rehearsed: str
) -> None:
    """What the incident says of production's data is what they are; nothing is left for ever "being looked up"."""
    assert now in (before, rehearsed)
    said = {before: ("none", "cutover.not_done"), rehearsed: ("done", "cutover.done")}[now]
    assert (state["cutover"], kinds[-1]) == said, state["headline"]


def can_go_on(scene: Scene, state: dict[str, Any]) -> None:
    """After a cut-over that did not take place the plan can be made anew; nothing keeps the site."""
    if state["cutover"] == "none":
        reply = scene.api().command("/restore plan", INCIDENT)
        assert reply["ok"], reply


def test_the_job_is_killed_at_once(stages: Stages) -> None:
    """A job killed before it wrote is not repeated: production is as before, and the incident says so."""
    _, _, _, state = host_fails(stages, "killed:write")
    assert state["cutover"] == "none"


def test_the_job_is_killed_while_it_writes(stages: Stages) -> None:
    """A job killed in the middle of its write leaves the old content or the new; the incident says which."""
    host_fails(stages, "written:write")


def test_the_program_of_the_job_is_killed(stages: Stages) -> None:
    """A program that the kernel ends for lack of memory has an exit status and no answer: what it did is looked up."""
    host_fails(stages, "out-of-memory:write")


def test_the_host_is_out_of_reach_when_the_job_is_to_start(stages: Stages) -> None:
    """A host that cannot be reached in the moment after the intent does not leave the incident without a way on."""
    host_fails(stages, "unreachable:write")


def test_the_link_is_lost_after_the_job_was_sent(stages: Stages) -> None:
    """A link lost before the answer is no reason to start again: the job is found, and the cut-over is done once."""
    scene, _, _, state = host_fails(stages, "lost:write")
    assert state["cutover"] == "done"
    assert_written_once_offline(scene)


def assert_written_once_offline(scene: Scene) -> None:
    [job] = scene.jobs("write")
    assert json.loads((job / "stdout").read_text())["already"] is False


def test_the_host_is_silent_when_the_result_is_looked_up(stages: Stages) -> None:
    """The question for the result is asked again when the host was out of reach: a done cut-over is told as done."""
    _, _, _, state = host_fails(stages, "silent:write")
    assert state["cutover"] == "done"


def test_a_cancel_in_the_middle_of_the_cut_over(stages: Stages) -> None:
    """A cancel stops the job on the host first, and then what it did is looked up and told."""
    with stages.at("planned", "held:write") as scene:
        before, rehearsed = scene.content(), rehearsed_content(scene)
        confirm(scene)
        scene.until("the job runs", lambda _: bool(scene.jobs("write")))
        time.sleep(0.5)
        assert scene.api().command("/incident cancel", INCIDENT)["ok"]
        state = scene.at_rest(60)
        [job] = scene.jobs("write")
        assert session_of(job) == []
        assert_truthful(state, told(scene), scene.content(), before, rehearsed)
        can_go_on(scene, state)


def test_content_that_is_neither_keeps_the_site_and_leaves_a_way_back(stages: Stages) -> None:
    """Where production is neither as before nor as planned, the site stays kept, and a release and an undo lead back."""
    with stages.at("planned", "held:write") as scene:
        before = scene.content()
        confirm(scene)
        scene.until("the job runs", lambda _: bool(scene.jobs("write")))
        time.sleep(0.5)
        [job] = scene.jobs("write")
        write_a_row(scene.site)
        for pid in session_of(job):
            os.kill(pid, signal.SIGCONT)
        state = scene.at_rest(60)
        assert (state["cutover"], told(scene)[-1]) == ("unknown", "cutover.unknown")
        player = scene.player()
        player.type("/incident release")
        player.type("/restore undo")
        player.choose("undo", "undo", "album")
        scene.until("undone", lambda s: s["operation"] is None and s["cutover"] == "undone")
        assert scene.content() == before


def write_a_row(site: Production) -> None:
    connection = sqlite3.connect(site.database_path)
    connection.execute("insert into tags (name, created_at, updated_at) values ('late', '2026-01-01', '2026-01-01')")
    connection.commit()
    connection.close()


# -- the other operations: one boundary each


def finish_the_incident(scene: Scene) -> None:
    """Bring a planned incident over its cut-over, so that what a crash left behind has shown to be whole."""
    rehearsed = rehearsed_content(scene)
    confirm(scene)
    assert_cut_over_once(scene, rehearsed, scene.until("cut-over", lambda s: s["cutover"] == "done"))


@pytest.mark.long
@pytest.mark.parametrize("moment", ["sent:scratch", "sent:rollback", "sent:repair", "before:plan:prove", "before:plan:tell.planned"])
def test_backout_ends_in_the_rehearsal(stages: Stages, moment: str) -> None:
    """A rehearsal goes on where it was, changes nothing on production, and its plan can be carried out."""
    from tests.site.play import play_to_planned_decision

    with stages.at("safe", moment) as scene:
        before = scene.content()
        play_to_planned_decision(scene, moment)
        assert scene.content() == before
        finish_the_incident(scene)
