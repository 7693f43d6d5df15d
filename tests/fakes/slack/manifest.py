"""What an app's manifest grants and asks for: scopes, commands, shortcuts, events; and the scopes that events need."""

from __future__ import annotations

from tests.fakes.common.book import ControlError, Json
from tests.fakes.slack.world import App, World

# The scope without which an event is not sent. Source: docs.slack.dev/reference/events.
EVENT_SCOPES: dict[str, str] = {
    "app_mention": "app_mentions:read",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
    "reaction_added": "reactions:read",
    "reaction_removed": "reactions:read",
    "app_home_opened": "",
    "tokens_revoked": "",
    "app_uninstalled": "",
    "user_change": "users:read",
    "member_joined_channel": "channels:read",
    "member_left_channel": "channels:read",
    "channel_archive": "channels:read",
    "channel_unarchive": "channels:read",
    "channel_deleted": "channels:read",
    "channel_rename": "channels:read",
    "channel_left": "channels:read",
    "group_archive": "groups:read",
    "group_unarchive": "groups:read",
    "group_deleted": "groups:read",
    "group_rename": "groups:read",
    "group_left": "groups:read",
    "pin_added": "pins:read",
    "pin_removed": "pins:read",
}
# What is delivered while no manifest is installed: all but the flood of ordinary messages.
WITHOUT_MANIFEST = set(EVENT_SCOPES) - {"message.channels", "message.groups"}


def install(world: World, manifest: Json) -> None:
    """Grant what the manifest asks for, and nothing else.

    Raises:
        ControlError: an event is asked for that Slack, or this stand-in, does not know, or whose scope is missing.
    """
    features, settings = manifest.get("features", {}), manifest.get("settings", {})
    scopes = set(manifest.get("oauth_config", {}).get("scopes", {}).get("bot", []))
    events = set(settings.get("event_subscriptions", {}).get("bot_events", []))
    for one in sorted(events):
        if one not in EVENT_SCOPES:
            raise ControlError(f"the manifest asks for the event {one}, which is not known here")
        if EVENT_SCOPES[one] and EVENT_SCOPES[one] not in scopes:
            raise ControlError(
                f"the event {one} needs the scope {EVENT_SCOPES[one]}, which is not in the manifest"
            )
    commands = {str(one["command"]): dict(one) for one in features.get("slash_commands", [])}
    shortcuts = {str(one["callback_id"]): str(one["type"]) for one in features.get("shortcuts", [])}
    if (commands or shortcuts) and "commands" not in scopes:
        raise ControlError("commands and shortcuts need the scope commands")
    home = features.get("app_home", {})
    world.scopes = scopes
    world.app = App(
        commands=commands,
        shortcuts=shortcuts,
        events=events,
        home_enabled=bool(home.get("home_tab_enabled")),
        messages_enabled=bool(home.get("messages_tab_enabled")),
    )


def need_scope(world: World, scope: str) -> None:
    """Write down that a scope was needed for something that was delivered.

    Raises:
        ControlError: it was not granted, so Slack would not deliver.
    """
    if not scope:
        return
    if world.scopes is not None and scope not in world.scopes:
        raise ControlError(f"the app has not the scope {scope}")
    world.scopes_used.add(scope)
