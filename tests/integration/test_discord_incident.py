"""An incident in Discord: opened by a command, a channel of its own, decisions by button, all told to who may know."""

from __future__ import annotations

import copy
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bot.model.decision import Choice
from bot.model.message import Message
from bot.ports.store import Transaction
from bot.service.desk import Question
from tests.fakes.discord.person import Delivery, Person
from tests.integration.chat_scene import HANGING, PLANNED, Opened, cutover, told, until
from tests.integration.discord_scene import CATEGORY, DiscordScene, buttons_of, discord_scene, title_of
from tests.playbooks.story import PLAN_HASH

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONG_PURPOSE = "missing:" + "a_table_with_a_very_long_name_" * 3
PREPARED: dict[str, tuple[str, str]] = {}


def question_with_a_long_name() -> Question:
    return Question(
        purpose=LONG_PURPOSE,
        question="Bring the rows back?",
        body="They are gone.",
        choices=(
            Choice(key="restore_all_of_them", label="Bring them back", style="danger", starts="plan"),
            Choice(key="leave", label="Leave them", rejects=True),
        ),
    )


async def prepare(scene: DiscordScene) -> None:
    """Put down incidents that stand before a cut-over; the sites' names are those that will be typed."""
    for name, votes in (("one", 1), ("two", 2), ("forged", 1), ("void", 1), ("restart", 1)):
        PREPARED[name] = await told(scene, PLANNED, cutover(scene.unused[0], votes))
    incident_id, _ = PREPARED["void"]

    async def say(tx: Transaction) -> None:
        await tx.put_message(incident_id, Message(slot="step-3", title="3. Choose backup", step=3))
        await tx.put_message(incident_id, Message(slot="backup-1", title="a.sql: REFUSED", step=3))

    await scene.write(say)
    PREPARED["long"] = await told(scene, PLANNED, question_with_a_long_name())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DiscordScene]:
    async with discord_scene(tmp_path_factory.mktemp("discord"), before=prepare) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def scene(shared: DiscordScene) -> AsyncIterator[DiscordScene]:
    """The shared scene; after each test no rule of Discord may have been broken."""
    yield shared
    await shared.no_violations()


async def planned(scene: DiscordScene, name: str) -> Opened:
    incident_id, site = PREPARED[name]
    opened = await scene.incident(incident_id, site)
    await scene.discord.wait_for_message(opened.channel, "Replace the data")
    return opened


async def open_form(scene: DiscordScene, incident: Opened) -> str:
    """Have Anna press the grave button; return the form's text."""
    await scene.anna.press(incident.channel, "Approve and cut over")
    return str((await scene.anna.wait_for_modal(containing=PLAN_HASH))["text"])


async def whisper_after(person: Person, deed: Delivery) -> str:
    """Return what a deed was answered, once it is more than "is thinking"."""
    assert deed.error == ""

    async def look() -> str:
        seen = [one for one in await person.whispers() if one["id"] == deed.response_id]
        return str(seen[0]["visible"]) if seen else ""

    return await until(look, lambda text: text and "is thinking" not in text)


# -- the channel


async def test_an_incident_has_its_own_channel(scene: DiscordScene) -> None:
    """One command: answered at once, a private channel with topic, people and a pinned status, and a link to it."""
    incident = await scene.opened("captions & more are *gone*")
    assert re.fullmatch(rf"inc-\d{{8}}-{incident.site}-captions-more-are-gone", incident.name)
    await scene.anna.wait_for_whisper(f"#{incident.name}")
    await scene.at_rest(incident.id)
    channel = await scene.discord.channel(incident.channel)
    assert channel["parent"] == CATEGORY
    assert channel["topic"] == f"{incident.site}: captions & more are *gone* ({incident.id})"
    people = {scene.people[name].id for name in ("anna", "boris", "clara", "dora")}
    assert people <= set(channel["seen_by"])
    assert scene.mallory.id not in channel["seen_by"]
    (pinned,) = await scene.discord.pins(incident.channel)
    for fact in ("step", "site", "downtime so far", "next decision"):
        assert fact in {one["name"] for one in pinned["embeds"][0]["fields"]}


