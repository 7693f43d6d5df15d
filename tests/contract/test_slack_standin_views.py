"""The stand-in of Slack holds modals and App Home as Slack does: stacks, hashes, and the ways an ack changes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.contract.slack_bot import button, modal, section, web_client
from tests.contract.slack_fixtures import ada, general, slack, slack_address
from tests.fakes.slack.client import ControlError, Person, Slack

__all__ = ["ada", "general", "slack", "slack_address"]

Json = dict[str, Any]


class Hand:
    """A bot spoken by hand: acks each envelope with `body`, and keeps what came."""

    def __init__(self, connection: aiohttp.ClientWebSocketResponse) -> None:
        self._connection = connection
        self.body: Json | None = None
        self.came: list[Json] = []

    async def listen(self) -> None:
        async for message in self._connection:
            given = message.json()
            if "envelope_id" in given:
                self.came.append(given["payload"])
                ack = {"envelope_id": given["envelope_id"], **({"payload": self.body} if self.body else {})}
                await self._connection.send_json(ack)


@pytest.fixture
async def hand(slack: Slack) -> AsyncIterator[Hand]:
    opened = await web_client(slack).apps_connections_open(app_token=slack.app_token)
    async with aiohttp.ClientSession() as session, session.ws_connect(opened["url"]) as connection:
        hand = Hand(connection)
        listening = asyncio.create_task(hand.listen())
        await slack.wait_for_socket()
        yield hand
        await connection.close()
        await listening


@pytest.fixture
def client(slack: Slack) -> AsyncWebClient:
    return web_client(slack)


async def open_modal(client: AsyncWebClient, ada: Person, channel: str, **more: Any) -> Json:
    trigger_id = (await ada.command(channel, "/incident start")).trigger_id
    opened = await client.views_open(trigger_id=trigger_id, view=modal(**more))
    return dict(opened["view"])


def more_button() -> list[Json]:
    return [*modal()["blocks"], {"type": "actions", "elements": [button("More", "more")]}]


async def refusal(call: Any) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


async def test_three_modals_are_stacked_at_most(
    slack: Slack, client: AsyncWebClient, ada: Person, general: str, hand: Hand
) -> None:
    """Each push needs the trigger of a deed inside a modal; the fourth is refused."""
    await open_modal(client, ada, general, blocks=more_button())
    for expected in ("", "", "push_limit_reached"):
        trigger_id = (await ada.press_in_view("More")).trigger_id
        push = client.views_push(trigger_id=trigger_id, view=modal(blocks=more_button()))
        if expected:
            assert await refusal(push) == expected
        else:
            await push
    outside = (await ada.command(general, "/incident x")).trigger_id
    assert await refusal(client.views_push(trigger_id=outside, view=modal())) == "invalid_trigger_id"
    assert len(await ada.modals()) == 3


async def test_an_update_keeps_what_was_typed_and_minds_the_hash(
    slack: Slack, client: AsyncWebClient, ada: Person, general: str, hand: Hand
) -> None:
    """The hash of an older state is refused; a field that stays keeps its value."""
    view = await open_modal(client, ada, general)
    hand.body = {"response_action": "errors", "errors": {"site": "No."}}
    await ada.submit({"site": "albun"})
    await client.views_update(
        view_id=view["id"], hash=view["hash"], view=modal(blocks=[section("New"), *modal()["blocks"]])
    )
    [now] = await ada.modals()
    assert now["state"]["values"]["site"]["name"]["value"] == "albun"
    assert await refusal(client.views_update(view_id=view["id"], hash=view["hash"], view=modal())) == (
        "hash_conflict"
    )
    assert await slack.violations() == []


@pytest.mark.parametrize(
    ("action", "titles"), [("update", ["Second"]), ("push", ["Cut over", "Second"]), ("clear", [])]
)
async def test_an_ack_changes_the_stack(
    slack: Slack,
    client: AsyncWebClient,
    ada: Person,
    general: str,
    hand: Hand,
    action: str,
    titles: list[str],
) -> None:
    """response_action update, push and clear do what they say."""
    await open_modal(client, ada, general)
    second = modal(title={"type": "plain_text", "text": "Second"})
    hand.body = {"response_action": action, **({} if action == "clear" else {"view": second})}
    await ada.submit({"site": "album"})
    assert [one["title"]["text"] for one in await ada.modals()] == titles
    assert await slack.violations() == []


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ({"response_action": "errors", "errors": {"nowhere": "x"}}, "modal_errors"),
        ({"response_action": "errors", "errors": {}}, "modal_errors"),
        ({"response_action": "explode"}, "response_action"),
        ({"response_action": "update", "view": {"type": "modal"}}, "invalid_view"),
        ({"text": "thanks"}, "ack_body"),
    ],
)
async def test_an_ack_that_slack_would_not_take_is_found(
    slack: Slack, client: AsyncWebClient, ada: Person, general: str, hand: Hand, body: Json, rule: str
) -> None:
    """What a bot may not answer to a submission is a violation."""
    await open_modal(client, ada, general)
    hand.body = body
    await ada.submit({"site": "album"})
    assert [one.rule for one in await slack.violations()] == [rule]


async def test_the_answer_to_a_command_goes_where_it_says(
    slack: Slack, ada: Person, general: str, hand: Hand
) -> None:
    """in_channel is for all, with blocks checked as any message; else for one."""
    hand.body = {"response_type": "in_channel", "text": "Open incidents: 1"}
    await ada.command(general, "/incident list")
    assert [one["visible"] for one in await slack.messages(general)] == ["Open incidents: 1"]
    hand.body = {"text": "x", "blocks": [section("y" * 3001)]}
    refused = await ada.command(general, "/incident list")
    assert refused.error == "invalid_blocks"
    assert [one.rule for one in await slack.violations()] == ["invalid_blocks"]


async def test_a_whispers_button_is_pressed_and_answered(
    slack: Slack, client: AsyncWebClient, ada: Person, general: str, hand: Hand
) -> None:
    """An ephemeral message has no message in its press; its answer takes its place, or takes it away."""
    blocks = [{"type": "actions", "elements": [button("Show", "show")]}]
    await client.chat_postEphemeral(channel=general, user=ada.id, text="The plan", blocks=blocks)
    url = (await ada.press(general, "Show")).payload["response_url"]
    assert (hand.came[0]["container"]["is_ephemeral"], "message" in hand.came[0]) == (True, False)
    await slack.respond(url, {"replace_original": True, "text": "Shown."})
    assert [one["visible"] for one in await ada.whispers()] == ["Shown."]
    await slack.respond(url, {"delete_original": True})
    assert await ada.whispers() == []
    assert await slack.violations() == []


async def test_a_direct_messages_button_is_pressed(
    slack: Slack, client: AsyncWebClient, ada: Person, hand: Hand
) -> None:
    """The press names the direct message's own id."""
    blocks = [{"type": "actions", "elements": [button("Acknowledge", "ack")]}]
    sent = await client.chat_postMessage(channel=ada.id, text="You are called", blocks=blocks)
    await ada.press_in_direct("Acknowledge")
    assert hand.came[-1]["channel"] == {"id": sent["channel"], "name": "directmessage"}


