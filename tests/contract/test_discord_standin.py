"""The stand-in of Discord behaves as Discord does, towards the real discord.py: its HTTP API, its state, its refusals."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import discord as library
import pytest

from tests.contract.discord_bot import logged_in, route
from tests.contract.discord_fixtures import ada, discord, discord_address, general, responders
from tests.fakes.discord.client import Discord, Person

__all__ = ["ada", "discord", "discord_address", "general", "responders"]


@pytest.fixture
async def client(discord: Discord) -> AsyncIterator[library.Client]:
    async with logged_in(discord) as client:
        yield client


@pytest.fixture
async def guild(discord: Discord, client: library.Client) -> library.Guild:
    return await client.fetch_guild(int(discord.guild_id))


async def text_channel(client: library.Client, channel: str) -> library.TextChannel:
    found = await client.fetch_channel(int(channel))
    assert isinstance(found, library.TextChannel)
    return found


async def refusal(call: Any) -> int:
    """Return the code with which a call is refused."""
    with pytest.raises(library.HTTPException) as caught:
        await call
    return caught.value.code


async def rules(discord: Discord) -> list[str]:
    return [one.rule for one in await discord.violations()]


async def test_the_bot_knows_itself_and_its_server(
    discord: Discord, client: library.Client, guild: library.Guild, ada: Person
) -> None:
    """Login asks for user and application; server, members and roles are there, each as Discord describes it."""
    info = await client.application_info()
    member = await guild.fetch_member(int(ada.id))
    assert client.user is not None
    assert (client.user.name, info.owner.name, guild.name) == ("backout", "owner", "Backout tests")
    assert [one.name for one in await guild.fetch_roles()] == ["@everyone", "backout", "responders"]
    assert {one.name async for one in guild.fetch_members()} == {"owner", "backout", "ada"}
    assert member.name == "ada"
    assert await discord.violations() == []


async def test_a_wrong_token_is_refused(discord: Discord) -> None:
    """No token, another one, a revoked one: 401; only the first is a violation."""
    async with aiohttp.ClientSession() as session:
        for headers in ({}, {"Authorization": "Bot other"}, {"Authorization": discord.bot_token}):
            async with session.get(f"{discord.api_url}/users/@me", headers=headers) as response:
                assert response.status == 401
    await discord.set_token("revoked")
    with pytest.raises(library.LoginFailure):
        async with logged_in(discord):
            pass
    assert await rules(discord) == ["no_token"]


async def test_an_unknown_route_is_a_violation(discord: Discord, client: library.Client) -> None:
    """Nothing is silently fine: a route the stand-in does not know is refused and written down."""
    assert await refusal(client.http.request(route("GET", "/users/@me/teleport"))) == 0
    assert await rules(discord) == ["unknown_route"]


async def test_json_has_no_charset(discord: Discord) -> None:
    """The content type is exactly application/json, as the library looks for."""
    async with aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bot {discord.bot_token}"}
        async with session.get(f"{discord.api_url}/gateway/bot", headers=headers) as response:
            assert response.headers["Content-Type"] == "application/json"
            assert (await response.json())["url"] == discord.gateway_url


async def test_an_incident_channel_is_private_to_a_role(
    discord: Discord, guild: library.Guild, ada: Person, responders: str
) -> None:
    """Made under a category with overwrites: the role's people and the bot see it, and nobody else."""
    bob = await discord.add_person("bob")
    overwrites: Any = {
        guild.default_role: library.PermissionOverwrite(view_channel=False),
        await guild.fetch_role(int(responders)): library.PermissionOverwrite(view_channel=True),
        library.Object(int(discord.bot_id)): library.PermissionOverwrite(view_channel=True),
    }
    category = await guild.create_category("Incidents", overwrites=overwrites)
    made = await guild.create_text_channel(
        "Inc 28.11. Album!", category=category, topic="step 2", overwrites=overwrites
    )
    await made.edit(topic="step 3")
    held = await discord.channel("inc-2811-album")
    assert (held["topic"], held["parent"], made.name) == ("step 3", "Incidents", "inc-2811-album")
    assert ada.id in held["seen_by"]
    assert bob.id not in held["seen_by"]
    await made.delete()
    assert await refusal(made.send("late")) == 10003
    assert await discord.violations() == []


