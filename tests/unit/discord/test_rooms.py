"""The incident's channel in a server: private, found again, in a category with room, and put away at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from adapters.discord_chat.api import DiscordApi, DiscordRefusedError
from adapters.discord_chat.rooms import DiscordRooms
from bot.model.errors import ChatLaterError, RoomLostError
from bot.model.room import Room, RoomPlan
from bot.model.secret import Secret
from tests.fakes.discord.client import Discord
from tests.fakes.discord.permits import OF_BOT
from tests.fakes.discord.person import Person

ROOM = Room(platform="discord", incident_id="inc-shop-1")


@dataclass
class Place:
    discord: Discord
    rooms: DiscordRooms
    role: str
    ada: Person
    plan: RoomPlan


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with Discord.started() as discord:
        role = await discord.add_role("responders")
        ada = await discord.add_person("ada")
        api = DiscordApi(discord.api_url, Secret(discord.bot_token), 2.0)
        plan = RoomPlan(
            incident_id="inc-shop-1",
            site="shop",
            title="rows",
            opened_at=datetime(2026, 11, 28, tzinfo=UTC),
            topic="shop: rows (inc-shop-1)",
            people=((ada.id, "Ada"),),
        )
        rooms = DiscordRooms(api, discord.guild_id, "Incidents", "Archived incidents", role)
        yield Place(discord, rooms, role, ada, plan)
        await api.close()
        assert await discord.violations() == []


async def test_a_channel_that_an_earlier_try_has_made_is_kept(place: Place) -> None:
    """Opened twice it is one; what a person made in the same name and topic is not taken over."""
    first = await place.rooms.open(place.plan, ROOM)
    assert (await place.rooms.open(place.plan, ROOM)).channel == first.channel
    known = replace(place.plan, known=frozenset({first.channel}))
    second = await place.rooms.open(known, ROOM)
    assert second.name == f"{first.name}-2"
    assert second.channel != first.channel


async def test_the_channel_is_seen_by_its_people_alone(place: Place) -> None:
    """By the role, by those of the settings, by the bot; a stranger in the server sees nothing."""
    bob = await place.discord.add_person("bob", roles=[place.role])
    eve = await place.discord.add_person("eve")
    room = await place.rooms.open(place.plan, ROOM)
    seen_by = (await place.discord.channel(room.channel))["seen_by"]
    assert {place.ada.id, bob.id, place.discord.bot_id} <= set(seen_by)
    assert eve.id not in seen_by
    plan = replace(place.plan, people=(*place.plan.people, (eve.id, "Eve")))
    room = await place.rooms.furnish(plan, room)
    assert eve.id in (await place.discord.channel(room.channel))["seen_by"]
    assert room.troubles == ()


async def test_what_cannot_be_done_is_told_and_stops_nothing(place: Place) -> None:
    """A pin that is refused is a trouble; a channel that is gone is lost."""
    room = await place.rooms.open(place.plan, ROOM)
    await place.discord.fault("create_pin", "error", code=50013)
    room = await place.rooms.furnish(replace(place.plan, pin=f"{room.channel}:{room.channel}"), room)
    assert "could not be pinned" in room.troubles[0]
    await place.ada.delete_channel(room.channel)
    with pytest.raises(RoomLostError):
        await place.rooms.furnish(replace(place.plan, topic="another (inc-shop-1)"), room)


async def test_a_topic_that_has_to_wait_holds_up_nothing(place: Place) -> None:
    """Discord lets a topic change twice in ten minutes; the rest goes on, and the topic is tried again later."""
    room = await place.rooms.open(place.plan, ROOM)
    await place.discord.limit_next(1, operation="update_channel", retry_after_s=400)
    later = replace(place.plan, topic="another (inc-shop-1)")
    room = await place.rooms.furnish(later, room)
    assert room.topic == place.plan.topic
    assert room.troubles == ()


async def test_a_channel_is_put_away_read_only_for_the_same_people(place: Place) -> None:
    """Discord has no archive: it stands among the archived incidents, nobody writes there, twice changes nothing."""
    room = await place.rooms.open(place.plan, ROOM)
    before = await place.discord.channel(room.channel)
    for _ in range(2):
        await place.rooms.close_room(room)
    after = await place.discord.channel(room.channel)
    assert after["parent"] == "Archived incidents"
    assert set(after["seen_by"]) == set(before["seen_by"])
    people = [one for one in after["overwrites"] if one["id"] != place.discord.bot_id]
    assert all({"send_messages", "send_messages_in_threads"} <= set(one["deny"]) for one in people)
    named = [one["name"] for one in await place.discord.channels() if one["kind"] == "category"]
    assert sorted(named) == ["Archived incidents", "Incidents"]
    await place.ada.delete_channel(room.channel)
    await place.rooms.close_room(room)


async def test_a_full_archive_is_followed_by_the_next(place: Place) -> None:
    """Fifty stand in one; the category that somebody called alike is used as well."""
    archive = await place.discord.add_channel("Archived incidents", kind="category")
    for number in range(50):
        await place.discord.add_channel(f"old-{number}", parent=archive)
    room = await place.rooms.open(place.plan, ROOM)
    await place.rooms.close_room(room)
    assert (await place.discord.channel(room.channel))["parent"] == "Archived incidents 2"


async def test_without_the_right_none_is_made_and_it_is_said(place: Place) -> None:
    """The refusal names the number and the remedy."""
    await place.discord.set_bot_permissions(set(OF_BOT) - {"manage_channels"})
    with pytest.raises(DiscordRefusedError, match="50013"):
        await place.rooms.open(place.plan, ROOM)
    await place.discord.go_down()
    with pytest.raises(ChatLaterError):
        await place.rooms.open(place.plan, ROOM)
    await place.discord.come_up()
