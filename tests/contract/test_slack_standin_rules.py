"""The stand-in of Slack finds what Slack would refuse in messages and views, and lets good ones pass."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.slack_bot import button, modal, section
from tests.fakes.slack.methods_chat import checked_content, people_in
from tests.fakes.slack.rules_blocks import faults_of
from tests.fakes.slack.rules_shapes import unescaped
from tests.fakes.slack.rules_views import faults_of_view
from tests.fakes.slack.world import Refused, World

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


def menu(**more: Any) -> Json:
    options = [{"text": plain("Album"), "value": "album"}, {"text": plain("Shop"), "value": "shop"}]
    return {"type": "static_select", "action_id": "site", "options": options, **more}


def field(element: Json, **more: Any) -> Json:
    return {"type": "input", "label": plain("Site"), "element": element, **more}


GOOD: list[Json] = [
    section("*Frozen* since 03:12", block_id="status", accessory=button("More", "more")),
    section("x" * 3000),
    {"type": "section", "fields": [mrkdwn("x" * 2000)] * 2},
    {"type": "header", "text": plain("x" * 150)},
    {"type": "divider"},
    {"type": "context", "elements": [mrkdwn("by <@U0BACKOUT1>"), plain("now")]},
    actions(*[button("x" * 75, f"b{number}", value="v", style="danger") for number in range(25)]),
    actions(menu(placeholder=plain("Which?"))),
    {"type": "table", "rows": [[{"type": "raw_text", "text": "users"}, {"type": "raw_text", "text": "3"}]]},
    {"type": "markdown", "text": "| a | b |"},
]


@pytest.mark.parametrize("block", GOOD, ids=lambda block: str(block["type"]))
def test_a_good_block_passes(block: Json) -> None:
    """What Slack documents as allowed is allowed, up to the last character."""
    assert faults_of([block], "message") == []


BAD: dict[str, tuple[Json, str]] = {
    "long section": (section("x" * 3001), "/blocks/0/text/text: 3001 characters"),
    "empty section": ({"type": "section"}, "needs text or fields"),
    "empty text": (section(""), "0 characters"),
    "11 fields": ({"type": "section", "fields": [mrkdwn("x")] * 11}, "11 items"),
    "long field": ({"type": "section", "fields": [mrkdwn("x" * 2001)]}, "2001 characters"),
    "mrkdwn header": ({"type": "header", "text": mrkdwn("x")}, "is none of plain_text"),
    "long header": ({"type": "header", "text": plain("x" * 151)}, "151 characters"),
    "26 buttons": (actions(*[button("x", f"b{n}") for n in range(26)]), "26 items"),
    "mrkdwn button": (actions({"type": "button", "text": mrkdwn("x"), "action_id": "a"}), "plain_text"),
    "long button": (actions(button("x" * 76, "a")), "76 characters"),
    "long value": (actions(button("x", "a", value="v" * 2001)), "2001 characters"),
    "long action_id": (actions(button("x", "a" * 256)), "256 characters"),
    "unknown style": (actions(button("x", "a", style="warning")), "is none of primary, danger"),
    "same action_id": (actions(button("x", "a"), button("y", "a")), "action_id a is there twice"),
    "unknown key": (section("x", colour="red"), "there is no such key"),
    "unknown block": ({"type": "banner"}, "'banner' is not known"),
    "11 in context": ({"type": "context", "elements": [mrkdwn("x")] * 11}, "11 items"),
    "unescaped": (section("rows < 3"), "not escaped"),
    "101 options": (
        actions(menu(options=[{"text": plain("x"), "value": f"v{n}"} for n in range(101)])),
        "101 items",
    ),
    "long option": (actions(menu(options=[{"text": plain("x" * 76), "value": "v"}])), "76 characters"),
    "long option value": (
        actions(menu(options=[{"text": plain("x"), "value": "v" * 151}])),
        "151 characters",
    ),
    "same option twice": (actions(menu(options=[{"text": plain("x"), "value": "v"}] * 2)), "same value"),
    "menu of nothing": (actions({"type": "static_select", "action_id": "a"}), "options or option_groups"),
    "text input in actions": (actions({"type": "plain_text_input", "action_id": "a"}), "not allowed"),
    "mrkdwn label": (field(menu(), label=mrkdwn("x")), "plain_text"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_block_is_found(name: str) -> None:
    """Each rule finds its fault and says where."""
    block, words = BAD[name]
    assert words in "; ".join(faults_of([block], "message"))


def test_a_message_has_fifty_blocks_and_a_modal_a_hundred() -> None:
    """The number of blocks depends on the surface, and a message has a size as a whole."""
    divider = {"type": "divider"}
    assert faults_of([divider] * 50, "message") == faults_of([divider] * 100, "modal") == []
    assert "51 items" in faults_of([divider] * 51, "message")[0]
    assert "msg_blocks_too_long" in faults_of([section("x" * 2900)] * 5, "message")[0]
    same = [{**divider, "block_id": "a"}] * 2
    assert "block_id a is there twice" in faults_of(same, "message")[0]


def test_the_librarys_models_are_asked_too() -> None:
    """What our rules do not know and slack_sdk's models do is found as well."""
    faults = faults_of([actions(button("x", "a", url="x" * 3001))], "message")
    assert faults
    no_options = actions({"type": "checkboxes", "action_id": "a", "options": []})
    assert faults_of([no_options], "message")


