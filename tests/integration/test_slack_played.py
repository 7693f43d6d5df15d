"""The demo's scenario, played in Slack from its first word to the report."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_incident_played import assert_verified
from tests.site.bot_settings import APPROVER, READER, RESPONDER, write_settings
from tests.site.fixtures import production, production_template
from tests.site.play import Player, play
from tests.site.production import Production
from tests.site.scenario import IncidentBot, Scene, disagreements
from tests.site.servers import free_port
from tests.site.slack_play import Stage, slack_stage

__all__ = ["production", "production_template"]

INCIDENT = "inc-album-1"


def scene_on(stage: Stage, production: Production, folder: Path) -> Scene:
    """Return a scene whose bot speaks Slack, with two approvals wanted and Boris as the one to call."""
    port = free_port()
    settings = write_settings(
        production,
        folder,
        port=port,
        samples_s=0.3,
        watch_s=1.0,
        watch_step_s=0.4,
        platforms=stage.settings(),
        accounts={stage.name: stage.accounts()},
        approvals=2,
    )
    bot = IncidentBot(settings, port)
    bot.environment = stage.environment()
    return Scene(production, bot, {name: bot.token(name) for name in (RESPONDER, APPROVER, READER)})


@pytest.mark.long
def test_the_scenario_of_the_demo_runs_on_slack(production: Production, tmp_path: Path) -> None:
    """Channel, pin, modal, two approvals, a call with its acknowledgement, the report as a file; the oracle agrees."""
    with slack_stage() as stage:
        scene = scene_on(stage, production, tmp_path / "bot")
        scene.bot.start()
        try:
            stage.run(stage.slack.wait_for_socket())
            player = Player(
                scene.api(),
                lambda _: None,
                hands=stage.hands(RESPONDER),
                second=stage.hands(APPROVER),
            )
            boris = stage.people[APPROVER]

            def call_the_dba(moment: str) -> None:
                if moment == "safety":
                    player.type("/incident escalate the on-call engineer wants company")
                    stage.run(boris.wait_for_direct("you are needed (call 1)"))
                    stage.run(boris.press_in_direct("I have it"))
                    player.until("acknowledged", lambda _: "Boris has it." in texts(scene))

            state = play(player, commits=production.corrected_commits, before=call_the_dba)
            channel = stage.run(stage.hands(RESPONDER).channel(INCIDENT))
            stage.run(stage.slack.wait_for_message(stage.reports, f"Post-mortem of {INCIDENT}", timeout_s=30))
            shown = stage.run(stage.slack.channel(channel))
            text = stage.run(stage.slack.text(channel))
            messages = stage.run(stage.slack.messages(channel))
            files = stage.run(stage.slack.files())
            violations = stage.run(stage.slack.violations())
        finally:
            scene.bot.stop()
    assert violations == []
    assert shortest_gap_s(messages) >= 1.0
    assert (state["outcome"], state["cutover"]) == ("recovered", "done")
    assert disagreements(production, "corrected", online=True) == []
    assert "✅ *Approve and cut over* — Anna and Boris" in text
    assert len(shown["pins"]) == 1
    assert [one["channels"] for one in files if one["title"] == f"{INCIDENT}.md"] != []
    assert_verified(scene)


def texts(scene: Scene) -> list[str]:
    return [entry["text"] for entry in scene.entries()]


def shortest_gap_s(messages: list[dict[str, Any]]) -> float:
    """Return the shortest time between two edits of the same message."""
    edits = [one["edit_times_s"] for one in messages]
    return min(later - earlier for times in edits for earlier, later in itertools.pairwise(times))
