"""What Slack does with an ack that says something: shows the answer of a command, closes, changes or stacks modals."""

from __future__ import annotations

from tests.fakes.common.book import Json
from tests.fakes.slack.methods_chat import checked_content
from tests.fakes.slack.methods_views import change, checked_view, push
from tests.fakes.slack.outcome import Record
from tests.fakes.slack.responses import show
from tests.fakes.slack.views import View
from tests.fakes.slack.world import Refused, World

RESPONSE_ACTIONS = ("errors", "update", "push", "clear")


def apply(world: World, record: Record) -> None:
    """Obey an ack; one that Slack would not take is a violation, and the person sees nothing of it."""
    try:
        if record.kind == "command":
            _answer_command(world, record)
        elif record.kind == "submission":
            _answer_submission(world, record)
        elif record.body and record.kind != "event":
            world.violate("ack_body", f"{record.kind} {record.name}", f"Slack ignores it: {record.body}")
    except Refused as refusal:
        record.error = refusal.error


def _answer_command(world: World, record: Record) -> None:
    if not record.body:
        return
    call = f"ack {record.name}"
    content = checked_content(world, call, record.body)
    response = world.responses.get(record.hidden["response"])
    if response is not None:
        show(world, response, record.body.get("response_type"), content, "ack")


def _answer_submission(world: World, record: Record) -> None:
    view = world.views.find(view_id=record.hidden["view_id"])
    if view is None:
        return
    body, call = record.body or {}, f"ack {record.name}"
    action = body.get("response_action")
    view.errors = {}
    if action is None:
        if body:
            world.violate("ack_body", call, f"no response_action: {body}")
        world.views.close(view)
    elif action == "errors":
        view.errors = _checked_errors(world, call, view, body.get("errors"))
    elif action == "clear":
        world.views.stacks[view.user] = []
    elif action == "update":
        change(world, view, checked_view(world, call, body.get("view"), "modal"))
    elif action == "push":
        push(world, call, view.user, checked_view(world, call, body.get("view"), "modal"))
    else:
        world.violate("response_action", call, f"{action} is none of {', '.join(RESPONSE_ACTIONS)}")


def _checked_errors(world: World, call: str, view: View, errors: object) -> Json:
    """Return the errors to be shown: each must belong to an input block of the view."""
    inputs = {one["block_id"] for one in view.content["blocks"] if one["type"] == "input"}
    if not isinstance(errors, dict) or not errors or set(errors) - inputs:
        world.violate("modal_errors", call, f"errors name blocks that are no input here: {errors}")
        raise Refused("modal_errors")
    for text in errors.values():
        if not isinstance(text, str) or not text:
            world.violate("modal_errors", call, f"an error says nothing: {errors}")
    return errors