BAD_VIEWS: dict[str, tuple[Json, str]] = {
    "long title": (modal(title=plain("x" * 25)), "/view/title/text: 25 characters"),
    "mrkdwn title": (modal(title=mrkdwn("x")), "plain_text"),
    "long submit": (modal(submit=plain("x" * 25)), "/view/submit"),
    "no submit": (modal(submit=None), "a modal with an input must have it"),
    "metadata": (modal(private_metadata="x" * 3001), "3001 characters"),
    "unknown key": (modal(colour="red"), "no such key"),
    "markdown": (modal(blocks=[{"type": "markdown", "text": "x"}]), "not allowed"),
    "too many": (modal(blocks=[{"type": "divider"}] * 101), "101 items"),
    "too large": (modal(blocks=[section("x" * 3000)] * 90), "view_too_large"),
}


@pytest.mark.parametrize("name", BAD_VIEWS)
def test_a_bad_view_is_found(name: str) -> None:
    """Each rule of a modal finds its fault."""
    view, words = BAD_VIEWS[name]
    assert words in "; ".join(faults_of_view(view, "modal"))


def test_a_good_view_passes() -> None:
    """A modal with all it may have, and a Home."""
    full = modal(close=plain("No"), private_metadata="x" * 3000, notify_on_close=True, external_id="e")
    assert faults_of_view(full, "modal") == []
    assert faults_of_view({"type": "home", "blocks": [section("Nothing waits.")]}, "home") == []


@pytest.mark.parametrize(
    ("text", "is_fault"),
    [
        ("&lt;b&gt; &amp; <@U1> <#C1|x> <!here> <https://x.test/?a=1&b=2|x> > quote", False),
        ("a < b", True),
        ("R&D", True),
        ("<script>", True),
        ("&nbsp;", True),
    ],
)
def test_text_must_be_escaped(text: str, is_fault: bool) -> None:
    """Slack's own markup passes; a bare & or < does not."""
    assert (unescaped(text) is not None) is is_fault


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"text": "x" * 4001}, "text_too_long"),
        ({"text": "x" * 40_001}, "text_cut"),
        ({"text": "rows < 3"}, "unescaped_text"),
        ({"text": "<@U0NOBODY>"}, "mention_of_nobody"),
        ({"blocks": [section("x")]}, "no_fallback_text"),
        ({"text": "x", "attachments": [{"text": "x"}]}, "not_supported_here"),
    ],
)
def test_a_messages_text_is_checked(given: Json, rule: str) -> None:
    """A fault that Slack lets pass is a violation all the same."""
    world = World()
    checked_content(world, "chat.postMessage", given)
    assert [one.rule for one in world.violations] == [rule]


@pytest.mark.parametrize("given", [{}, {"text": ""}, {"text": "x", "blocks": "no json"}])
def test_a_message_that_says_nothing_is_refused(given: Json) -> None:
    """Neither text nor blocks, or blocks that cannot be read."""
    world = World()
    with pytest.raises(Refused):
        checked_content(world, "chat.postMessage", given)
    assert len(world.violations) == 1


def test_mentions_are_those_that_people_see() -> None:
    """Where there are blocks the text is not read; code and plain text mention nobody."""
    blocks = [section("<@U1> and <!subteam^S1|dba>"), {"type": "header", "text": plain("<@U2>")}]
    assert people_in("<!channel>", blocks) == ["@U1", "!subteam^S1"]
    assert people_in("<!channel>", []) == ["!channel"]
