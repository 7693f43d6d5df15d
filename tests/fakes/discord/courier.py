"""Sends interactions to the bot over the gateway, and waits for the first answer as a person does."""

from __future__ import annotations

import asyncio
import contextlib
import time

from tests.fakes.common.book import ControlError, Json
from tests.fakes.discord.gateway import Gateway
from tests.fakes.discord.things import FIRST_ANSWER_S, Event, Interaction
from tests.fakes.discord.world import World


class Courier:
    """The way to the bot."""

    def __init__(self, world: World, gateway: Gateway) -> None:
        self._world = world
        self._gateway = gateway

    async def deliver(self, interaction: Interaction) -> Json:
        """Send it, and wait three seconds for the first answer; a person waits no longer.

        While the bot's connection is lost its session keeps the event: a RESUME in time is an answer in time.
        """
        self._world.add_interaction(interaction)
        links = set(self._gateway.links)

        def sent() -> None:
            interaction.sent_perf_s = time.perf_counter()

        sent()
        event = Event(name="INTERACTION_CREATE", data=interaction.payload)
        interaction.was_sent = self._gateway.tell(event, sent)
        with contextlib.suppress(TimeoutError):
            wait_s = FIRST_ANSWER_S if self._gateway.sessions else 0.0
            await asyncio.wait_for(interaction.settled.wait(), wait_s)
        if interaction.answer is None and interaction.id in self._world.interactions:
            interaction.error = "did_not_respond"
            stayed = bool(links & self._gateway.links) and interaction.was_sent and not self._world.down
            if stayed and not interaction.refused:
                self._world.violate("answer_late", interaction.name, f"no first answer in {FIRST_ANSWER_S} s")
        return interaction.shown()

    async def deliver_again(self, interaction: str) -> Json:
        """Send the very same event once more; the answer it had stays the answer it had."""
        old = self._world.interactions.get(interaction)
        if old is None:
            raise ControlError(f"there is no interaction {interaction}")
        old.repeated = True
        self._gateway.tell(Event(name="INTERACTION_CREATE", data=old.payload))
        return old.shown()

    async def deliver_as_given(self, payload: Json) -> Json:
        """Send an interaction as it is given, with a new id and token: what no person could do by hand."""
        fresh = {**payload, "id": self._world.new_id(), "token": self._world.new_token()}
        person = (fresh.get("member") or {}).get("user") or fresh.get("user") or {}
        interaction = Interaction(
            id=fresh["id"],
            token=fresh["token"],
            kind=fresh["type"],
            name="as given",
            user_id=str(person.get("id", "")),
            channel_id=str(fresh.get("channel_id", "")),
            in_guild="guild_id" in fresh,
            made_s=self._world.clock.now_s(),
            payload=fresh,
            message_id=str((fresh.get("message") or {}).get("id", "")),
        )
        return await self.deliver(interaction)
