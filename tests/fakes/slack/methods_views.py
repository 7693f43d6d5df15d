"""views.*: modals on their stack, opened by a trigger that is worth three seconds and one view; App Home."""

from __future__ import annotations

import copy

from tests.fakes.common.book import Json
from tests.fakes.slack import names
from tests.fakes.slack.method import Args, Method, method
from tests.fakes.slack.methods_chat import numbered
from tests.fakes.slack.rules_views import faults_of_view
from tests.fakes.slack.views import View
from tests.fakes.slack.world import Refused, Trigger, World

TRIGGER_S = 3.0
STACK_MOST = 3


def view_json(view: View) -> Json:
    """Return the view object as Slack gives it."""
    given = view.content
    return {
        "id": view.id,
        "team_id": names.TEAM_ID,
        "type": given["type"],
        "blocks": given["blocks"],
        "private_metadata": given.get("private_metadata", ""),
        "callback_id": given.get("callback_id", ""),
        "external_id": given.get("external_id", ""),
        "title": given.get("title"),
        "submit": given.get("submit"),
        "close": given.get("close"),
        "clear_on_close": bool(given.get("clear_on_close")),
        "notify_on_close": bool(given.get("notify_on_close")),
        "state": {"values": view.values},
        "hash": view.hash,
        "root_view_id": view.root_id,
        "previous_view_id": view.previous_id or None,
        "app_id": names.APP_ID,
        "bot_id": names.BOT_ID,
        "app_installed_team_id": names.TEAM_ID,
    }


def checked_view(world: World, call: str, given: object, surface: str) -> Json:
    """Return a view's content, checked by every rule.

    Raises:
        Refused: invalid_arguments, view_too_large, duplicate_external_id.
    """
    faults = faults_of_view(given, surface)
    if faults or not isinstance(given, dict):
        world.violate("invalid_view", call, "; ".join(faults))
        error = "view_too_large" if any("view_too_large" in one for one in faults) else "invalid_arguments"
        raise Refused(error, response_metadata={"messages": faults})
    content = copy.deepcopy(given)
    content["blocks"] = numbered(world, content["blocks"])
    return content


def spend_trigger(args: Args) -> Trigger:
    """Return the trigger of a call; it is worth one view, for three seconds."""
    given = args.text("trigger_id") or args.text("interactivity_pointer")
    trigger = args.world.triggers.get(given)
    if trigger is None:
        raise args.wrong("invalid_trigger_id", f"trigger_id={given} was never given out")
    if trigger.used:
        raise args.wrong("exchanged_trigger_id", f"{given} was used before")
    age_s = args.world.clock.now_s() - trigger.made_s
    if age_s > TRIGGER_S:
        raise args.wrong(
            "expired_trigger_id", f"{given} was used after {age_s:.1f} s, {TRIGGER_S} s are given"
        )
    trigger.used = True
    return trigger


def new_view(world: World, user: str, content: Json, previous: View | None = None) -> View:
    view_id = world.new_id("V")
    return View(
        id=view_id,
        user=user,
        content=content,
        hash=f"{world.next_ts()}.hash",
        root_id=previous.root_id if previous else view_id,
        previous_id=previous.id if previous else "",
        values=initial_values(content["blocks"]),
    )


def change(world: World, view: View, content: Json) -> None:
    """Put new content into an open view; what was typed stays where the same field is there still."""
    typed = view.values
    view.content, view.errors = content, {}
    view.hash = f"{world.next_ts()}.hash"
    fresh = initial_values(content["blocks"])
    view.values = {
        block_id: {name: typed.get(block_id, {}).get(name, value) for name, value in inner.items()}
        for block_id, inner in fresh.items()
    }


def initial_values(blocks: list[Json]) -> dict[str, dict[str, Json]]:
    """Return the state of all fields as they are when nobody has touched them."""
    values: dict[str, dict[str, Json]] = {}
    for block in blocks:
        inner = block.get("elements", []) if block["type"] == "actions" else []
        for element in [*inner, block.get("accessory"), block.get("element")]:
            if not isinstance(element, dict) or element["type"] in ("button", "overflow", "image"):
                continue
            values.setdefault(block["block_id"], {})[element["action_id"]] = initial_of(element)
    return values


