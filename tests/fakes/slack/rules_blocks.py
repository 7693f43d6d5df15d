"""The rules of Block Kit, by block and by element, as Slack documents them, and what slack_sdk's own models say.

Source: docs.slack.dev/reference/block-kit (blocks, block-elements, composition-objects). The sum of a message's blocks
is undocumented: messages were seen refused from about 13,200 characters on (msg_blocks_too_long).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block

from tests.fakes.slack.rules_shapes import (
    Check,
    any_text,
    array,
    by_type,
    kind,
    one_of,
    plain,
    shaped,
    string,
    whole_number,
)

MESSAGE_CHARACTERS = 13_200
URL = string(3000)
ACTION_ID = {"action_id": string(255)}

CONFIRM = shaped(
    {"title": plain(100), "text": any_text(300), "confirm": plain(30), "deny": plain(30)},
    {"style": one_of("primary", "danger")},
)
OPTION = shaped({"text": any_text(75), "value": string(150)}, {"description": any_text(75), "url": URL})
MENU_OPTION = shaped({"text": plain(75), "value": string(150)}, {"description": plain(75), "url": URL})
OPTION_GROUP = shaped({"label": plain(75), "options": array(MENU_OPTION, 100)})
DISPATCH = shaped({}, {"trigger_actions_on": array(one_of("on_enter_pressed", "on_character_entered"), 2)})
FILTER = shaped(
    {},
    {
        "include": array(one_of("im", "mpim", "private", "public"), 4),
        "exclude_external_shared_channels": kind(bool),
        "exclude_bot_users": kind(bool),
    },
)


def _element(required: dict[str, Check], optional: dict[str, Check], *, chosen: bool = True) -> Check:
    common: dict[str, Check] = {"confirm": CONFIRM, "focus_on_load": kind(bool)} if chosen else {}
    return shaped({"type": kind(str), **required}, {**ACTION_ID, **common, **optional})


def _menu(many: bool, own: dict[str, Check], needed: dict[str, Check] | None = None) -> Check:
    more: dict[str, Check] = {"max_selected_items": whole_number(1, 100)} if many else {}
    return _element(needed or {}, {"placeholder": plain(150), **own, **more})


STATIC: dict[str, Check] = {"options": array(MENU_OPTION, 100), "option_groups": array(OPTION_GROUP, 100)}
TEXT_FIELD: dict[str, Check] = {
    "placeholder": plain(150),
    "initial_value": string(3000, 0),
    "multiline": kind(bool),
    "min_length": whole_number(0, 3000),
    "max_length": whole_number(1, 3000),
    "dispatch_action_config": DISPATCH,
}

ELEMENTS: dict[str, Check] = {
    "button": shaped(
        {"type": kind(str), "text": plain(75)},
        {
            **ACTION_ID,
            "url": URL,
            "value": string(2000),
            "style": one_of("primary", "danger"),
            "confirm": CONFIRM,
            "accessibility_label": string(75),
        },
    ),
    "checkboxes": _element({"options": array(OPTION, 10)}, {"initial_options": array(OPTION, 10)}),
    "radio_buttons": _element({"options": array(OPTION, 10)}, {"initial_option": OPTION}),
    "overflow": shaped(
        {"type": kind(str), "options": array(MENU_OPTION, 5)}, {**ACTION_ID, "confirm": CONFIRM}
    ),
    "plain_text_input": _element({}, {**TEXT_FIELD}),
    "number_input": _element(
        {"is_decimal_allowed": kind(bool)},
        {
            "initial_value": kind(str),
            "min_value": kind(str),
            "max_value": kind(str),
            "placeholder": plain(150),
        },
    ),
    "datepicker": _element({}, {"initial_date": string(10, 10), "placeholder": plain(150)}),
    "timepicker": _element(
        {}, {"initial_time": string(5, 5), "placeholder": plain(150), "timezone": kind(str)}
    ),
    "datetimepicker": _element({}, {"initial_date_time": kind(int)}),
    "static_select": _menu(False, {**STATIC, "initial_option": MENU_OPTION}),
    "multi_static_select": _menu(True, {**STATIC, "initial_options": array(MENU_OPTION, 100)}),
    "users_select": _menu(False, {"initial_user": string(255)}),
    "multi_users_select": _menu(True, {"initial_users": array(string(255), 100, 0)}),
    "conversations_select": _menu(
        False,
        {
            "initial_conversation": string(255),
            "default_to_current_conversation": kind(bool),
            "response_url_enabled": kind(bool),
            "filter": FILTER,
        },
    ),
    "channels_select": _menu(False, {"initial_channel": string(255), "response_url_enabled": kind(bool)}),
    "image": shaped(
        {"type": kind(str), "alt_text": string(2000)}, {"image_url": URL, "slack_file": kind(dict)}
    ),
}
IN_ACTIONS = set(ELEMENTS) - {"plain_text_input", "number_input", "image"}
IN_SECTION = set(ELEMENTS) - {"plain_text_input", "number_input", "datetimepicker"}
IN_INPUT = set(ELEMENTS) - {"button", "overflow", "image"}


def _block(required: dict[str, Check], optional: dict[str, Check] | None = None) -> Check:
    return shaped({"type": kind(str), **required}, {"block_id": string(255), **(optional or {})})


def _context_element(value: Any, at: str) -> Iterator[str]:
    if isinstance(value, dict) and value.get("type") == "image":
        yield from ELEMENTS["image"](value, at)
    else:
        yield from any_text(3000)(value, at)


CELL = by_type(
    {
        "raw_text": shaped({"type": kind(str), "text": string(3000)}),
        "rich_text": shaped({"type": kind(str), "elements": kind(list)}, {"block_id": string(255)}),
    }
)
RICH_PART = shaped(
    {"type": one_of("rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote")},
    {
        "elements": kind(list),
        "style": kind(str),
        "indent": kind(int),
        "border": kind(int),
        "offset": kind(int),
    },
)

BLOCKS: dict[str, Check] = {
    "section": _block(
        {},
        {
            "text": any_text(3000),
            "fields": array(any_text(2000), 10),
            "accessory": by_type(ELEMENTS, IN_SECTION),
            "expand": kind(bool),
        },
    ),
    "divider": _block({}),
    "header": _block({"text": plain(150)}),
    "context": _block({"elements": array(_context_element, 10)}),
    "actions": _block({"elements": array(by_type(ELEMENTS, IN_ACTIONS), 25)}),
    "input": _block(
        {"label": plain(2000), "element": by_type(ELEMENTS, IN_INPUT)},
        {"hint": plain(2000), "optional": kind(bool), "dispatch_action": kind(bool)},
    ),
    "image": _block(
        {"alt_text": string(2000)}, {"image_url": URL, "slack_file": kind(dict), "title": plain(2000)}
    ),
    "markdown": _block({"text": string(12_000)}),
    "rich_text": _block({"elements": array(RICH_PART, 100)}),
    "table": _block({"rows": array(array(CELL, 20), 100)}, {"column_settings": kind(list)}),
}
ON_SURFACE = {
    "message": set(BLOCKS),
    "modal": set(BLOCKS) - {"markdown", "table"},
    "home": set(BLOCKS) - {"markdown", "table"},
}


def elements_of(block: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the elements of a block that a person can use, in their order."""
    found = [*block.get("elements", [])] if block.get("type") == "actions" else []
    found += [block[name] for name in ("accessory", "element") if isinstance(block.get(name), dict)]
    return [one for one in found if isinstance(one, dict)]


