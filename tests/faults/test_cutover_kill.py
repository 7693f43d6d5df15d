"""Backout or its host ends at each moment of the cut-over; the incident ends truthfully, and nothing is written twice."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.crashing_bot import session_of, signal_session
from tests.faults.test_deploy_unproven import deployed_without_a_proof
from tests.site import production
from tests.site.clone import clone_production
from tests.site.fixtures import production_template
from tests.site.production import Production
from tests.site.scenario import (
    DIED,
    INCIDENT,
    Scene,
    Stages,
    content_of,
    disagreements,
    make_scene,
    stages_below,
)

__all__ = ["production_template"]

INTENT, RESULT = "cutover.intent", ("cutover.done", "cutover.not_done", "cutover.unknown")

# From the record of the intent to the record of the result, in order. The normal suite has one of each kind.
BEFORE_LAUNCH = ("after:cutover:plan", "before:cutover:cutover.begun")
NORMAL_MOMENTS = (
    "before:cutover:cutover.begun",
    "after:cutover:cutover.begun",
    "before:cutover:write",
    "after:cutover:write",
)
OTHER_MOMENTS = (
    "after:cutover:plan",
    "after:cutover:tell.began.RESTORE",
    "after:cutover:journal",
    "before:cutover:write.intent",
    "after:cutover:write.intent",
    "unsent:write",
    "before:cutover:write.launched",
    "sent:write",
    "after:cutover:write.launched",
    "before:cutover:tell.done",
    "after:cutover:tell.done",
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
            signal_session(job, signal.SIGCONT)
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


def assert_truthful(state: dict[str, Any], kinds: list[str], now: str, before: str, rehearsed: str) -> None:
    """What the incident says of production's data is what they are; nothing is left for ever "being looked up"."""
    assert now in (before, rehearsed)
    said = {before: ("none", "cutover.not_done"), rehearsed: ("done", "cutover.done")}[now]
    assert (state["cutover"], kinds[-1]) == said, state["headline"]


def can_go_on(scene: Scene, state: dict[str, Any]) -> None:
    """After a cut-over that did not take place the plan can be made anew; nothing keeps the site."""
    if state["cutover"] == "none":
        reply = scene.api().command("/restore plan", INCIDENT)
        assert reply["ok"], reply


@pytest.mark.long
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


@pytest.mark.long
def test_the_link_is_lost_after_the_job_was_sent(stages: Stages) -> None:
    """A link lost before the answer is no reason to start again: the job is found, and the cut-over is done once."""
    scene, _, _, state = host_fails(stages, "lost:write")
    [job] = scene.jobs("write")
    assert state["cutover"] == "done"
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
        job = held_job(scene)
        try:
            assert scene.api().command("/incident cancel", INCIDENT)["ok"]
            state = scene.at_rest(60)
            assert session_of(job) == []
        finally:
            signal_session(job, signal.SIGKILL)
        assert_truthful(state, told(scene), scene.content(), before, rehearsed)
        can_go_on(scene, state)


def test_content_that_is_neither_keeps_the_site_and_leaves_a_way_back(stages: Stages) -> None:
    """Where production is neither as before nor as planned, the site stays kept, and a release and an undo lead back."""
    with stages.at("planned", "held:write") as scene:
        before = scene.content()
        confirm(scene)
        job = held_job(scene)
        write_a_row(scene.site)
        signal_session(job, signal.SIGCONT)
        state = scene.at_rest(60)
        assert told(scene)[-1] == "cutover.unknown"
        assert state["cutover"] not in ("none", "done", "undone")
        player = scene.player()
        player.type("/app freeze")
        [question] = scene.decisions("freeze")
        assert player.api.answer(question["id"], "freeze")["ok"]
        told_in_channel = [m["body"] for m in scene.at_rest()["messages"]]
        assert any("kept by cutover" in body for body in told_in_channel)
        player.type("/incident release")
        player.type("/restore undo")
        player.choose("undo", "undo", "album")
        scene.until("undone", lambda s: s["operation"] is None and s["cutover"] == "undone")
        assert scene.content() == before


def held_job(scene: Scene) -> Path:
    """Return the folder of the job that writes, once it is there and was made to hold still."""
    scene.until("the job runs", lambda _: any((job / "pid").exists() for job in scene.jobs("write")))
    time.sleep(0.5)
    [job] = scene.jobs("write")
    return job


def write_a_row(site: Production) -> None:
    connection = sqlite3.connect(site.database_path)
    connection.execute(
        "insert into tags (name, created_at, updated_at) values ('late', '2026-01-01', '2026-01-01')"
    )
    connection.commit()
    connection.close()


# -- the other operations that change something: one boundary each


def die_and_go_on(scene: Scene) -> None:
    assert scene.bot.wait_for_death() == DIED
    scene.bot.start()