def initial_of(element: Json) -> Json:
    """Return a field's state before anybody touched it."""
    kind = element["type"]
    if kind in ("plain_text_input", "number_input"):
        return {"type": kind, "value": element.get("initial_value")}
    if kind in ("checkboxes", "multi_static_select"):
        return {"type": kind, "selected_options": element.get("initial_options", [])}
    if kind in ("radio_buttons", "static_select"):
        return {"type": kind, "selected_option": element.get("initial_option")}
    if kind.startswith("multi_users"):
        return {"type": kind, "selected_users": element.get("initial_users", [])}
    name = {
        "users_select": "user",
        "conversations_select": "conversation",
        "channels_select": "channel",
        "datepicker": "date",
        "timepicker": "time",
        "datetimepicker": "date_time",
    }[kind]
    return {"type": kind, f"selected_{name}": element.get(f"initial_{name}")}


def open_view(world: World, args: Args) -> Json:
    trigger = spend_trigger(args)
    content = checked_view(world, args.method, args.structure("view", "invalid_arguments"), "modal")
    _external_is_free(world, args, content)
    view = new_view(world, trigger.user, content)
    world.views.stacks[trigger.user] = [view]
    return {"view": view_json(view)}


def push_view(world: World, args: Args) -> Json:
    trigger = spend_trigger(args)
    content = checked_view(world, args.method, args.structure("view", "invalid_arguments"), "modal")
    _external_is_free(world, args, content)
    stack = world.views.stacks.get(trigger.user, [])
    if not trigger.view_id or not stack:
        raise args.wrong("invalid_trigger_id", "a push needs the trigger of a deed inside a modal")
    return {"view": view_json(push(world, args.method, trigger.user, content))}


def push(world: World, call: str, user: str, content: Json) -> View:
    """Put a modal on top of those that are open."""
    stack = world.views.stacks[user]
    if len(stack) >= STACK_MOST:
        world.violate("push_limit_reached", call, f"{STACK_MOST} modals are stacked already")
        raise Refused("push_limit_reached")
    stack.append(new_view(world, user, content, stack[-1]))
    return stack[-1]


def update_view(world: World, args: Args) -> Json:
    view = world.views.find(view_id=args.text("view_id"), external_id=args.text("external_id"))
    if not args.text("view_id") and not args.text("external_id"):
        raise args.wrong("invalid_arguments", "neither view_id nor external_id")
    if view is None:
        raise Refused("not_found")
    if args.text("hash") and args.text("hash") != view.hash:
        raise Refused("hash_conflict")
    surface = str(view.content["type"])
    change(
        world,
        view,
        checked_view(world, args.method, args.structure("view", "invalid_arguments"), surface),
    )
    return {"view": view_json(view)}


def publish(world: World, args: Args) -> Json:
    user = args.text("user_id")
    if user not in world.users:
        raise args.wrong("user_not_found", f"user_id={user}")
    if not world.app.home_enabled:
        raise args.wrong("not_enabled", "the manifest has not home_tab_enabled")
    if world.users[user].deleted:
        raise Refused("user_not_found")
    old = world.views.homes.get(user)
    if args.text("hash") and old is not None and args.text("hash") != old.hash:
        raise Refused("hash_conflict")
    content = checked_view(world, args.method, args.structure("view", "invalid_arguments"), "home")
    view = new_view(world, user, content)
    if old is not None:
        view.id = view.root_id = old.id
    world.views.homes[user] = view
    return {"view": view_json(view)}


def _external_is_free(world: World, args: Args, content: Json) -> None:
    external_id = content.get("external_id")
    if external_id and world.views.find(external_id=external_id) is not None:
        raise args.wrong("duplicate_external_id", f"external_id={external_id}")


METHODS: dict[str, Method] = {
    "views.open": method(open_view, "view", "trigger_id interactivity_pointer", tier=100),
    "views.push": method(push_view, "view", "trigger_id interactivity_pointer", tier=100),
    "views.update": method(update_view, "view", "view_id external_id hash", tier=100),
    "views.publish": method(publish, "user_id view", "hash", tier=100),
}
