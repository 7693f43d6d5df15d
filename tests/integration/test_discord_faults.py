"""What goes wrong between Backout and Discord: nothing is missing, nothing is there twice, and the incident goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from adapters.discord_chat.places import mark_of
from adapters.discord_chat.rights import REASONS
from tests.fakes.discord.permits import OF_BOT, OF_EVERYONE
from tests.integration.chat_scene import Opened, until
from tests.integration.discord_scene import DiscordScene, discord_scene, mark_in

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DiscordScene]:
    async with discord_scene(tmp_path_factory.mktemp("discord")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def scene(shared: DiscordScene) -> AsyncIterator[DiscordScene]:
    """The shared scene, with all faults taken back after each test."""
    yield shared
    await shared.discord.clear_faults()
    await shared.discord.come_up()
    await shared.no_violations()


def long(*values: str) -> list[Any]:
    """Return values whose like is in the normal suite."""
    return [pytest.param(value, marks=pytest.mark.long) for value in values]


def often(*kinds: str) -> list[Any]:
    """Return the kinds of faults; the first one is in the normal suite."""
    return [kinds[0], *long(*kinds[1:])]


# -- none missing, none twice


@pytest.mark.parametrize("kind", often("drop_after", "drop_before", "status_after", "status", "slow_after"))
@pytest.mark.parametrize(
    "operation", ["create_guild_channel", "create_message", "update_message", "create_pin"]
)
async def test_no_message_is_lost_or_doubled(scene: DiscordScene, operation: str, kind: str) -> None:
    """Discord takes a call and its answer is lost, or the call is lost: the channel is whole all the same."""
    if kind == "slow_after" and operation != "create_message":
        return
    site = scene.site()
    await scene.discord.fault(operation, kind, times=2, delay_s=3.5)  # type: ignore[arg-type]
    await scene.anna.command(scene.general, "/incident start", site=site, what_happened=f"{operation} {kind}")
    incident = await scene.incident(f"inc-{site}-1", site)
    await scene.assert_each_once(incident)
    await until(lambda: scene.discord.pins(incident.channel), lambda pins: len(pins) == 1)
    assert (await scene.discord.channel(incident.channel))["topic"]
    named = [one for one in await scene.discord.channels() if site in (one["name"] or "").split("-")]
    assert len(named) == 1
    categories = [one["name"] for one in await scene.discord.channels() if one["kind"] == "category"]
    assert categories == ["Incidents"]


async def test_a_message_is_found_after_its_nonce_is_forgotten(scene: DiscordScene) -> None:
    """Discord remembers a nonce for minutes; after an hour of outage the mark in the message still tells."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    await scene.discord.fault("create_message", "drop_after", times=1)
    await scene.discord.fault("list_messages", "status", times=3)
    await scene.anna.command(incident.channel, "/app freeze")
    await scene.discord.wait_for_call("list_messages")
    await scene.discord.advance(400)
    await scene.assert_each_once(incident)


@pytest.mark.parametrize("kind", often("drop_after", "status_after", "drop_before"))
async def test_no_report_is_lost_or_doubled(scene: DiscordScene, kind: str) -> None:
    """The report stands once in the channel and once where all reports are, with its file, whichever answer was lost."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    await scene.discord.fault("create_message", kind, times=3)  # type: ignore[arg-type]
    await scene.anna.command(incident.channel, "/incident close", outcome="false alarm")
    await scene.discord.wait_for_message(incident.channel, "Post-mortem of", timeout_s=20)
    await scene.discord.wait_for_message(scene.reports, f"Post-mortem of {incident.id}", timeout_s=20)
    await scene.assert_each_once(incident)
    files = [one for one in await scene.discord.files() if incident.id in one["name"]]
    assert sorted(one["channel_id"] for one in files) == sorted([incident.channel, scene.reports])
    stored = await scene.records(lambda tx: tx.messages(incident.id))
    published = next(mark_of(one.id) for one in stored if one.message.place.value == "reports")
    found = Counter(mark_in(one) for one in await scene.discord.messages(scene.reports))
    assert found[published] == 1
    await until(lambda: scene.discord.pins(incident.channel), lambda pins: len(pins) == 2)


async def test_a_call_to_a_person_is_not_lost_or_doubled(scene: DiscordScene) -> None:
    """A direct message whose answer was lost is found again by its mark."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    await scene.discord.fault("create_message", "drop_after", times=4)
    await scene.anna.command(incident.channel, "/incident escalate", reason="help")
    await scene.dora.wait_for_direct("Dora, you are needed (call 1)")
    await scene.assert_each_once(incident)
    mine = [one for one in await scene.dora.direct_messages() if incident.id in one["visible"]]
    assert len(mine) == 1
    await scene.dora.press_in_direct("I have it")
    await scene.discord.wait_for_message(incident.channel, "Dora has it")


