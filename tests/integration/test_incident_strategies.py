"""Step 5's ways: salvage instead of a repair, one way at a time, and an estimate first where the database is large."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.site.bot_settings import APPROVER
from tests.site.fixtures import production_template
from tests.site.play import answer_tables
from tests.site.production import Production
from tests.site.scenario import Scene, Stages, disagreements, stages_below

__all__ = ["production_template"]


@pytest.fixture(scope="session")
def stages(production_template: Production, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    """An incident at known stages, put back for each test."""
    with stages_below(tmp_path_factory.getbasetemp(), production_template) as made:
        yield made


def approved(scene: Scene) -> None:
    """Approve the plan by as many persons as it needs, and wait for the cut-over."""
    needed = scene.player().decision("cutover")["votes_needed"]
    for name in (None, APPROVER)[:needed]:
        (scene.player(name) if name else scene.player()).type("/restore confirm album")
    scene.until("cut-over", lambda s: s["operation"] is None and s["cutover"] == "done")


def test_salvage_keeps_what_people_wrote_since_without_a_rollback(stages: Stages) -> None:
    """The backup's copy with the rows written since agrees with the oracle as a repair does; no rollback is run for it."""
    with stages.at("safe") as scene:
        scene.player().type("/restore plan --salvage")
        answer_tables(scene.player())
        scene.player().decision("cutover")
        assert scene.planned()["strategy"] == "salvage"
        assert scene.jobs("rollback") == []
        approved(scene)
        assert disagreements(scene.site, "repaired") == []


def test_a_plan_takes_one_way(stages: Stages) -> None:
    """Two ways in one line are refused before anything is rehearsed."""
    with stages.at("safe") as scene:
        reply = scene.api().command("/restore plan --salvage --swap", channel="inc-album-1")
        assert not reply["ok"]
        assert "two ways" in reply["text"]
        assert scene.entries("plan.made") == []


def test_over_the_limit_an_estimate_comes_first(stages: Stages) -> None:
    """A database over the site's limit is not rehearsed before a person has seen how long it takes; the DBA is called."""
    settings = stages.scene.bot.settings
    plain = settings.read_text(encoding="utf-8")
    settings.write_text(
        plain.replace("[sites.album.ssh]", "size_limit_bytes = 1000\n[sites.album.ssh]"), encoding="utf-8"
    )
    try:
        with stages.at("safe") as scene:
            player = scene.player()
            player.type("/restore plan --swap")
            asked = player.decision("estimate")
            assert "over the site's limit of 1.0 kB" in asked["body"]
            assert "a rehearsal reads or writes it all about" in asked["body"]
            assert scene.entries("escalated")[-1]["data"]["rule"] == "large-database"
            assert scene.entries("plan.made") == []
            player.choose("estimate", "go_on")
            player.decision("cutover")
            assert scene.planned()["strategy"] == "swap"
    finally:
        settings.write_text(plain, encoding="utf-8")
