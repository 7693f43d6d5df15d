"""How Discord writes its own objects into answers and events: users, members, roles, channels, the server itself."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.fakes.common.book import Json
from tests.fakes.discord import names
from tests.fakes.discord.things import Channel, Kind, Member, Role, User
from tests.fakes.discord.world import PRIVILEGED, World

# The flags of an application that say which privileged intents it was given (in fewer than 100 servers).
LIMITED = {"members": 1 << 15, "presences": 1 << 13, "message_content": 1 << 19}


def stamp(at_s: float) -> str:
    """Return a time as Discord writes it."""
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="microseconds")


def user_json(user: User) -> Json:
    shown: Json = {
        "id": user.id,
        "username": user.name,
        "global_name": None if user.is_bot else user.name.title(),
        "discriminator": "0000" if user.is_bot else "0",
        "avatar": None,
        "public_flags": 0,
        "flags": 0,
        "primary_guild": None,
    }
    return {**shown, "bot": True} if user.is_bot else shown


def my_user_json(world: World) -> Json:
    """Return the bot's own user, as only the bot sees it."""
    return {**user_json(world.bot), "mfa_enabled": True, "locale": "en-US", "verified": True, "email": None}


def member_json(world: World, member: Member, *, with_user: bool = True) -> Json:
    shown: Json = {
        "roles": list(member.roles),
        "nick": None,
        "avatar": None,
        "banner": None,
        "joined_at": stamp(member.joined_s),
        "premium_since": None,
        "communication_disabled_until": None,
        "pending": False,
        "deaf": False,
        "mute": False,
        "flags": 0,
    }
    return {**shown, "user": user_json(world.users[member.user_id])} if with_user else shown


def role_json(role: Role) -> Json:
    shown: Json = {
        "id": role.id,
        "name": role.name,
        "permissions": str(role.permissions),
        "position": role.position,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "managed": role.managed,
        "mentionable": role.mentionable,
        "icon": None,
        "unicode_emoji": None,
        "flags": 0,
        "description": None,
    }
    return {**shown, "tags": {"bot_id": names.BOT_USER_ID}} if role.managed else shown


def channel_json(world: World, channel: Channel) -> Json:
    """Return the channel, thread, category or direct message."""
    if channel.is_direct:
        return {
            "id": channel.id,
            "type": int(Kind.DM),
            "flags": 0,
            "last_message_id": last_message_id(channel),
            "recipients": [user_json(world.users[one]) for one in channel.recipients],
        }
    if channel.is_thread:
        return thread_json(world, channel)
    shown: Json = {
        "id": channel.id,
        "type": int(channel.kind),
        "flags": 0,
        "guild_id": names.GUILD_ID,
        "name": channel.name,
        "position": channel.position,
        "parent_id": channel.parent_id or None,
        "permission_overwrites": [
            {"id": one.id, "type": one.kind, "allow": str(one.allow), "deny": str(one.deny)}
            for one in channel.overwrites.values()
        ],
        "nsfw": channel.nsfw,
    }
    if channel.kind == Kind.TEXT:
        shown.update(
            topic=channel.topic,
            rate_limit_per_user=channel.slowmode_s,
            last_message_id=last_message_id(channel),
        )
    return shown


def last_message_id(channel: Channel) -> str | None:
    return next((one.id for one in reversed(channel.messages.values()) if not one.seen_by), None)


