"""What a person finds on the screen: a button by its label, a menu's options, the fields of a modal to fill in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.fakes.common.book import ControlError, Json
from tests.fakes.discord.rules_components import INPUT, LABEL, ROW, STRING_MENU, walk
from tests.fakes.discord.typed import CHANNEL, ROLE, USER, resolve
from tests.fakes.discord.world import World

# Menus of users, roles and channels, and the types of options that mean the same.
MENU_KINDS = {5: USER, 6: ROLE, 7: 9, 8: CHANNEL}


def find_component(components: list[Json], wanted: str) -> Json | None:
    """Return a button or menu by its custom_id, its label or its placeholder."""
    for one in walk(components):
        if one["type"] != ROW and wanted in (
            one.get("custom_id"),
            one.get("label"),
            one.get("placeholder"),
        ):
            return one
    return None


def chosen(world: World, menu: Json, values: list[str]) -> Json:
    """Return what is chosen in a menu, as the payload has it."""
    least, most = menu.get("min_values", 1), menu.get("max_values", 1)
    if not least <= len(values) <= most:
        raise ControlError(f"{menu['custom_id']}: {len(values)} are chosen, {least} to {most} can be")
    if menu["type"] == STRING_MENU:
        return {"values": [_option(menu, one) for one in values]}
    if menu["type"] not in MENU_KINDS:
        raise ControlError(f"{menu.get('custom_id')} is no menu")
    resolved: Json = {}
    ids = [resolve(world, MENU_KINDS[menu["type"]], menu["custom_id"], one, resolved) for one in values]
    return {"values": ids, "resolved": resolved}


def _option(menu: Json, wanted: str) -> str:
    for one in menu["options"]:
        if wanted in (one["value"], one["label"]):
            return str(one["value"])
    raise ControlError(f"{wanted!r} is none of {[one['label'] for one in menu['options']]}")


def fields_of_modal(content: Json) -> Iterator[tuple[Json, str]]:
    """Every field of a modal with its label."""
    for part in content["components"]:
        if part["type"] == ROW:
            yield part["components"][0], part["components"][0]["label"]
        elif part["type"] == LABEL:
            yield part["component"], part["label"]


def filled_modal(world: World, content: Json, values: dict[str, Any]) -> tuple[list[Json], Json]:
    """Return the components of a submission. Fields are named by custom_id or label; what is not named keeps its value."""
    left, resolved = dict(values), {}
    parts: list[Json] = []
    for number, part in enumerate(content["components"], 1):
        if part["type"] not in (ROW, LABEL):
            parts.append({"type": part["type"], "id": number})
            continue
        field = part["components"][0] if part["type"] == ROW else part["component"]
        label = field["label"] if part["type"] == ROW else part["label"]
        key = next((one for one in (field["custom_id"], label) if one in left), None)
        answer = _answer(world, field, label, left.pop(key) if key else None)
        resolved.update(answer.pop("resolved", {}))
        filled = {"type": field["type"], "id": number * 10, "custom_id": field["custom_id"], **answer}
        inner = {"components": [filled]} if part["type"] == ROW else {"component": filled}
        parts.append({"type": part["type"], "id": number, **inner})
    if left:
        there = [f"{one['custom_id']} ({label})" for one, label in fields_of_modal(content)]
        raise ControlError(f"there are no fields {sorted(left)}; there are {there}")
    return parts, resolved


def _answer(world: World, field: Json, label: str, value: Any) -> Json:
    if field["type"] != INPUT:
        given = [value] if isinstance(value, str) else list(value or [])
        if not given and field.get("required", True):
            raise ControlError(f"{label} must be filled in")
        return chosen(world, field, given) if given else {"values": []}
    text = field.get("value", "") if value is None else str(value)
    if not text and field.get("required", True):
        raise ControlError(f"{label} must be filled in")
    least, most = field.get("min_length") or 0, field.get("max_length") or 4000
    if text and not least <= len(text) <= most:
        raise ControlError(f"{label}: {len(text)} characters, {least} to {most} can be typed")
    return {"value": text}
