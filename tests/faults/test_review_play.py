"""Played on a real production: what people may do after the cut-over that must not harm it."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.site.fixtures import production_template
from tests.site.history import git
from tests.site.play import Player, deploy
from tests.site.production import Production
from tests.site.scenario import DIED, INCIDENT, Scene, Stages, changed_settings, stages_below

__all__ = ["production_template"]


@pytest.fixture(scope="session")
def stages(production_template: Production, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    """An incident at known stages, put back for each test."""
    with stages_below(tmp_path_factory.getbasetemp(), production_template) as made:
        yield made


def visitors_get(scene: Scene) -> int:
    """Return the HTTP status that a visitor gets."""
    try:
        with urllib.request.urlopen(scene.site.url + "/", timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def restored(scene: Scene) -> Player:
    """Play on from the plan to a production that was cut over."""
    player = scene.player()
    player.type("/restore confirm album")
    scene.until("cut over", lambda s: s["operation"] is None and s["cutover"] == "done")
    return player


def checked(scene: Scene) -> Player:
    """Play on to a production with the corrected migration, checked and ready to be reopened."""
    player = restored(scene)
    deploy(player, scene.site.corrected_commits[-1:])
    player.type("/app check")
    player.step(9)
    for decision in scene.decisions():
        if decision["purpose"].startswith("manual:"):
            scene.api().answer(decision["id"], "ok")
    return player


def reopened(scene: Scene) -> Player:
    """Play on to an application that is open to visitors again."""
    player = checked(scene)
    player.type("/app reopen")
    player.choose("reopen", "reopen")
    scene.until("open", lambda s: s["operation"] is None and visitors_get(scene) == 200)
    return player


def test_an_assessment_after_the_cut_over_cannot_close_the_incident_with_the_site_down(
    stages: Stages,
) -> None:
    """Nothing is lost any more after the cut-over; the incident all the same does not end while visitors get a 503."""
    with stages.at("planned") as scene:
        player = restored(scene)
        player.type("/incident assess")
        decision = player.decision("assessed")
        scene.at_rest()
        assert visitors_get(scene) == 503
        if "close" in [c["key"] for c in decision["choices"]]:
            scene.api().answer(decision["id"], "close")
        state = scene.at_rest()
        assert state["closed_at"] is None, state["headline"]


@pytest.mark.long
def test_a_check_after_reopening_does_not_take_the_site_down(stages: Stages) -> None:
    """`/app check` on an open site is refused or only reads: visitors are not shut out by it."""
    with stages.at("planned") as scene:
        player = reopened(scene)
        scene.api().command("/app check", INCIDENT)
        state = scene.at_rest()
        assert visitors_get(scene) == 200, state["headline"]
        assert player.incident == INCIDENT


@pytest.mark.long
def test_an_undo_after_the_site_was_open_needs_two_persons(stages: Stages) -> None:
    """The freeze that an undo needs does not make it forgotten that visitors could write since the cut-over."""
    with stages.at("planned") as scene:
        player = reopened(scene)
        player.type("/app freeze")
        player.choose("freeze", "freeze")
        scene.until("frozen", lambda s: s["operation"] is None and visitors_get(scene) == 503)
        player.type("/restore undo")
        decision: dict[str, Any] = player.decision("undo")
        assert decision["votes_needed"] == 2, decision["body"]


def test_only_an_approver_opens_the_site_by_the_button_too(stages: Stages) -> None:
    """The button of a question asks for the same right as the command that opened it."""
    with stages.at("planned") as scene:
        player = scene.player()
        player.type("/app reopen")
        assert player.decision("reopen")["permission"] == "approve"


def test_a_plan_that_ends_late_does_not_replace_the_one_that_is_carried_out(stages: Stages) -> None:
    """Approving one plan while a second rehearsal runs leaves one of them void, and the timeline's plan is what is live."""
    with stages.at("planned") as scene:
        live = scene.planned()["plan_hash"]
        [approval] = scene.decisions("cutover")
        player = scene.player()
        player.type("/restore plan --swap")
        reply = scene.api().answer(approval["id"], "approve", "album")
        state = scene.at_rest(60)
        if reply["ok"] and state["cutover"] == "done":
            assert scene.planned()["plan_hash"] == live, "another plan was told after the cut-over"