def thread_json(world: World, thread: Channel) -> Json:
    count = sum(not one.is_note and not one.seen_by for one in thread.messages.values())
    shown: Json = {
        "id": thread.id,
        "type": int(thread.kind),
        "flags": 0,
        "guild_id": names.GUILD_ID,
        "parent_id": thread.parent_id,
        "name": thread.name,
        "owner_id": thread.owner_id,
        "last_message_id": last_message_id(thread),
        "rate_limit_per_user": thread.slowmode_s,
        "message_count": count,
        "total_message_sent": count,
        "member_count": len(thread.members),
        "thread_metadata": {
            "archived": thread.archived,
            "archive_timestamp": stamp(thread.archive_changed_s),
            "auto_archive_duration": thread.auto_archive_minutes,
            "locked": thread.locked,
            "create_timestamp": stamp(thread.made_s),
        },
    }
    if thread.kind == Kind.PRIVATE_THREAD:
        shown["thread_metadata"]["invitable"] = thread.invitable
    if world.bot.id in thread.members:
        shown["member"] = thread_member_json(thread, world.bot.id)
    return shown


def thread_member_json(thread: Channel, user_id: str) -> Json:
    return {
        "id": thread.id,
        "user_id": user_id,
        "join_timestamp": stamp(thread.members[user_id]),
        "flags": 0,
    }


def guild_json(world: World) -> Json:
    """Return the server as GET /guilds/… gives it."""
    nothing = (
        "icon",
        "description",
        "home_header",
        "splash",
        "discovery_splash",
        "banner",
        "afk_channel_id",
        "system_channel_id",
        "widget_channel_id",
        "max_presences",
        "vanity_url_code",
        "rules_channel_id",
        "safety_alerts_channel_id",
        "public_updates_channel_id",
        "incidents_data",
        "application_id",
    )
    return {
        **dict.fromkeys(nothing),
        "id": names.GUILD_ID,
        "name": names.GUILD_NAME,
        "owner_id": names.OWNER_ID,
        "region": "deprecated",
        "afk_timeout": 300,
        "system_channel_flags": 0,
        "widget_enabled": False,
        "verification_level": 0,
        "default_message_notifications": 0,
        "mfa_level": 0,
        "explicit_content_filter": 0,
        "max_members": 500_000,
        "max_stage_video_channel_users": 50,
        "max_video_channel_users": 25,
        "premium_tier": 0,
        "premium_subscription_count": 0,
        "premium_progress_bar_enabled": False,
        "preferred_locale": "en-US",
        "nsfw": False,
        "nsfw_level": 0,
        "features": [],
        "emojis": [],
        "stickers": [],
        "roles": [role_json(one) for one in world.roles.values()],
    }


def guild_create_json(world: World, *, members: bool) -> Json:
    """Return the server as the event GUILD_CREATE has it: what the bot sees of it."""
    seen = [one for one in world.channels.values() if not one.is_direct and world.bot_sees(one)]
    people = world.members.values() if members else [world.members[world.bot.id]]
    return {
        **guild_json(world),
        "joined_at": stamp(world.members[world.bot.id].joined_s),
        "large": False,
        "unavailable": False,
        "member_count": len(world.members),
        "members": [member_json(world, one) for one in people],
        "channels": [channel_json(world, one) for one in seen if not one.is_thread],
        "threads": [thread_json(world, one) for one in seen if one.is_thread and not one.archived],
        "voice_states": [],
        "presences": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
    }


def application_json(world: World) -> Json:
    """Return the application, as its bot sees it."""
    flags = sum(bit for name, bit in LIMITED.items() if world.allowed_intents & PRIVILEGED[name])
    return {
        "id": names.APP_ID,
        "name": names.BOT_NAME,
        "icon": None,
        "description": "",
        "type": None,
        "verify_key": "0" * 64,
        "flags": flags,
        "flags_new": str(flags),
        "redirect_uris": [],
        "interactions_endpoint_url": None,
        "role_connections_verification_url": None,
        "owner": user_json(world.owner),
        "team": None,
        "bot": user_json(world.bot),
        "bot_public": False,
        "bot_require_code_grant": False,
        "hook": True,
        "summary": "",
        "approximate_guild_count": 1,
        "approximate_user_install_count": 0,
        "approximate_user_authorization_count": 0,
        "explicit_content_filter": 0,
        "eligible_oauth2_scopes": [],
    }
