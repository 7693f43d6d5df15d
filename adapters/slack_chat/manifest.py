"""Slack's app manifest, made from the commands that there are: what is installed can do what is written here, and no more.

*Source*: docs.slack.dev/reference/app-manifest; the scopes of each method and event in its own page there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.slack_chat.door import PATH
from adapters.slack_chat.incoming import DECLARE, NOTE

SCOPES: dict[str, str] = {
    "commands": "slash commands and shortcuts",
    "app_mentions:read": "`@backout status` in threads, where slash commands do not work",
    "chat:write": "speak in the incident's channel, in direct messages to those who are called, and in the report channel",
    "channels:manage": "create the incident's channel, set its topic, invite people, archive it at the end",
    "channels:read": "find a channel again whose creation was cut off; be told when somebody archives or deletes one",
    "channels:history": "look whether a message arrived before it is sent again; read a message that is put into the timeline",
    "channels:join": "come back when somebody removed Backout from an incident's channel",
    "pins:write": "pin the status",
    "bookmarks:read": "see whether the report is bookmarked already",
    "bookmarks:write": "bookmark the report",
    "files:write": "give the report, and output that is too long for a message, as a file",
    "reactions:read": "put a message into the timeline by the pushpin reaction",
    "im:write": "find the direct message to somebody who is called",
    "im:history": "look whether a call arrived before it is sent again",
    "users:read": "name the author of a message that is put into the timeline",
}
"""Every scope that is asked for, and why. A test plays incidents and finds each of them used."""

EVENTS = ("app_home_opened", "app_mention", "channel_archive", "channel_deleted", "reaction_added")

HEAD = """\
# Slack's manifest of Backout: api.slack.com/apps → Create New App → From a manifest. Made by `backout manifest`; a test
# keeps it equal to the commands that there are. For mode "http": `backout manifest --url https://backout.example.org`.
"""


def manifest(commands: Mapping[str, Sequence[str]], url: str | None = None) -> dict[str, Any]:
    """Return the manifest. `commands` maps each slash command to its subcommands; `url` is the public address for mode http."""
    address = {} if url is None else {"url": url.rstrip("/") + PATH}
    request = {} if url is None else {"request_url": url.rstrip("/") + PATH}
    return {
        "display_information": {
            "name": "Backout",
            "description": "Gets a Laravel application back after a migration lost data in production.",
            "background_color": "#1d2430",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": True,
            },
            "bot_user": {"display_name": "backout", "always_online": True},
            "shortcuts": [
                {
                    "name": "Declare an incident",
                    "type": "global",
                    "callback_id": DECLARE,
                    "description": "Data are gone in production: open an incident",
                },
                {
                    "name": "Add to the timeline",
                    "type": "message",
                    "callback_id": NOTE,
                    "description": "Put this message into the incident's timeline",
                },
            ],
            "slash_commands": [
                {
                    "command": word,
                    "description": DESCRIPTIONS.get(word, f"Backout: {', '.join(subs)}"),
                    "usage_hint": " | ".join(subs),
                    "should_escape": False,
                    **address,
                }
                for word, subs in commands.items()
            ],
        },
        "oauth_config": {"scopes": {"bot": list(SCOPES)}},
        "settings": {
            "event_subscriptions": {"bot_events": list(EVENTS), **request},
            "interactivity": {"is_enabled": True, **request},
            "org_deploy_enabled": False,
            "socket_mode_enabled": url is None,
            "token_rotation_enabled": False,
        },
    }


DESCRIPTIONS = {
    "/incident": "Open an incident, follow it, call the DBA, close it",
    "/backups": "See what each backup is worth, take a safety backup",
    "/restore": "Rehearse the recovery, approve it, undo it",
    "/app": "Freeze the application, deploy, check, reopen",
}


def manifest_yaml(commands: Mapping[str, Sequence[str]], url: str | None = None) -> str:
    """Return the manifest as YAML, each scope with its reason behind it."""
    return HEAD + "".join(f"{line}\n" for line in _lines(manifest(commands, url), 0))


def _lines(value: Mapping[str, Any], depth: int) -> list[str]:
    indent = "  " * depth
    lines: list[str] = []
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            lines += [f"{indent}{name}:", *_lines(inner, depth + 1)]
        elif isinstance(inner, list):
            lines.append(f"{indent}{name}:")
            for item in inner:
                lines += _item(item, depth + 1)
        else:
            # A JSON scalar is a YAML scalar.
            lines.append(f"{indent}{name}: {json.dumps(inner, ensure_ascii=False)}")
    return lines


def _item(item: Any, depth: int) -> list[str]:
    indent = "  " * depth
    if isinstance(item, Mapping):
        first, *rest = _lines(item, depth + 1)
        return [f"{indent}- {first.strip()}", *rest]
    reason = SCOPES.get(item)
    return [f"{indent}- {json.dumps(item)}{f'  # {reason}' if reason else ''}"]
