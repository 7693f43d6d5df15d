"""The manifest that people install: equal to the commands, valid by Slack's schema, each scope with its reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from adapters.slack_chat.manifest import EVENTS, SCOPES, manifest, manifest_yaml
from commands.catalog import CATALOGUE, subcommands

REPOSITORY = Path(__file__).resolve().parents[3]
FILE = REPOSITORY / "deploy" / "slack-manifest.yaml"
SCHEMA = REPOSITORY.parent / "shared" / "specs" / "slack-manifest.schema.1.0.0.json"


def installed() -> dict[str, Any]:
    return dict(yaml.safe_load(FILE.read_text(encoding="utf-8")))


def test_the_file_is_what_the_program_makes() -> None:
    """A new command or scope needs `backout manifest > deploy/slack-manifest.yaml`."""
    assert FILE.read_text(encoding="utf-8") == manifest_yaml(subcommands())
    assert installed() == manifest(subcommands())


def test_every_command_is_registered_with_its_subcommands() -> None:
    """What the catalogue knows can be typed in Slack, and nothing else."""
    there = {
        one["command"]: one["usage_hint"].split(" | ") for one in installed()["features"]["slash_commands"]
    }
    assert there == {word: list(subs) for word, subs in subcommands().items()}
    assert sorted(f"{word} {sub}" for word, subs in there.items() for sub in subs) == sorted(
        command.name for command in CATALOGUE
    )


@pytest.mark.parametrize("url", [None, "https://backout.example.org/"])
def test_slack_s_schema_takes_it(url: str | None) -> None:
    """Slack's own schema finds nothing wrong, for Socket Mode and for signed HTTP."""
    if not SCHEMA.exists():
        pytest.skip(f"Slack's schema is not at {SCHEMA}")
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    made = yaml.safe_load(manifest_yaml(subcommands(), url))
    assert [error.message for error in Draft7Validator(schema).iter_errors(made)] == []


def test_a_public_address_takes_the_place_of_the_socket() -> None:
    """For mode http commands, events and buttons have the same address, and the socket is off."""
    made = manifest(subcommands(), "https://backout.example.org/")
    address = "https://backout.example.org/slack/events"
    assert {one["url"] for one in made["features"]["slash_commands"]} == {address}
    assert made["settings"]["event_subscriptions"]["request_url"] == address
    assert made["settings"]["interactivity"]["request_url"] == address
    assert made["settings"]["socket_mode_enabled"] is False


def test_every_scope_and_event_stands_there_with_its_reason() -> None:
    """Whoever installs reads why each scope is asked for; the events are those that are listened to."""
    text = FILE.read_text(encoding="utf-8")
    assert [scope for scope, reason in SCOPES.items() if f'- "{scope}"  # {reason}' not in text] == []
    assert installed()["settings"]["event_subscriptions"]["bot_events"] == list(EVENTS)
