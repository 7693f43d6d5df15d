"""What Discord still lacks, found out by asking it; changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from adapters.discord_chat.api import DiscordApi, DiscordRefusedError
from adapters.discord_chat.rights import BITS, REASONS, invitation
from adapters.discord_chat.settings import DiscordOptions
from bot.model.errors import BackoutError

Line = tuple[str, bool]
ADMINISTRATOR = 1 << 3


async def check_discord(options: DiscordOptions, people: Iterable[tuple[str, str]]) -> list[Line]:
    """Return one line for each thing that was looked at, and whether it is as needed. `people`: names and Discord ids."""
    api = DiscordApi(options.api_url, options.token, options.call_timeout_s)
    try:
        lines = await _bot(api)
        there = await _server(api, options)
        if not all(good for _, good in there):
            return [*lines, *there]
        return [
            *lines,
            *there,
            *await _rights(api, options),
            *await _commands(api, options),
            *await _role(api, options),
            *await _channel(api, options),
            *await _people(api, options, people),
        ]
    except BackoutError as error:
        return [(f"Discord: {error}", False)]
    finally:
        await api.close()


async def _bot(api: DiscordApi) -> list[Line]:
    own = await api.read("/users/@me")
    gateway = await api.read("/gateway/bot")
    left = (gateway.get("session_start_limit") or {}).get("remaining", 1)
    lines: list[Line] = [(f"Discord: {own.get('username')}", True)]
    if not left:
        lines.append(
            (
                "Discord: no connection can be begun today any more; wait, or find out who restarts Backout",
                False,
            )
        )
    return lines


async def _server(api: DiscordApi, options: DiscordOptions) -> list[Line]:
    try:
        guild = await api.read("/guilds/{guild}", guild=options.guild_id)
    except DiscordRefusedError as error:
        application = await api.read("/oauth2/applications/@me")
        invite = invitation(str(application["id"]))
        return [
            (
                f"Discord: Backout is not in the server {options.guild_id} ({error}). Invite it: {invite}",
                False,
            )
        ]
    return [(f"Discord: the server {guild.get('name')}", True)]


async def _rights(api: DiscordApi, options: DiscordOptions) -> list[Line]:
    own = await api.own_id()
    member = await api.read("/guilds/{guild}/members/{account}", guild=options.guild_id, account=own)
    mine = {options.guild_id, *member.get("roles", ())}
    held = 0
    for role in await _roles(api, options):
        held |= int(role["permissions"]) if role["id"] in mine else 0
    lacking = [name for name in REASONS if not held & (BITS[name] | ADMINISTRATOR)]
    if not lacking:
        return [("Discord: Backout has every permission it needs", True)]
    return [
        (f"Discord: Backout's role lacks the permission {name}: {REASONS[name]}", False) for name in lacking
    ]


async def _commands(api: DiscordApi, options: DiscordOptions) -> list[Line]:
    application = str((await api.read("/oauth2/applications/@me"))["id"])
    try:
        await api.read(
            "/applications/{application}/guilds/{guild}/commands",
            application=application,
            guild=options.guild_id,
        )
    except DiscordRefusedError as error:
        invite = invitation(application)
        return [(f"Discord: Backout may bring no slash commands ({error}). Invite it again: {invite}", False)]
    return [("Discord: Backout may bring its slash commands", True)]


async def _role(api: DiscordApi, options: DiscordOptions) -> list[Line]:
    if options.responders_role is None:
        return []
    found = next((one for one in await _roles(api, options) if one["id"] == options.responders_role), None)
    if found is None:
        return [
            (f"Discord: there is no role {options.responders_role} (responders_role) in the server", False)
        ]
    return [(f"Discord: the role {found['name']} sees every incident's channel", True)]


async def _channel(api: DiscordApi, options: DiscordOptions) -> list[Line]:
    if options.report_channel is None:
        return []
    try:
        channel = await api.read("/channels/{channel}", channel=options.report_channel)
    except DiscordRefusedError as error:
        return [
            (
                f"Discord: the report channel {options.report_channel}: {error} Let Backout's role see it",
                False,
            )
        ]
    return [(f"Discord: the report channel #{channel.get('name')}", True)]


async def _people(api: DiscordApi, options: DiscordOptions, people: Iterable[tuple[str, str]]) -> list[Line]:
    lines: list[Line] = []
    for name, account in people:
        try:
            member = await api.read(
                "/guilds/{guild}/members/{account}", guild=options.guild_id, account=account
            )
        except DiscordRefusedError as error:
            lines.append((f"Discord: {name} ({account}) is not in the server: {error}", False))
            continue
        lines.append((f"Discord: {name} is {member['user'].get('username')}", True))
    return lines


async def _roles(api: DiscordApi, options: DiscordOptions) -> list[dict[str, Any]]:
    return list(await api.read("/guilds/{guild}/roles", guild=options.guild_id))
