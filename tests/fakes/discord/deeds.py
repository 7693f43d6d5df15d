"""What persons do that the bot is told of as an interaction: commands, autocompletion, presses, modals, menus."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.fakes.common.book import ControlError, Json
from tests.fakes.discord import names
from tests.fakes.discord.courier import Courier
from tests.fakes.discord.fields import chosen, filled_modal, find_component
from tests.fakes.discord.permits import EVERYTHING
from tests.fakes.discord.things import (
    Channel,
    Interaction,
    Message,
    User,
)
from tests.fakes.discord.typed import MESSAGE_MENU, filled, find_command, nested, split
from tests.fakes.discord.wire import channel_json, member_json, user_json
from tests.fakes.discord.wire_messages import message_json
from tests.fakes.discord.world import World

COMMAND, COMPONENT, AUTOCOMPLETE, SUBMIT = 2, 3, 4, 5
BUTTON = 2
NOTES = {
    "author_name",
    "visible",
    "nonce",
    "edits",
    "edit_times_s",
    "notified",
    "allowed_mentions",
    "seen_by",
    "interaction_id",
    "thread_id",
    "files",
    "reacted",
}
ATTACHMENT_BYTES = 10 * 1024 * 1024


class Deeds:
    """Builds what Discord sends for a deed, and has it delivered."""

    def __init__(self, world: World, courier: Courier) -> None:
        self._world = world
        self._courier = courier

    def actor(self, user_id: str) -> User:
        """Return somebody who can do something at all."""
        user = self._world.user_of(user_id)
        if self._world.down:
            raise ControlError("Discord is down: nobody can do anything")
        return user

    def place(self, user: User, channel: str) -> Channel:
        """Return a channel that somebody sees."""
        found = self._world.channel_named(channel)
        if not self._world.may(user.id, "view_channel", found):
            raise ControlError(f"{user.name} does not see {found.name or found.id}")
        return found

    # ---- commands

    def _check_command(self, user: User, place: Channel, command: Json) -> None:
        """Refuse what Discord's own window would not offer to this person here."""
        if place.is_direct:
            if "guild_id" in command or command.get("dm_permission") is False:
                raise ControlError(f"{command['name']} is not offered in direct messages")
            return
        if not self._world.may(user.id, "use_application_commands", place):
            raise ControlError(f"{user.name} may not use commands in {place.name}")
        wanted = command.get("default_member_permissions")
        held = self._world.permissions(user.id, place)
        # "0": offered to administrators only.
        refused = wanted is not None and (not int(wanted) or held & int(wanted) != int(wanted))
        if refused and held != EVERYTHING:
            raise ControlError(
                f"{command['name']} is not offered to {user.name}: rights {wanted} are asked for"
            )

    def command_of(self, user: str, channel: str, text: str, values: Json) -> Interaction:
        """Return the interaction of a typed command."""
        actor = self.actor(user)
        place = self.place(actor, channel)
        command, way, options = split(self._world, text)
        self._check_command(actor, place, command)
        given, resolved = filled(self._world, options, values)
        return self._command(actor, place, command, nested(way, given), resolved, name=text.removeprefix("/"))

    def _command(
        self,
        actor: User,
        place: Channel,
        command: Json,
        options: list[Json],
        resolved: Json,
        *,
        name: str,
        **more: Any,
    ) -> Interaction:
        data: Json = {"id": command["id"], "name": command["name"], "type": command["type"], **more}
        if "guild_id" in command:
            data["guild_id"] = names.GUILD_ID
        if options:
            data["options"] = options
        if resolved:
            data["resolved"] = resolved
        return self._interaction(COMMAND, name, actor, place, data)

    async def command(self, user: str, channel: str, text: str, values: Json) -> Json:
        return await self._courier.deliver(self.command_of(user, channel, text, values))

    async def autocomplete(self, user: str, channel: str, text: str, option: str, values: Json) -> Json:
        """Type into an option that completes itself; the choices offered are in the answer."""
        actor = self.actor(user)
        place = self.place(actor, channel)
        command, way, options = split(self._world, text)
        self._check_command(actor, place, command)
        found = next((one for one in options if one["name"] == option), None)
        if found is None or not found.get("autocomplete"):
            raise ControlError(f"{option} does not complete itself")
        given, resolved = filled(self._world, options, {option: "", **values}, focused=option)
        interaction = self._command(actor, place, command, nested(way, given), resolved, name=option)
        interaction.kind = interaction.payload["type"] = AUTOCOMPLETE
        return await self._courier.deliver(interaction)

    async def message_menu(self, user: str, name: str, channel: str, message_id: str) -> Json:
        """Use a command of a message's menu; the message's content comes with it, whatever the intents."""
        actor = self.actor(user)
        place = self.place(actor, channel)
        command = find_command(self._world, MESSAGE_MENU, name)
        self._check_command(actor, place, command)
        message = self._message(actor, place, message_id)
        resolved = {"messages": {message.id: message_json(self._world, message)}}
        interaction = self._command(actor, place, command, [], resolved, name=name, target_id=message.id)
        return await self._courier.deliver(interaction)

    def _message(self, actor: User, place: Channel, message_id: str) -> Message:
        found = place.messages.get(message_id)
        if found is None or found.seen_by not in ("", actor.id):
            raise ControlError(f"{actor.name} sees no message {message_id} in {place.name}")
        return found

    # ---- presses

    def press_of(
        self, user: str, channel: str, button: str, message_id: str | None = None, message: Json | None = None
    ) -> Interaction:
        """Return the interaction of a press: on the newest message with such a button, or on an earlier copy."""
        actor = self.actor(user)
        place = self.place(actor, channel)
        found = self._pressed(actor, place, button, message_id, message)
        shown, part = found
        if part.get("disabled"):
            raise ControlError(f"{button} is disabled")
        if part["type"] != BUTTON or "custom_id" not in part:
            raise ControlError(f"{button} is no button that tells the bot")
        data = {"component_type": BUTTON, "custom_id": part["custom_id"], "id": part.get("id", 1)}
        return self._interaction(COMPONENT, part["custom_id"], actor, place, data, message=shown)

    def _pressed(
        self, actor: User, place: Channel, wanted: str, message_id: str | None, message: Json | None
    ) -> tuple[Json, Json]:
        if message is not None:
            part = find_component(message["components"], wanted)
            if part is None:
                raise ControlError(f"there is no {wanted} in that copy")
            held = place.messages.get(message["id"])
            now = message_json(self._world, held) if held else without_notes(message)
            return {**now, "components": message["components"]}, part
        for one in reversed(place.messages.values()):
            if one.seen_by not in ("", actor.id) or message_id not in (None, one.id):
                continue
            part = find_component(one.components, wanted)
            if part is not None:
                return message_json(self._world, one), part
        raise ControlError(f"{actor.name} sees no {wanted} in {place.name or 'the direct message'}")

    async def press(
        self, user: str, channel: str, button: str, message_id: str | None = None, message: Json | None = None
    ) -> Json:
        return await self._courier.deliver(self.press_of(user, channel, button, message_id, message))

    async def press_in_direct(self, user: str, button: str) -> Json:
        channel = self._world.direct_channel(user)
        return await self._courier.deliver(self.press_of(user, channel.id, button))

    async def choose(
        self, user: str, channel: str, custom_id: str, values: list[str], message_id: str | None = None
    ) -> Json:
        """Choose in a menu of a message."""
        actor = self.actor(user)
        place = self.place(actor, channel)
        shown, part = self._pressed(actor, place, custom_id, message_id, None)
        data: Json = {
            "component_type": part["type"],
            "custom_id": part["custom_id"],
            "id": part.get("id", 1),
            **chosen(self._world, part, values),
        }
        return await self._courier.deliver(
            self._interaction(COMPONENT, part["custom_id"], actor, place, data, message=shown)
        )

    # ---- modals

    async def submit(self, user: str, values: dict[str, Any]) -> Json:
        """Fill in the modal and submit it; without an answer it stays open with an error."""
        actor, modal = self.actor(user), self._world.modals.get(user)
        if modal is None:
            raise ControlError(f"{actor.name} has no modal open")
        components, resolved = filled_modal(self._world, modal.content, values)
        place = self._world.channel_named(modal.channel_id)
        data: Json = {"custom_id": modal.content["custom_id"], "components": components}
        if resolved:
            data["resolved"] = resolved
        held = place.messages.get(modal.message_id)
        shown = message_json(self._world, held) if held else None
        interaction = self._interaction(SUBMIT, data["custom_id"], actor, place, data, message=shown)
        told = await self._courier.deliver(interaction)
        if interaction.error:
            modal.error = "Something went wrong. Try again."
        return told

    async def cancel(self, user: str) -> Json:
        """Close the modal: the bot is told nothing of it."""
        if self._world.modals.pop(self.actor(user).id, None) is None:
            raise ControlError("no modal is open")
        return {}

    # ---- delivery

    def _interaction(
        self,
        kind: int,
        name: str,
        actor: User,
        place: Channel,
        data: Json,
        *,
        message: Json | None = None,
    ) -> Interaction:
        world = self._world
        interaction_id = world.new_id()
        payload: Json = {
            "id": interaction_id,
            "application_id": names.APP_ID,
            "type": kind,
            "data": data,
            "token": world.new_token(),
            "version": 1,
            "channel_id": place.id,
            "channel": channel_json(world, place),
            "locale": "en-US",
            "entitlements": [],
            "authorizing_integration_owners": {"0": "0" if place.is_direct else names.GUILD_ID},
            "context": 1 if place.is_direct else 0,
            "app_permissions": str(world.permissions(world.bot.id, place)),
            "attachment_size_limit": ATTACHMENT_BYTES,
        }
        if place.is_direct:
            payload["user"] = user_json(actor)
        else:
            member = member_json(world, world.members[actor.id])
            payload["member"] = {**member, "permissions": str(world.permissions(actor.id, place))}
            payload["channel"]["permissions"] = str(world.permissions(actor.id, place))
            payload.update(guild_id=names.GUILD_ID, guild_locale="en-US")
            payload["guild"] = {"id": names.GUILD_ID, "locale": "en-US", "features": []}
        if message is not None:
            payload["message"] = message
        return Interaction(
            id=interaction_id,
            token=payload["token"],
            kind=kind,
            name=name,
            user_id=actor.id,
            channel_id=place.id,
            in_guild=not place.is_direct,
            made_s=world.clock.now_s(),
            payload=payload,
            message_id=message["id"] if message else "",
        )

    async def burst(self, commands: list[Json]) -> list[Json]:
        """Type many commands at once."""
        return list(
            await asyncio.gather(
                *(self._courier.deliver(one) for one in [self.command_of(**one) for one in commands])
            )
        )

    async def burst_presses(self, presses: list[Json]) -> list[Json]:
        """Press many buttons at once."""
        return list(
            await asyncio.gather(
                *(self._courier.deliver(one) for one in [self.press_of(**one) for one in presses])
            )
        )


def without_notes(message: Json) -> Json:
    """Return a message as Discord writes it, without what a test is shown beside that."""
    return {key: value for key, value in message.items() if key not in NOTES}
