"""What Slack still lacks, found out by asking it; changes nothing."""

from __future__ import annotations

from collections.abc import Iterable

from adapters.slack_chat.api import SlackApi
from adapters.slack_chat.manifest import SCOPES
from adapters.slack_chat.settings import SlackOptions
from bot.model.errors import BackoutError

Line = tuple[str, bool]


async def check_slack(options: SlackOptions, people: Iterable[tuple[str, str]]) -> list[Line]:
    """Return one line for each thing that was looked at, and whether it is as needed. `people`: names and Slack ids."""
    api = SlackApi(options.api_url, options.bot_token, options.call_timeout_s)
    try:
        return [
            *await _bot(api),
            *await _way_in(options),
            *await _channel(api, options),
            *await _people(api, people),
        ]
    except BackoutError as error:
        return [(f"Slack: {error}", False)]
    finally:
        await api.close()


async def _bot(api: SlackApi) -> list[Line]:
    answer = await api.read("auth.test")
    lines: list[Line] = [(f"Slack: {answer.get('user')} in the workspace {answer.get('team')}", True)]
    granted = await api.granted_scopes()
    missing = [scope for scope in SCOPES if granted is not None and scope not in granted]
    lines += [(f"Slack: the app lacks the scope {scope}: {SCOPES[scope]}", False) for scope in missing]
    return (
        lines if missing or granted is None else [*lines, ("Slack: the app has every scope it needs", True)]
    )


async def _way_in(options: SlackOptions) -> list[Line]:
    if options.over_http:
        set_ = options.signing_secret is not None
        return [
            ("Slack: SLACK_SIGNING_SECRET is set" if set_ else "Slack: SLACK_SIGNING_SECRET is not set", set_)
        ]
    if options.app_token is None:
        return [("Slack: SLACK_APP_TOKEN is not set", False)]
    api = SlackApi(options.api_url, options.app_token, options.call_timeout_s)
    try:
        await api.read("apps.connections.open")
    except BackoutError as error:
        return [(f"Slack: Socket Mode with SLACK_APP_TOKEN: {error}", False)]
    finally:
        await api.close()
    return [("Slack: Socket Mode can be opened with SLACK_APP_TOKEN", True)]


async def _channel(api: SlackApi, options: SlackOptions) -> list[Line]:
    if options.report_channel is None:
        return []
    try:
        channel = (await api.read("conversations.info", channel=options.report_channel))["channel"]
    except BackoutError as error:
        return [(f"Slack: the report channel {options.report_channel}: {error}", False)]
    name = f"Slack: the report channel #{channel.get('name')}"
    if channel.get("is_archived"):
        return [(f"{name} is archived", False)]
    member = bool(channel.get("is_member"))
    return [(f"{name}, with Backout in it" if member else f"{name}: invite Backout there", member)]


async def _people(api: SlackApi, people: Iterable[tuple[str, str]]) -> list[Line]:
    lines: list[Line] = []
    for name, account in people:
        try:
            user = (await api.read("users.info", user=account))["user"]
        except BackoutError as error:
            lines.append((f"Slack: {name} ({account}): {error}", False))
            continue
        gone = bool(user.get("deleted"))
        lines.append((f"Slack: {name} is {user.get('name')}{', deactivated' if gone else ''}", not gone))
    return lines