async def test_nobody_is_notified_who_is_not_meant(scene: DiscordScene) -> None:
    """What stands in names and titles is no mention, no markup, and rings nobody."""
    incident = await scene.opened(f"@everyone <@{scene.boris.id}> **bold** `code`")
    await scene.at_rest(incident.id)
    for message in await scene.own_messages(incident):
        assert message["notified"] == []
        assert message["allowed_mentions"] == {"parse": [], "users": []}
    status = (await scene.discord.pins(incident.channel))[0]["embeds"][0]["title"]
    assert "\\*\\*bold\\*\\*" in status


async def test_two_incidents_that_are_called_alike_have_two_channels(scene: DiscordScene) -> None:
    """The second channel of a name gets a number, and each holds its own incident."""
    site = scene.site()
    first = await scene.opened("the same", site)
    await scene.anna.command(first.channel, "/incident close", outcome="not needed")
    await until(
        lambda: scene.records(lambda tx: tx.incidents(site=site, open_only=True)), lambda rows: not rows
    )
    await scene.anna.command(scene.general, "/incident start", site=site, what_happened="the same")
    second = await scene.incident(f"inc-{site}-2", site)
    assert second.name == f"{first.name}-2"
    assert second.channel != first.channel


async def test_a_step_has_one_message_and_a_thread(scene: DiscordScene) -> None:
    """What a step has to say fills one message; more of it stands in the thread beneath; a question in the channel."""
    incident = await scene.opened()
    await scene.discord.wait_for_message(incident.channel, "1. Assess")
    await scene.at_rest(incident.id)
    await scene.anna.command(incident.channel, "/incident assess")
    await scene.at_rest(incident.id)
    titles = [title_of(one) for one in await scene.discord.messages(incident.channel)]
    assert titles.count("1. Assess") == 1
    await scene.anna.command(incident.channel, "/app freeze")
    asked = await scene.discord.wait_for_message(incident.channel, "[Not now]")
    assert asked["channel_id"] == incident.channel


async def test_commands_work_in_a_thread(scene: DiscordScene) -> None:
    """What is typed beneath a step's message is about the channel's incident."""
    incident = await planned(scene, "void")
    await scene.at_rest(incident.id)
    threads = await scene.discord.threads(incident.channel)
    assert [one["name"] for one in threads] == ["3. Choose backup"]
    beneath = await scene.discord.messages(threads[0]["id"])
    assert [title_of(one) for one in beneath] == ["a.sql: REFUSED"]
    await scene.anna.command(threads[0]["id"], "/incident note", text="typed in the thread")
    await scene.noted(incident, "typed in the thread")


async def test_who_comes_second_is_led_to_the_channel(scene: DiscordScene) -> None:
    """A site has one open incident; whoever wants to open another is told which, and where it is."""
    incident = await scene.opened()
    again = await scene.boris.command(
        scene.general, "/incident start", site=incident.site, what_happened="the same, I think"
    )
    text = await whisper_after(scene.boris, again)
    assert "open incident already" in text
    assert f"#{incident.name}" in text


async def test_a_first_answer_waits_for_no_host(scene: DiscordScene) -> None:
    """A command that asks a host that hangs is answered at once, and others are served meanwhile."""
    await scene.anna.command(scene.general, "/incident start", site=HANGING, what_happened="nobody answers")
    incident = await scene.incident(f"inc-{HANGING}-1", HANGING)
    for command in ("/app status", "/app logs"):
        delivery = await scene.anna.command(incident.channel, command)
        assert delivery.error == ""
        assert delivery.ack_ms is not None
        assert delivery.ack_ms < 1000
    await scene.note(scene.anna, incident, "meanwhile")
    await scene.noted(incident, "meanwhile")


# -- commands