def deploy_corrected(scene: Scene) -> None:
    """Type what comes between the cut-over and the approval of the corrected commit."""
    player = scene.player()
    player.until("cut-over", lambda s: s["operation"] is None and s["cutover"] == "done")
    player.type("/app rollback")
    player.until("align", lambda s: s["operation"] is None)
    player.type(f"/app deploy {scene.site.corrected_commits[-1][:12]}")
    player.choose("deploy", "approve")


@pytest.mark.long
@pytest.mark.parametrize("moment", ["unsent:down", "sent:down", "before:freeze:tell.frozen"])
def test_backout_ends_in_the_freeze(production_template: Production, tmp_path: Path, moment: str) -> None:
    """The application is taken down once, and the freeze is proven after the next start."""
    site = clone_production(production_template.folder, tmp_path / "production")
    scene = make_scene(site, tmp_path / "bot")
    scene.bot.start_dying(moment)
    try:
        player = scene.player()
        player.incident = player.api.command("/incident start album captions are gone")["incident_id"]
        player.choose("assessed", "freeze")
        die_and_go_on(scene)
        player.step(2)
        assert scene.state()["down_since"] is not None
        assert len(scene.jobs("down")) == 1
        assert [e["data"]["proven"] for e in scene.entries("frozen")] == [False, True]
    finally:
        scene.bot.kill()
        production.stop(site.folder)


@pytest.mark.long
@pytest.mark.parametrize("moment", ["unsent:copy", "sent:copy", "before:safety:tell.made"])
def test_backout_ends_in_the_safety_backup(stages: Stages, moment: str) -> None:
    """The safety backup is taken once, and it is whole."""
    with stages.at("safe", moment) as scene:
        before, jobs = scene.content(), len(scene.jobs("copy"))
        assert scene.api().command("/backups create", INCIDENT)["ok"]
        die_and_go_on(scene)
        scene.at_rest()
        made = scene.entries("safety.made")
        assert (len(made), len(scene.jobs("copy"))) == (2, jobs + 1)
        assert content_of(Path(made[-1]["data"]["path"])) == before == scene.content()


@pytest.mark.long
@pytest.mark.parametrize(
    "moment",
    ["sent:scratch", "sent:rollback", "sent:repair", "before:plan:prove", "before:plan:tell.planned"],
)
def test_backout_ends_in_the_rehearsal(stages: Stages, moment: str) -> None:
    """A rehearsal goes on where it was, changes nothing on production, and its plan can be carried out."""
    with stages.at("safe", moment) as scene:
        before, player = scene.content(), scene.player()
        player.type("/restore plan")
        for decision in [d for d in scene.at_rest()["decisions"] if d["open"]]:
            advised = next(c["key"] for c in decision["choices"] if c["style"] == "primary")
            assert player.api.answer(decision["id"], advised)["ok"]
        die_and_go_on(scene)
        player.decision("cutover")
        assert scene.content() == before
        rehearsed = rehearsed_content(scene)
        confirm(scene)
        assert_cut_over_once(scene, rehearsed, scene.until("cut-over", lambda s: s["cutover"] == "done"))


@pytest.mark.long
@pytest.mark.parametrize(
    "moment",
    ["after:deploy:deploy.begun", "sent:checkout", "sent:migrate-live", "before:deploy:tell.deployed"],
)
def test_backout_ends_in_the_deployment(stages: Stages, moment: str) -> None:
    """The corrected commit is checked out and its migration run once, and the oracle agrees."""
    with stages.at("planned", moment) as scene:
        confirm(scene)
        deploy_corrected(scene)
        die_and_go_on(scene)
        scene.player().step(7)
        assert scene.head() == scene.site.corrected_commits[-1]
        assert len(scene.entries("corrected.done")) == 1
        assert disagreements(scene.site, "corrected") == []


def test_the_proof_of_the_corrected_migration_cannot_be_begun(stages: Stages) -> None:
    """A host that is out of reach after the migration ran is no reason to say that nothing was sent, or changed."""
    deployed_without_a_proof(stages, "unreachable:compare-live")


@pytest.mark.long
@pytest.mark.parametrize("moment", ["after:undo:undo.begun", "before:undo:write", "after:undo:write"])
def test_backout_ends_in_the_undo(stages: Stages, moment: str) -> None:
    """The undo is carried out once, and production is exactly as it was before the cut-over."""
    with stages.at("planned", moment) as scene:
        before, player = scene.content(), scene.player()
        confirm(scene)
        player.until("cut-over", lambda s: s["operation"] is None and s["cutover"] == "done")
        player.type("/restore undo")
        player.choose("undo", "undo", "album")
        die_and_go_on(scene)
        state = scene.at_rest()
        assert (state["cutover"], scene.content()) == ("undone", before)
        assert len(scene.jobs("write")) == 2
        assert len(scene.entries("undo.done")) == 1
