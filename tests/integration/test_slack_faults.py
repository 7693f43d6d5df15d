"""What goes wrong between Backout and Slack: nothing is missing, nothing is there twice, and the incident goes on."""

from __future__ import annotations

import urllib.request
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from adapters.slack_chat.manifest import SCOPES
from tests.integration.slack_scene import Opened, SlackScene, slack_scene, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SlackScene]:
    async with slack_scene(tmp_path_factory.mktemp("slack")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def scene(shared: SlackScene) -> AsyncIterator[SlackScene]:
    """The shared scene, with all faults taken back before and after."""
    yield shared
    await shared.slack.clear_faults()
    await shared.slack.come_up()
    await shared.no_violations()


async def outbox_ids(scene: SlackScene, channel: str) -> Counter[str]:
    """Return how often each message of the store stands in a channel, by its outbox id."""
    shown = await scene.slack.messages(channel)
    return Counter(one["metadata"]["event_payload"]["outbox_id"] for one in shown if one["metadata"])


async def assert_each_once(scene: SlackScene, incident: Opened) -> None:
    """Assert that the channel holds every message of the store that belongs there, once."""
    await scene.at_rest(incident.id)
    stored = await scene.records(lambda tx: tx.messages(incident.id))
    here = {one.id for one in stored if one.message.place.value == "channel"}
    found = await outbox_ids(scene, incident.name)
    assert set(found) == here
    assert set(found.values()) == {1}


def web_status(scene: SlackScene) -> int:
    with urllib.request.urlopen(scene.bot.url, timeout=5) as response:
        return int(response.status)


def long(*values: str) -> list[Any]:
    """Return values whose like is in the normal suite."""
    return [pytest.param(value, marks=pytest.mark.long) for value in values]


def often(*kinds: str) -> list[Any]:
    """Return the kinds of faults; the first one is in the normal suite."""
    return [kinds[0], *long(*kinds[1:])]


@pytest.mark.parametrize("kind", often("drop_after", "drop_before", "status_after", "slow_after"))
@pytest.mark.parametrize(
    "method",
    [
        "conversations.create",
        "chat.postMessage",
        "chat.update",
        *long("conversations.setTopic", "conversations.invite", "pins.add"),
    ],
)
async def test_no_message_is_lost_or_doubled(scene: SlackScene, method: str, kind: str) -> None:
    """Slack takes a call and its answer is lost, or the call is lost: the channel is whole all the same."""
    if kind == "slow_after" and method != "chat.postMessage":
        return
    site = scene.site()
    await scene.slack.fault(method, kind, times=2, delay_s=3.5)  # type: ignore[arg-type]
    await scene.anna.command(scene.general, f"/incident start {site} {method} {kind}")
    incident = await scene.incident(f"inc-{site}-1", site)
    await assert_each_once(scene, incident)
    channel = await until(lambda: scene.slack.channel(incident.name), lambda found: found["pins"])
    assert len(channel["pins"]) == 1
    assert channel["topic"]
    named = [one for one in await scene.slack.channels() if site in (one["name"] or "").split("-")]
    assert len(named) == 1


@pytest.mark.parametrize(
    "method",
    [
        "files.completeUploadExternal",
        *long("files.getUploadURLExternal", "upload", "bookmarks.add", "bookmarks.list"),
    ],
)
@pytest.mark.parametrize("kind", often("drop_after", "status_after"))
async def test_no_file_is_lost_or_doubled(scene: SlackScene, method: str, kind: str) -> None:
    """The report stands once in the channel and once where all reports are, whichever answer was lost."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    await scene.slack.fault(method, kind, times=2)  # type: ignore[arg-type]
    await scene.anna.command(incident.name, "/incident close false alarm")
    await scene.slack.wait_for_message(incident.name, "Post-mortem of")
    await scene.slack.wait_for_message(scene.reports, f"Post-mortem of {incident.id}")
    await assert_each_once(scene, incident)
    channel = await until(lambda: scene.slack.channel(incident.name), lambda found: found["bookmarks"])
    assert [one["title"] for one in channel["bookmarks"]] == ["Report"]
    files = [
        one["channels"]
        for one in await scene.slack.files()
        if incident.id in one["title"] and one["channels"]
    ]
    assert sorted(files) == sorted([[incident.channel], [scene.reports]])
    assert (await outbox_ids(scene, scene.reports)).most_common(1)[0][1] == 1


async def test_a_call_to_a_person_is_not_lost_or_doubled(scene: SlackScene) -> None:
    """A direct message whose answer was lost is found again by its outbox id."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    await scene.slack.fault("chat.postMessage", "drop_after", times=4)
    await scene.anna.command(incident.name, "/incident escalate help")
    await scene.dora.wait_for_direct("Dora, you are needed (call 1)")
    await assert_each_once(scene, incident)
    mine = [one for one in await scene.dora.direct_messages() if incident.id in str(one["blocks"])]
    assert len(mine) == 1
    await scene.dora.press_in_direct("I have it")
    await scene.slack.wait_for_message(incident.name, "Dora has it")


async def test_an_answer_to_one_person_is_not_doubled(scene: SlackScene) -> None:
    """Nobody can look whether a whisper arrived, so it is never sent twice."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    before = len(await scene.anna.whispers())
    await scene.slack.fault("response_url", "drop_after", times=1)
    await scene.anna.command(incident.name, "/incident note said once")
    await until(scene.anna.whispers, lambda seen: len(seen) == before + 1)
    await scene.slack.fault("chat.postEphemeral", "drop_after", times=1)
    await scene.anna.mention(incident.name, "incident contacts")
    await scene.anna.wait_for_whisper("Contacts of")
    assert len(await scene.anna.whispers()) == before + 2


@pytest.mark.parametrize("kind", often("503", "drop", "hang"))
async def test_slack_is_down_and_comes_back(scene: SlackScene, kind: str) -> None:
    """The console goes on; the outage is told there; afterwards the channel has all of it, in order, once."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    await scene.slack.go_down(kind)  # type: ignore[arg-type]
    api = scene.bot.as_person(scene.token)
    for number in range(3):
        assert api.command(f"/incident note while it was away {number}", incident.id)["ok"]
    assert api.command("/app freeze", incident.id)["ok"]
    await until(
        lambda: scene.timeline(incident.id), lambda t: any("Slack takes no messages" in one for one in t)
    )
    assert api.get(f"/api/incidents/{incident.id}")["messages"][-1]["title"] == "Slack"
    await scene.slack.come_up()
    await scene.slack.wait_for_message(incident.name, "has been brought up to date", timeout_s=40)
    await assert_each_once(scene, incident)
    await scene.slack.wait_for_socket(timeout_s=20)
    await scene.anna.press(incident.name, "Not now")
    await scene.slack.wait_for_message(incident.name, "✅ *Not now* — Anna")


async def test_a_revoked_token_is_told_and_repaired(scene: SlackScene) -> None:
    """The console says at once what Slack says; with the token good again everything is there."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    await scene.slack.set_token("token_revoked")
    api = scene.bot.as_person(scene.token)
    assert api.command("/app freeze", incident.id)["ok"]
    await until(lambda: scene.timeline(incident.id), lambda t: any("token_revoked" in one for one in t))
    await scene.slack.set_token("good")
    await scene.slack.wait_for_message(incident.name, "[Not now]", timeout_s=40)
    await assert_each_once(scene, incident)


@pytest.mark.parametrize("how", ["archive", "delete_channel"])
async def test_a_channel_that_a_person_took_away_is_opened_anew(scene: SlackScene, how: str) -> None:
    """It is said, and the new channel has everything, once."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    await getattr(scene.anna, how)(incident.name)
    room = await until(
        lambda: scene.records(lambda tx: tx.room("slack", incident.id)),
        lambda found: found and found.channel not in ("", incident.channel),
    )
    assert room is not None
    new = Opened(incident.id, incident.site, room.channel, room.channel)
    await scene.slack.wait_for_message(new.channel, "cannot be used any more")
    await assert_each_once(scene, new)
    await scene.anna.command(room.name, "/incident note we are here now")
    await scene.noted(new, "we are here now")


async def test_backout_comes_back_when_it_was_removed(scene: SlackScene) -> None:
    """Removed from its channel by a person, it joins again and goes on speaking there."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    await scene.anna.remove_bot(incident.name)
    await scene.anna.command(scene.general, f"/app freeze --site {incident.site}")
    await scene.slack.wait_for_message(incident.name, "[Not now]")
    await assert_each_once(scene, incident)


async def test_a_message_that_a_person_deleted_is_said_again_when_it_changes(scene: SlackScene) -> None:
    """What was deleted and then changed stands there again, once, in its latest form, though the answer was lost."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    await scene.anna.command(incident.name, "/app freeze")
    asked = await scene.slack.wait_for_message(incident.name, "[Not now]")
    await scene.anna.delete_message(incident.name, asked["ts"])
    decision = (await scene.records(lambda tx: tx.decisions(incident_id=incident.id)))[0]
    await scene.slack.fault("chat.postMessage", "drop_after", times=2)
    assert scene.bot.as_person(scene.token).answer(decision.id, "wait")["ok"]
    await scene.slack.wait_for_message(incident.name, "✅ *Not now* — Anna")
    await assert_each_once(scene, incident)


async def test_rates_are_obeyed(scene: SlackScene) -> None:
    """With Slack's documented limits on, no call comes before its time, edits are folded, and all arrives."""
    await scene.slack.limit_rates("documented")
    await scene.slack.limit_next(1, method="chat.update", retry_after_s=2)
    await scene.slack.limit_next(1, method="chat.postMessage", retry_after_s=1)
    incident = await scene.opened()
    for number in range(4):
        await scene.anna.command(incident.name, "/incident assess")
        await scene.anna.command(incident.name, f"/incident note {number}")
    await assert_each_once(scene, incident)
    await scene.slack.limit_rates("off")


async def test_a_missing_scope_is_told_to_the_one_who_typed(scene: SlackScene) -> None:
    """Without the right to make channels the incident goes on, and whoever opened it learns why there is none."""
    await scene.slack.set_scopes(set(SCOPES) - {"channels:manage"})
    site = scene.site()
    await scene.anna.command(scene.general, f"/incident start {site} no channel")
    direct = await scene.anna.wait_for_direct(f"inc-{site}-1 has no channel here")
    assert "missing_scope" in str(direct["blocks"])
    assert "channels:manage" in str(direct["blocks"])
    assert any("missing_scope" in one for one in await scene.timeline(f"inc-{site}-1"))
    await scene.slack.set_scopes(SCOPES)


async def test_every_scope_is_needed(scene: SlackScene) -> None:
    """What an incident does uses each scope that the manifest asks for, and none beside."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    await scene.anna.mention(incident.name, "incident status")
    seen = await scene.mallory_says(incident, "I saw it")
    await scene.anna.react(incident.name, seen)
    await until(lambda: scene.timeline(incident.id), lambda t: any("mallory at" in one for one in t))
    await scene.anna.remove_bot(incident.name)
    await scene.slack.fault("chat.postMessage", "drop_after", times=4)
    await scene.anna.command(scene.general, f"/incident escalate --site {incident.site} help")
    await scene.dora.wait_for_direct(incident.id)
    await scene.slack.wait_for_message(incident.name, "you are needed")
    await scene.at_rest(incident.id)
    await scene.anna.command(incident.name, "/incident close seen enough")
    await scene.slack.wait_for_message(incident.name, "Post-mortem of")
    await until(lambda: scene.slack.channel(incident.name), lambda found: found["bookmarks"])
    assert set(await scene.slack.scopes_used()) == set(SCOPES)


async def test_a_cut_socket_is_connected_again(scene: SlackScene) -> None:
    """A cut connection, and Slack's own wish to change it, cost nothing but a moment."""
    incident = await scene.opened()
    await scene.slack.drop_sockets()
    await scene.slack.wait_for_socket(timeout_s=20)
    await scene.anna.command(incident.name, "/incident note after the cut")
    await scene.noted(incident, "after the cut")
    for reason in ("warning", "refresh_requested"):
        await scene.slack.send_disconnect(reason)  # type: ignore[arg-type]
        await scene.slack.wait_for_socket(timeout_s=20)
        await scene.anna.command(incident.name, f"/incident note after {reason}")
        await scene.noted(incident, f"after {reason}")


async def test_a_deactivated_person_stops_nothing(scene: SlackScene) -> None:
    """Who left the company cannot be invited or called: that is said, and the others are."""
    await scene.dora.deactivate()
    incident = await scene.opened()
    await until(
        lambda: scene.timeline(incident.id), lambda t: any("Dora could not be invited" in one for one in t)
    )
    await scene.at_rest(incident.id)
    members = (await scene.slack.channel(incident.name))["members"]
    assert {scene.anna.id, scene.boris.id, scene.clara.id} <= set(members)
    await scene.anna.command(incident.name, "/incident escalate help")
    await until(lambda: scene.timeline(incident.id), lambda t: any("refused the message" in one for one in t))
    await scene.at_rest(incident.id)