async def test_a_thread_s_message_is_not_lost_or_doubled(scene: DiscordScene) -> None:
    """The thread is opened once, and what belongs there stands there once."""
    incident = await scene.opened()
    await scene.discord.wait_for_message(incident.channel, "1. Assess")
    await scene.at_rest(incident.id)
    await scene.discord.fault("create_thread_from_message", "drop_after", times=1)
    await scene.discord.fault("create_message", "drop_after", times=2)
    await scene.anna.command(incident.channel, "/incident report")
    await scene.discord.wait_for_message(incident.channel, "a draft", timeout_s=20)
    await scene.assert_each_once(incident)


@pytest.mark.parametrize("kind", often("drop_after", "status_after", "drop_before"))
async def test_an_answer_to_one_person_is_there_once(scene: DiscordScene, kind: str) -> None:
    """A first answer whose reply is lost is given again and known to be there; the words follow once, by an edit.

    Words that came as further messages would be there twice, the second time for all: those calls are answered as badly.
    """
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    before = len(await scene.anna.whispers())
    ways = ("update_original_webhook_message", "execute_webhook")

    async def said() -> list[Any]:
        return [call for way in ways for call in await scene.discord.calls(way)]

    tried_twice = len(await said()) + 2
    for operation in ("create_interaction_response", *ways):
        await scene.discord.fault(operation, kind, times=1)  # type: ignore[arg-type]
    note = await scene.anna.command(incident.channel, "/incident note", text=f"said once {kind}")
    assert note.error == ""
    await until(said, lambda calls: len(calls) >= tried_twice)
    (words,) = [one["visible"] for one in (await scene.anna.whispers())[before:]]
    assert "is thinking" not in words
    assert [one for one in await scene.discord.messages(incident.channel) if one["interaction_id"]] == []
    assert (await scene.timeline(incident.id)).count(f"said once {kind}") == 1


@pytest.mark.long
async def test_what_a_person_was_told_has_failed_is_not_done(scene: DiscordScene) -> None:
    """Discord never got the first answer, so the person was told so: the command is not carried out behind their back."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    await scene.discord.fault("create_interaction_response", "drop_before", times=100)
    note = await scene.anna.command(incident.channel, "/incident note", text="never answered")
    assert note.error == "did_not_respond"
    await scene.discord.clear_faults()
    await scene.note(scene.anna, incident, "typed again")
    await scene.noted(incident, "typed again")
    assert "never answered" not in await scene.timeline(incident.id)
    assert {one.rule for one in await scene.discord.violations()} == {"answer_late"}
    await scene.discord.clear_violations()  # no answer could arrive


# -- away, and back


@pytest.mark.parametrize("kind", often("503", "drop", "hang"))
async def test_discord_is_down_and_comes_back(scene: DiscordScene, kind: str) -> None:
    """The console goes on; the outage is told there; afterwards the channel has all of it, in order, once."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    await scene.discord.go_down(kind)  # type: ignore[arg-type]
    api = scene.bot.as_person(scene.token)
    for number in range(3):
        assert api.command(f"/incident note while it was away {number}", incident.id)["ok"]
    assert api.command("/app freeze", incident.id)["ok"]
    await until(
        lambda: scene.timeline(incident.id),
        lambda t: any("Discord takes no messages" in one for one in t),
        30,
    )
    await scene.discord.come_up()
    await scene.discord.wait_for_message(incident.channel, "[Not now]", timeout_s=40)
    await scene.assert_each_once(incident)
    await scene.discord.wait_for_gateway(timeout_s=30)
    await scene.anna.press(incident.channel, "Not now")
    await scene.discord.wait_for_message(incident.channel, "✅ **Not now** — Anna")