async def test_a_channel_the_bot_shut_itself_out_of(
    discord: Discord, client: library.Client, guild: library.Guild
) -> None:
    """Without an overwrite of its own the bot loses sight of a channel that everybody else is shut out of."""
    overwrites = {guild.default_role: library.PermissionOverwrite(view_channel=False)}
    made = await guild.create_text_channel("lost", overwrites=overwrites)
    assert await refusal(made.send("hello")) == 50001
    assert await discord.violations() == []


@pytest.mark.parametrize(
    ("missing", "call", "code"),
    [
        ("manage_channels", lambda guild, _: guild.create_text_channel("x"), 50013),
        ("manage_channels", lambda _, channel: channel.edit(topic="x"), 50013),
        ("send_messages", lambda _, channel: channel.send("x"), 50013),
        ("embed_links", lambda _, channel: channel.send(embed=library.Embed(title="x")), 50013),
        (
            "attach_files",
            lambda _, channel: channel.send(file=library.File(io.BytesIO(b"x"), filename="x.md")),
            50013,
        ),
        ("view_channel", lambda _, channel: channel.send("x"), 50001),
        ("create_public_threads", lambda _, channel: channel.create_thread(name="x", type=PUBLIC), 50013),
        (
            "manage_roles",
            lambda guild, channel: channel.set_permissions(guild.default_role, view_channel=False),
            50013,
        ),
    ],
    ids=["make", "topic", "send", "embed", "file", "view", "thread", "overwrite"],
)
async def test_a_missing_permission_is_told(
    discord: Discord,
    client: library.Client,
    guild: library.Guild,
    general: str,
    missing: str,
    call: Any,
    code: int,
) -> None:
    """Each call needs its right; what is missing is 50013, or 50001 where nothing is seen; no violation."""
    channel = await text_channel(client, general)
    rights = [one for one in EVERY_RIGHT if one != missing]
    await discord.set_everyone_permissions([])
    await discord.set_bot_permissions(rights)
    assert await refusal(call(guild, channel)) == code
    await discord.set_bot_permissions(EVERY_RIGHT)
    await call(guild, channel)
    assert missing in await discord.permissions_used()
    assert await discord.violations() == []


PUBLIC = library.ChannelType.public_thread
EVERY_RIGHT = [
    "view_channel",
    "send_messages",
    "embed_links",
    "attach_files",
    "read_message_history",
    "manage_channels",
    "manage_roles",
    "create_public_threads",
    "send_messages_in_threads",
    "pin_messages",
]


async def test_a_message_lives(discord: Discord, client: library.Client, general: str) -> None:
    """Posted with everything, read, edited, pinned, deleted: the state follows."""
    channel = await text_channel(client, general)
    embed = library.Embed(title="Album", description="step 2").add_field(name="rows", value="4,102")
    file = library.File(io.BytesIO(b"# Report"), filename="report.md", description="the report")
    posted = await channel.send("Status", embed=embed, file=file)
    await posted.edit(embed=library.Embed(title="Album", description="step 3"))
    await posted.pin()
    await posted.add_reaction("✅")
    [pinned] = [one async for one in channel.pins()]
    assert (pinned.embeds[0].description, await pinned.attachments[0].read()) == ("step 3", b"# Report")
    assert "report.md" in await discord.text("general")
    [held] = await discord.pins("general")
    assert (held["edits"], held["files"], list(held["reacted"])) == (1, ["report.md"], ["✅"])
    found = await channel.fetch_message(posted.id)
    await found.unpin()
    await found.delete()
    assert await refusal(channel.fetch_message(posted.id)) == 10008
    assert await discord.messages("general") == []
    assert await discord.violations() == []


async def test_the_old_address_of_pins_still_works(
    discord: Discord, client: library.Client, general: str
) -> None:
    """Both addresses of pins are the same pins; to pin puts Discord's own note into the channel."""
    channel = await text_channel(client, general)
    posted = await channel.send("Status")
    names: Any = {"channel_id": general, "message_id": posted.id}
    await client.http.request(route("PUT", "/channels/{channel_id}/pins/{message_id}", **names))
    listed = await client.http.request(route("GET", "/channels/{channel_id}/pins", channel_id=general))
    assert [one["id"] for one in listed] == [str(posted.id)]
    assert [one.type.name async for one in channel.history()] == ["pins_add", "default"]


