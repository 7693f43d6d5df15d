"""An incident in Slack: opened by a command, a channel of its own, decisions by button, all told to who may know."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from tests.integration.chat_scene import PLANNED, cutover
from tests.integration.slack_scene import HANGING, Opened, SlackScene, buttons_of, slack_scene, told, until
from tests.playbooks.story import PLAN_HASH

pytestmark = pytest.mark.asyncio(loop_scope="module")

PREPARED: dict[str, tuple[str, str]] = {}


async def prepare(scene: SlackScene) -> None:
    """Put down incidents that stand before a cut-over; the sites' names are those that will be typed."""
    for name, votes in (("one", 1), ("two", 2), ("forged", 1), ("void", 1), ("restart", 1)):
        PREPARED[name] = await told(scene, PLANNED, cutover(scene.unused[0], votes))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SlackScene]:
    async with slack_scene(tmp_path_factory.mktemp("slack"), before=prepare) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def scene(shared: SlackScene) -> AsyncIterator[SlackScene]:
    """The shared scene; after each test no rule of Slack may have been broken."""
    yield shared
    await shared.no_violations()


async def planned(scene: SlackScene, name: str) -> Opened:
    incident_id, site = PREPARED[name]
    opened = await scene.incident(incident_id, site)
    await scene.slack.wait_for_message(opened.name, "Replace the data")
    return opened


async def open_modal(scene: SlackScene, incident: Opened) -> str:
    """Have Anna press the grave button; return the modal's text once the plan stands in it."""
    await scene.anna.press(incident.name, "Approve and cut over")
    await scene.anna.wait_for_modal(containing=PLAN_HASH)
    return await scene.anna.modal_text()


# -- the channel


async def test_an_incident_has_its_own_channel(scene: SlackScene) -> None:
    """One command: acked, a channel with topic, people and a pinned status, and a link to it for who typed."""
    incident = await scene.opened("captions & more are gone")
    assert re.fullmatch(rf"inc-\d{{8}}-{incident.site}-captions-more-are-gone", incident.name)
    reply = await scene.anna.wait_for_whisper(f"#{incident.name}")
    assert "is open" in str(reply)
    await scene.at_rest(incident.id)
    channel = await scene.slack.channel(incident.name)
    members = {scene.anna.id, scene.boris.id, scene.clara.id, scene.dora.id}
    assert members <= set(channel["members"])
    assert scene.mallory.id not in channel["members"]
    assert channel["topic"] == f"{incident.site}: captions &amp; more are gone ({incident.id})"
    pinned = [one for one in await scene.slack.messages(incident.name) if one["pinned"]]
    assert len(pinned) == 1
    for fact in ("step", "site", "downtime so far", "next decision"):
        assert f"*{fact}*" in str(pinned[0]["blocks"])


async def test_two_incidents_that_are_called_alike_have_two_channels(scene: SlackScene) -> None:
    """The second channel of a name gets a number, and each holds its own incident."""
    site = scene.site()
    first = await scene.opened("the same", site)
    await scene.anna.command(first.name, "/incident close not needed")
    await until(
        lambda: scene.records(lambda tx: tx.incidents(site=site, open_only=True)), lambda rows: not rows
    )
    await scene.anna.command(scene.general, f"/incident start {site} the same")
    second = await scene.incident(f"inc-{site}-2", site)
    assert second.name == f"{first.name}-2"
    assert second.channel != first.channel


async def test_a_step_has_one_message_and_a_thread(scene: SlackScene) -> None:
    """What a step has to say fills one message; its question stands in the thread and in the channel."""
    incident = await scene.opened()
    await scene.slack.wait_for_message(incident.name, "1. Assess")
    await scene.at_rest(incident.id)
    await scene.anna.command(incident.name, "/incident assess")
    await scene.at_rest(incident.id)
    titles = await scene.texts(incident.name)
    assert titles.count("1. Assess") == 1


async def test_who_comes_second_is_led_to_the_channel(scene: SlackScene) -> None:
    """A site has one open incident; whoever wants to open another is told which, and where it is."""
    incident = await scene.opened()
    await scene.boris.command(scene.general, f"/incident start {incident.site} the same, I think")
    whisper = await scene.boris.wait_for_whisper(f"#{incident.name}")
    assert "open incident already" in str(whisper)


