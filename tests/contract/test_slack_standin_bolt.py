"""The stand-in of Slack delivers to a bot on the real slack_bolt: commands, presses, modals, events; acks and their time."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError

from tests.contract.slack_bot import bot_on_http, bot_on_socket, button, modal, section, web_client
from tests.contract.slack_fixtures import ada, general, slack, slack_address
from tests.fakes.slack.client import ControlError, Person, Slack

__all__ = ["ada", "general", "slack", "slack_address"]

WAYS = {"socket": bot_on_socket, "http": bot_on_http}
Json = dict[str, Any]


async def post_decision(slack: Slack, channel: str) -> str:
    """Post a message with two buttons and a menu; returns its ts."""
    elements = [
        button("Approve", "approve", value="decision-7", style="danger"),
        button("More", "more"),
        {
            "type": "static_select",
            "action_id": "pick",
            "options": [{"text": {"type": "plain_text", "text": "Swap"}, "value": "swap"}],
        },
    ]
    blocks = [section("Cut over?"), {"type": "actions", "elements": elements}]
    answer = await web_client(slack).chat_postMessage(channel=channel, text="Cut over?", blocks=blocks)
    return str(answer["ts"])


@pytest.mark.parametrize("way", WAYS)
async def test_a_command_is_acked_and_its_answer_whispered(
    slack: Slack, ada: Person, general: str, way: str
) -> None:
    """The bot hears who typed what and where, escaped as Slack does; the ack's text is seen by one person."""
    async with WAYS[way](slack) as bot:
        delivery = await ada.command(general, "/incident start a<b & c")
    [heard] = bot.heard
    assert (heard["command"], heard["text"], heard["user_id"]) == (
        "/incident",
        "start a&lt;b &amp; c",
        ada.id,
    )
    assert delivery.ack_ms is not None
    assert 0 < delivery.ack_ms < 3000
    assert (await ada.whispers(general))[0]["visible"] == "Working on it."
    assert await slack.violations() == []


@pytest.mark.parametrize("way", WAYS)
async def test_a_press_carries_message_state_and_a_response_url(
    slack: Slack, ada: Person, general: str, way: str
) -> None:
    """What was chosen before is in the state of the press; the answer takes the message's place."""
    async with WAYS[way](slack) as bot:
        ts = await post_decision(slack, general)
        await ada.choose(general, "pick", "Swap")
        await ada.press(general, "Approve")
        await slack.wait_for_message(general, "Approved.")
    press = bot.heard[-1]
    assert (press["container"]["message_ts"], press["message"]["ts"]) == (ts, ts)
    assert (press["actions"][0]["value"], press["actions"][0]["type"]) == ("decision-7", "button")
    [chosen] = [inner["pick"] for inner in press["state"]["values"].values()]
    assert chosen["selected_option"]["value"] == "swap"
    assert await slack.violations() == []


async def test_a_press_on_what_is_no_longer_there(slack: Slack, ada: Person, general: str) -> None:
    """An old copy of a message can still be pressed, as on a screen that has not caught up."""
    async with bot_on_socket(slack) as bot:
        ts = await post_decision(slack, general)
        [old] = await slack.messages(general)
        await web_client(slack).chat_update(channel=general, ts=ts, text="Answered.")
        with pytest.raises(ControlError, match="there is no Approve"):
            await ada.press(general, "Approve")
        await ada.press(general, "Approve", message=old)
    assert bot.heard[-1]["actions"][0]["action_id"] == "approve"


@pytest.mark.parametrize("way", WAYS)
async def test_a_modal_is_opened_corrected_and_submitted(
    slack: Slack, ada: Person, general: str, way: str
) -> None:
    """Errors keep it open under the field; an empty field cannot be submitted; a good ack closes it."""
    async with WAYS[way](slack):
        await ada.command(general, "/modal")
        await ada.wait_for_modal(containing="Cut over")
        with pytest.raises(ControlError, match="must be filled in"):
            await ada.submit({})
        await ada.submit({"name": "shop"})
        assert "! That is not the site." in await ada.modal_text()
        await ada.submit({"Type the site's name": "album"})
        assert await ada.modals() == []
    assert await slack.violations() == []


async def test_a_cancelled_modal_is_told_where_asked_for(slack: Slack, ada: Person, general: str) -> None:
    """notify_on_close gives a view_closed."""
    async with bot_on_socket(slack) as bot:
        await ada.command(general, "/modal")
        await ada.wait_for_modal()
        closed = await ada.cancel()
    assert closed is not None
    assert bot.heard[-1]["type"] == "view_closed"
    assert await ada.modals() == []


async def test_a_trigger_lives_three_seconds_and_once(slack: Slack, ada: Person, general: str) -> None:
    """Used late, used twice, made up: refused with Slack's errors, and a violation each."""
    client = web_client(slack)

    async def error_of(trigger_id: str) -> str:
        with pytest.raises(SlackApiError) as caught:
            await client.views_open(trigger_id=trigger_id, view=modal())
        return str(caught.value.response["error"])

    async with bot_on_socket(slack):
        used = await ada.command(general, "/incident one")
        await client.views_open(trigger_id=used.trigger_id, view=modal())
        assert await error_of(used.trigger_id) == "exchanged_trigger_id"
        late = await ada.command(general, "/incident two")
        await slack.advance(3.1)
        assert await error_of(late.trigger_id) == "expired_trigger_id"
        assert await error_of("1.2.3") == "invalid_trigger_id"
    assert len(await slack.violations()) == 3