async def test_options_complete_themselves(scene: DiscordScene) -> None:
    """Sites, backups and open questions are offered to who may know them, to nobody else, 25 at most."""
    sites = await scene.anna.autocomplete(scene.general, "/incident start", "site", site="site7")
    assert {one["value"] for one in sites.choices} == {"site7", *(f"site7{n}" for n in range(10))}
    everything = await scene.anna.autocomplete(scene.general, "/incident start", "site", site="")
    assert len(everything.choices) == 25
    nothing = await scene.mallory.autocomplete(scene.general, "/incident start", "site", site="")
    assert nothing.choices == []
    incident = await planned(scene, "void")
    backups = await scene.anna.autocomplete(incident.channel, "/backups inspect", "file", file="")
    assert next(one["name"].split(":")[0] for one in backups.choices) == "VERIFIED"
    asked = await scene.anna.autocomplete(
        scene.general, "/incident answer", "decision", decision=incident.site
    )
    (decision,) = [one for one in asked.choices if f"{incident.id}." in one["value"]]
    answers = await scene.anna.autocomplete(
        scene.general, "/incident answer", "answer", decision=decision["value"], answer=""
    )
    assert [one["value"] for one in answers.choices] == ["approve", "reject"]
    reader = await scene.clara.autocomplete(scene.general, "/incident answer", "decision", decision="")
    assert reader.choices == []


async def test_a_question_is_answered_by_a_command_too(scene: DiscordScene) -> None:
    """Where a button is out of reach; the same rules, the same single effect."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    await scene.anna.command(incident.channel, "/app freeze")
    await scene.discord.wait_for_message(incident.channel, "[Not now]")
    decision = (await scene.records(lambda tx: tx.decisions(incident_id=incident.id)))[0]
    given = await scene.anna.command(scene.general, "/incident answer", decision=decision.id, answer="wait")
    assert "Decided: Not now" in await whisper_after(scene.anna, given)
    await scene.discord.wait_for_message(incident.channel, "✅ **Not now** — Anna")


async def test_a_wrong_command_is_answered_with_the_reason(scene: DiscordScene) -> None:
    """A mistake is answered to the one who typed alone."""
    wrong = await scene.anna.command(scene.general, "/incident start", site="nowhere", what_happened="x")
    text = await whisper_after(scene.anna, wrong)
    assert "🚫" in text
    assert "There is no site" in text
    assert "nowhere" not in "".join(one["visible"] for one in await scene.discord.messages(scene.general))


async def test_words_are_kept_as_they_were_typed(scene: DiscordScene) -> None:
    """Quotes, two spaces and dashes of a person's own text arrive whole; a flag is a flag."""
    incident = await scene.opened()
    text = 'it said "gone"  -- twice, $HOME `x`'
    await scene.note(scene.anna, incident, text)
    await until(lambda: scene.timeline(incident.id), lambda texts: text in texts)


async def test_a_stranger_is_refused_in_command_form_and_button(scene: DiscordScene) -> None:
    """Who is in no settings is told so, wherever it is tried, and nothing happens."""
    site = scene.unused[0]
    tried = await scene.mallory.command(
        scene.general, "/incident start", site=site, what_happened="let me in"
    )
    assert "not listed" in await whisper_after(scene.mallory, tried)
    incident = await planned(scene, "forged")
    await scene.mallory.get_role(scene.role)
    grave = await scene.mallory.press(incident.channel, "Approve and cut over")
    assert "not listed" in await whisper_after(scene.mallory, grave)
    plain = await scene.mallory.press(incident.channel, "No")
    assert "not listed" in await whisper_after(scene.mallory, plain)
    await scene.mallory.lose_role(scene.role)
    assert (await scene.records(lambda tx: tx.decisions(incident_id=incident.id)))[0].votes == {}


async def test_a_reader_is_refused_with_the_reason(scene: DiscordScene) -> None:
    """Who may only read is told what is missing, for commands, buttons and before typing anything."""
    incident = await planned(scene, "forged")
    typed = await scene.clara.command(incident.channel, "/app freeze")
    assert "may read but not respond" in await whisper_after(scene.clara, typed)
    for label in ("Approve and cut over", "No"):
        pressed = await scene.clara.press(incident.channel, label)
        assert "may not approve" in await whisper_after(scene.clara, pressed)


# -- decisions


