"""Events: who has asked to be told of what, and may be; each goes out in Slack's wrapping."""

from __future__ import annotations

from tests.fakes.common.book import Json
from tests.fakes.slack import names
from tests.fakes.slack.courier import Courier
from tests.fakes.slack.manifest import EVENT_SCOPES, WITHOUT_MANIFEST
from tests.fakes.slack.outcome import Record
from tests.fakes.slack.world import World

# Slack tells of these without the bot being in the channel.
FOR_EVERY_CHANNEL = {"channel_archive", "channel_unarchive", "channel_deleted", "channel_rename"}


class Events:
    """Takes what happens in the workspace and hands on what the app has asked for."""

    def __init__(self, world: World, courier: Courier) -> None:
        self._world = world
        self._courier = courier
        world.on_event = self.tell_soon

    def reason_not_told(self, event: Json) -> str:
        """Return why Slack would not tell the app of this; "" where it does."""
        name = subscription_of(event)
        wanted = self._world.app.events if self._world.app.events is not None else WITHOUT_MANIFEST
        if name not in wanted:
            return f"the app has not asked for {name}"
        scope = EVENT_SCOPES.get(name, "")
        if scope and self._world.scopes is not None and scope not in self._world.scopes:
            return f"the app has not the scope {scope}"
        channel_id = channel_of(event)
        if channel_id and name not in FOR_EVERY_CHANNEL:
            channel = self._world.channels.get(channel_id)
            if channel is None or self._world.bot.id not in channel.members:
                return f"the bot is not in the channel {channel.name if channel else channel_id}"
        return ""

    def wrapped(self, event: Json) -> Record:
        """Return the delivery of an event, as the Events API wraps it."""
        name = subscription_of(event)
        if EVENT_SCOPES.get(name):
            self._world.scopes_used.add(EVENT_SCOPES[name])
        event_id = self._world.new_id("Ev")
        payload = {
            "token": "verification-token-of-old-times",
            "team_id": names.TEAM_ID,
            "api_app_id": names.APP_ID,
            "event": {"event_ts": self._world.next_ts(), **event},
            "type": "event_callback",
            "event_id": event_id,
            "event_time": int(self._world.clock.now_s()),
            "authorizations": [
                {
                    "enterprise_id": None,
                    "team_id": names.TEAM_ID,
                    "user_id": self._world.bot.id,
                    "is_bot": True,
                    "is_enterprise_install": False,
                }
            ],
            "is_ext_shared_channel": False,
            "event_context": f"4-{event_id}",
        }
        return self._courier.record("event", name, payload)

    def tell_soon(self, event: Json) -> None:
        """Tell the app in the background, if it is to be told."""
        if not self.reason_not_told(event):
            self._courier.soon(self.wrapped(event))


def subscription_of(event: Json) -> str:
    """Return what an app subscribes to for this: message.channels for a message in a public channel."""
    if event["type"] == "message":
        kind = {"channel": "channels", "group": "groups", "im": "im"}[str(event.get("channel_type"))]
        return f"message.{kind}"
    return str(event["type"])


def channel_of(event: Json) -> str:
    """Return the conversation an event belongs to, "" for none."""
    if "item" in event:
        return str(event["item"].get("channel", ""))
    channel = event.get("channel", "")
    return str(channel.get("id", "") if isinstance(channel, dict) else channel)
