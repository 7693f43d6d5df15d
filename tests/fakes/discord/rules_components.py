"""Discord's limits of components: rows, buttons, menus, modals, and the layout of Components V2.

Source: the page "Component Reference" of Discord's API documentation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.fakes.common.book import Json
from tests.fakes.discord.rules import Fault, text
from tests.fakes.discord.things import Flag

ROW, BUTTON, STRING_MENU, INPUT, LABEL = 1, 2, 3, 4, 18
MENUS = (3, 5, 6, 7, 8)
TEXT_DISPLAY, SEPARATOR, CONTAINER, SECTION = 10, 14, 17, 9
LAYOUT = (SECTION, TEXT_DISPLAY, 11, 12, 13, SEPARATOR, CONTAINER)
LINK, PREMIUM = 5, 6
ROWS, IN_ROW, OPTIONS = 5, 5, 25
CUSTOM_ID, BUTTON_LABEL, PLACEHOLDER, OPTION = 100, 80, 150, 100
MODAL_TITLE, LABEL_TEXT, LABEL_DESCRIPTION, INPUT_VALUE, MODAL_PARTS = 45, 45, 100, 4000, 5
ALL_PARTS, ALL_TEXT = 40, 4000
BUTTON_KEYS = {"type", "id", "style", "label", "emoji", "custom_id", "url", "disabled", "sku_id"}


def component_faults(body: Json) -> Iterator[Fault]:
    """The components of a message: at most five rows, of five buttons or one menu; each custom_id once."""
    parts = body.get("components") or []
    if not isinstance(parts, list):
        yield "components", "a list is wanted"
        return
    if int(body.get("flags") or 0) & Flag.COMPONENTS_V2:
        yield from layout_faults(body, parts)
    else:
        if len(parts) > ROWS:
            yield "components", f"Must be {ROWS} or fewer in length: these are {len(parts)} rows."
        for number, one in enumerate(parts):
            at = f"components/{number}"
            if not isinstance(one, dict) or one.get("type") != ROW:
                yield at, "only rows stand here, unless the message has the flag for Components V2"
            else:
                yield from row_faults(one, at)
    yield from repeated(parts)


def layout_faults(body: Json, parts: list[Any]) -> Iterator[Fault]:
    for key in ("content", "embeds", "poll", "sticker_ids"):
        if body.get(key):
            yield key, "is not allowed beside Components V2"
    everything = list(walk(parts))
    if len(everything) > ALL_PARTS:
        yield "components", f"{len(everything)} parts, {ALL_PARTS} are allowed"
    total = sum(len(str(one.get("content", ""))) for one in everything if one.get("type") == TEXT_DISPLAY)
    if total > ALL_TEXT:
        yield "components", f"{total} characters of text, {ALL_TEXT} are allowed together"
    for number, one in enumerate(everything):
        at = f"components/{number}"
        if one.get("type") == ROW:
            yield from row_faults(one, at)
        elif one.get("type") == TEXT_DISPLAY:
            yield from text(one.get("content"), f"{at}/content", ALL_TEXT)
        elif one.get("type") not in (*LAYOUT, BUTTON, *MENUS):
            yield f"{at}/type", f"{one.get('type')!r} has no place in a message"


def walk(parts: Any) -> Iterator[Json]:
    """Every component, those within others too."""
    for one in parts if isinstance(parts, list) else []:
        if isinstance(one, dict):
            yield one
            yield from walk(one.get("components"))
            yield from walk([inner for key in ("accessory", "component") if (inner := one.get(key))])


def row_faults(row: Json, at: str) -> Iterator[Fault]:
    inner = row.get("components") or []
    if not 1 <= len(inner) <= IN_ROW:
        yield f"{at}/components", f"Must be between 1 and {IN_ROW} in length: these are {len(inner)}."
    if any(one.get("type") in MENUS for one in inner) and len(inner) > 1:
        yield f"{at}/components", "a menu stands alone in its row"
    for number, one in enumerate(inner):
        place = f"{at}/components/{number}"
        if one.get("type") == BUTTON:
            yield from button_faults(one, place)
        elif one.get("type") in MENUS:
            yield from menu_faults(one, place)
        else:
            yield f"{place}/type", f"{one.get('type')!r} has no place in a row of a message"


def button_faults(button: Json, at: str) -> Iterator[Fault]:
    for key in set(button) - BUTTON_KEYS:
        yield f"{at}/{key}", "there is no such key"
    style = button.get("style")
    if style not in (1, 2, 3, 4, LINK, PREMIUM):
        yield f"{at}/style", f"{style!r} is no style"
    if style == LINK:
        if not button.get("url") or button.get("custom_id"):
            yield f"{at}/url", "a link has a url, and no custom_id"
        elif len(button["url"]) > 512:
            yield f"{at}/url", "Must be 512 or fewer in length."
    elif style != PREMIUM:
        yield from text(button.get("custom_id"), f"{at}/custom_id", CUSTOM_ID)
        if button.get("url"):
            yield f"{at}/url", "only a link has a url"
    if button.get("label") is not None:
        yield from text(button["label"], f"{at}/label", BUTTON_LABEL)
    elif not button.get("emoji"):
        yield f"{at}/label", "a button without label and emoji"


def menu_faults(menu: Json, at: str) -> Iterator[Fault]:
    yield from text(menu.get("custom_id"), f"{at}/custom_id", CUSTOM_ID)
    if menu.get("placeholder") is not None:
        yield from text(menu["placeholder"], f"{at}/placeholder", PLACEHOLDER, 0)
    least, most = menu.get("min_values", 1), menu.get("max_values", 1)
    if not 0 <= least <= 25 or not max(1, least) <= most <= 25:
        yield f"{at}/min_values", f"from {least} to {most} of 25 is no choice"
    if menu.get("type") != STRING_MENU:
        return
    options = menu.get("options") or []
    if not 1 <= len(options) <= OPTIONS:
        yield f"{at}/options", f"Must be between 1 and {OPTIONS} in length: these are {len(options)}."
    if most > max(len(options), 1):
        yield f"{at}/max_values", "more than there are options"
    values = [one.get("value") for one in options]
    if len(set(values)) != len(values):
        yield f"{at}/options", "The specified option value is already used"
    for number, one in enumerate(options):
        for key in ("label", "value"):
            yield from text(one.get(key), f"{at}/options/{number}/{key}", OPTION)
        if one.get("description") is not None:
            yield from text(one["description"], f"{at}/options/{number}/description", OPTION)


def repeated(parts: list[Any], at: str = "components") -> Iterator[Fault]:
    """The custom_ids that stand in a message or modal twice."""
    ids = [one["custom_id"] for one in walk(parts) if one.get("custom_id")]
    for one in sorted({str(one) for one in ids if ids.count(one) > 1}):
        yield at, f"Component custom id cannot be duplicated: {one}"


# ---- modals


def modal_faults(data: Json) -> Iterator[Fault]:
    """A modal: title, custom_id, one to five fields."""
    yield from text(data.get("title"), "data/title", MODAL_TITLE)
    yield from text(data.get("custom_id"), "data/custom_id", CUSTOM_ID)
    for key in set(data) - {"title", "custom_id", "components"}:
        yield f"data/{key}", "there is no such key"
    parts = data.get("components") or []
    if not 1 <= len(parts) <= MODAL_PARTS:
        yield "data/components", f"Must be between 1 and {MODAL_PARTS} in length: these are {len(parts)}."
    for number, one in enumerate(parts):
        yield from modal_part_faults(one, f"data/components/{number}")
    yield from repeated(parts, "data/components")


def modal_part_faults(part: Json, at: str) -> Iterator[Fault]:
    if part.get("type") == ROW:
        inner = part.get("components") or []
        if len(inner) != 1 or inner[0].get("type") != INPUT:
            yield f"{at}/components", "a row of a modal holds one text input"
        for one in inner:
            yield from text(one.get("label"), f"{at}/components/0/label", LABEL_TEXT)
            yield from input_faults(one, f"{at}/components/0")
    elif part.get("type") == LABEL:
        yield from text(part.get("label"), f"{at}/label", LABEL_TEXT)
        if part.get("description") is not None:
            yield from text(part["description"], f"{at}/description", LABEL_DESCRIPTION)
        inner = part.get("component") or {}
        if inner.get("type") == INPUT:
            yield from input_faults(inner, f"{at}/component")
        elif inner.get("type") in MENUS:
            yield from menu_faults(inner, f"{at}/component")
        else:
            yield f"{at}/component", f"{inner.get('type')!r} has no place under a label here"
    elif part.get("type") == TEXT_DISPLAY:
        yield from text(part.get("content"), f"{at}/content", ALL_TEXT)
    else:
        yield f"{at}/type", f"{part.get('type')!r} has no place in a modal"


def input_faults(field: Json, at: str) -> Iterator[Fault]:
    yield from text(field.get("custom_id"), f"{at}/custom_id", CUSTOM_ID)
    if field.get("style") not in (1, 2):
        yield f"{at}/style", f"{field.get('style')!r} is no style"
    if field.get("placeholder") is not None:
        yield from text(field["placeholder"], f"{at}/placeholder", 100, 0)
    least, most = field.get("min_length") or 0, field.get("max_length") or INPUT_VALUE
    if not 0 <= least <= INPUT_VALUE or not max(1, least) <= most <= INPUT_VALUE:
        yield f"{at}/min_length", f"from {least} to {most} characters is no length"
    value = field.get("value")
    if value is not None and len(value) > most:
        yield f"{at}/value", f"{len(value)} characters are filled in, {most} are allowed"
