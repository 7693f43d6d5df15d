"""What persons do that the bot is told of at once: commands, presses, shortcuts, modals."""

from __future__ import annotations

import asyncio
import html
import re
from typing import Any

from tests.fakes.common.book import ControlError, Json
from tests.fakes.slack import names
from tests.fakes.slack.courier import Courier
from tests.fakes.slack.fields import fill_view, filled, find_element, labels_of
from tests.fakes.slack.manifest import need_scope
from tests.fakes.slack.methods_views import initial_values, view_json
from tests.fakes.slack.outcome import Record
from tests.fakes.slack.views import View
from tests.fakes.slack.wire import message_json, team_fields
from tests.fakes.slack.world import Channel, Message, User, Whisper, World

CHANNEL_NAMES = {"private": "privategroup", "im": "directmessage"}


class Deeds:
    """Builds what Slack sends for a deed, and has it delivered."""

    def __init__(self, world: World, courier: Courier) -> None:
        self._world = world
        self._courier = courier

    def actor(self, user_id: str) -> User:
        """Return somebody who can do something at all."""
        user = self._world.user_of(user_id)
        if user.deleted:
            raise ControlError(f"{user.name} is deactivated and can do nothing")
        if self._world.down:
            raise ControlError("Slack is down: nobody can do anything")
        return user

    def place(self, user: User, channel: str) -> Channel:
        """Return a conversation in which somebody can type and press."""
        found = self._world.channel_named(channel)
        if user.id not in found.members:
            raise ControlError(f"{user.name} is not in {found.name or found.id}")
        return found

    # ---- commands

    def command_record(self, user: str, channel: str, text: str) -> Record:
        """Return the delivery of a typed command."""
        actor, name = self.actor(user), text.split(maxsplit=1)[0]
        place = self.place(actor, channel)
        if place.archived:
            raise ControlError(f"{place.name} is archived: nobody can type there")
        self._check_command(name)
        rest = text.removeprefix(name).strip()
        trigger_id = self._world.new_trigger(actor.id)
        response_url = self._world.new_response_url(actor.id, place.id)
        payload = {
            "token": "verification-token-of-old-times",
            "team_id": names.TEAM_ID,
            "team_domain": names.TEAM_DOMAIN,
            "channel_id": place.id,
            "channel_name": CHANNEL_NAMES.get(place.kind, place.name),
            "user_id": actor.id,
            "user_name": actor.name,
            "command": name,
            "text": self._escaped(rest, names_become_ids=self._escapes(name)),
            "api_app_id": names.APP_ID,
            "is_enterprise_install": "false",
            "response_url": response_url,
            "trigger_id": trigger_id,
        }
        hidden = {"response": response_url.rsplit("/", 1)[1]}
        return self._courier.record("command", name, payload, trigger_id=trigger_id, hidden=hidden)

    def _check_command(self, name: str) -> None:
        commands = self._world.app.commands
        if not name.startswith("/"):
            raise ControlError(f"{name} is no slash command")
        if commands is not None and name not in commands:
            raise ControlError(f"{name} is not a valid command: the manifest has {', '.join(commands)}")
        need_scope(self._world, "commands")

    def _escapes(self, name: str) -> bool:
        return bool((self._world.app.commands or {}).get(name, {}).get("should_escape"))

    def _escaped(self, text: str, *, names_become_ids: bool) -> str:
        """Return typed text as Slack sends it: & < > as entities; names as ids where the app asked for it."""
        escaped = html.escape(text, quote=False)
        return self.with_ids(escaped) if names_become_ids else escaped

    def with_ids(self, text: str) -> str:
        """Return text in which @ada has become <@U…>."""
        by_name = {one.name: one.id for one in self._world.users.values()}

        def found(match: re.Match[str]) -> str:
            return f"<@{by_name[match[1]]}>" if match[1] in by_name else match[0]

        return re.sub(r"@([\w.-]*\w)", found, text)

    async def command(self, user: str, channel: str, text: str) -> Json:
        return (await self._courier.deliver(self.command_record(user, channel, text))).shown()

    async def burst(self, commands: list[Json]) -> list[Json]:
        """Send many commands at once."""
        return await self._at_once([self.command_record(**one) for one in commands])

    async def burst_presses(self, presses: list[Json]) -> list[Json]:
        """Send many presses at once."""
        return await self._at_once([self.press_record(**one) for one in presses])

    async def _at_once(self, records: list[Record]) -> list[Json]:
        """Send everything in one go; all was made and written out before the first is sent."""
        await asyncio.gather(*map(self._courier.prepare, records))
        return [one.shown() for one in await asyncio.gather(*map(self._courier.deliver, records))]

    # ---- buttons and menus

    async def press(self, **given: Any) -> Json:
        return (await self._courier.deliver(self.press_record(**given))).shown()

    def press_record(
        self, user: str, channel: str, button: str, ts: str | None = None, message: Json | None = None
    ) -> Record:
        """Return the delivery of a pressed button."""
        actor = self.actor(user)
        place = self.place(actor, channel)
        if message is not None:
            fields = {name: message[name] for name in Message.__dataclass_fields__ if name in message}
            target: Message | Whisper = Message(**fields)
        else:
            target = self._message_with(actor, place, button, ts)
        return self._act(actor, place, target, button, None)

    async def press_in_direct(self, user: str, button: str) -> Json:
        place = self._world.direct_channel(user)
        return await self.press(user=user, channel=place.id, button=button)

    async def choose(
        self, user: str, channel: str, action_id: str, value: Any, ts: str | None = None
    ) -> Json:
        actor = self.actor(user)
        place = self.place(actor, channel)
        target = self._message_with(actor, place, action_id, ts)
        record = self._act(actor, place, target, action_id, value)
        return (await self._courier.deliver(record)).shown()

    def _message_with(self, user: User, place: Channel, wanted: str, ts: str | None) -> Message | Whisper:
        """Return the newest message or whisper that has this button, or the one of this ts."""
        whispers = [one for one in self._world.whispers if (one.user, one.channel) == (user.id, place.id)]
        everything: list[Message | Whisper] = [*place.messages.values(), *whispers]
        for one in sorted(everything, key=lambda one: one.ts, reverse=True):
            if ts in (None, one.ts) and find_element(one.blocks, wanted):
                return one
        there = [label for one in everything for label in labels_of(one.blocks)]
        raise ControlError(f"there is no {wanted} in {place.name or place.id}; there are {there}")

    def _act(self, user: User, place: Channel, target: Message | Whisper, wanted: str, value: Any) -> Record:
        found = find_element(target.blocks, wanted)
        if found is None:
            raise ControlError(f"the message has no {wanted}; it has {labels_of(target.blocks)}")
        block, element = found
        is_whisper = isinstance(target, Whisper)
        trigger_id = self._world.new_trigger(user.id)
        state = self._world.chosen.setdefault((target.ts, user.id), initial_values(target.blocks))
        action = self._action(block, element, value, state)
        payload: Json = {
            "type": "block_actions",
            "user": user_fields(user),
            **team_fields(),
            "container": {
                "type": "message",
                "message_ts": target.ts,
                "channel_id": place.id,
                "is_ephemeral": is_whisper,
            },
            "trigger_id": trigger_id,
            "channel": {"id": place.id, "name": CHANNEL_NAMES.get(place.kind, place.name)},
            "state": {"values": state},
            "response_url": self._world.new_response_url(user.id, place.id, target.ts),
            "actions": [action],
        }
        if isinstance(target, Message):
            payload["message"] = message_json(self._world, place, target, metadata=True)
            if target.thread_ts:
                payload["container"]["thread_ts"] = target.thread_ts
        return self._courier.record("action", action["action_id"], payload, trigger_id=trigger_id)

    def _action(self, block: Json, element: Json, value: Any, state: dict[str, dict[str, Json]]) -> Json:
        """Return the action of a payload; what was chosen is remembered in the state."""
        action: Json = {
            "action_id": element["action_id"],
            "block_id": block["block_id"],
            "type": element["type"],
            "action_ts": self._world.next_ts(),
        }
        if element["type"] == "button":
            kept: Json = {
                name: element[name] for name in ("text", "value", "style", "url") if name in element
            }
            return {**action, **kept}
        chosen = filled(self._world, element, value)
        if element["type"] != "overflow":
            state.setdefault(block["block_id"], {})[element["action_id"]] = chosen
        return {**action, **chosen}

    # ---- modals and Home

    def top(self, user_id: str) -> View:
        view = self._world.views.top(user_id)
        if view is None:
            raise ControlError(f"{self._world.user_of(user_id).name} has no modal open")
        return view

    async def press_in_view(self, user: str, button: str) -> Json:
        return await self._act_in_view(self.actor(user), self.top(user), button, None)

    async def choose_in_view(self, user: str, action_id: str, value: Any) -> Json:
        return await self._act_in_view(self.actor(user), self.top(user), action_id, value)

    async def press_in_home(self, user: str, button: str) -> Json:
        view = self._world.views.homes.get(user)
        if view is None:
            raise ControlError("nothing was published to this person's Home")
        return await self._act_in_view(self.actor(user), view, button, None)

    async def _act_in_view(self, user: User, view: View, wanted: str, value: Any) -> Json:
        found = find_element(view.content["blocks"], wanted)
        if found is None:
            raise ControlError(f"the view has no {wanted}; it has {labels_of(view.content['blocks'])}")
        block, element = found
        action = self._action(block, element, value, view.values)
        if block["type"] == "input" and not block.get("dispatch_action"):
            raise ControlError(f"{wanted} is an input without dispatch_action: nobody is told before submit")
        trigger_id = self._world.new_trigger(user.id, view.id)
        payload = {
            "type": "block_actions",
            "user": user_fields(user),
            **team_fields(),
            "container": {"type": "view", "view_id": view.id},
            "trigger_id": trigger_id,
            "view": view_json(view),
            "actions": [action],
        }
        record = self._courier.record("action", action["action_id"], payload, trigger_id=trigger_id)
        return (await self._courier.deliver(record)).shown()

    async def submit(self, user: str, values: Json) -> Json:
        actor, view = self.actor(user), self.top(user)
        if not view.content.get("submit"):
            raise ControlError("the modal has nothing to submit")
        fill_view(self._world, view.content["blocks"], view.values, values)
        trigger_id = self._world.new_trigger(actor.id, view.id)
        payload = {
            "type": "view_submission",
            "user": user_fields(actor),
            **team_fields(),
            "trigger_id": trigger_id,
            "view": view_json(view),
            "response_urls": [],
        }
        record = self._courier.record(
            "submission",
            str(view.content.get("callback_id", "")),
            payload,
            trigger_id=trigger_id,
            hidden={"view_id": view.id},
        )
        await self._courier.deliver(record)
        if record.error:
            view.errors = {"": "We had some trouble connecting. Try again?"}
        return record.shown()

    async def cancel(self, user: str) -> Json | None:
        actor, view = self.actor(user), self.top(user)
        if view.content.get("clear_on_close"):
            self._world.views.stacks[actor.id] = []
        self._world.views.close(view)
        if not view.content.get("notify_on_close"):
            return None
        payload = {
            "type": "view_closed",
            "user": user_fields(actor),
            **team_fields(),
            "view": view_json(view),
            "is_cleared": bool(view.content.get("clear_on_close")),
        }
        record = self._courier.record("closed", str(view.content.get("callback_id", "")), payload)
        return (await self._courier.deliver(record)).shown()

    # ---- shortcuts

    def _check_shortcut(self, callback_id: str, kind: str) -> None:
        shortcuts = self._world.app.shortcuts
        if shortcuts is not None and shortcuts.get(callback_id) != kind:
            raise ControlError(f"the manifest has no {kind} shortcut {callback_id}; it has {shortcuts}")
        need_scope(self._world, "commands")

    async def shortcut(self, user: str, callback_id: str) -> Json:
        actor = self.actor(user)
        self._check_shortcut(callback_id, "global")
        trigger_id = self._world.new_trigger(actor.id)
        payload = {
            "type": "shortcut",
            "user": user_fields(actor),
            **team_fields(),
            "callback_id": callback_id,
            "trigger_id": trigger_id,
            "action_ts": self._world.next_ts(),
        }
        record = self._courier.record("shortcut", callback_id, payload, trigger_id=trigger_id)
        return (await self._courier.deliver(record)).shown()

    async def message_shortcut(self, user: str, callback_id: str, channel: str, ts: str) -> Json:
        actor = self.actor(user)
        place = self.place(actor, channel)
        self._check_shortcut(callback_id, "message")
        if ts not in place.messages:
            raise ControlError(f"there is no message {ts} in {place.name}")
        trigger_id = self._world.new_trigger(actor.id)
        payload = {
            "type": "message_action",
            "user": user_fields(actor),
            **team_fields(),
            "callback_id": callback_id,
            "trigger_id": trigger_id,
            "action_ts": self._world.next_ts(),
            "message_ts": ts,
            "channel": {"id": place.id, "name": CHANNEL_NAMES.get(place.kind, place.name)},
            "message": message_json(self._world, place, place.messages[ts]),
            "response_url": self._world.new_response_url(actor.id, place.id),
        }
        record = self._courier.record("shortcut", callback_id, payload, trigger_id=trigger_id)
        return (await self._courier.deliver(record)).shown()


def user_fields(user: User) -> Json:
    """Return the person of an interaction."""
    return {"id": user.id, "username": user.name, "name": user.name, "team_id": names.TEAM_ID}