async def test_a_channel_of_somebody_else_is_left_alone(scene: SlackScene) -> None:
    """A channel that is called like the incident's and was made by a person is not taken over."""
    site = scene.site()
    name = f"inc-{datetime.now(UTC):%Y%m%d}-{site}-taken"
    theirs = await scene.slack.add_channel(name, members=[scene.mallory])
    incident = await scene.opened("taken", site)
    assert (incident.name, incident.channel == theirs) == (f"{name}-2", False)
    assert await scene.texts(name) == []


async def test_an_ack_waits_for_no_host(scene: SlackScene) -> None:
    """A command that asks a host that hangs is acknowledged at once, and others are answered meanwhile."""
    await scene.anna.command(scene.general, f"/incident start {HANGING} nobody answers")
    incident = await scene.incident(f"inc-{HANGING}-1", HANGING)
    for command in ("/app status", "/app logs"):
        delivery = await scene.anna.command(incident.name, command)
        assert delivery.error == ""
        assert delivery.ack_ms is not None
        assert delivery.ack_ms < 1000
    await scene.anna.wait_for_whisper("The answer takes a moment longer")
    await scene.anna.command(incident.name, "/incident note meanwhile")
    await scene.noted(incident, "meanwhile")


async def test_a_stranger_is_refused_in_command_modal_and_button(scene: SlackScene) -> None:
    """Who is in no settings is told so, wherever it is tried, and nothing happens."""
    await scene.mallory.command(scene.general, f"/incident start {scene.unused[0]} let me in")
    await scene.mallory.wait_for_whisper("not listed")
    await scene.mallory.shortcut("declare_incident")
    await scene.mallory.wait_for_modal(containing="not listed")
    incident = await planned(scene, "forged")
    await scene.mallory.join(incident.name)
    await scene.mallory.press(incident.name, "Approve and cut over")
    await scene.mallory.wait_for_modal(containing="not listed")
    await scene.mallory.press(incident.name, "No")
    await scene.mallory.wait_for_whisper("not listed")
    assert (await scene.records(lambda tx: tx.decisions(incident_id=incident.id)))[0].votes == {}


async def test_a_reader_is_refused_with_the_reason(scene: SlackScene) -> None:
    """Who may only read is told what is missing, for commands, buttons and before typing anything."""
    incident = await planned(scene, "forged")
    await scene.clara.command(incident.name, "/app freeze")
    await scene.clara.wait_for_whisper("may read but not respond")
    await scene.clara.press(incident.name, "Approve and cut over")
    await scene.clara.wait_for_modal(containing="may not approve")
    await scene.clara.press(incident.name, "No")
    await scene.clara.wait_for_whisper("may not approve")


async def test_a_wrong_command_is_answered_with_the_right_one(scene: SlackScene) -> None:
    """A typing mistake is answered to the one who typed alone."""
    await scene.anna.command(scene.general, "/incident statsu")
    whisper = await scene.anna.wait_for_whisper("/incident status")
    assert "🚫" in str(whisper)
    assert "statsu" not in await scene.slack.text(scene.general)


# -- decisions


async def test_a_button_turns_into_the_answer(scene: SlackScene) -> None:
    """Who pressed, what and when stands where the buttons were; a later click changes nothing and is told so."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    await scene.anna.command(incident.name, "/app freeze")
    asked = await scene.slack.wait_for_message(incident.name, "[Not now]")
    assert buttons_of(asked) == ["Freeze", "Not now"]
    await scene.boris.press(incident.name, "Not now")
    answered = await scene.slack.wait_for_message(incident.name, "✅ *Not now* — Boris")
    assert (answered["ts"], buttons_of(answered)) == (asked["ts"], [])
    await scene.anna.press(incident.name, "Freeze", message=asked)
    await scene.anna.wait_for_whisper("answered already: wait by Boris")
    voted = [text for text in await scene.timeline(incident.id) if text.startswith(("Boris:", "Anna:"))]
    assert voted == ["Boris: Not now (1 of 1)"]


async def refusals(scene: SlackScene, incident: Opened) -> int:
    """Return how many times somebody was told in the channel that a question was answered already."""
    seen = [one for who in (scene.anna, scene.boris) for one in await who.whispers(incident.name)]
    return len([one for one in seen if "answered already" in one["text"]])


async def test_many_clicks_at_once_are_one_answer(scene: SlackScene) -> None:
    """Two persons press both buttons again and again in the same moment: one is taken, the others are told so."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    await scene.anna.command(incident.name, "/app freeze")
    await scene.slack.wait_for_message(incident.name, "[Not now]")
    presses = [
        (who, incident.name, label) for who in (scene.anna, scene.boris) for label in ("Freeze", "Not now")
    ]
    acks = await scene.slack.burst_presses(presses * 5)
    assert [one.error for one in acks if one.error] == []
    await until(lambda: refusals(scene, incident), lambda found: found == len(acks) - 1)
    voted = [text for text in await scene.timeline(incident.id) if text.endswith("(1 of 1)")]
    assert len(voted) == 1


