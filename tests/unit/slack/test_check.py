"""`backout check` tells what Slack lacks, before the night in which it is needed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from adapters.slack_chat.check import check_slack
from adapters.slack_chat.manifest import SCOPES
from adapters.slack_chat.settings import SlackOptions
from bot.model.secret import Secret
from tests.fakes.slack.client import Slack


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    async with Slack.started() as started:
        yield started


def options_of(slack: Slack, report_channel: str | None = None) -> SlackOptions:
    return SlackOptions(
        api_url=slack.api_url,
        http_host="127.0.0.1",
        http_port=0,
        bot_token=Secret(slack.bot_token),
        app_token=Secret(slack.app_token),
        report_channel=report_channel,
        call_timeout_s=2,
    )


async def test_a_slack_that_is_set_up_has_nothing_to_say(slack: Slack) -> None:
    """Token, socket, report channel and people are as they should be."""
    ada = await slack.add_person("ada")
    reports = await slack.add_channel("reports")
    lines = await check_slack(options_of(slack, reports), [("Ada", ada.id)])
    assert [line for line, good in lines if not good] == []
    assert "Slack: Ada is ada" in [line for line, _ in lines]


async def test_each_scope_that_is_missing_is_named_with_its_reason(slack: Slack) -> None:
    """As Slack tells them of the token; with all of them there is one good line, with more than all too."""
    await slack.set_scopes(SCOPES)
    whole = await check_slack(options_of(slack), [])
    assert ("Slack: the app has every scope it needs", True) in whole
    await slack.set_scopes({*SCOPES, "team:read"})
    assert await check_slack(options_of(slack), []) == whole
    await slack.set_scopes(set(SCOPES) - {"pins:write", "chat:write"} | {"chat:write.public"})
    lines = await check_slack(options_of(slack), [])
    assert [line for line, good in lines if not good] == [
        f"Slack: the app lacks the scope {scope}: {SCOPES[scope]}" for scope in ("chat:write", "pins:write")
    ]
    assert not any("every scope" in line for line, _ in lines)


async def test_what_is_missing_is_named(slack: Slack) -> None:
    """A person who left, a report channel without Backout, a token that is none, each in words."""
    ada = await slack.add_person("ada")
    await ada.deactivate()
    reports = await slack.add_channel("reports", with_bot=False)
    options = replace(options_of(slack, reports), app_token=Secret("xapp-wrong"))
    lines = await check_slack(options, [("Ada", ada.id)])
    missing = "\n".join(line for line, good in lines if not good)
    assert "Ada is ada, deactivated" in missing
    assert "#reports: invite Backout there" in missing
    assert "invalid_auth" in missing
    await slack.set_token("token_revoked")
    assert "token_revoked" in str(await check_slack(options, []))


async def test_a_slack_that_is_not_reached_is_said(slack: Slack) -> None:
    """One line, and no fault."""
    await slack.go_down()
    ((line, good),) = await check_slack(options_of(slack), [])
    assert not good
    assert line.startswith("Slack: ")
