"""The stand-in of Slack behaves as Slack does, towards the real slack_sdk: the Web API, its state and its refusals."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from tests.contract.slack_bot import button, section, web_client
from tests.contract.slack_fixtures import ada, general, slack, slack_address
from tests.fakes.slack.client import ControlError, Person, Slack

__all__ = ["ada", "general", "slack", "slack_address"]


@pytest.fixture
def client(slack: Slack) -> AsyncWebClient:
    return web_client(slack)


async def refusal(call: object) -> str:
    """Return the error with which a call is refused."""
    with pytest.raises(SlackApiError) as caught:
        await call  # type: ignore[misc]
    return str(caught.value.response["error"])


async def rules(slack: Slack) -> list[str]:
    return [one.rule for one in await slack.violations()]


async def test_the_bot_knows_itself(slack: Slack, client: AsyncWebClient) -> None:
    """auth.test names the team, the bot and its user."""
    answer = await client.auth_test()
    assert (answer["user"], answer["team_id"][0], answer["user_id"][0]) == ("backout", "T", "U")
    assert await slack.violations() == []


async def test_a_wrong_token_and_the_other_kind_of_token_are_refused(slack: Slack) -> None:
    """A token is checked, and the app's token does not do the bot's work."""
    assert await refusal(web_client(slack, "xoxb-other").auth_test()) == "invalid_auth"
    assert await refusal(web_client(slack, slack.app_token).auth_test()) == "not_allowed_token_type"
    client = web_client(slack)
    assert await refusal(client.apps_connections_open(app_token=slack.bot_token)) == "not_allowed_token_type"


async def test_an_unknown_method_is_a_violation(slack: Slack, client: AsyncWebClient) -> None:
    """Nothing is silently fine: a method the stand-in does not know is refused and written down."""
    assert await refusal(client.api_call("chat.teleport")) == "unknown_method"
    assert await rules(slack) == ["unknown_method"]


async def test_a_channel_is_made_named_and_filled(slack: Slack, client: AsyncWebClient, ada: Person) -> None:
    """Made, invited, topic set, archived: the state follows, and a name that is taken stays taken."""
    made = (await client.conversations_create(name="inc-20261128-album"))["channel"]
    await client.conversations_invite(channel=made["id"], users=[ada.id])
    await client.conversations_setTopic(channel=made["id"], topic="step 2")
    assert (
        await refusal(client.conversations_invite(channel=made["id"], users=ada.id)) == "already_in_channel"
    )
    await client.conversations_archive(channel=made["id"])
    assert await refusal(client.conversations_create(name="inc-20261128-album")) == "name_taken"
    held = await slack.channel("inc-20261128-album")
    assert (held["topic"], held["is_archived"], ada.id in held["members"]) == ("step 2", True, True)
    assert await refusal(client.chat_postMessage(channel=made["id"], text="late")) == "is_archived"
    assert await slack.violations() == []


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("Inc-Album", "invalid_name_specials"),
        ("inc album", "invalid_name_specials"),
        ("inc-ü", "invalid_name_specials"),
        ("i" * 81, "invalid_name_maxlength"),
        ("--", "invalid_name_punctuation"),
    ],
)
async def test_a_channels_name_keeps_the_rules(
    slack: Slack, client: AsyncWebClient, name: str, error: str
) -> None:
    """A name that Slack does not take is refused with its error, and is a violation."""
    assert await refusal(client.conversations_create(name=name)) == error
    assert await rules(slack) == [error]


async def test_a_message_is_posted_found_and_edited(
    slack: Slack, client: AsyncWebClient, general: str
) -> None:
    """Metadata come back only on request and outlive an edit; a text without blocks takes the blocks away."""
    outbox = {"event_type": "outbox", "event_payload": {"id": "7"}}
    sent = await client.chat_postMessage(
        channel=general, text="Frozen?", blocks=[section("Frozen?")], metadata=outbox
    )
    plain = (await client.conversations_history(channel=general))["messages"][0]
    full = (await client.conversations_history(channel=general, include_all_metadata=True))["messages"][0]
    assert ("metadata" in plain, full["metadata"]) == (False, outbox)
    await client.chat_update(channel=general, ts=sent["ts"], text="Frozen.")
    [held] = await slack.messages(general)
    assert (held["blocks"], held["metadata"], held["edits"], held["visible"]) == ([], outbox, 1, "Frozen.")


async def test_replies_are_not_in_the_history(slack: Slack, client: AsyncWebClient, general: str) -> None:
    """A reply is found with conversations.replies; conversations.history has the parent only."""
    parent = await client.chat_postMessage(channel=general, text="Step 2")
    await client.chat_postMessage(channel=general, text="frozen", thread_ts=parent["ts"])
    history = await client.conversations_history(channel=general)
    replies = await client.conversations_replies(channel=general, ts=parent["ts"])
    assert [one["text"] for one in history["messages"]] == ["Step 2"]
    assert [one["text"] for one in replies["messages"]] == ["Step 2", "frozen"]
    assert await refusal(client.chat_postMessage(channel=general, text="x", thread_ts="1.000001")) == (
        "thread_not_found"
    )


async def test_a_long_history_comes_in_pages(slack: Slack, client: AsyncWebClient, general: str) -> None:
    """The cursor must be followed: one page is never all of it."""
    for number in range(7):
        await client.chat_postMessage(channel=general, text=f"m{number}")
    texts, cursor = [], None
    while cursor != "":
        answer = await client.conversations_history(channel=general, limit=3, cursor=cursor)
        texts += [one["text"] for one in answer["messages"]]
        cursor = answer["response_metadata"]["next_cursor"] if answer["has_more"] else ""
    assert texts == [f"m{number}" for number in reversed(range(7))]


async def test_a_direct_message_is_edited_by_its_own_id(
    slack: Slack, client: AsyncWebClient, ada: Person
) -> None:
    """A post to a person opens the direct message; an edit with the person's id is refused and a violation."""
    sent = await client.chat_postMessage(channel=ada.id, text="Please look.")
    assert sent["channel"].startswith("D")
    assert await refusal(client.chat_update(channel=ada.id, ts=sent["ts"], text="x")) == "channel_not_found"
    await client.chat_update(channel=sent["channel"], ts=sent["ts"], text="Thank you.")
    assert (await ada.wait_for_direct("Thank you."))["edits"] == 1
    assert await rules(slack) == ["channel_not_found"]


