"""The bot itself, the gateway's address, the server, its members and roles."""

from __future__ import annotations

from tests.fakes.common.book import Json
from tests.fakes.discord import names, wire
from tests.fakes.discord.ask import Ask, Refused, route
from tests.fakes.discord.permits import EVERYTHING
from tests.fakes.discord.rules import text
from tests.fakes.discord.things import Event, Member, Role
from tests.fakes.discord.world import PRIVILEGED, World

GUILDS, MEMBERS = 1 << 0, 1 << 1


def me(ask: Ask) -> Json:
    return wire.my_user_json(ask.world)


def application(ask: Ask) -> Json:
    return wire.application_json(ask.world)


def gateway_url(world: World) -> str:
    return world.address.replace("http://", "ws://") + "/gateway"


def gateway(ask: Ask) -> Json:
    return {"url": gateway_url(ask.world)}


def gateway_bot(ask: Ask) -> Json:
    limit = {"total": 1000, "remaining": 999, "reset_after": 86_400_000, "max_concurrency": 1}
    return {"url": gateway_url(ask.world), "shards": 1, "session_start_limit": limit}


def check_guild(ask: Ask) -> None:
    """Refuse another server's id, and ours where the bot was put out of it."""
    if ask.path["guild_id"] != names.GUILD_ID:
        raise ask.wrong("unknown_id", f"{ask.path['guild_id']} is no server's id", 10004)
    if not ask.world.guild_there:
        raise Refused(50001)


def guild(ask: Ask) -> Json:
    check_guild(ask)
    return wire.guild_json(ask.world)


def guilds(ask: Ask) -> list[Json]:
    if not ask.world.guild_there:
        return []
    return [
        {
            "id": names.GUILD_ID,
            "name": names.GUILD_NAME,
            "icon": None,
            "banner": None,
            "owner": False,
            "permissions": str(ask.world.permissions(ask.world.bot.id)),
            "features": [],
        }
    ]


def user(ask: Ask) -> Json:
    found = ask.world.users.get(ask.path["user_id"])
    if found is None:
        raise ask.wrong("unknown_id", f"{ask.path['user_id']} is nobody's id", 10013)
    return wire.user_json(found)


def member(ask: Ask) -> Json:
    check_guild(ask)
    return wire.member_json(ask.world, ask.member())


def my_member(ask: Ask) -> Json:
    check_guild(ask)
    return wire.member_json(ask.world, ask.world.members[ask.world.bot.id])


def members(ask: Ask) -> list[Json]:
    """Only with the intent for members, as the portal has it."""
    check_guild(ask)
    if not ask.world.allowed_intents & PRIVILEGED["members"]:
        raise Refused(50001)
    limit, after = ask.number("limit", 1, least=1, most=1000), int(ask.query.get("after", "0"))
    found = sorted(ask.world.members.values(), key=lambda one: int(one.user_id))
    return [wire.member_json(ask.world, one) for one in found if int(one.user_id) > after][:limit]


def search_members(ask: Ask) -> list[Json]:
    check_guild(ask)
    limit, wanted = ask.number("limit", 1, least=1, most=1000), ask.query.get("query", "").lower()
    found = [one for one in ask.world.members.values() if matches(ask.world, one, wanted)]
    return [wire.member_json(ask.world, one) for one in found][:limit]


def matches(world: World, member: Member, wanted: str) -> bool:
    return world.users[member.user_id].name.lower().startswith(wanted)


def roles(ask: Ask) -> list[Json]:
    check_guild(ask)
    return [wire.role_json(one) for one in ask.world.roles.values()]


def role(ask: Ask) -> Json:
    check_guild(ask)
    return wire.role_json(ask.role())


def add_role(ask: Ask) -> Json:
    """A new role begins at the bottom; it can give nothing that the bot has not."""
    check_guild(ask)
    ask.need("manage_roles")
    body = ask.keys()
    if body.get("name") is not None:
        faults = list(text(body["name"], "name", 100, 0))
        if faults:
            raise ask.wrong("invalid_role", faults)
    wanted = int(body.get("permissions") or ask.world.roles[names.EVERYONE_ID].permissions)
    check_may_give(ask, wanted)
    role = Role(
        id=ask.world.new_id(),
        name=str(body.get("name") or "new role"),
        permissions=wanted,
        mentionable=bool(body.get("mentionable")),
    )
    ask.world.roles[role.id] = role
    ask.world.emit(
        Event(
            name="GUILD_ROLE_CREATE",
            data={"guild_id": names.GUILD_ID, "role": wire.role_json(role)},
            intent=GUILDS,
        )
    )
    return wire.role_json(role)


def check_may_give(ask: Ask, bits: int) -> None:
    held = ask.world.permissions(ask.world.bot.id)
    if held != EVERYTHING and bits & ~held:
        raise Refused(50013)


def give_role(ask: Ask) -> None:
    _change_role(ask, given=True)


def take_role(ask: Ask) -> None:
    _change_role(ask, given=False)


def _change_role(ask: Ask, *, given: bool) -> None:
    """Only roles below the bot's own highest can be given and taken."""
    check_guild(ask)
    member, role = ask.member(), ask.role()
    ask.need("manage_roles")
    if role.position >= top_position(ask.world, ask.world.members[ask.world.bot.id]):
        raise Refused(50013)
    if given and role.id not in member.roles:
        member.roles.append(role.id)
    if not given and role.id in member.roles:
        member.roles.remove(role.id)
    tell_member(ask.world, member)


def tell_member(world: World, member: Member) -> None:
    data = {"guild_id": names.GUILD_ID, **wire.member_json(world, member)}
    world.emit(Event(name="GUILD_MEMBER_UPDATE", data=data, intent=MEMBERS))


def top_position(world: World, member: Member) -> int:
    return max((world.roles[one].position for one in member.roles), default=0)


ROUTES = [
    route("GET /users/@me", "get_my_user", me),
    route("GET /users/@me/guilds", "list_my_guilds", guilds),
    route("GET /users/{user_id}", "get_user", user),
    route("GET /applications/@me", "get_my_application", application),
    route("GET /oauth2/applications/@me", "get_my_oauth2_application", application),
    route("GET /gateway", "get_gateway", gateway),
    route("GET /gateway/bot", "get_bot_gateway", gateway_bot),
    route("GET /guilds/{guild_id}", "get_guild", guild),
    route("GET /users/@me/guilds/{guild_id}/member", "get_my_guild_member", my_member),
    route("GET /guilds/{guild_id}/members", "list_guild_members", members),
    route("GET /guilds/{guild_id}/members/search", "search_guild_members", search_members),
    route("GET /guilds/{guild_id}/members/{user_id}", "get_guild_member", member),
    route("GET /guilds/{guild_id}/roles", "list_guild_roles", roles),
    route("GET /guilds/{guild_id}/roles/{role_id}", "get_guild_role", role),
    route("POST /guilds/{guild_id}/roles", "create_guild_role", add_role),
    route(
        "PUT /guilds/{guild_id}/members/{user_id}/roles/{role_id}", "add_guild_member_role", give_role, 204
    ),
    route(
        "DELETE /guilds/{guild_id}/members/{user_id}/roles/{role_id}",
        "delete_guild_member_role",
        take_role,
        204,
    ),
]
