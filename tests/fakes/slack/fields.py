"""How a person fills a field: what is typed or chosen becomes the state that Slack sends; the impossible is refused."""

from __future__ import annotations

from typing import Any

from tests.fakes.common.book import ControlError, Json
from tests.fakes.slack.rules_blocks import elements_of
from tests.fakes.slack.world import World


def filled(world: World, element: Json, value: Any) -> Json:
    """Return the state of a field after somebody typed or chose `value` in it.

    Raises:
        ControlError: Slack's own window would not let anybody do that.
    """
    kind = element["type"]
    if kind in ("plain_text_input", "number_input"):
        return {"type": kind, "value": _typed(element, str(value))}
    if kind in ("static_select", "radio_buttons", "overflow"):
        return {"type": kind, "selected_option": _option(element, str(value))}
    if kind in ("checkboxes", "multi_static_select"):
        return {"type": kind, "selected_options": [_option(element, str(one)) for one in value]}
    if kind == "users_select":
        return {"type": kind, "selected_user": _user(world, str(value))}
    if kind == "multi_users_select":
        return {"type": kind, "selected_users": [_user(world, str(one)) for one in value]}
    if kind in ("conversations_select", "channels_select"):
        name = "conversation" if kind.startswith("conv") else "channel"
        return {"type": kind, f"selected_{name}": world.channel_named(str(value)).id}
    if kind == "datetimepicker":
        return {"type": kind, "selected_date_time": int(value)}
    if kind in ("datepicker", "timepicker"):
        return {"type": kind, f"selected_{kind[:4]}": str(value)}
    raise ControlError(f"a {kind} cannot be filled in")


def _typed(element: Json, text: str) -> str:
    least, most = element.get("min_length", 0), element.get("max_length", 3000)
    if text and not least <= len(text) <= most:
        raise ControlError(f"{len(text)} characters: the field takes {least} to {most}")
    if "\n" in text and not element.get("multiline"):
        raise ControlError("the field takes one line")
    return text


def _option(element: Json, wanted: str) -> Json:
    groups = [one["options"] for one in element.get("option_groups", [])]
    options: list[Json] = [*element.get("options", []), *[one for group in groups for one in group]]
    for one in options:
        if wanted in (one["value"], one["text"]["text"]):
            return one
    raise ControlError(f"{wanted} is none of {[one['text']['text'] for one in options]}")


def _user(world: World, wanted: str) -> str:
    for one in world.users.values():
        if wanted in (one.id, one.name):
            return one.id
    raise ControlError(f"there is no user {wanted}")


def is_empty(state: Json) -> bool:
    """Tell whether nothing was typed or chosen."""
    return not any(value for name, value in state.items() if name != "type")


def fill_view(world: World, blocks: list[Json], values: dict[str, dict[str, Json]], given: Json) -> None:
    """Fill the fields of a modal, named by action_id, block_id or label, and look that none is missing.

    Raises:
        ControlError: there is no such field, or one that must be filled is empty.
    """
    left = dict(given)
    for block in blocks:
        for element in elements_of(block):
            label = block["label"]["text"] if block["type"] == "input" else ""
            for name in (element.get("action_id", ""), block["block_id"], label):
                if name in left:
                    state = filled(world, element, left.pop(name))
                    values.setdefault(block["block_id"], {})[element["action_id"]] = state
    if left:
        raise ControlError(f"the modal has no field {', '.join(left)}")
    for block in blocks:
        if block["type"] == "input" and not block.get("optional"):
            state = values[block["block_id"]][block["element"]["action_id"]]
            if is_empty(state):
                raise ControlError(f"{block['label']['text']} must be filled in")


def find_element(blocks: list[Json], wanted: str) -> tuple[Json, Json] | None:
    """Return block and element by action_id, or a button by its label; None: there is none.

    Raises:
        ControlError: more than one answers to it.
    """
    found = []
    for block in blocks:
        for element in elements_of(block):
            label = element["text"]["text"] if element["type"] == "button" else ""
            if wanted in (element.get("action_id"), label):
                found.append((block, element))
    if len(found) > 1:
        raise ControlError(f"{len(found)} elements answer to {wanted}: name one by its action_id")
    return found[0] if found else None


def labels_of(blocks: list[Json]) -> list[str]:
    """Return the labels of all buttons, for a message of what was there."""
    return [one["text"]["text"] for block in blocks for one in elements_of(block) if one["type"] == "button"]