async def test_membership_is_asked_for(slack: Slack, client: AsyncWebClient, ada: Person) -> None:
    """Not in a public channel: not_in_channel until it joins; a private one is not even there."""
    public = await slack.add_channel("ops", members=[ada], with_bot=False)
    private = await slack.add_channel("board", members=[ada], private=True, with_bot=False)
    await slack.set_scopes({"chat:write", "channels:join"})
    assert await refusal(client.chat_postMessage(channel=public, text="hello")) == "not_in_channel"
    assert await refusal(client.chat_postMessage(channel=private, text="hello")) == "channel_not_found"
    await client.conversations_join(channel=public)
    await client.chat_postMessage(channel=public, text="hello")
    assert await slack.violations() == []


async def test_scopes_are_enforced_and_counted(slack: Slack, client: AsyncWebClient, general: str) -> None:
    """Without its scope a method says what it needs; what was used is told at the end."""
    await slack.set_scopes({"chat:write", "channels:history"})
    assert (await client.auth_test()).headers["X-OAuth-Scopes"] == "channels:history,chat:write"
    assert await refusal(client.pins_add(channel=general, timestamp="1.1")) == "missing_scope"
    await client.chat_postMessage(channel=general, text="one")
    await client.conversations_history(channel=general)
    assert await slack.scopes_used() == ["channels:history", "chat:write"]


