"""The demo's scenario on every platform: the same play, and the same timeline but for what is each run's own."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_incident_played import assert_verified
from tests.site import production as productions
from tests.site.bot_settings import APPROVER, READER, RESPONDER, write_settings
from tests.site.chat_stage import ChatStage
from tests.site.clone import clone_production
from tests.site.discord_play import DiscordStage, discord_stage
from tests.site.fixtures import production_template
from tests.site.play import Console, Player, play
from tests.site.production import Production
from tests.site.scenario import IncidentBot, Scene, disagreements
from tests.site.servers import free_port
from tests.site.slack_play import slack_stage

__all__ = ["production_template"]

INCIDENT = "inc-album-1"
PHOTO = 1

Told = list[dict[str, Any]]


@contextmanager
def scene_on(stage: ChatStage | None, template: Production, folder: Path) -> Iterator[Scene]:
    """Give a production of its own with its bot, in a chat where there is a stage; two approvals are wanted."""
    site = clone_production(template.folder, folder / "production")
    port = free_port()
    settings = write_settings(
        site,
        folder / "bot",
        port=port,
        samples_s=0.3,
        watch_s=1.0,
        watch_step_s=0.4,
        first_photo=PHOTO,
        platforms=stage.settings() if stage else "",
        accounts={stage.name: stage.accounts()} if stage else None,
        approvals=2,
    )
    bot = IncidentBot(settings, port)
    bot.environment = stage.environment() if stage else {}
    scene = Scene(site, bot, {name: bot.token(name) for name in (RESPONDER, APPROVER, READER)})
    bot.start()
    try:
        yield scene
    finally:
        bot.stop()
        productions.stop(site.folder)


def played(stage: ChatStage | None, template: Production, folder: Path) -> Told:
    """Play the scenario with two people's hands on the platform, and return the timeline."""
    with scene_on(stage, template, folder) as scene:
        player = Player(scene.api(), lambda _: None, second=Console(scene.api(APPROVER)))
        if stage is not None:
            stage.wait_for_bot()
            player.hands, player.second = stage.hands(RESPONDER), stage.hands(APPROVER)
        state = play(player, commits=scene.site.corrected_commits, before=lambda _: None)
        assert (state["outcome"], state["cutover"]) == ("recovered", "done")
        assert disagreements(scene.site, "corrected", online=True) == []
        entries: Told = scene.entries()
        if isinstance(stage, DiscordStage):
            assert_shown(stage)
        assert_verified(scene)
    assert stage is None or stage.violations() == []
    return entries


def assert_shown(stage: DiscordStage) -> None:
    """Assert that Discord shows the whole incident: answers, pins, the report as a file in both places, no hasty edit."""
    channel = stage.run(stage.hands(RESPONDER).channel(INCIDENT))  # type: ignore[attr-defined] # the stage's own hands
    stage.run(stage.discord.wait_for_message(channel, f"Post-mortem of {INCIDENT}", timeout_s=30))
    stage.run(stage.discord.wait_for_message(stage.reports, f"Post-mortem of {INCIDENT}", timeout_s=30))
    assert "✅ **Approve and cut over** — Anna and Boris" in stage.run(stage.discord.text(channel))
    assert len(stage.run(stage.discord.pins(channel))) == 2
    files = [one["channel_id"] for one in stage.run(stage.discord.files()) if one["name"] == f"{INCIDENT}.md"]
    assert {channel, stage.reports} <= set(files)
    edits = [one["edit_times_s"] for one in stage.run(stage.discord.messages(channel))]
    assert min(later - earlier for times in edits for earlier, later in itertools.pairwise(times)) >= 1.0


# What each run has of its own: moments, durations, hashes, ports, folders, ids of deliveries.
AMOUNT = r"\d+(?:\.\d+)? (?:s|ms|min|h|seconds?|minutes?|hours?|days?|MB|kB|GB)"
OWN = (
    (re.compile(r"\b(?:web|slack|discord)[:_][^\s\"-]+"), "<delivery>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:\+00:00|Z)?"), "<moment>"),
    (re.compile(r"\b\d{8}-?T?\d{6}Z?\b"), "<moment>"),
    (re.compile(r"\b\d\d:\d\d(?::\d\d)?\b"), "<moment>"),
    (re.compile(r"\b[0-9a-f]{7,64}\b"), "<hash>"),
    (re.compile(r"127\.0\.0\.1:\d+"), "<address>"),
    (re.compile(rf"\b{AMOUNT}(?: {AMOUNT})*\b"), "<measured>"),
)
MEASURED = re.compile(r"(^ms$|_s|_ms|_bytes|_at|^at|pid|inode|port|token|secret)$")
OF_THE_PLATFORM = ("platform", "channel")


def same(entries: Told, folder: Path) -> list[str]:
    """Return a timeline without what each run has of its own, sorted within a moment's parallel work.

    How often the log was looked at while it was watched is a matter of time alone.
    """
    return sorted(
        json.dumps([one["actor"], one["kind"], masked(one["text"], folder), masked(one["data"], folder)])
        for one in entries
        if not one["text"].startswith("count records of ")
    )


def order(entries: Told) -> list[tuple[str, str]]:
    """Return what happened one after the other: everything but the commands on the host, some of which run side by side."""
    return [(one["kind"], one["actor"]) for one in entries if one["kind"] != "host.command"]


def masked(value: Any, folder: Path) -> Any:
    if isinstance(value, dict):
        return {
            masked(key, folder): "<measured>" if MEASURED.search(key) else masked(one, folder)
            for key, one in value.items()
            if key not in OF_THE_PLATFORM
        }
    if isinstance(value, list):
        return [masked(one, folder) for one in value]
    if isinstance(value, str):
        value = value.replace(str(folder), "<folder>")
        for pattern, word in OWN:
            value = pattern.sub(word, value)
    return value


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_timelines_of_console_slack_and_discord_are_the_same(
    production_template: Production, tmp_path: Path
) -> None:
    """Each play recovers everything; kind, actor, words and data of each entry are equal but for ids, moments and hashes."""
    told: dict[str, Told] = {"web": played(None, production_template, tmp_path / "web")}
    with slack_stage() as slack:
        told["slack"] = played(slack, production_template, tmp_path / "slack")
    with discord_stage() as discord:
        told["discord"] = played(discord, production_template, tmp_path / "discord")
    for platform in ("slack", "discord"):
        assert order(told[platform]) == order(told["web"]), platform
        assert same(told[platform], tmp_path / platform) == same(told["web"], tmp_path / "web"), platform
