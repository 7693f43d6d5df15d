"""Neutral messages as Discord's embeds: within every limit, nothing a mention or markup, nothing lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.discord_chat.answers import SUBMITTED, TEMPLATE, Button, button_of, rows_of
from adapters.discord_chat.modals import confirm_form
from adapters.discord_chat.rendering import Rendered, render, render_reply, size_of
from adapters.discord_chat.text import cut_marked, escape, markdown
from bot.model.decision import Choice, DecisionState
from bot.model.message import Message, Progress, Reply, Table, Tone
from tests.examples import examples
from tests.fakes.discord.rules import content_faults
from tests.fakes.discord.rules_components import component_faults, modal_faults
from tests.unit.slack.test_rendering import decision

AT = datetime(2026, 11, 28, 3, 14, tzinfo=UTC)
HOSTILE = "<@1> @everyone **b** _i_ ~~s~~ `rm` ||x|| [a](http://x) # > - ```"


def faults(rendered: Rendered) -> list[Any]:
    """Return what Discord would refuse in a body, by the stand-in's own tables."""
    body = rendered.body()
    return [*content_faults(body), *component_faults(body)]


def everything(rendered: Rendered) -> str:
    return json.dumps(rendered.body(), ensure_ascii=False)


def test_nothing_in_a_text_is_markup_or_a_mention() -> None:
    """Marks are shown as they are wherever a text stands, and nobody is notified by a text."""
    message = Message(slot="s", title=HOSTILE, body=HOSTILE.replace("**b**", "").replace("`rm`", ""))
    shown = render(message, decision(void_reason=HOSTILE, state=DecisionState.VOID))
    assert "<@" not in everything(shown).replace("\\\\<@", "")
    assert "~~" not in everything(shown).replace("\\\\~\\\\~", "")
    assert "](" not in everything(shown).replace("\\\\](", "")
    assert shown.body()["allowed_mentions"] == {"parse": [], "users": []}


def test_bold_and_code_of_the_neutral_text_stay() -> None:
    """**bold** and `code` are Discord's own; an underscore outside of code is no slant."""
    assert markdown("**No loss.** see `a_b` & c_d") == "**No loss.** see `a_b` & c\\_d"
    assert escape("- a\n# b\n> c") == "\\- a\n\\# b\n\\> c"


def test_those_who_are_called_are_notified_and_nobody_else() -> None:
    """A call names its people outside of the embed, and only they may be notified."""
    body = render(Message(slot="call", title="Dora, you are needed <@2>"), calls=("1",)).body()
    assert body["content"].startswith("<@1> ")
    assert "\\<@2\\>" in body["content"]
    assert body["allowed_mentions"] == {"parse": [], "users": ["1"]}


@settings(deadline=None, max_examples=examples(60))
@given(
    st.text(max_size=6000),
    st.text(max_size=400),
    st.lists(st.tuples(st.text(max_size=300), st.text(max_size=1500)), max_size=40),
    st.integers(min_value=0, max_value=60),
)
@example("", "", [(" ", "")], 0)
def test_every_message_is_within_the_limits(
    body: str, title: str, facts: list[tuple[str, str]], rows: int
) -> None:
    """Whatever it says, Discord takes it, with its buttons, and what was cut is in the file."""
    table = (
        Table(columns=("a", "b"), rows=tuple((f"row {n}", "x" * 50) for n in range(rows))) if rows else None
    )
    message = Message(
        slot="s",
        title=title or "t",
        body=body,
        facts=tuple(facts),
        table=table,
        progress=Progress(what=title, done=1, total=2, unit="rows"),
        next_steps=("/incident status",),
    )
    shown = render(message, decision(), calls=("1", "2"), link="<#1>", mark="0" * 12)
    assert faults(shown) == []
    assert len(shown.components) == 1
    assert shown.embed["footer"] == {"text": "0" * 12}
    assert size_of(shown.embed) <= 6000


@settings(deadline=None, max_examples=examples(40))
@given(st.text(max_size=8000), st.lists(st.text(max_size=200), max_size=30), st.booleans())
def test_every_reply_is_within_the_limits(text: str, lines: list[str], ok: bool) -> None:
    """Long answers are cut, not refused."""
    assert faults(render_reply(Reply(text=text, ok=ok, suggestions=tuple(lines)), "<#1>")) == []


@settings(deadline=None, max_examples=examples(40))
@given(st.text(max_size=3000), st.lists(st.tuples(st.text(max_size=50), st.text(max_size=900)), max_size=40))
def test_every_form_is_within_the_limits(body: str, facts: list[tuple[str, str]]) -> None:
    """The plan before a grave answer fits into a form, whatever stands in it."""
    review = Message(slot="r", title="Q", body=body, facts=tuple(facts))
    form = confirm_form(Button(decision="inc-shop-1.cutover.1", choice="approve"), "A" * 80, "s" * 60, review)
    assert list(modal_faults(form)) == []


@settings(deadline=None, max_examples=examples(40))
@given(st.text(), st.integers(min_value=10, max_value=60))
def test_a_cut_keeps_the_limit(text: str, limit: int) -> None:
    """Cut markup is within its limit and ends in no half escape."""
    short = cut_marked(escape(text), limit)
    assert len(short) <= limit
    assert len(escape(text)) <= limit or not short.removesuffix("…").endswith("\\") or short.endswith("\\\\…")


@pytest.mark.parametrize("decision_id", ["inc-shop-1.cutover.1", "inc-" + "x" * 120 + ".cutover.1"])
def test_a_button_is_read_back_from_its_id(decision_id: str) -> None:
    """A hundred characters at most; what it says is found again, for a vote, a form and what the form sends."""
    for modal in (True, False):
        button = Button(decision=decision_id, choice="approve", modal=modal)
        match = TEMPLATE.fullmatch(button.custom_id())
        assert match is not None
        assert len(button.custom_id()) <= 100
        assert (button_of(match).choice, button_of(match).modal) == ("approve", modal)
        submitted = SUBMITTED.fullmatch(button.form_id())
        assert submitted is not None
        assert button_of(submitted).decision == button_of(match).decision


def test_a_long_table_goes_into_a_file() -> None:
    """What a message cannot hold is said to be in the file, and the file has every row."""
    rows = tuple((f"table_{n}", f"{n:,}", "x" * 60) for n in range(400))
    shown = render(Message(slot="step-1", title="1. Assess", table=Table(columns=("t", "n", "w"), rows=rows)))
    assert shown.file is not None
    assert "table_399" in shown.file[1]
    assert shown.file[0] in everything(shown)
    assert faults(shown) == []


def test_more_answers_than_a_message_holds_are_cut_at_twenty_five() -> None:
    """Five rows of five."""
    many = tuple(Choice(key=f"k{n}", label=f"Answer {n}") for n in range(40))
    rows = rows_of(decision(choices=many))
    assert [len(row["components"]) for row in rows] == [5, 5, 5, 5, 5]


def test_an_answered_decision_has_no_buttons() -> None:
    """Who, what and when stand there instead."""
    answered = decision(
        state=DecisionState.ANSWERED, answer="no", answered_by="Anna and _Boris_", answered_at=AT
    )
    shown = render(Message(slot="d", title="Q", body="**No** — Anna", tone=Tone.NEUTRAL), answered)
    assert shown.components == []
    assert "✅ **No** — Anna and \\_Boris\\_, <t:" in shown.embed["description"]