async def test_a_grave_answer_shows_the_plan_and_wants_the_site_s_name(scene: SlackScene) -> None:
    """The modal holds the plan with its whole hash; a wrong name changes nothing, the right one decides."""
    incident = await planned(scene, "one")
    text = await open_modal(scene, incident)
    assert "strategy" in text
    refused = await scene.anna.submit({"typed": "another"})
    assert refused.body is not None
    assert refused.body["response_action"] == "errors"
    assert (await scene.records(lambda tx: tx.decisions(incident_id=incident.id)))[0].votes == {}
    await scene.anna.submit({"typed": incident.site})
    await scene.anna.wait_for_modal(containing="Decided: Approve and cut over")
    await scene.slack.wait_for_message(incident.name, "✅ *Approve and cut over* — Anna")
    assert "Anna approved the plan aaaaaaaaaaaa" in await scene.timeline(incident.id)


async def test_two_persons_where_two_are_asked_for(scene: SlackScene) -> None:
    """The first yes is kept and shown; the same person again does not count; the second person's decides."""
    incident = await planned(scene, "two")
    for _ in range(2):
        await open_modal(scene, incident)
        await scene.anna.submit({"typed": incident.site})
        await scene.anna.wait_for_modal(containing="1 more person(s)")
        await scene.anna.cancel()
    await scene.slack.wait_for_message(incident.name, "So far: Anna: Approve and cut over")
    await scene.boris.press(incident.name, "Approve and cut over")
    await scene.boris.wait_for_modal(containing=PLAN_HASH)
    await scene.boris.submit({"typed": incident.site})
    await scene.slack.wait_for_message(incident.name, "✅ *Approve and cut over* — Anna and Boris")


async def test_a_forged_click_changes_nothing(scene: SlackScene) -> None:
    """A button whose value was changed by hand still has to satisfy the decision: the word, the plan, the choice."""
    incident = await planned(scene, "forged")
    await scene.at_rest(incident.id)
    asked = await scene.slack.wait_for_message(incident.name, "[Approve and cut over]")
    (decision,) = await scene.records(lambda tx: tx.decisions(incident_id=incident.id))
    for value, said in (
        (f'["{decision.id}", "approve", null, false]', "type"),
        (f'["{decision.id}", "everything", null, false]', "is no answer"),
        ('["inc-nowhere-1.cutover.1", "approve", null, false]', "no decision"),
    ):
        for block in asked["blocks"]:
            if block["type"] == "actions":
                block["elements"][0]["value"] = value
        await scene.anna.press(incident.name, "Approve and cut over", message=asked)
        await scene.anna.wait_for_whisper(said)
    assert (await scene.records(lambda tx: tx.decisions(incident_id=incident.id)))[0] == decision


async def test_old_buttons_work_after_a_restart(scene: SlackScene) -> None:
    """Nothing of a button is in the bot's memory: a modal opened before the restart is answered after it."""
    incident = await planned(scene, "restart")
    await open_modal(scene, incident)
    await scene.restart()
    await scene.anna.submit({"typed": incident.site})
    await scene.slack.wait_for_message(incident.name, "✅ *Approve and cut over* — Anna")


