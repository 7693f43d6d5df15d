"""Discord's permissions: their bits, and who may do what in a channel, by roles and overwrites.

Source: the page "Permissions" of Discord's API documentation (bits, and the order in which overwrites count).
"""

from __future__ import annotations

from collections.abc import Iterable

from tests.fakes.discord.things import Channel, Member, Role

BITS = {
    "create_instant_invite": 1 << 0,
    "administrator": 1 << 3,
    "manage_channels": 1 << 4,
    "manage_guild": 1 << 5,
    "add_reactions": 1 << 6,
    "view_channel": 1 << 10,
    "send_messages": 1 << 11,
    "manage_messages": 1 << 13,
    "embed_links": 1 << 14,
    "attach_files": 1 << 15,
    "read_message_history": 1 << 16,
    "mention_everyone": 1 << 17,
    "manage_roles": 1 << 28,
    "use_application_commands": 1 << 31,
    "manage_threads": 1 << 34,
    "create_public_threads": 1 << 35,
    "create_private_threads": 1 << 36,
    "send_messages_in_threads": 1 << 38,
    "pin_messages": 1 << 51,
}
EVERYTHING = (1 << 53) - 1
# What everybody may do in a server that was just made.
OF_EVERYONE = (
    "add_reactions",
    "view_channel",
    "send_messages",
    "embed_links",
    "attach_files",
    "read_message_history",
    "use_application_commands",
    "create_public_threads",
    "create_private_threads",
    "send_messages_in_threads",
)
# What an incident bot asks for in its invitation, over what everybody may do.
OF_BOT = (
    "manage_channels",
    "manage_roles",
    "manage_threads",
    "manage_messages",
    "pin_messages",
    "mention_everyone",
)


def bits_of(names: Iterable[str]) -> int:
    """Return the bits of these permissions.

    Raises:
        KeyError: there is no permission of that name here.
    """
    value = 0
    for name in names:
        value |= BITS[name]
    return value


def names_of(value: int) -> list[str]:
    return [name for name, bit in BITS.items() if value & bit]


def in_guild(member: Member, roles: dict[str, Role], everyone_id: str, owner_id: str) -> int:
    """Return what somebody may do in the server, before any channel's overwrites."""
    if member.user_id == owner_id:
        return EVERYTHING
    value = roles[everyone_id].permissions
    for one in member.roles:
        value |= roles[one].permissions
    return EVERYTHING if value & BITS["administrator"] else value


def in_channel(member: Member, channel: Channel, roles: dict[str, Role], everyone_id: str, base: int) -> int:
    """Return what somebody may do in a channel: @everyone's overwrite, the roles' together, the person's own."""
    if base == EVERYTHING:
        return base
    value = base
    everyone = channel.overwrites.get(everyone_id)
    if everyone:
        value = value & ~everyone.deny | everyone.allow
    allow = deny = 0
    for one in member.roles:
        if one in channel.overwrites:
            allow |= channel.overwrites[one].allow
            deny |= channel.overwrites[one].deny
    value = value & ~deny | allow
    own = channel.overwrites.get(member.user_id)
    if own:
        value = value & ~own.deny | own.allow
    return with_consequences(value)


def with_consequences(value: int) -> int:
    """Return the permissions without those that mean nothing: who cannot look in can do nothing there."""
    if not value & BITS["view_channel"]:
        return 0
    if not value & BITS["send_messages"]:
        value &= ~bits_of(["mention_everyone", "embed_links", "attach_files"])
    return value


def in_thread(value: int) -> int:
    """Return the parent's permissions as they count in a thread: another bit stands for sending."""
    sending = BITS["send_messages"]
    return value | sending if value & BITS["send_messages_in_threads"] else value & ~sending
