"""auth.test, apps.connections.open, users.*, usergroups.*: who is who."""

from __future__ import annotations

from tests.fakes.common.book import Json
from tests.fakes.slack import names
from tests.fakes.slack.method import Args, Method, method, page
from tests.fakes.slack.wire import user_json
from tests.fakes.slack.world import Refused, World


def auth_test(world: World, _args: Args) -> Json:
    return {
        "url": f"{world.address}/",
        "team": names.TEAM_DOMAIN,
        "team_id": names.TEAM_ID,
        "user": world.bot.name,
        "user_id": world.bot.id,
        "bot_id": names.BOT_ID,
        "is_enterprise_install": False,
    }


SOCKETS_MOST = 10


def open_connection(world: World, _args: Args) -> Json:
    """Give out an address for one connection; an app may have ten."""
    if world.sockets_open >= SOCKETS_MOST:
        raise Refused("too_many_websockets")
    ticket = world.new_id("ticket")
    world.tickets.add(ticket)
    return {"url": f"{world.address.replace('http', 'ws', 1)}/socket/{ticket}"}


def bots_info(_world: World, args: Args) -> Json:
    if args.text("bot") not in ("", names.BOT_ID):
        raise Refused("bot_not_found")
    return {"bot": {"id": names.BOT_ID, "app_id": names.APP_ID, "user_id": names.BOT_USER_ID}}


def _sees_email(world: World) -> bool:
    allowed = world.scopes is None or "users:read.email" in world.scopes
    if allowed and world.scopes is not None:
        world.scopes_used.add("users:read.email")
    return allowed


def info(world: World, args: Args) -> Json:
    user = world.users.get(args.text("user"))
    if user is None:
        raise args.wrong("user_not_found", f"user={args.text('user')}")
    return {"user": user_json(world, user, email=_sees_email(world))}


def list_users(world: World, args: Args) -> Json:
    part, cursor = page(args, list(world.users.values()), 200, 1000)
    email = _sees_email(world)
    return {
        "members": [user_json(world, one, email=email) for one in part],
        "response_metadata": {"next_cursor": cursor},
    }


def lookup_by_email(world: World, args: Args) -> Json:
    wanted = args.text("email").lower()
    for user in world.people():
        if user.email.lower() == wanted and not user.deleted:
            return {"user": user_json(world, user, email=True)}
    raise Refused("users_not_found")


def list_groups(world: World, args: Args) -> Json:
    with_users = args.flag("include_users")
    shown = [
        {name: value for name, value in one.items() if name != "users" or with_users}
        for one in world.usergroups.values()
    ]
    return {"usergroups": shown}


def list_group_users(world: World, args: Args) -> Json:
    group = world.usergroups.get(args.text("usergroup"))
    if group is None:
        raise Refused("no_such_subteam")
    return {"users": group["users"]}


METHODS: dict[str, Method] = {
    "auth.test": method(auth_test, tier=0),
    "apps.connections.open": method(open_connection, tier=0, token="app"),
    "bots.info": method(bots_info, "", "bot", scopes=["users:read"]),
    "users.info": method(info, "user", "include_locale", scopes=["users:read"], tier=100),
    "users.list": method(list_users, "", "cursor limit include_locale", scopes=["users:read"], tier=20),
    "users.lookupByEmail": method(lookup_by_email, "email", scopes=["users:read.email"]),
    "usergroups.list": method(
        list_groups,
        "",
        "include_users include_count include_disabled",
        scopes=["usergroups:read"],
        tier=20,
    ),
    "usergroups.users.list": method(
        list_group_users, "usergroup", "include_disabled", scopes=["usergroups:read"], tier=20
    ),
}
