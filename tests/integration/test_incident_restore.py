"""Step 5 and what follows it: swap, undo, rollback refused, deployment; and a database that changed meanwhile."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.site import faults
from tests.site.bot_settings import APPROVER
from tests.site.clone import clone_production
from tests.site.fixtures import production_template
from tests.site.production import Production, artisan
from tests.site.scenario import (
    INCIDENT,
    Scene,
    Stages,
    changed_settings,
    disagreements,
    play_to_planned,
    stages_below,
)

__all__ = ["production_template"]


@pytest.fixture(scope="session")
def stages(production_template: Production, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    """An incident at known stages, put back for each test."""
    with stages_below(tmp_path_factory.getbasetemp(), production_template) as made:
        yield made


def until_cut_over(scene: Scene) -> None:
    scene.player().until("cut-over", lambda s: s["operation"] is None and s["cutover"] == "done")


def undo(scene: Scene) -> None:
    """Undo the cut-over; the wrong word along with the button is refused."""
    player = scene.player()
    player.type("/restore undo")
    decision = player.decision("undo")
    assert not player.api.answer(decision["id"], "undo", "blog")["ok"]
    player.choose("undo", "undo", "album")
    player.until("undo", lambda s: s["operation"] is None and s["cutover"] == "undone")


def test_swap_needs_two_persons_and_can_be_undone(stages: Stages) -> None:
    """A swap that loses newer rows needs two persons; its undo brings the broken state back exactly; repair still works."""
    with stages.at("safe") as scene:
        before, commit, player = scene.content(), scene.head(), scene.player()
        player.type("/restore plan --swap")
        assert player.decision("cutover")["votes_needed"] == 2
        for _ in range(2):
            assert "1 more person" in player.type("/restore confirm album")["text"]
            assert (scene.at_rest()["cutover"], scene.content()) == ("none", before)
        scene.player(APPROVER).type("/restore confirm album")
        until_cut_over(scene)
        assert [e["actor"] for e in scene.entries("approved")] == ["Anna", "Boris"]
        assert disagreements(scene.site, "swapped") == []
        undo(scene)
        assert (scene.content(), scene.head()) == (before, commit)
        play_to_planned(player)
        player.type("/restore confirm album")
        until_cut_over(scene)
        assert disagreements(scene.site, "repaired") == []


def test_after_the_repair_nothing_is_rolled_back_and_all_can_be_undone(
    stages: Stages, tmp_path: Path
) -> None:
    """The repair agrees with the oracle; a rollback is refused for its reason; a lost comment is found; undo takes all back.

    A check that came into the settings after the plan has the backup's number all the same.
    """
    with stages.at("planned") as scene:
        before, commit, player = scene.content(), scene.head(), scene.player()
        player.type("/restore confirm album")
        until_cut_over(scene)
        assert disagreements(scene.site, "repaired") == []
        rollback_is_refused(scene, tmp_path)
        player.type(f"/app deploy {scene.site.corrected_commits[-1][:12]}")
        player.choose("deploy", "approve")
        player.step(7)
        assert disagreements(scene.site, "corrected") == []
        faults.lost_comment(scene.site)
        with changed_settings(scene, '"captions are kept"', '"captions survive"'):
            player.type("/app check")
            state = scene.at_rest()
        (late,) = [c for c in checks_told(scene) if c["name"] == "captions survive"]
        assert (late["before"], late["passed"], late["backup"] > 1000) == (None, True, True)
        assert (state["steps"][7]["status"], state["steps"][8]["status"]) == ("failed", "waiting")
        assert "1 rows of comments are gone" in state["steps"][7]["note"]
        assert not scene.api().command("/app reopen", INCIDENT)["ok"]
        undo(scene)
        assert (scene.content(), scene.head()) == (before, commit)


def checks_told(scene: Scene) -> list[dict[str, Any]]:
    """Return the site's own checks as they were told last."""
    return list(scene.entries("data.checked")[-1]["data"]["checks"])


def rollback_is_refused(scene: Scene, folder: Path) -> None:
    """`/app rollback` changes nothing and says why; on a copy the literal command takes the good migration back."""
    repaired = scene.content()
    scene.player().type("/app rollback")
    scene.at_rest()
    refused = scene.entries("refused")[-1]
    assert refused["data"]["guard"] == "G1"
    assert scene.site.bad_migration in refused["text"]
    assert scene.site.good_migration in refused["text"]
    assert scene.content() == repaired
    copy = clone_production(scene.site.folder, folder / "copy", run=False)
    assert scene.site.good_migration in migrations(copy)
    artisan(copy, "migrate:rollback", "--step=1", "--force")
    assert scene.site.good_migration not in migrations(copy)


def migrations(site: Production) -> set[str]:
    connection = sqlite3.connect(site.database_path)
    names = {row[0] for row in connection.execute("select migration from migrations")}
    connection.close()
    return names


def test_a_database_that_changed_since_the_approval_is_not_touched(stages: Stages) -> None:
    """One row written after the rehearsal voids the plan: nothing is changed, and a new safety backup is taken."""
    with stages.at("planned") as scene:
        connection = sqlite3.connect(scene.site.database_path)
        connection.execute("insert into tags (name) values ('late')")
        connection.commit()
        connection.close()
        before = scene.content()
        scene.player().type("/restore confirm album")
        scene.until("a new safety backup", lambda _: len(scene.entries("safety.made")) == 2)
        state = scene.at_rest()
        assert (state["cutover"], scene.content()) == ("none", before)
        assert scene.jobs("write") == []
        [void] = scene.entries("plan.void")
        assert "CHANGED" in void["text"]
        refusal = scene.api().command("/restore confirm album", INCIDENT)
        assert (refusal["ok"], "void" in refusal["text"]) == (False, True)


def test_an_application_that_names_another_database_is_not_cut_over(stages: Stages) -> None:
    """Where the application points to another database than the plan, nothing is changed and both are named."""
    with stages.at("planned") as scene:
        before = scene.content()
        faults.wrong_target(scene.site)
        scene.player().type("/restore confirm album")
        [void] = scene.until("the plan is void", lambda _: scene.entries("plan.void")) and scene.entries(
            "plan.void"
        )
        assert "other.sqlite" in void["text"]
        assert (scene.at_rest()["cutover"], scene.content()) == ("none", before)


def test_no_plan_is_made_for_another_database_than_the_one_assessed(stages: Stages) -> None:
    """Where the application was pointed elsewhere after the safety backup, no plan is made, and both places are named."""
    with stages.at("safe") as scene:
        before = scene.content()
        faults.wrong_target(scene.site)
        scene.player().type("/restore plan")
        state = scene.at_rest()
        assert state["steps"][4]["status"] == "failed", scene.decisions()
        assert "other.sqlite" in state["steps"][4]["note"]
        assert str(scene.site.database_path) in state["steps"][4]["note"]
        assert (scene.entries("plan.made"), scene.content()) == ([], before)
