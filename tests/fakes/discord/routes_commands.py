"""Application commands: those of the server and those of everywhere."""

from __future__ import annotations

from tests.fakes.common.book import Json
from tests.fakes.discord import names
from tests.fakes.discord.ask import Ask, Refused, route
from tests.fakes.discord.rules import Fault
from tests.fakes.discord.rules_commands import SLASH, commands_faults


def place_of(ask: Ask) -> dict[str, Json]:
    """Return where the commands of this call are held: the server's, or everywhere's."""
    if ask.path["application_id"] != names.APP_ID:
        raise Refused(20012, "You are not authorized to perform this action on this application", status=403)
    if "guild_id" not in ask.path:
        return ask.world.global_commands
    if ask.path["guild_id"] != names.GUILD_ID or not ask.world.guild_there:
        raise Refused(50001)
    return ask.world.commands


def made(ask: Ask, given: Json, command_id: str) -> Json:
    """Return a command as Discord keeps and gives it."""
    kept: Json = {
        "id": command_id,
        "application_id": names.APP_ID,
        "version": ask.world.new_id(),
        "type": given.get("type") or SLASH,
        "name": given["name"],
        "name_localizations": given.get("name_localizations"),
        "description": given.get("description") or "",
        "description_localizations": given.get("description_localizations"),
        "default_member_permissions": _bits(given.get("default_member_permissions")),
        "dm_permission": given.get("dm_permission", True),
        "nsfw": bool(given.get("nsfw")),
        "contexts": given.get("contexts"),
        "integration_types": given.get("integration_types") or [0],
    }
    if given.get("options"):
        kept["options"] = given["options"]
    if "guild_id" in ask.path:
        kept["guild_id"] = names.GUILD_ID
        del kept["dm_permission"]
    return kept


def _bits(given: object) -> str | None:
    return None if given is None else str(given)


def check(ask: Ask, commands: list[Json]) -> None:
    faults: list[Fault] = list(commands_faults(commands))
    if faults:
        raise ask.wrong("invalid_commands", faults)


def every(ask: Ask) -> list[Json]:
    return list(place_of(ask).values())


def set_all(ask: Ask) -> list[Json]:
    """Put these commands in the place of all that were; one of the same name and type keeps its id."""
    place = place_of(ask)
    if not isinstance(ask.body, list):
        raise ask.wrong("invalid_commands", "a list is wanted")
    check(ask, ask.body)
    old = {(one["type"], one["name"]): one["id"] for one in place.values()}
    kept = [
        made(ask, one, old.get((one.get("type") or SLASH, one["name"])) or ask.world.new_id())
        for one in ask.body
    ]
    ask.world.gone.update(place)
    place.clear()
    place.update({one["id"]: one for one in kept})
    return kept


def add(ask: Ask) -> Json:
    """Make a command; one of the same name and type is overwritten."""
    place, body = place_of(ask), ask.keys()
    kind = body.get("type") or SLASH
    others = [one for one in place.values() if (one["type"], one["name"]) != (kind, body.get("name"))]
    same = [one for one in place.values() if one not in others]
    check(ask, [*others, body])
    command = made(ask, body, same[0]["id"] if same else ask.world.new_id())
    place[command["id"]] = command
    return command


def find(ask: Ask) -> Json:
    place, given = place_of(ask), ask.path["command_id"]
    if given not in place:
        if given not in ask.world.gone:
            ask.world.violate("unknown_id", ask.operation, f"{given} never was a command's id")
        raise Refused(10063)
    return place[given]


def change(ask: Ask) -> Json:
    old = find(ask)
    merged = {**old, **ask.keys()}
    place = place_of(ask)
    check(ask, [merged, *[one for one in place.values() if one is not old]])
    place[old["id"]] = made(ask, merged, old["id"])
    return place[old["id"]]


def delete(ask: Ask) -> None:
    command = find(ask)
    ask.world.gone.add(command["id"])
    del place_of(ask)[command["id"]]


GUILD = "/applications/{application_id}/guilds/{guild_id}/commands"
EVERYWHERE = "/applications/{application_id}/commands"
ROUTES = [
    route(f"GET {GUILD}", "list_guild_application_commands", every),
    route(f"PUT {GUILD}", "bulk_set_guild_application_commands", set_all),
    route(f"POST {GUILD}", "create_guild_application_command", add, 201),
    route(f"GET {GUILD}/{{command_id}}", "get_guild_application_command", find),
    route(f"PATCH {GUILD}/{{command_id}}", "update_guild_application_command", change),
    route(f"DELETE {GUILD}/{{command_id}}", "delete_guild_application_command", delete, 204),
    route(f"GET {EVERYWHERE}", "list_application_commands", every),
    route(f"PUT {EVERYWHERE}", "bulk_set_application_commands", set_all),
    route(f"POST {EVERYWHERE}", "create_application_command", add, 201),
    route(f"GET {EVERYWHERE}/{{command_id}}", "get_application_command", find),
    route(f"PATCH {EVERYWHERE}/{{command_id}}", "update_application_command", change),
    route(f"DELETE {EVERYWHERE}/{{command_id}}", "delete_application_command", delete, 204),
]