async def test_home_is_published_and_opened(
    slack: Slack, client: AsyncWebClient, ada: Person, hand: Hand
) -> None:
    """What is published is what the person sees, and its buttons can be pressed."""
    home = {"type": "home", "blocks": [section("1 waits", accessory=button("Open", "open"))]}
    await client.views_publish(user_id=ada.id, view=home)
    await ada.open_home()
    await ada.press_in_home("Open")
    assert await ada.home_text() == "1 waits\n[Open]"
    assert [one["type"] for one in hand.came] == ["event_callback", "block_actions"]
    assert hand.came[1]["container"]["type"] == "view"
    assert await slack.violations() == []


async def test_people_and_groups_are_found(slack: Slack, client: AsyncWebClient, ada: Person) -> None:
    """By id, by address, in lists; an address only with its scope."""
    group = await slack.add_usergroup("dba", [ada])
    found = await client.users_lookupByEmail(email="ADA@example.test")
    assert found["user"]["id"] == ada.id
    assert (await client.usergroups_users_list(usergroup=group))["users"] == [ada.id]
    await slack.set_scopes({"users:read"})
    assert "email" not in (await client.users_info(user=ada.id))["user"]["profile"]
    assert {one["name"] for one in (await client.users_list())["members"]} == {"backout", "ada"}


async def test_a_slow_answer(slack: Slack, client: AsyncWebClient, general: str) -> None:
    """Slow before it is done, or after: the library's own limit of time ends the wait."""
    client.timeout = 1
    await slack.fault("chat.postMessage", "slow_after", delay_s=2.0)
    with pytest.raises(TimeoutError):
        await client.chat_postMessage(channel=general, text="one")
    assert [one["text"] for one in await slack.messages(general)] == ["one"]


async def test_a_person_cannot_do_the_impossible(slack: Slack, ada: Person, general: str, hand: Hand) -> None:
    """Nobody types in a channel that is archived or not theirs, nor while Slack is down, nor when deactivated."""
    eve = await slack.add_person("eve")
    with pytest.raises(ControlError, match="eve is not in general"):
        await eve.command(general, "/incident x")
    await slack.go_down()
    with pytest.raises(ControlError, match="Slack is down"):
        await ada.command(general, "/incident x")
    await slack.come_up()
    await eve.archive(general)
    with pytest.raises(ControlError, match="archived"):
        await ada.command(general, "/incident x")
    await ada.deactivate()
    with pytest.raises(ControlError, match="deactivated"):
        await ada.shortcut("declare")


async def test_what_is_done_to_channels_is_told(slack: Slack, ada: Person, general: str, hand: Hand) -> None:
    """Archived, taken out again, the bot removed, deleted; a revoked token and a changed account too."""
    for deed in (ada.archive, ada.unarchive, ada.remove_bot, ada.delete_channel):
        await deed(general)
    await slack.set_token("token_revoked")
    await ada.deactivate()
    await slack.wait_for_delivery(count=7)
    assert [one["event"]["type"] for one in hand.came] == [
        "channel_archive",
        "channel_unarchive",
        "member_left_channel",
        "channel_left",
        "channel_deleted",
        "tokens_revoked",
        "user_change",
    ]


async def test_a_new_workspace_knows_nothing_of_the_old(slack: Slack, ada: Person, general: str) -> None:
    """Reset leaves no channel, person, fault or violation."""
    await slack.fault("*", "error")
    await slack.set_token("invalid_auth")
    await slack.reset()
    assert (await slack.channels(), await slack.calls(), await slack.deliveries()) == ([], [], [])
    assert (await web_client(slack).auth_test())["ok"]