async def test_a_response_url_is_good_for_five_answers_and_half_an_hour(
    slack: Slack, ada: Person, general: str
) -> None:
    """The sixth answer and the late one are refused, and violations."""
    async with bot_on_socket(slack):
        url = (await ada.command(general, "/incident x")).payload["response_url"]
        late = (await ada.command(general, "/incident y")).payload["response_url"]
    statuses = [(await slack.respond(url, {"text": f"{n}"})) for n in range(6)]
    await slack.advance(30 * 60 + 1)
    statuses.append(await slack.respond(late, {"text": "late"}))
    assert statuses == [200] * 5 + [404, 404]
    assert [one.rule for one in await slack.violations()] == ["used_url", "expired_url"]


async def test_shortcuts_reactions_mentions_and_home_are_heard(
    slack: Slack, ada: Person, general: str
) -> None:
    """All the other doors: each is acked and carries what it is about."""
    async with bot_on_socket(slack) as bot:
        ts = await ada.say(general, "it began at 03:12")
        deeds = [
            await ada.shortcut("declare"),
            await ada.message_shortcut("keep", general, ts),
            await ada.react(general, ts, "pushpin"),
            await ada.mention(general, "status", thread_ts=ts),
            await ada.open_home(),
            await ada.write_direct("help"),
        ]
    assert all(one.ack_ms is not None for one in deeds)
    kinds = [one.get("event", one)["type"] for one in bot.heard]
    assert kinds == [
        "shortcut",
        "message_action",
        "reaction_added",
        "app_mention",
        "app_home_opened",
        "message",
    ]
    assert bot.heard[3]["event"]["thread_ts"] == ts
    assert await slack.violations() == []


async def test_without_an_ack_the_person_reads_so(slack: Slack, ada: Person, general: str) -> None:
    """After three seconds the person reads operation_timeout, and it is a violation."""
    async with bot_on_socket(slack) as bot:
        bot.wait_s = 3.2
        delivery = await ada.command(general, "/slow")
    assert (delivery.ack_ms, delivery.error) == (None, "operation_timeout")
    assert [one.rule for one in await slack.violations()] == ["ack_late"]


async def test_acks_that_are_late_doubled_or_of_nothing(slack: Slack, ada: Person, general: str) -> None:
    """Spoken by hand: a late ack has its time still, a second one and an unknown one are violations."""
    opened = await web_client(slack).apps_connections_open(app_token=slack.app_token)
    async with aiohttp.ClientSession() as session, session.ws_connect(opened["url"]) as connection:
        hello = await connection.receive_json()
        typed = asyncio.create_task(ada.command(general, "/incident start"))
        envelope = await connection.receive_json()
        assert (await typed).error == "operation_timeout"
        for envelope_id in (envelope["envelope_id"], envelope["envelope_id"], "never-sent"):
            await connection.send_json({"envelope_id": envelope_id})
        await connection.send_str("ping")
        broken = await slack.wait_for_violations(count=4)
    assert (hello["type"], hello["num_connections"]) == ("hello", 1)
    assert (envelope["type"], envelope["accepts_response_payload"]) == ("slash_commands", True)
    [late] = await slack.deliveries()
    assert late.ack_ms is not None
    assert late.ack_ms > 3000
    assert [one.rule for one in broken] == ["ack_late", "acked_twice", "unknown_envelope", "socket_message"]


async def test_a_press_whose_connection_breaks_is_sent_over_another(
    slack: Slack, ada: Person, general: str
) -> None:
    """At least once: what was not acked before the cut comes again, with the same trigger."""
    opened = [await web_client(slack).apps_connections_open(app_token=slack.app_token) for _ in range(2)]
    async with aiohttp.ClientSession() as session:
        sockets = [await session.ws_connect(one["url"]) for one in opened]
        for one in sockets:
            await one.receive_json()
        typed = asyncio.create_task(ada.command(general, "/incident start"))
        waiting = [asyncio.create_task(one.receive_json()) for one in sockets]
        [first], _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        number = waiting.index(first)
        await sockets[number].close()
        again = await waiting[1 - number]
        await sockets[1 - number].send_json({"envelope_id": again["envelope_id"]})
        delivery = await typed
        await sockets[1 - number].close()
    assert again["payload"]["trigger_id"] == first.result()["payload"]["trigger_id"]
    assert (again["retry_attempt"], delivery.attempts, delivery.error) == (1, 2, "")


async def test_many_commands_at_once_are_each_measured(slack: Slack, ada: Person, general: str) -> None:
    """A burst is sent in one go, and every ack has its time."""
    async with bot_on_socket(slack):
        acks = await slack.burst([(ada, general, f"/incident {n}") for n in range(50)])
        await post_decision(slack, general)
        acks += await slack.burst_presses([(ada, general, "Approve")] * 50)
    assert len({one.trigger_id for one in acks}) == 100
    assert all(one.ack_ms is not None for one in acks)