async def test_a_revoked_token_is_told_and_repaired(scene: DiscordScene) -> None:
    """The console says at once what Discord says; with the token good again everything is there, clicks too."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    await scene.discord.set_token("revoked")
    api = scene.bot.as_person(scene.token)
    assert api.command("/app freeze", incident.id)["ok"]
    await until(lambda: scene.timeline(incident.id), lambda t: any("(401)" in one for one in t))
    await until(lambda: scene.timeline(incident.id), lambda t: any("(4004)" in one for one in t))
    await scene.discord.set_token("good")
    await scene.discord.wait_for_message(incident.channel, "[Not now]", timeout_s=40)
    await scene.assert_each_once(incident)
    await scene.discord.wait_for_gateway(timeout_s=20)
    await scene.anna.press(incident.channel, "Not now")
    await scene.discord.wait_for_message(incident.channel, "✅ **Not now** — Anna")


@pytest.mark.long
async def test_a_refused_intent_is_told_with_what_to_do(scene: DiscordScene) -> None:
    """Where the gateway closes for good the incident says why nothing comes in, and goes on in the console."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    await scene.discord.close_gateway(4014)
    await until(lambda: scene.timeline(incident.id), lambda t: any("(4014)" in one for one in t))
    await scene.discord.wait_for_gateway(timeout_s=20)
    await until(lambda: scene.timeline(incident.id), lambda t: any("clicks over again" in one for one in t))
    await scene.assert_each_once(incident)


async def test_a_lost_connection_costs_a_moment(scene: DiscordScene) -> None:
    """A cut socket is resumed, Discord's wish to change it obeyed, a session that is over begun anew: all goes on."""
    incident = await scene.opened()
    before = await scene.discord.connections()
    await scene.discord.drop_gateway()
    await scene.discord.wait_for_gateway(resumed=before["resumed"] + 1, timeout_s=20)
    await scene.note(scene.anna, incident, "after the cut")
    await scene.discord.ask_to_reconnect()
    await scene.discord.wait_for_gateway(resumed=before["resumed"] + 2, timeout_s=20)
    await scene.note(scene.anna, incident, "after the wish")
    await scene.discord.invalidate_session(resumable=False)
    await scene.discord.wait_for_gateway(identified=before["identified"] + 1, timeout_s=20)
    await scene.note(scene.anna, incident, "after the end of the session")
    for words in ("after the cut", "after the wish", "after the end of the session"):
        await scene.noted(incident, words)
        assert (await scene.timeline(incident.id)).count(words) == 1


async def test_what_was_typed_while_the_connection_was_lost_is_taken_once(scene: DiscordScene) -> None:
    """A resumed session brings what was missed, and perhaps what was not: the effect is one."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    note = await scene.anna.command(incident.channel, "/incident note", text="just before the cut")
    before = await scene.discord.connections()
    await scene.discord.drop_gateway()
    await scene.discord.deliver_again(note)
    await scene.discord.wait_for_gateway(resumed=before["resumed"] + 1, timeout_s=20)
    await scene.note(scene.anna, incident, "afterwards")
    await scene.noted(incident, "afterwards")
    await scene.noted(incident, "just before the cut")
    assert (await scene.timeline(incident.id)).count("just before the cut") == 1


# -- what people do to the channel


async def test_a_channel_that_a_person_deleted_is_opened_anew(scene: DiscordScene) -> None:
    """It is said, and the new channel has everything, once."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    await scene.anna.delete_channel(incident.channel)
    room = await until(
        lambda: scene.records(lambda tx: tx.room("discord", incident.id)),
        lambda found: found and found.channel not in ("", incident.channel),
    )
    assert room is not None
    new = Opened(incident.id, incident.site, room.name, room.channel)
    await scene.discord.wait_for_message(new.channel, "cannot be used any more")
    await scene.assert_each_once(new)
    await scene.note(scene.anna, new, "we are here now")
    await scene.noted(new, "we are here now")