async def test_pins_bookmarks_and_reactions_stick(slack: Slack, client: AsyncWebClient, general: str) -> None:
    """What is stuck to a channel is there, once."""
    ts = (await client.chat_postMessage(channel=general, text="Status"))["ts"]
    await client.pins_add(channel=general, timestamp=ts)
    assert await refusal(client.pins_add(channel=general, timestamp=ts)) == "already_pinned"
    mark = await client.bookmarks_add(channel_id=general, title="Report", type="link", link="http://x.test/1")
    await client.bookmarks_edit(
        channel_id=general, bookmark_id=mark["bookmark"]["id"], link="http://x.test/2"
    )
    await client.reactions_add(channel=general, timestamp=ts, name="eyes")
    assert (await slack.messages(general))[0]["pinned"]
    assert "bookmark: Report http://x.test/2" in await slack.text(general)
    assert ":eyes: 1" in await slack.text(general)
    assert await slack.violations() == []


async def test_a_file_is_uploaded_in_three_steps(slack: Slack, client: AsyncWebClient, general: str) -> None:
    """files_upload_v2 gives a file that is shared as a message of its own."""
    await client.files_upload_v2(
        channel=general, filename="report.md", content="# Report", title="Report", initial_comment="Done"
    )
    [file] = await slack.files()
    assert (file["name"], file["content"], file["channels"]) == ("report.md", "# Report", [general])
    assert (await slack.messages(general))[0]["files"] == ["report.md"]
    assert await slack.violations() == []


async def test_a_whisper_is_seen_by_one(
    slack: Slack, client: AsyncWebClient, ada: Person, general: str
) -> None:
    """An ephemeral message reaches one member, and nobody who is not in the channel."""
    eve = await slack.add_person("eve")
    await client.chat_postEphemeral(channel=general, user=ada.id, text="No: you are not the DBA.")
    assert "not the DBA" in (await ada.whispers(general))[0]["visible"]
    assert await slack.messages(general) == []
    assert await refusal(client.chat_postEphemeral(channel=general, user=eve.id, text="x")) == (
        "user_not_in_channel"
    )


@pytest.mark.parametrize("kind", ["drop_after", "drop_before", "status", "status_after", "error"])
async def test_a_call_goes_wrong_before_or_after_it_is_done(
    slack: Slack, client: AsyncWebClient, general: str, kind: str
) -> None:
    """`…_after` keeps the message and takes the answer away; the others do nothing at all."""
    await slack.fault("chat.postMessage", kind)  # type: ignore[arg-type]
    with pytest.raises((aiohttp.ClientError, SlackApiError)):
        await client.chat_postMessage(channel=general, text="one")
    await client.chat_postMessage(channel=general, text="two")
    kept = [one["text"] for one in await slack.messages(general)]
    assert kept == (["one", "two"] if kind.endswith("_after") else ["two"])


async def test_the_librarys_own_second_try_posts_twice(slack: Slack, general: str) -> None:
    """slack_sdk repeats by itself after a broken connection: with its default a message is there twice."""
    await slack.fault("chat.postMessage", "drop_after")
    client = AsyncWebClient(slack.bot_token, base_url=slack.api_url)
    await client.chat_postMessage(channel=general, text="one")
    assert len(await slack.messages(general)) == 2


async def test_slack_can_be_down(slack: Slack, client: AsyncWebClient) -> None:
    """While Slack is down every call fails; afterwards it goes on where it was."""
    await slack.go_down()
    with pytest.raises((aiohttp.ClientError, SlackApiError)):
        await client.auth_test()
    await slack.come_up()
    assert (await client.auth_test())["ok"]


async def test_a_revoked_token_is_revoked_for_every_call(slack: Slack, client: AsyncWebClient) -> None:
    """token_revoked until the token is good again."""
    await slack.set_token("token_revoked")
    assert await refusal(client.auth_test()) == "token_revoked"
    await slack.set_token("good")
    assert (await client.auth_test())["ok"]