async def test_nobody_there(slack: Slack, ada: Person, general: str) -> None:
    """Without a connection the person reads dispatch_failed; that is no fault of the bot's."""
    delivery = await ada.command(general, "/incident x")
    assert delivery.error == "dispatch_failed"
    assert await slack.violations() == []


async def test_the_bot_comes_back_after_a_cut_and_after_a_disconnect(
    slack: Slack, ada: Person, general: str
) -> None:
    """A cut connection is opened again by the library; refresh_requested leaves no gap."""
    async with bot_on_socket(slack) as bot:
        assert await slack.send_disconnect("refresh_requested") == 1
        await asyncio.sleep(1.2)
        await slack.wait_for_socket()
        await ada.command(general, "/incident one")
        assert await slack.drop_sockets() == 1
        await slack.wait_for_socket()
        await ada.command(general, "/incident two")
    assert [one["text"] for one in bot.heard] == ["one", "two"]


async def test_the_same_delivery_comes_again(slack: Slack, ada: Person, general: str) -> None:
    """A repeated delivery has the same payload, trigger and event id: the bot alone can tell that it is old."""
    async with bot_on_socket(slack) as bot:
        first = await ada.mention(general, "status")
        await slack.deliver_again(first)
    assert bot.heard[0]["event_id"] == bot.heard[1]["event_id"]


async def test_a_payload_can_be_forged(slack: Slack, ada: Person, general: str) -> None:
    """What a person never could do can be delivered all the same: another value, another person."""
    async with bot_on_socket(slack) as bot:
        await post_decision(slack, general)
        pressed = await ada.press(general, "Approve")
        forged = {**pressed.payload, "user": {"id": "U0STRANGER"}}
        await slack.deliver("action", forged)
    assert [one["user"]["id"] for one in bot.heard] == [ada.id, "U0STRANGER"]


async def test_an_event_without_an_ack_is_sent_again(slack: Slack, ada: Person, general: str) -> None:
    """While nobody is there an event waits for its next attempt."""
    await slack.set_retries(0.0, 0.5, 5.0)
    delivery = await ada.mention(general, "status")
    assert delivery.error == "dispatch_failed"
    async with bot_on_socket(slack) as bot:
        await asyncio.sleep(0.1)
        for _ in range(60):
            if bot.heard:
                break
            await asyncio.sleep(0.1)
        assert [one["event"]["type"] for one in bot.heard] == ["app_mention"]
    [again] = await slack.deliveries()
    assert again.attempts > 1
    assert again.error == ""


@pytest.mark.parametrize(
    ("signature", "age_s"), [("bad", 0.0), ("none", 0.0), ("good", 600.0)], ids=["bad", "none", "old"]
)
async def test_a_forged_request_is_not_heard(
    slack: Slack, ada: Person, general: str, signature: Any, age_s: float
) -> None:
    """slack_bolt refuses a false, a missing and an old signature; had it not, that were a violation."""
    async with bot_on_http(slack) as bot:
        await slack.sign_next(signature, age_s=age_s)
        delivery = await ada.command(general, "/incident start")
    assert (bot.heard, delivery.error, delivery.status) == ([], "http_client_error", 401)
    assert await slack.violations() == []


async def test_the_address_is_verified(slack: Slack) -> None:
    """url_verification gets its challenge back."""
    async with bot_on_http(slack):
        assert (await slack.verify_url())["ok"]


MANIFEST: Json = {
    "features": {
        "slash_commands": [{"command": "/incident", "should_escape": True}],
        "shortcuts": [{"name": "Declare", "type": "global", "callback_id": "declare", "description": "x"}],
    },
    "oauth_config": {"scopes": {"bot": ["commands", "app_mentions:read", "chat:write"]}},
    "settings": {"event_subscriptions": {"bot_events": ["app_mention"]}},
}


async def test_only_what_the_manifest_names_exists(slack: Slack, ada: Person, general: str) -> None:
    """Commands, shortcuts and events that it does not name cannot be used; scopes are counted."""
    await slack.install(MANIFEST)
    ts = await ada.say(general, "hello")
    for deed in (
        ada.command(general, "/modal"),
        ada.shortcut("keep"),
        ada.react(general, ts),
        ada.open_home(),
    ):
        with pytest.raises(ControlError):
            await deed
    async with bot_on_socket(slack) as bot:
        await ada.command(general, "/incident page @ada")
        await ada.mention(general, "status")
    assert bot.heard[0]["text"] == f"page <@{ada.id}>"
    assert await slack.scopes_used() == ["app_mentions:read", "commands"]


async def test_an_event_whose_scope_is_missing_cannot_be_asked_for(slack: Slack) -> None:
    """A manifest that asks for an event without its scope is not installed."""
    bad = {"settings": {"event_subscriptions": {"bot_events": ["reaction_added"]}}}
    with pytest.raises(ControlError, match="needs the scope reactions:read"):
        await slack.install(bad)