def faults_of(blocks: Any, surface: str) -> list[str]:
    """Return everything that Slack would find wrong with these blocks on a surface: message, modal or home."""
    most = 50 if surface == "message" else 100
    found = list(array(by_type(BLOCKS, ON_SURFACE[surface]), most, 0)(blocks, "/blocks"))
    if found:
        return found
    found += [*_section_faults(blocks), *_menu_faults(blocks), *_doubles(blocks)]
    if surface == "message":
        size = len(json.dumps(blocks, ensure_ascii=False, separators=(",", ":")))
        if size > MESSAGE_CHARACTERS:
            found.append(f"/blocks: msg_blocks_too_long: {size} characters, about {MESSAGE_CHARACTERS} pass")
        if sum(one["type"] == "table" for one in blocks) > 1:
            found.append("/blocks: only_one_table_allowed")
    return found + _faults_of_the_models(blocks)


def _section_faults(blocks: Sequence[dict[str, Any]]) -> Iterator[str]:
    for number, block in enumerate(blocks):
        if block["type"] == "section" and not block.get("text") and not block.get("fields"):
            yield f"/blocks/{number}: a section needs text or fields"


def _menu_faults(blocks: Sequence[dict[str, Any]]) -> Iterator[str]:
    for number, block in enumerate(blocks):
        for element in elements_of(block):
            at = f"/blocks/{number}/{element.get('action_id', element['type'])}"
            both_or_none = bool(element.get("options")) == bool(element.get("option_groups"))
            if "static_select" in element["type"] and both_or_none:
                yield f"{at}: either options or option_groups"
            values = [one["value"] for one in element.get("options") or []]
            if len(values) != len(set(values)):
                yield f"{at}: two options have the same value"
            initial = element.get("initial_option")
            if initial and element.get("options") and initial not in element["options"]:
                yield f"{at}: initial_option is none of the options"


def _doubles(blocks: Sequence[dict[str, Any]]) -> Iterator[str]:
    ids = [one["block_id"] for one in blocks if one.get("block_id")]
    actions = [e["action_id"] for one in blocks for e in elements_of(one) if e.get("action_id")]
    for what, given in (("block_id", ids), ("action_id", actions)):
        for one in sorted({name for name in given if given.count(name) > 1}):
            yield f"/blocks: {what} {one} is there twice"


def _faults_of_the_models(blocks: Sequence[dict[str, Any]]) -> list[str]:
    """Let slack_sdk's own models check too: they know some rules that are not written here, and the other way round."""
    found = []
    for number, given in enumerate(blocks):
        try:
            block = Block.parse(given)
            if block is not None:
                block.validate_json()
        except (SlackObjectFormationError, TypeError, KeyError) as error:
            found.append(f"/blocks/{number}: slack_sdk: {error}")
    return found