async def test_a_channel_holds_250_pins(discord: Discord, client: library.Client, general: str) -> None:
    """The 251st is refused with 30003."""
    channel = await text_channel(client, general)
    posted = [await channel.send(str(number)) for number in range(251)]
    for one in posted[:250]:
        await one.pin()
    assert await refusal(posted[250].pin()) == 30003
    assert len([one async for one in channel.pins(limit=None)]) == 250


async def test_a_nonce_makes_a_message_once(discord: Discord, client: library.Client, general: str) -> None:
    """Within minutes the same nonce gives the same message; it is not kept with the message; deleted is 10008."""
    channel = await text_channel(client, general)
    once = {"content": "Status", "nonce": "outbox-17", "enforce_nonce": True}
    send = route("POST", "/channels/{channel_id}/messages", channel_id=general)
    first = await client.http.request(send, json=once)
    second = await client.http.request(send, json=once)
    assert (first["id"], first["nonce"]) == (second["id"], "outbox-17")
    assert (await channel.fetch_message(int(first["id"]))).nonce is None
    await discord.advance(181)
    third = await client.http.request(send, json=once)
    assert third["id"] != first["id"]
    await channel.get_partial_message(int(third["id"])).delete()
    assert await refusal(client.http.request(send, json=once)) == 10008
    assert await discord.violations() == []


async def test_a_page_of_messages(discord: Discord, client: library.Client, general: str) -> None:
    """Newest first; before, after and around choose from ids."""
    channel = await text_channel(client, general)
    posted = [await channel.send(str(number)) for number in range(7)]
    middle = posted[3]

    async def page(**given: Any) -> list[str]:
        return [one.content async for one in channel.history(**given)]

    assert await page(limit=3) == ["6", "5", "4"]
    assert await page(limit=2, before=middle) == ["2", "1"]
    assert await page(limit=2, after=middle) == ["4", "5"]
    assert await page(limit=3, around=middle) == ["4", "3", "2"]
    await channel.purge(limit=4)
    assert await page() == ["2", "1", "0"]
    assert await discord.violations() == []


async def test_only_own_messages_are_edited(
    discord: Discord, client: library.Client, general: str, ada: Person
) -> None:
    """Another one's message can be deleted with the right to it, and never edited."""
    channel = await text_channel(client, general)
    said = channel.get_partial_message(int(await ada.say(general, "hello")))
    assert await refusal(said.edit(content="x")) == 50005
    await said.delete()
    assert await rules(discord) == ["edit_of_another"]


async def test_mentions_ping_whom_they_may(
    discord: Discord, client: library.Client, general: str, ada: Person, responders: str
) -> None:
    """Who is pinged follows allowed_mentions and the rights; words in embeds and edits ping nobody."""
    bob = await discord.add_person("bob")
    channel = await text_channel(client, general)
    words = f"<@{ada.id}> <@{bob.id}> <@&{responders}> @everyone"
    only = library.AllowedMentions(
        everyone=False, roles=False, users=[library.Object(int(ada.id), type=library.User)]
    )
    await channel.send(words, allowed_mentions=library.AllowedMentions.none())
    posted = await channel.send(words, allowed_mentions=only)
    await posted.edit(content=f"{words}!", allowed_mentions=library.AllowedMentions.all())
    await channel.send(
        f"<@&{responders}>", allowed_mentions=library.AllowedMentions(everyone=False, roles=True)
    )
    await channel.send(embed=library.Embed(description=words))
    notified = [one["notified"] for one in await discord.messages("general")]
    assert notified == [[], [ada.id], [ada.id], []]
    await discord.set_bot_permissions([])
    await channel.send(f"<@&{responders}> @everyone", allowed_mentions=library.AllowedMentions.all())
    assert (await discord.messages("general"))[-1]["notified"] == []
    await channel.send("<@123>")
    assert await rules(discord) == ["mention_of_nobody"]


