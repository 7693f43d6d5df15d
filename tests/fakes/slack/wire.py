"""How Slack writes its own objects into answers and payloads: a channel, a message, a user, a file."""

from __future__ import annotations

from typing import Any

from tests.fakes.common.book import Json
from tests.fakes.slack import names
from tests.fakes.slack.world import Channel, File, Message, User, World


def channel_json(world: World, channel: Channel) -> Json:
    """Return the conversation object."""
    common = {"id": channel.id, "created": int(channel.created_s), "is_archived": channel.archived}
    if channel.is_im:
        user = next((one for one in channel.members if one != world.bot.id), "")
        return {**common, "is_im": True, "user": user, "is_user_deleted": world.users[user].deleted}
    private = channel.kind == "private"
    return {
        **common,
        "name": channel.name,
        "name_normalized": channel.name,
        "is_channel": not private,
        "is_group": private,
        "is_im": False,
        "is_mpim": False,
        "is_private": private,
        "is_general": False,
        "is_member": world.bot.id in channel.members,
        "creator": channel.creator,
        "context_team_id": names.TEAM_ID,
        "topic": {"value": channel.topic, "creator": "", "last_set": 0},
        "purpose": {"value": channel.purpose, "creator": "", "last_set": 0},
        "previous_names": [],
    }


def message_json(world: World, channel: Channel, message: Message, *, metadata: bool = False) -> Json:
    """Return the message as Slack gives it; metadata only to the app that asked for it."""
    shown: Json = {"type": "message", "ts": message.ts, "user": message.user, "text": message.text}
    shown["team"] = names.TEAM_ID
    if message.subtype:
        shown["subtype"] = message.subtype
    if message.by_bot:
        shown.update(bot_id=names.BOT_ID, app_id=names.APP_ID, bot_profile=bot_profile())
    if message.blocks:
        shown["blocks"] = message.blocks
    if message.edit_times_s:
        shown["edited"] = {"user": message.user, "ts": f"{message.edit_times_s[-1]:.6f}"}
    if message.files:
        shown["files"] = [file_json(world, world.files[one]) for one in message.files]
    if message.reactions:
        shown["reactions"] = reactions_json(message)
    if message.ts in channel.pins:
        shown["pinned_to"] = [channel.id]
    if message.metadata and metadata:
        shown["metadata"] = message.metadata
    shown.update(_thread(channel, message))
    return shown


def _thread(channel: Channel, message: Message) -> Json:
    replies = [one for one in channel.messages.values() if one.thread_ts == message.ts != one.ts]
    if replies:
        users = sorted({one.user for one in replies})
        return {
            "thread_ts": message.ts,
            "reply_count": len(replies),
            "reply_users": users,
            "reply_users_count": len(users),
            "latest_reply": replies[-1].ts,
        }
    return {"thread_ts": message.thread_ts} if message.thread_ts else {}


def reactions_json(message: Message) -> list[Json]:
    return [
        {"name": name, "users": users, "count": len(users)}
        for name, users in message.reactions.items()
        if users
    ]


def bot_profile() -> Json:
    return {
        "id": names.BOT_ID,
        "app_id": names.APP_ID,
        "name": names.BOT_NAME,
        "deleted": False,
        "team_id": names.TEAM_ID,
    }


def user_json(world: World, user: User, *, email: bool) -> Json:
    """Return the user object; the address only with the scope for it."""
    profile: Json = {"display_name": user.name, "real_name": user.name.title()}
    if email and user.email:
        profile["email"] = user.email
    if user.id == world.bot.id:
        profile.update(bot_id=names.BOT_ID, api_app_id=names.APP_ID)
    return {
        "id": user.id,
        "team_id": names.TEAM_ID,
        "name": user.name,
        "real_name": user.name.title(),
        "deleted": user.deleted,
        "is_bot": user.is_bot,
        "is_app_user": False,
        "tz": "Etc/UTC",
        "profile": profile,
    }


def file_json(world: World, file: File) -> Json:
    """Return the file object."""
    return {
        "id": file.id,
        "name": file.name,
        "title": file.title or file.name,
        "size": file.length,
        "user": world.bot.id,
        "channels": list(file.shared_in),
        "url_private": f"{world.address}/files/{file.id}",
        "url_private_download": f"{world.address}/files/{file.id}",
        "permalink": f"{world.address}/files/{file.id}",
    }


def team_fields() -> dict[str, Any]:
    """Return what stands in every interaction about the workspace and the app."""
    return {
        "team": {"id": names.TEAM_ID, "domain": names.TEAM_DOMAIN},
        "enterprise": None,
        "is_enterprise_install": False,
        "api_app_id": names.APP_ID,
        "token": "verification-token-of-old-times",
    }
