"""A typed command against its definition: which one is meant, and what Discord's own window would not let pass."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.fakes.common.book import ControlError, Json
from tests.fakes.discord.wire import channel_json, member_json, role_json, user_json
from tests.fakes.discord.world import World

SUBCOMMAND, GROUP, STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, MENTIONABLE, NUMBER = range(1, 11)
SLASH, MESSAGE_MENU = 1, 3


def find_command(world: World, kind: int, name: str) -> Json:
    """Return a command of the server, or of everywhere."""
    everything: Iterable[Json] = [*world.commands.values(), *world.global_commands.values()]
    for one in everything:
        if (one["type"], one["name"]) == (kind, name):
            return one
    there = ", ".join(sorted(one["name"] for one in everything if one["type"] == kind))
    raise ControlError(f"there is no command {name}; there are: {there or 'none'}")


def split(world: World, text: str) -> tuple[Json, list[Json], list[Json]]:
    """Return the command of `/incident start`, its subcommands on the way, and the options that take a value."""
    first, *rest = text.removeprefix("/").split()
    command = find_command(world, SLASH, first)
    options, way = list(command.get("options") or []), []
    while options and options[0]["type"] in (SUBCOMMAND, GROUP):
        if not rest:
            raise ControlError(f"{text}: one of {', '.join(one['name'] for one in options)} is to follow")
        found = next((one for one in options if one["name"] == rest[0]), None)
        if found is None:
            raise ControlError(f"{text}: there is no {rest[0]} among {[one['name'] for one in options]}")
        way.append(found)
        options, rest = list(found.get("options") or []), rest[1:]
    if rest:
        raise ControlError(f"{text}: options are given by their names, {' '.join(rest)} is left over")
    return command, way, options


def filled(
    world: World, options: list[Json], values: Json, *, focused: str = ""
) -> tuple[list[Json], dict[str, Any]]:
    """Return the options as the payload has them, and what their ids mean (`resolved`).

    While one is `focused` (autocompletion) nothing has to be complete yet.
    """
    known = {one["name"] for one in options}
    if set(values) - known:
        raise ControlError(f"there are no options {sorted(set(values) - known)}; there are {sorted(known)}")
    given: list[Json] = []
    resolved: dict[str, Any] = {}
    for one in options:
        name = one["name"]
        if name not in values:
            if one.get("required") and not focused:
                raise ControlError(f"{name} must be filled in")
            continue
        value = values[name]
        if name == focused:
            given.append({"name": name, "type": one["type"], "value": value, "focused": True})
            continue
        given.append({"name": name, "type": one["type"], "value": checked(world, one, value, resolved)})
    return given, resolved


def checked(world: World, option: Json, value: Any, resolved: dict[str, Any]) -> Any:
    """Return a value as Discord sends it, if a person can give it."""
    kind, name = option["type"], option["name"]
    choices = option.get("choices")
    if choices:
        found = next((one for one in choices if value in (one["name"], one["value"])), None)
        if found is None:
            raise ControlError(f"{name}: {value!r} is none of {[one['name'] for one in choices]}")
        return found["value"]
    wanted: dict[int, type | tuple[type, ...]] = {
        STRING: str,
        INTEGER: int,
        BOOLEAN: bool,
        NUMBER: (int, float),
    }
    if kind in wanted:
        if not isinstance(value, wanted[kind]) or (isinstance(value, bool) and kind != BOOLEAN):
            raise ControlError(f"{name}: {value!r} cannot be typed there")
        _check_bounds(option, value)
        return value
    return resolve(world, kind, name, str(value), resolved)


def _check_bounds(option: Json, value: Any) -> None:
    size, words = (len(value), "length") if isinstance(value, str) else (value, "value")
    least, most = option.get(f"min_{words}"), option.get(f"max_{words}")
    if (least is not None and size < least) or (most is not None and size > most):
        raise ControlError(f"{option['name']}: {value!r} is not within {least} and {most}")
    if isinstance(value, str) and not value:
        raise ControlError(f"{option['name']}: nothing was typed")


def resolve(world: World, kind: int, name: str, given: str, resolved: dict[str, Any]) -> str:
    if kind in (USER, MENTIONABLE):
        found = next((one for one in world.users.values() if given in (one.id, one.name)), None)
        if found is not None:
            resolved.setdefault("users", {})[found.id] = user_json(found)
            if found.id in world.members:
                shown = member_json(world, world.members[found.id], with_user=False)
                shown["permissions"] = str(world.permissions(found.id))
                resolved.setdefault("members", {})[found.id] = shown
            return found.id
    if kind in (ROLE, MENTIONABLE):
        role = world.role_named(given)
        resolved.setdefault("roles", {})[role.id] = role_json(role)
        return role.id
    if kind == CHANNEL:
        channel = world.channel_named(given)
        shown = channel_json(world, channel)
        shown["permissions"] = str(world.permissions(world.bot.id, channel))
        resolved.setdefault("channels", {})[channel.id] = shown
        return channel.id
    raise ControlError(f"{name}: an option of type {kind} is not held by the stand-in")


def nested(way: list[Json], given: list[Json]) -> list[Json]:
    """Return the options within their subcommands."""
    for one in reversed(way):
        given = [{"name": one["name"], "type": one["type"], "options": given}]
    return given