async def test_a_button_turns_into_the_answer(scene: DiscordScene) -> None:
    """Who pressed, what and when stands where the buttons were; a later click changes nothing and is told so."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    await scene.anna.command(incident.channel, "/app freeze")
    asked = await scene.discord.wait_for_message(incident.channel, "[Not now]")
    assert buttons_of(asked) == ["Freeze", "Not now"]
    await scene.boris.press(incident.channel, "Not now")
    answered = await scene.discord.wait_for_message(incident.channel, "✅ **Not now** — Boris")
    assert (answered["id"], buttons_of(answered)) == (asked["id"], [])
    late = await scene.anna.press(incident.channel, "Freeze", message=asked)
    assert "answered already: wait by Boris" in await whisper_after(scene.anna, late)
    voted = [text for text in await scene.timeline(incident.id) if text.startswith(("Boris:", "Anna:"))]
    assert voted == ["Boris: Not now (1 of 1)"]


async def test_many_clicks_at_once_are_one_answer(scene: DiscordScene) -> None:
    """Two persons press both buttons again and again in the same moment: one is taken, the others are told so."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    await scene.anna.command(incident.channel, "/app freeze")
    await scene.discord.wait_for_message(incident.channel, "[Not now]")
    presses = [
        (who, incident.channel, label) for who in (scene.anna, scene.boris) for label in ("Freeze", "Not now")
    ]
    answers = await scene.discord.burst_presses(presses * 5)
    assert [one.error for one in answers if one.error] == []

    async def refusals() -> int:
        seen = [one for who in (scene.anna, scene.boris) for one in await who.whispers(incident.channel)]
        return len([one for one in seen if "answered already" in one["visible"]])

    await until(refusals, lambda found: found == len(answers) - 1)
    voted = [text for text in await scene.timeline(incident.id) if text.endswith("(1 of 1)")]
    assert len(voted) == 1


async def test_a_grave_answer_shows_the_plan_and_wants_the_site_s_name(scene: DiscordScene) -> None:
    """The form holds the plan with its whole hash; a wrong name changes nothing, the right one decides."""
    incident = await planned(scene, "one")
    assert "strategy" in await open_form(scene, incident)
    wrong = await scene.anna.submit({"typed": "another"})
    assert f"type {incident.site} along" in await whisper_after(scene.anna, wrong)
    assert (await scene.records(lambda tx: tx.decisions(incident_id=incident.id)))[0].votes == {}
    await open_form(scene, incident)
    right = await scene.anna.submit({"typed": incident.site})
    assert "Decided: Approve and cut over" in await whisper_after(scene.anna, right)
    await scene.discord.wait_for_message(incident.channel, "✅ **Approve and cut over** — Anna")
    assert "Anna approved the plan aaaaaaaaaaaa" in await scene.timeline(incident.id)


async def test_two_persons_where_two_are_asked_for(scene: DiscordScene) -> None:
    """The first yes is kept and shown; the same person again does not count; the second person's decides."""
    incident = await planned(scene, "two")
    for _ in range(2):
        await open_form(scene, incident)
        given = await scene.anna.submit({"typed": incident.site})
        assert "1 more person(s)" in await whisper_after(scene.anna, given)
    await scene.discord.wait_for_message(incident.channel, "So far: Anna: Approve and cut over")
    await scene.boris.press(incident.channel, "Approve and cut over")
    await scene.boris.wait_for_modal(containing=PLAN_HASH)
    await scene.boris.submit({"typed": incident.site})
    await scene.discord.wait_for_message(incident.channel, "✅ **Approve and cut over** — Anna and Boris")


async def test_a_forged_press_changes_nothing(scene: DiscordScene) -> None:
    """A button whose id was changed by hand still has to satisfy the decision: the word, the plan, the choice."""
    incident = await planned(scene, "forged")
    await scene.at_rest(incident.id)
    pressed = await scene.anna.press(incident.channel, "Approve and cut over")
    await scene.anna.cancel()
    (decision,) = await scene.records(lambda tx: tx.decisions(incident_id=incident.id))
    for custom_id, said in (
        (f"backout:b:{decision.id}:approve", "type"),
        (f"backout:b:{decision.id}:everything", "is no answer"),
        ("backout:b:inc-nowhere-1.cutover.1:approve", "no decision"),
        ("backout:b:~000000000000000000000000:approve", "no longer open"),
        ("somebody:else", "another version"),
    ):
        payload = copy.deepcopy(pressed.payload)
        payload["data"]["custom_id"] = custom_id
        payload["message"]["components"][0]["components"][0]["custom_id"] = custom_id
        forged = await scene.discord.deliver(payload)
        assert said in await whisper_after(scene.anna, forged)
    assert (await scene.records(lambda tx: tx.decisions(incident_id=incident.id)))[0] == decision


