"""Whatever is killed while production's data change on a database server, the incident says what the database holds."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest

from tests.faults.crashing_bot import signal_session
from tests.faults.engine_stages import (
    INTENT,
    assert_truthful,
    can_plan_again,
    claims_nothing,
    confirm,
    cut_over_at_last,
    engine_stages,
    told,
)
from tests.faults.server_killing import Kill, MomentMissedError, kill, start_server
from tests.site.scenario import DIED, Scene, Stages

__all__ = ["engine_stages"]

DARK_S = 1.0
"""How long nobody can look, while the server is down."""

BOT_MOMENTS = (
    "after:cutover:plan",
    "before:cutover:cutover.begun",
    "after:cutover:cutover.begun",
    "before:cutover:write.intent",
    "after:cutover:write.intent",
    "unsent:write",
    "before:cutover:write.launched",
    "after:cutover:write.launched",
    "before:cutover:write",
    "after:cutover:write",
    "before:cutover:tell.done",
    "after:cutover:tell.done",
)
UNDO_MOMENTS = (
    "after:undo:plan",
    "before:undo:undo.begun",
    "after:undo:undo.begun",
    "unsent:write",
    "sent:write",
    "before:undo:write",
    "after:undo:write",
    "before:undo:tell.undone",
    "after:undo:tell.undone",
)
KILLS = (
    *(Kill(step="write", moment="begun", victim=v) for v in ("shell", "reader", "server")),
    *(Kill(step="write", moment="client", victim=v) for v in ("session", "client", "server")),
    *(
        Kill(step="write", moment="intended", victim=v, delay_s=delay)
        for v in ("shell", "reader", "client", "session", "server")
        for delay in (0.0, 0.02)
    ),
)
SERVER_IN_THE_SWAP = Kill(step="write", moment="intended", victim="server")


def die_in_the_cut_over(stages: Stages, moment: str) -> None:
    """Kill Backout at that moment of the cut-over, start it again, and judge what it comes to by itself."""
    with stages.at("planned", moment) as scene:
        before, rehearsed = scene.content(), scene.rehearsed_content()
        confirm(scene)
        assert scene.bot.wait_for_death() == DIED
        scene.bot.start()
        state = scene.at_rest(60)
        assert state["cutover"] == "done", state["headline"]
        assert_truthful(scene, state, before, rehearsed)
        assert told(scene) == [INTENT, "cutover.done"]
        assert len(scene.jobs("write")) == 1


@pytest.mark.long
def test_backout_ends_when_the_host_has_just_begun(engine_stages: Stages) -> None:
    """Backout ends right after the job was sent: the next start attaches to it, and there is one cut-over."""
    die_in_the_cut_over(engine_stages, "sent:write")


@pytest.mark.long
@pytest.mark.parametrize("moment", BOT_MOMENTS)
def test_backout_ends_at_any_other_moment(engine_stages: Stages, moment: str) -> None:
    """The same at every other boundary between the plan and what is told."""
    die_in_the_cut_over(engine_stages, moment)


@pytest.mark.long
def test_backout_ends_while_the_job_holds_still(engine_stages: Stages) -> None:
    """While the job goes on without Backout nothing is claimed; the next start sees it end."""
    with engine_stages.at("planned", "paused:write") as scene:
        before, rehearsed = scene.content(), scene.rehearsed_content()
        confirm(scene)
        assert scene.bot.wait_for_death() == DIED
        [job] = scene.jobs("write")
        try:
            scene.bot.start()
            time.sleep(DARK_S)
            claims_nothing(scene)
            assert scene.content() == before
        finally:
            signal_session(job, signal.SIGCONT)
        assert_truthful(scene, scene.at_rest(60), before, rehearsed)
        assert told(scene) == [INTENT, "cutover.done"]


def killed_in_the_cut_over(stages: Stages, what: Kill, go_on: Callable[[Scene, str], None]) -> None:
    """Kill it in the cut-over, bring a killed server back, judge, and go on where nothing was changed."""

    def play(scene: Scene) -> None:
        before, rehearsed = scene.content(), scene.rehearsed_content()
        confirm(scene)
        kill_and_bring_back(scene, what)
        state = scene.until("a result", lambda s: s["operation"] is None and told(scene)[1:], 60)
        assert_truthful(scene, state, before, rehearsed)
        if state["cutover"] == "none":
            go_on(scene, rehearsed)

    until_met(stages, play)


def until_met(stages: Stages, play: Callable[[Scene], None]) -> None:
    """Play from the plan on; again where the moment of the kill was over before it was seen, at most three times."""
    for left in (2, 1, 0):
        with stages.at("planned") as scene:
            try:
                play(scene)
            except MomentMissedError:
                if not left:
                    raise
            else:
                return


def kill_and_bring_back(scene: Scene, what: Kill) -> None:
    """Kill; while a killed server is down nothing may be claimed. *Changes*: starts that server again."""
    kill(scene, what)
    if what.victim == "server":
        time.sleep(DARK_S)
        claims_nothing(scene)
        start_server(scene)


@pytest.mark.long
def test_the_server_is_killed_in_the_swap(engine_stages: Stages) -> None:
    """A server killed between the intent and the end of the swap has the old tables or the new; which, is told."""
    killed_in_the_cut_over(engine_stages, SERVER_IN_THE_SWAP, lambda scene, _: can_plan_again(scene))


@pytest.mark.long
@pytest.mark.parametrize("what", [each for each in KILLS if each != SERVER_IN_THE_SWAP], ids=str)
def test_anything_is_killed_in_the_cut_over(engine_stages: Stages, what: Kill) -> None:
    """The shell, the reader, its clients, all of them, or the server: live is as before or as rehearsed, as is told."""
    killed_in_the_cut_over(engine_stages, what, cut_over_at_last)


# -- the undo


def ask_for_the_undo(scene: Scene) -> None:
    """Carry the plan out, and approve its undo."""
    confirm(scene)
    player = scene.player()
    player.until("cut-over", lambda s: s["operation"] is None and s["cutover"] == "done")
    player.type("/restore undo")
    player.choose("undo", "undo", "album")


@pytest.mark.long
@pytest.mark.parametrize("moment", UNDO_MOMENTS)
def test_backout_ends_in_the_undo(engine_stages: Stages, moment: str) -> None:
    """The undo is carried out once, and production is exactly as it was before the cut-over."""
    # "sent" and "unsent" would meet the job of the cut-over: the bot that dies is started for the undo only.
    with engine_stages.at("planned") as scene:
        before = scene.content()
        confirm(scene)
        scene.player().until("cut-over", lambda s: s["operation"] is None and s["cutover"] == "done")
        scene.bot.stop()
        scene.bot.start_dying(moment)
        player = scene.player()
        player.type("/restore undo")
        player.choose("undo", "undo", "album")
        assert scene.bot.wait_for_death() == DIED
        scene.bot.start()
        state = scene.at_rest(60)
        assert (state["cutover"], scene.content()) == ("undone", before)
        assert len(scene.jobs("write")) == 2
        assert len(scene.entries("undo.done")) == 1


@pytest.mark.long
@pytest.mark.parametrize("what", KILLS, ids=str)
def test_anything_is_killed_in_the_undo(engine_stages: Stages, what: Kill) -> None:
    """Live is as it was before the cut-over or as it was after it, and the incident says which; the undo can be had."""

    def play(scene: Scene) -> None:
        before, rehearsed = scene.content(), scene.rehearsed_content()
        ask_for_the_undo(scene)
        kill(scene, what)
        if what.victim == "server":
            time.sleep(DARK_S)
            assert scene.state()["cutover"] != "undone"
            start_server(scene)
        state = scene.at_rest(60)
        now = scene.content()
        assert now in (before, rehearsed)
        assert state["cutover"] == {before: "undone", rehearsed: "done"}[now], state["headline"]
        if now == rehearsed:
            player = scene.player()
            player.type("/restore undo")
            scene.until("the question", lambda _: scene.decisions("undo"))
            player.choose("undo", "undo", "album")
            scene.until("undone", lambda s: s["operation"] is None and s["cutover"] == "undone", 60)
            assert scene.content() == before

    until_met(engine_stages, play)
