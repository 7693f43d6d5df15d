"""The corrected migration ran on production, and its proof failed: that is told, and nothing says that nothing was changed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.engine_stages import engine_stages
from tests.site.fixtures import production_template
from tests.site.production import Production
from tests.site.scenario import INCIDENT, Scene, Stages, stages_below

__all__ = ["engine_stages", "production_template"]


@pytest.fixture(scope="session")
def stages(production_template: Production, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    """An incident at known stages, put back for each test."""
    with stages_below(tmp_path_factory.getbasetemp(), production_template) as made:
        yield made


def deployed_without_a_proof(stages: Stages, moment: str) -> None:
    """Deploy the corrected commit while the host fails its proof at that moment; judge what is told, and go back."""
    with stages.at("planned", moment) as scene:
        before, player = scene.content(), scene.player()
        player.type("/restore confirm album")
        player.until("cut-over", lambda s: s["operation"] is None and s["cutover"] == "done")
        restored = scene.content()
        player.type(f"/app deploy {scene.site.corrected_commits[-1][:12]}")
        player.choose("deploy", "approve")
        state = scene.until(
            "an end", lambda s: s["operation"] is None and s["steps"][6]["status"] == "failed"
        )
        assert scene.content() not in (before, restored)
        told_that_it_ran(scene, state["steps"][6]["note"])
        for command in ("/app check", "/app reopen", "/app deploy"):
            assert not player.api.command(command, INCIDENT)["ok"], command
        player.type("/incident release")
        player.type("/restore undo")
        player.choose("undo", "undo", "album")
        scene.until("undone", lambda s: s["operation"] is None and s["cutover"] == "undone")
        assert scene.content() == before


def told_that_it_ran(scene: Scene, note: str) -> None:
    """The step, its message and the timeline say that the migration ran, that it is not proven, and the way back."""
    commit = scene.site.corrected_commits[-1][:12]
    assert f"the migration of {commit} RAN on album, and what it did could not be proven" in note
    assert "frozen" in note
    assert note.endswith("to go back: /incident release, then /restore undo")
    [message] = [m for m in scene.state()["messages"] if m["slot"] == "step-7"]
    assert (message["tone"], message["body"]) == ("bad", note)
    assert scene.entries("corrected.done") == []
    assert "Nothing was changed" not in note


@pytest.mark.long
def test_the_comparison_is_killed(stages: Stages) -> None:
    """A comparison that ends without an answer proves nothing; the migration ran all the same."""
    deployed_without_a_proof(stages, "killed:compare-live")


@pytest.mark.long
@pytest.mark.parametrize("moment", ["unreachable:numbers-live", "killed:numbers-live"])
def test_the_counters_cannot_be_raised(engine_stages: Stages, moment: str) -> None:
    """On a server the migration has run, and been compared, when its counters cannot be raised: it is not proven."""
    deployed_without_a_proof(engine_stages, moment)