async def test_what_is_sent_again_has_one_effect(scene: SlackScene) -> None:
    """The same command, click and form delivered twice, also after a restart: one entry, one answer."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    note = await scene.anna.command(incident.name, "/incident note only once")
    await until(lambda: scene.timeline(incident.id), lambda texts: "only once" in texts)
    await scene.slack.deliver_again(note)
    await scene.restart()
    await scene.slack.deliver_again(note)
    await scene.anna.wait_for_whisper("received already")
    assert (await scene.timeline(incident.id)).count("only once") == 1


# -- other ways in


async def test_a_form_declares_an_incident(scene: SlackScene) -> None:
    """`/incident start` alone opens a form; what it says becomes the incident, and the form leads to its channel."""
    site = scene.site()
    await scene.anna.command(scene.general, "/incident start")
    await scene.anna.wait_for_modal(containing="What happened?")
    await scene.anna.submit({"site": site, "what": "prices are\ngone <all>", "severity": "critical"})
    incident = await scene.incident(f"inc-{site}-1", site)
    await scene.anna.wait_for_modal(containing=f"#{incident.name}")
    (row,) = await scene.records(lambda tx: tx.incidents(site=site))
    assert row.title == "critical: prices are gone <all>"


async def test_the_shortcut_opens_the_same_form(scene: SlackScene) -> None:
    """From anywhere in Slack."""
    await scene.dora.shortcut("declare_incident")
    await scene.dora.wait_for_modal(containing="What happened?")
    await scene.dora.cancel()


async def test_messages_go_into_the_timeline(scene: SlackScene) -> None:
    """By the message's menu or by the pushpin: author, time, words and link, once however often it is pinned."""
    incident = await scene.opened()
    ts = await scene.boris.say(incident.name, "the export ran at two & ended at three")
    await scene.anna.message_shortcut("add_to_timeline", incident.name, ts)
    await scene.noted(incident, "the export ran")
    await scene.boris.react(incident.name, ts)
    other = await scene.mallory_says(incident, "I saw it too")
    await scene.anna.react(incident.name, other)
    await scene.noted(incident, "too")
    await scene.anna.command(incident.name, "/incident note that was all")
    entries = await until(
        lambda: scene.timeline(incident.id), lambda texts: any("was all" in t for t in texts)
    )
    noted = [text for text in entries if " UTC: " in text]
    assert len(noted) == 2
    assert re.fullmatch(
        r"Boris at \d{4}-\d\d-\d\d \d\d:\d\d UTC: the export ran at two & ended at three \(http.*/archives/.*\)",
        noted[0],
    )
    assert noted[1].startswith("mallory at ")


async def test_a_pin_elsewhere_means_nothing(scene: SlackScene) -> None:
    """A pushpin in a channel without an incident is no business of Backout's, and it says nothing."""

    async def said_there() -> int:
        return sum(one["channel"] == scene.general for one in await scene.anna.whispers())

    ts = await scene.anna.say(scene.general, "lunch?")
    before = await said_there()
    await scene.anna.react(scene.general, ts)
    await scene.anna.command(scene.general, "/incident list")
    await scene.anna.wait_for_whisper("incident(s)")
    assert await said_there() == before + 1


async def test_a_mention_in_a_thread_is_a_command(scene: SlackScene) -> None:
    """`@backout incident status` beneath a message is answered there, to the one who asked; refusals too."""
    incident = await scene.opened()
    ts = await scene.anna.say(incident.name, "what now?")
    await scene.anna.mention(incident.name, "incident status", thread_ts=ts)
    whisper = await scene.anna.wait_for_whisper("waiting")
    assert whisper["thread_ts"] == ts
    await scene.clara.mention(incident.name, "/app freeze", thread_ts=ts)
    await scene.clara.wait_for_whisper("may read but not respond")


async def test_home_shows_what_waits(scene: SlackScene) -> None:
    """Open incidents with their channels, open questions, and each site's backups; for a stranger the reason."""
    incident = await planned(scene, "void")
    await scene.anna.open_home()
    text = await until(scene.anna.home_text, lambda found: "Backups" in found)
    assert f"#{incident.name}" in text
    assert f"Replace the data of {incident.site}" in text
    assert "1 of 2 verified" in text
    await scene.clara.open_home()
    assert "Replace the data" not in await until(scene.clara.home_text, lambda found: "Backups" in found)
    await scene.mallory.open_home()
    await until(scene.mallory.home_text, lambda found: "not listed" in found)