async def test_a_429_must_be_waited_for(slack: Slack, client: AsyncWebClient, general: str) -> None:
    """A call before Retry-After is over gets another 429 and is a violation; afterwards all is well."""
    await slack.limit_next(method="chat.update", retry_after_s=1)
    ts = (await client.chat_postMessage(channel=general, text="0 %"))["ts"]
    with pytest.raises(SlackApiError) as caught:
        await client.chat_update(channel=general, ts=ts, text="1 %")
    assert (caught.value.response.status_code, caught.value.response.headers["Retry-After"]) == (429, "1")
    assert await refusal(client.chat_update(channel=general, ts=ts, text="2 %")) == "ratelimited"
    await slack.advance(1)
    await client.chat_update(channel=general, ts=ts, text="3 %")
    assert await rules(slack) == ["called_before_retry_after"]


async def test_the_librarys_handler_of_429_waits_long_enough(slack: Slack, general: str) -> None:
    """AsyncRateLimitErrorRetryHandler keeps Retry-After, and its second try goes through."""
    client = web_client(slack)
    client.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=1))
    await slack.limit_next(method="chat.postMessage", retry_after_s=1)
    await client.chat_postMessage(channel=general, text="one")
    assert [one["answer"] for one in await slack.calls("chat.postMessage")] == ["429", "ok"]
    assert await slack.violations() == []


async def test_the_documented_limits_are_kept(slack: Slack, client: AsyncWebClient, general: str) -> None:
    """One post a second for each channel after a short burst; another channel has its own count."""
    other = await slack.add_channel("other")
    await slack.limit_rates("documented")
    calls = [client.chat_postMessage(channel=general, text=f"{n}") for n in range(6)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    refused = [one for one in answers if isinstance(one, SlackApiError)]
    assert len(refused) == 2
    await client.chat_postMessage(channel=other, text="free")


async def test_people_change_the_workspace(slack: Slack, client: AsyncWebClient, ada: Person) -> None:
    """Archived, removed, deleted, deactivated: the bot's calls meet Slack's own errors, and none is its fault."""
    grace = await slack.add_person("grace")
    one = (await client.conversations_create(name="one"))["channel"]["id"]
    ts = (await client.chat_postMessage(channel=one, text="Status"))["ts"]
    await ada.archive(one)
    assert await refusal(client.chat_update(channel=one, ts=ts, text="x")) == "is_inactive"
    await ada.unarchive(one)
    await ada.remove_bot(one)
    assert await refusal(client.conversations_invite(channel=one, users=grace.id)) == "not_in_channel"
    await ada.delete_channel(one)
    assert await refusal(client.chat_postMessage(channel=one, text="x")) == "channel_not_found"
    await grace.deactivate()
    assert (await client.users_info(user=grace.id))["user"]["deleted"]
    assert await refusal(client.conversations_open(users=grace.id)) == "user_disabled"
    assert await slack.violations() == []


async def test_what_a_person_sees_is_plain_text(
    slack: Slack, client: AsyncWebClient, ada: Person, general: str
) -> None:
    """A channel can be read: names for ids, escapes taken away, buttons in brackets."""
    blocks = [
        section(f"<@{ada.id}>: 3 &lt; 4, see <http://x.test|the plan>"),
        {"type": "actions", "elements": [button("Approve", "approve")]},
    ]
    await client.chat_postMessage(channel=general, text="A decision", blocks=blocks)
    assert "@ada: 3 < 4, see the plan\n  [Approve]" in await slack.text(general)
    assert (await slack.messages(general))[0]["notified"] == [f"@{ada.id}"]


async def test_what_cannot_be_done_is_said(slack: Slack, ada: Person, general: str) -> None:
    """A test that asks for the impossible is told so: no such channel, no such button."""
    with pytest.raises(ControlError, match="there is no channel nowhere"):
        await slack.messages("nowhere")
    with pytest.raises(ControlError, match="there is no Approve"):
        await ada.press(general, "Approve")