async def test_a_decision_with_a_long_name_has_buttons_too(scene: DiscordScene) -> None:
    """A button's id holds a hundred characters; a longer name is shortened, and found again in the records."""
    incident_id, site = PREPARED["long"]
    incident = await scene.incident(incident_id, site)
    asked = await scene.discord.wait_for_message(incident.channel, "[Leave them]")
    assert buttons_of(asked) == ["Bring them back", "Leave them"]
    await scene.boris.press(incident.channel, "Bring them back")
    await scene.boris.wait_for_modal(containing="Bring the rows back?")
    await scene.boris.cancel()
    await scene.boris.press(incident.channel, "Leave them")
    await scene.discord.wait_for_message(incident.channel, "✅ **Leave them** — Boris")


async def test_old_buttons_and_an_open_form_work_after_a_restart(scene: DiscordScene) -> None:
    """Nothing of a button or a form is in the bot's memory: what stood there before is answered after it."""
    incident = await planned(scene, "restart")
    asked = await scene.opened()
    await scene.at_rest(asked.id)
    await scene.anna.command(asked.channel, "/app freeze")
    await scene.discord.wait_for_message(asked.channel, "[Not now]")
    await open_form(scene, incident)
    await scene.restart()
    given = await scene.anna.submit({"typed": incident.site})
    assert "Decided" in await whisper_after(scene.anna, given)
    await scene.discord.wait_for_message(incident.channel, "✅ **Approve and cut over** — Anna")
    await scene.boris.press(asked.channel, "Not now")
    await scene.discord.wait_for_message(asked.channel, "✅ **Not now** — Boris")


async def test_what_is_delivered_again_has_one_effect(scene: DiscordScene) -> None:
    """The same command delivered twice, also after a restart: one entry, answered once with what came of it."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    note = await scene.anna.command(incident.channel, "/incident note", text="only once")
    answer = await whisper_after(scene.anna, note)
    await scene.discord.deliver_again(note)
    later = await scene.anna.command(incident.channel, "/incident note", text="in between")
    await whisper_after(scene.anna, later)
    assert await whisper_after(scene.anna, note) == answer
    await scene.restart()
    await scene.discord.deliver_again(note)
    await scene.note(scene.anna, incident, "afterwards")
    await scene.noted(incident, "afterwards")
    assert (await scene.timeline(incident.id)).count("only once") == 1


# -- other ways in


async def test_messages_go_into_the_timeline(scene: DiscordScene) -> None:
    """By the message's menu: author, time, words and link, once however many ask for it."""
    incident = await scene.opened()
    message = await scene.boris.say(incident.channel, "the export ran at two & ended at three")
    for who in (scene.anna, scene.boris):
        await who.message_menu("Add to the timeline", incident.channel, message)
    await scene.noted(incident, "the export ran")
    await scene.mallory.get_role(scene.role)
    other = await scene.mallory.say(incident.channel, "I saw it too")
    await scene.mallory.lose_role(scene.role)
    await scene.anna.message_menu("Add to the timeline", incident.channel, other)
    entries = await until(lambda: scene.timeline(incident.id), lambda texts: any("too" in t for t in texts))
    noted = [text for text in entries if " UTC: " in text]
    assert len(noted) == 2
    assert re.fullmatch(
        r"Boris at \d{4}-\d\d-\d\d \d\d:\d\d UTC: the export ran at two & ended at three "
        r"\(https://discord\.com/channels/\d+/\d+/\d+\)",
        noted[0],
    )
    assert noted[1].startswith("Mallory at ")


async def test_a_message_elsewhere_is_not_noted(scene: DiscordScene) -> None:
    """In a channel without an incident the menu says that there is none."""
    message = await scene.anna.say(scene.general, "lunch?")
    deed = await scene.anna.message_menu("Add to the timeline", scene.general, message)
    assert "belongs to no incident" in await whisper_after(scene.anna, deed)