async def test_threads_sleep_and_wake(discord: Discord, client: library.Client, general: str) -> None:
    """A message has one thread; an archived one takes no edits, wakes by a new message, and not when it is locked."""
    channel = await text_channel(client, general)
    posted = await channel.send("step 2")
    thread = await posted.create_thread(name="Step 2")
    assert await refusal(posted.create_thread(name="again")) == 160004
    said = await thread.send("rows counted")
    await thread.edit(archived=True)
    assert await refusal(said.edit(content="x")) == 50083
    await thread.send("woken")
    [held] = await discord.threads("general")
    assert (held["id"], held["archived"]) == (str(posted.id), False)
    await thread.edit(archived=True, locked=True)
    await discord.set_bot_permissions([])
    assert await refusal(thread.send("no")) == 160005
    assert "    #Step 2 (archived)" in await discord.text("general")
    assert await discord.violations() == []


async def test_a_thread_without_a_message_is_private_unless_said(
    discord: Discord, client: library.Client, general: str, ada: Person
) -> None:
    """Discord's default is a private thread, which only its members see."""
    channel = await text_channel(client, general)
    private = await channel.create_thread(name="hidden")
    public = await channel.create_thread(name="open", type=PUBLIC)
    assert (private.is_private(), public.is_private()) == (True, False)
    assert ada.id not in (await discord.channel("hidden"))["seen_by"]
    await private.add_user(library.Object(int(ada.id)))
    assert ada.id in (await discord.channel("hidden"))["seen_by"]
    await public.edit(archived=True)
    assert [one.name async for one in channel.archived_threads()] == ["open"]
    assert await discord.violations() == []


async def test_direct_messages(discord: Discord, client: library.Client, ada: Person) -> None:
    """The same channel every time; a person who is closed to them or gone gives 50007."""
    user = await client.fetch_user(int(ada.id))
    first = await user.create_dm()
    await first.send("Please acknowledge")
    assert (await user.create_dm()).id == first.id
    assert (await ada.wait_for_direct("acknowledge"))["author_name"] == "backout"
    await ada.open_direct(is_open=False)
    assert await refusal(first.send("x")) == 50007
    await ada.open_direct(is_open=True)
    await ada.leave()
    assert await refusal(first.send("x")) == 50007
    assert await discord.violations() == []


async def test_members_and_channels_that_are_gone(
    discord: Discord, client: library.Client, guild: library.Guild, general: str, ada: Person
) -> None:
    """What is gone is told by its code; an id that never was is a violation."""
    channel = await text_channel(client, general)
    await ada.leave()
    assert await refusal(guild.fetch_member(int(ada.id))) == 10007
    await ada.come_back()
    await ada.delete_channel(general)
    assert await refusal(channel.send("x")) == 10003
    assert await discord.violations() == []
    assert await refusal(client.fetch_channel(4711)) == 10003
    await discord.remove_bot()
    assert await refusal(guild.fetch_channels()) == 50001
    assert await rules(discord) == ["unknown_id"]


async def test_commands_keep_their_ids(discord: Discord, client: library.Client) -> None:
    """A bulk overwrite takes the place of all; one of the same name stays the same command."""

    async def sync(*names: str) -> dict[str, str]:
        body = [{"name": one, "description": "x", "type": 1} for one in names]
        app, server = client.application_id, int(discord.guild_id)
        assert app is not None
        made = await client.http.bulk_upsert_guild_commands(app, server, body)  # type: ignore[arg-type]
        return {one["name"]: str(one["id"]) for one in made}

    first = await sync("incident", "status")
    second = await sync("status", "page")
    assert second["status"] == first["status"]
    assert {one["name"] for one in await discord.commands()} == {"status", "page"}
    assert await discord.violations() == []


async def test_a_role_is_given_by_who_stands_above_it(
    discord: Discord, guild: library.Guild, ada: Person, responders: str
) -> None:
    """Roles below the bot's own can be given and taken; its own cannot."""
    member = await guild.fetch_member(int(ada.id))
    await member.remove_roles(library.Object(int(responders)))
    assert (await guild.fetch_member(int(ada.id))).roles == [guild.default_role]
    assert await refusal(member.add_roles(library.Object(int(discord.bot_role_id)))) == 50013
    assert await discord.violations() == []


async def test_a_category_holds_fifty_channels(discord: Discord, guild: library.Guild) -> None:
    """The 51st is refused: an archive of channels is full one day."""
    category = await guild.create_category("Archive")
    for number in range(50):
        await category.create_text_channel(f"inc-{number}")
    assert await refusal(category.create_text_channel("inc-51")) == 50035
    assert await discord.violations() == []