# A text that no page of the site holds.
FAILING = """[[sites.album.probes]]
address = "/"
contains = ["No page says so"]

[sites.album.ssh]"""


@pytest.mark.long
def test_a_failed_test_is_gone_past_by_a_word_alone_and_told(stages: Stages) -> None:
    """An address that is not as it has to be keeps the site closed until a person types its name; that is told, and alarms."""
    with stages.at("planned") as scene, changed_settings(scene, "[sites.album.ssh]", FAILING):
        player = restored(scene)
        deploy(player, scene.site.corrected_commits[-1:])
        player.type("/app check")
        scene.until("tested", lambda s: s["operation"] is None and scene.entries("app.tested"), 200)
        player.type("/app reopen")
        question = player.decision("reopen")
        assert "without the text “No page says so”" in question["body"]
        assert not scene.api().answer(question["id"], "reopen")["ok"]
        assert visitors_get(scene) == 503
        assert scene.api().answer(question["id"], "reopen", "album")["ok"]
        alarm = player.decision("watch", 120)
        assert "No page says so" in alarm["body"]
        assert visitors_get(scene) == 200
        (entry,) = scene.entries("reopened")
        told = [one.split(":")[0] for one in entry["data"]["in_spite_of"]]
        assert told == ["the test of the application failed", "nobody has confirmed", "nobody has confirmed"]


@pytest.mark.long
def test_a_reopening_that_waited_for_an_undo_is_asked_again(stages: Stages) -> None:
    """A yes to reopening given a moment after the undo was approved does not open the site upon the broken data."""
    with stages.at("planned") as scene:
        player = checked(scene)
        player.type("/app reopen")
        reopening = player.decision("reopen")
        player.type("/restore undo")
        undoing = player.decision("undo")
        scene.at_rest()
        assert scene.api().answer(undoing["id"], "undo", "album")["ok"]
        scene.api().answer(reopening["id"], "reopen")
        state = scene.at_rest(60)
        assert state["cutover"] == "undone"
        assert visitors_get(scene) == 503, state["headline"]


@pytest.mark.long
def test_an_undo_that_cannot_put_the_code_back_is_not_begun(stages: Stages) -> None:
    """A file edited by hand stands against the checkout: it is named before the database is written, or nothing is stuck."""
    with stages.at("planned") as scene:
        player = checked(scene)
        changed = _a_file_of_the_deployed_commit(scene)
        with changed.open("a", encoding="utf-8") as file:
            file.write("\n// edited by hand on the host\n")
        player.type("/restore undo")
        decision = player.decision("undo")
        scene.at_rest()
        assert scene.api().answer(decision["id"], "undo", "album")["ok"]
        state = scene.at_rest(60)
        assert state["cutover"] != "unknown", state["headline"]


def _a_file_of_the_deployed_commit(scene: Scene) -> Path:
    """Return a file that differs between the deployed commit and the one the undo goes back to."""
    before = scene.planned()["code_commit"]
    names = git(scene.site.app_path, "diff", "--name-only", "--diff-filter=M", before, "HEAD").split()
    if not names:
        names = git(scene.site.app_path, "diff", "--name-only", before, "HEAD").split()
    return scene.site.app_path / names[0]


def test_a_site_opened_while_backout_was_away_is_not_cut_over(stages: Stages) -> None:
    """Backout ends after the intent, someone opens the site, Backout starts again: the freeze is proven anew first."""
    with stages.at("planned", "after:cutover:cutover.begun") as scene:
        before = scene.content()
        scene.api().command("/restore confirm album", INCIDENT)
        assert scene.bot.wait_for_death() == DIED
        (scene.site.app_path / "storage" / "framework" / "down").unlink()
        assert visitors_get(scene) == 200
        scene.bot.start()
        state = scene.at_rest(60)
        assert scene.content() == before, state["headline"]
        assert state["cutover"] == "none"