@pytest.mark.long
async def test_a_deletion_that_nobody_told_of_is_found(scene: DiscordScene) -> None:
    """Deleted while the gateway was away: the next message finds it, and a new channel is opened."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    await scene.discord.open_gateway(is_open=False)
    await scene.anna.delete_channel(incident.channel)
    api = scene.bot.as_person(scene.token)
    assert api.command("/app freeze", incident.id)["ok"]
    room = await until(
        lambda: scene.records(lambda tx: tx.room("discord", incident.id)),
        lambda found: found and found.channel not in ("", incident.channel),
    )
    assert room is not None
    await scene.discord.open_gateway(is_open=True)
    await scene.discord.wait_for_gateway(timeout_s=30)
    new = Opened(incident.id, incident.site, room.name, room.channel)
    await scene.discord.wait_for_message(new.channel, "[Not now]")
    await scene.assert_each_once(new)


async def test_a_message_that_a_person_deleted_is_said_again_when_it_changes(scene: DiscordScene) -> None:
    """What was deleted and then changed stands there again, once, in its latest form, though the answer was lost."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    await scene.anna.command(incident.channel, "/app freeze")
    asked = await scene.discord.wait_for_message(incident.channel, "[Not now]")
    await scene.anna.delete_message(incident.channel, asked["id"])
    decision = (await scene.records(lambda tx: tx.decisions(incident_id=incident.id)))[0]
    await scene.discord.fault("create_message", "drop_after", times=2)
    assert scene.bot.as_person(scene.token).answer(decision.id, "wait")["ok"]
    await scene.discord.wait_for_message(incident.channel, "✅ **Not now** — Anna")
    await scene.assert_each_once(incident)


@pytest.mark.long
async def test_a_full_category_is_followed_by_the_next(scene: DiscordScene) -> None:
    """A category holds fifty channels; the next incident's channel stands in another one, made for it."""
    first = await scene.opened()
    parent = (await scene.discord.channel(first.channel))["parent_id"]
    there = [one for one in await scene.discord.channels() if one["parent_id"] == parent]
    for number in range(50 - len(there)):
        await scene.discord.add_channel(f"old-{number}", parent=parent)
    second = await scene.opened()
    assert (await scene.discord.channel(second.channel))["parent"] == "Incidents 2"
    third = await scene.opened()
    assert (await scene.discord.channel(third.channel))["parent"] == "Incidents 2"
    for number in range(50 - len(there)):
        await scene.anna.delete_channel(f"old-{number}")


# -- limits and rights


async def test_rates_are_obeyed(scene: DiscordScene) -> None:
    """With Discord's limits on, no call comes before its time, edits are folded, and all arrives."""
    await scene.discord.limit_rates("documented")
    await scene.discord.limit_next(1, operation="update_message", retry_after_s=2)
    await scene.discord.limit_next(1, operation="create_message", retry_after_s=1)
    await scene.discord.limit_next(1, operation="create_pin", retry_after_s=1, scope="global")
    incident = await scene.opened()
    for number in range(4):
        await scene.anna.command(incident.channel, "/incident assess")
        await scene.note(scene.anna, incident, str(number))
    await scene.assert_each_once(incident)
    await scene.discord.limit_rates("off")


async def test_a_missing_permission_is_told_to_the_one_who_typed(scene: DiscordScene) -> None:
    """Without the right to make channels the incident goes on, and whoever opened it learns why there is none."""
    await scene.discord.set_bot_permissions(set(OF_BOT) - {"manage_channels"})
    site = scene.site()
    await scene.anna.command(scene.general, "/incident start", site=site, what_happened="no channel")
    direct = await scene.anna.wait_for_direct(f"inc-{site}-1 has no channel here")
    assert "50013" in direct["visible"]
    assert "permission" in direct["visible"]
    assert any("50013" in one for one in await scene.timeline(f"inc-{site}-1"))
    await scene.discord.set_bot_permissions(OF_BOT)


async def test_a_person_who_takes_no_direct_messages_stops_nothing(scene: DiscordScene) -> None:
    """Who left the server or closed their messages cannot be called: that is said, and the channel has the call."""
    await scene.dora.open_direct(is_open=False)
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    await scene.anna.command(incident.channel, "/incident escalate", reason="help")
    await until(lambda: scene.timeline(incident.id), lambda t: any("refused the message" in one for one in t))
    await scene.discord.wait_for_message(incident.channel, "you are needed")
    await scene.dora.open_direct(is_open=True)


@pytest.mark.long
async def test_no_permission_is_used_beyond_the_list(scene: DiscordScene) -> None:
    """What an incident does uses no permission that the invitation does not ask for."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    await scene.anna.command(incident.channel, "/incident report")
    await scene.discord.wait_for_message(incident.channel, "a draft")
    asked = {name.lower().replace(" ", "_") for name in REASONS}
    named = {"view_channels": "view_channel"}
    used = set(await scene.discord.permissions_used())
    assert used <= {named.get(name, name) for name in asked} | {"use_application_commands"}
    assert set(OF_EVERYONE) >= used - set(OF_BOT)
