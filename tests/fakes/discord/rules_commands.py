"""Discord's limits of application commands.

Source: the page "Application Commands" of Discord's API documentation.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.fakes.common.book import Json
from tests.fakes.discord.rules import Fault, text

SLASH, USER_MENU, MESSAGE_MENU = 1, 2, 3
SUBCOMMAND, GROUP, STRING, INTEGER, NUMBER = 1, 2, 3, 4, 10
OPTION_TYPES = range(1, 12)
NAME = re.compile(r"[-_'\w]{1,32}")
DESCRIPTION, OPTIONS, CHOICES, CHOICE = 100, 25, 25, 100
ALL_CHARACTERS = 8000
MOST = {SLASH: 100, USER_MENU: 15, MESSAGE_MENU: 15}
LARGEST = 2**53
KEYS = {
    "name",
    "name_localizations",
    "description",
    "description_localizations",
    "options",
    "default_member_permissions",
    "dm_permission",
    "default_permission",
    "type",
    "nsfw",
    "integration_types",
    "contexts",
    "handler",
    "id",
    "version",
    "application_id",
    "guild_id",
}


def commands_faults(commands: list[Json]) -> Iterator[Fault]:
    """All commands of one place: their number, each name once for each kind, and each by itself."""
    kinds = Counter(one.get("type") or SLASH for one in commands)
    for kind, count in kinds.items():
        if count > MOST.get(kind, 0):
            yield "commands", f"{count} commands of type {kind}, {MOST.get(kind, 0)} are allowed"
    named = Counter((one.get("type") or SLASH, one.get("name")) for one in commands)
    for (_, name), count in named.items():
        if count > 1:
            yield "commands", f"Application command names must be unique: {name}"
    for number, one in enumerate(commands):
        yield from command_faults(one, str(number))


def command_faults(command: Json, at: str) -> Iterator[Fault]:
    for key in set(command) - KEYS:
        yield f"{at}/{key}", "there is no such key"
    kind = command.get("type") or SLASH
    if kind != SLASH:
        yield from text(command.get("name"), f"{at}/name", 32)
        if command.get("description") or command.get("options"):
            yield f"{at}/description", "a command of a menu has no description and no options"
        return
    yield from name_faults(command.get("name"), f"{at}/name")
    yield from text(command.get("description"), f"{at}/description", DESCRIPTION)
    yield from options_faults(command.get("options") or [], f"{at}/options", depth=0)
    total = characters(command)
    if total > ALL_CHARACTERS:
        yield at, f"{total} characters of names, descriptions and values, {ALL_CHARACTERS} are allowed"


def name_faults(name: Any, at: str) -> Iterator[Fault]:
    if not isinstance(name, str) or not NAME.fullmatch(name) or name != name.lower():
        yield at, f"{name!r}: 1 to 32 letters, digits, - _ ', in lower case"


def options_faults(options: list[Json], at: str, *, depth: int) -> Iterator[Fault]:
    if len(options) > OPTIONS:
        yield at, f"Must be {OPTIONS} or fewer in length: these are {len(options)}."
    names = [one.get("name") for one in options]
    if len(set(names)) != len(names):
        yield at, "a name stands there twice"
    nested = [one.get("type") in (SUBCOMMAND, GROUP) for one in options]
    if any(nested) and not all(nested):
        yield at, "subcommands and other options do not stand beside each other"
    seen_optional = False
    for number, one in enumerate(options):
        place = f"{at}/{number}"
        yield from name_faults(one.get("name"), f"{place}/name")
        yield from text(one.get("description"), f"{place}/description", DESCRIPTION)
        kind = one.get("type")
        if kind not in OPTION_TYPES:
            yield f"{place}/type", f"{kind!r} is no type of an option"
        if (kind == GROUP and depth > 0) or (kind == SUBCOMMAND and depth > 1):
            yield f"{place}/type", "subcommands stand in a command, or in a group of a command"
        if kind in (SUBCOMMAND, GROUP):
            yield from options_faults(one.get("options") or [], f"{place}/options", depth=depth + 1)
            continue
        if one.get("required") and seen_optional:
            yield f"{place}/required", "Required options must be placed before non-required options"
        seen_optional = seen_optional or not one.get("required")
        yield from value_faults(one, place)


def value_faults(option: Json, at: str) -> Iterator[Fault]:
    """Choices, autocompletion and bounds of an option that takes a value."""
    choices, kind = option.get("choices") or [], option.get("type")
    if (choices or option.get("autocomplete")) and kind not in (STRING, INTEGER, NUMBER):
        yield f"{at}/choices", "only strings and numbers have choices"
    if choices and option.get("autocomplete"):
        yield f"{at}/autocomplete", "autocompletion and choices exclude each other"
    yield from choices_faults(choices, f"{at}/choices", kind)
    for key in ("min_length", "max_length"):
        value = option.get(key)
        least = 0 if key == "min_length" else 1
        if value is not None and not (isinstance(value, int) and least <= value <= 6000):
            yield f"{at}/{key}", f"{value!r} is no length"


def choices_faults(choices: Any, at: str, kind: Any = STRING) -> Iterator[Fault]:
    """The choices of an option, or those that an autocompletion offers."""
    if not isinstance(choices, list):
        yield at, "a list is wanted"
        return
    if len(choices) > CHOICES:
        yield at, f"Must be {CHOICES} or fewer in length: these are {len(choices)}."
    names = [one.get("name") for one in choices]
    if len(set(names)) != len(names):
        yield at, "a name stands there twice"
    for number, one in enumerate(choices):
        yield from text(one.get("name"), f"{at}/{number}/name", CHOICE)
        value = one.get("value")
        if kind == STRING:
            yield from text(value, f"{at}/{number}/value", CHOICE)
        elif isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > LARGEST:
            yield f"{at}/{number}/value", f"{value!r} is no number that Discord takes"
        elif kind == INTEGER and not isinstance(value, int):
            yield f"{at}/{number}/value", f"{value!r} is no whole number"


def characters(command: Json) -> int:
    """Return the characters that count towards a command's 8,000."""
    total = len(str(command.get("name", ""))) + len(str(command.get("description", "")))
    total += sum(len(str(one.get("value", ""))) for one in command.get("choices") or [])
    return total + sum(characters(one) for one in command.get("options") or [])
