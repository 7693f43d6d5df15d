"""Neutral messages as Slack's blocks: within every limit, nothing a mention, nothing lost."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.slack_chat.answers import Button, button_of
from adapters.slack_chat.rendering import Rendered, render, render_reply
from adapters.slack_chat.text import cut_escaped, escape, mrkdwn, pieces, typed_text
from bot.model.decision import Choice, Decision, DecisionState
from bot.model.message import Message, Progress, Reply, Table, Tone
from bot.model.person import Permission
from tests.examples import examples

AT = datetime(2026, 11, 28, 3, 14, tzinfo=UTC)
HOSTILE = "<!channel> <@U1> & `rm` *b* _i_ @here ```"


def decision(**changes: Any) -> Decision:
    choices = (
        Choice(key="approve", label="Approve and cut over", style="danger", typed="shop", starts="cutover"),
        Choice(key="no", label="No", rejects=True),
    )
    given = {
        "id": "inc-shop-1.cutover.1",
        "incident_id": "inc-shop-1",
        "purpose": "cutover",
        "question": "Replace the data?",
        "body": "",
        "choices": choices,
        "permission": Permission.APPROVE,
        "opened_at": AT,
    }
    return Decision(**{**given, **changes})


def everything(blocks: list[dict[str, Any]]) -> str:
    return json.dumps(blocks, ensure_ascii=False)


def within_limits(rendered: Rendered) -> bool:
    for block in rendered.blocks:
        text = block.get("text", {}).get("text", "–")
        limit = 150 if block["type"] == "header" else 3000
        parts = [*block.get("fields", ()), *(block["elements"] if block["type"] == "context" else ())]
        if not 0 < len(text) <= limit or any(not 0 < len(part["text"]) <= 2000 for part in parts):
            return False
    return len(rendered.blocks) <= 50 and len(everything(rendered.blocks)) <= 13_200


@pytest.mark.parametrize("text", [HOSTILE, "a < b && c > d", "<https://x.example|y>"])
def test_nothing_in_a_text_is_read_as_markup_of_slack(text: str) -> None:
    """`&`, `<` and `>` are escaped wherever a text is shown, so no mention and no link comes out of data."""
    message = Message(
        slot="s",
        title=text,
        body=text,
        facts=((text, text),),
        table=Table(columns=("a", text), rows=((text, text),)),
        progress=Progress(what=text, done=1, total=2, unit="rows"),
        next_steps=(text,),
    )
    shown = render(message, decision(votes_needed=2, votes={text: "no"}))
    marked = [
        part["text"]
        for block in shown.blocks
        for part in [block.get("text"), *block.get("fields", ()), *block.get("elements", ())]
        if isinstance(part, dict) and part.get("type") == "mrkdwn"
    ]
    assert marked
    assert [part for part in [*marked, shown.text] if "<" in part] == []


def test_bold_and_code_of_the_neutral_text_are_slack_s() -> None:
    """**bold** becomes one star, `code` stays."""
    assert mrkdwn("**No loss.** see `a_b` & c") == "*No loss.* see `a_b` &amp; c"


@settings(deadline=None, max_examples=examples(40))
@given(st.text(), st.integers(min_value=2, max_value=40))
def test_a_cut_never_breaks_an_entity(text: str, limit: int) -> None:
    """Markup cut to a limit is within it and ends in no half entity."""
    short = cut_escaped(escape(text), limit)
    assert len(short) <= limit
    assert "&" not in short.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")


@settings(deadline=None, max_examples=examples(40))
@given(st.text(alphabet="ab&<\n ", max_size=300), st.integers(min_value=8, max_value=40))
def test_pieces_lose_nothing_but_line_ends(text: str, limit: int) -> None:
    """A long text in pieces is the whole text, each piece within the limit."""
    whole = escape(text)
    found = pieces(whole, limit)
    assert [piece for piece in found if len(piece) > limit] == []
    assert "".join(found).replace("\n", "") == whole.replace("\n", "")


def test_a_long_table_goes_into_a_file() -> None:
    """What a message cannot hold is said to be in the file, and the file has every row."""
    rows = tuple((f"table_{n}", f"{n:,}", "x" * 60) for n in range(400))
    shown = render(Message(slot="step-1", title="1. Assess", table=Table(columns=("t", "n", "w"), rows=rows)))
    assert shown.file is not None
    assert "table_399" in shown.file[1]
    assert "and 3" in everything(shown.blocks)
    assert shown.file[0] in everything(shown.blocks)
    assert within_limits(shown)


def test_a_table_stands_in_fixed_width_with_numbers_to_the_right() -> None:
    """Columns line up."""
    table = Table(columns=("table", "rows"), rows=(("users", "12"), ("orders", "2,000")), numeric=(1,))
    text = render(Message(slot="s", title="t", table=table)).blocks[-1]["text"]["text"]
    assert text == "```table    rows\nusers      12\norders  2,000```"


def test_a_cell_that_is_too_wide_goes_on_in_the_next_line() -> None:
    """Nothing of a reason is cut away where the table is too wide for a line."""
    why = " ".join(f"word{n}" for n in range(40))
    table = Table(columns=("file", "why"), rows=(("a.sql", why), ("b.sql", "short")))
    shown = render(Message(slot="s", title="t", table=table))
    text = shown.blocks[-1]["text"]["text"]
    assert max(len(line) for line in text.strip("`").splitlines()) <= 100
    assert re.sub(r"\s+", " ", text.replace("a.sql", "")).count(why) == 1
    assert shown.file is None


def test_a_message_that_is_too_long_keeps_its_buttons() -> None:
    """Body and facts are shortened, the question can still be answered, and the whole is a file."""
    long = Message(
        slot="decision-cutover",
        title="Q",
        body="word " * 20_000,
        facts=tuple((f"fact {n}", "v" * 1400) for n in range(40)),
        tone=Tone.WARNING,
    )
    shown = render(long, decision())
    assert within_limits(shown)
    assert "Approve and cut over" in everything(shown.blocks)
    assert shown.file is not None
    assert len(shown.file[1]) > 100_000


@settings(deadline=None, max_examples=examples(40))
@given(
    title=st.text(max_size=400),
    body=st.text(max_size=9000),
    facts=st.lists(st.tuples(st.text(max_size=300), st.text(max_size=3000)), max_size=30),
)
def test_any_message_is_within_limits(title: str, body: str, facts: list[tuple[str, str]]) -> None:
    """Whatever the texts are, Slack takes the message."""
    assert within_limits(render(Message(slot="s", title=title, body=body, facts=tuple(facts)), decision()))
    assert within_limits(render_reply(Reply(text=body, facts=tuple(facts), suggestions=(title,))))


def test_an_open_decision_has_its_buttons() -> None:
    """Each button carries its decision, its answer and the word to type, so that it works after a restart."""
    row = render(Message(slot="s", title="t"), decision()).blocks[-1]
    assert [b["text"]["text"] for b in row["elements"]] == ["Approve and cut over", "No"]
    assert button_of(row["elements"][0]["value"]) == Button(
        decision_id="inc-shop-1.cutover.1", choice="approve", typed="shop", modal=True
    )
    assert row["elements"][0]["style"] == "danger"
    assert "style" not in row["elements"][1]


@pytest.mark.parametrize("value", ["", "{}", "[]", "[1,2,3,4]", '["a","b",3,true]', "null", '"x"'])
def test_a_value_that_is_none_of_ours_is_no_button(value: str) -> None:
    """A forged or old value is told apart and does nothing."""
    assert button_of(value) is None


def test_an_answered_decision_says_who_and_when() -> None:
    """The buttons are gone; the answer, the person and the time stand there instead."""
    answered = decision(
        state=DecisionState.ANSWERED, answer="approve", answered_by="Anna and Boris", answered_at=AT
    )
    shown = everything(render(Message(slot="s", title="t", body="**x** — Anna"), answered).blocks)
    assert "✅ *Approve and cut over* — Anna and Boris" in shown
    assert f"<!date^{int(AT.timestamp())}^" in shown
    assert '"actions"' not in shown


def test_a_void_decision_says_why() -> None:
    """The buttons are gone; the reason stands there instead."""
    void = decision(state=DecisionState.VOID, void_reason="A newer plan took its place.")
    shown = everything(render(Message(slot="s", title="t"), void).blocks)
    assert "A newer plan took its place." in shown
    assert '"actions"' not in shown


def test_votes_so_far_are_shown() -> None:
    """Where two persons are needed, who has voted for what is seen."""
    shown = everything(
        render(Message(slot="s", title="t"), decision(votes_needed=2, votes={"Anna": "approve"})).blocks
    )
    assert "So far: Anna: Approve and cut over." in shown


def test_a_call_mentions_the_account_and_nobody_else() -> None:
    """The account that is called is notified, in the message and in its notification."""
    shown = render(Message(slot="call-1", title="Dora, you are needed", body="<!here>"), calls=("U7",))
    assert everything(shown.blocks).count("<@U7>") == 1
    assert shown.text.startswith("<@U7> — ")
    assert "<!here>" not in everything(shown.blocks)


def test_progress_is_a_bar() -> None:
    """A bar, the share in figures, and what is being done; without a total the count."""
    half = Progress(what="copying", done=5, total=10, unit="rows")
    assert "██████████░░░░░░░░░░` *50 %*  copying" in everything(
        render(Message(slot="s", title="t", progress=half)).blocks
    )
    unknown = Progress(what="copying", done=5, total=0, unit="rows")
    assert "copying: 5 rows" in everything(render(Message(slot="s", title="t", progress=unknown)).blocks)


def test_a_refusal_is_told_apart_from_an_answer() -> None:
    """A refused command begins with a sign, and says what may be typed instead."""
    shown = render_reply(Reply(text="Not frozen.", ok=False, suggestions=("/app freeze",)))
    assert shown.text == "🚫 Not frozen."
    assert "`/app freeze`" in everything(shown.blocks)


def test_a_text_in_columns_keeps_them() -> None:
    """The list of commands lines up, and nothing in it is markup."""
    shown = render_reply(Reply(text="/incident start <site>   open\n/incident status         look"))
    assert shown.blocks[0]["text"]["text"].startswith("```/incident start &lt;site&gt;   open\n")


@pytest.mark.parametrize(
    ("sent", "typed"),
    [
        ("start shop a &lt; b &amp;&amp; c", "start shop a < b && c"),
        ("note see <https://x.example/a|x.example>", "note see x.example"),
        ("note see <https://x.example/a>", "note see https://x.example/a"),
        ("note mail <mailto:a@b.example|a@b.example>", "note mail a@b.example"),
        ("note by <@U1|anna> in <#C1|general>", "note by @anna in #general"),
        ("note by <@U1>", "note by @U1"),
    ],
)
def test_what_slack_sends_is_read_as_it_was_typed(sent: str, typed: str) -> None:
    """Entities, links and mentions are what the person saw."""
    assert typed_text(sent) == typed


def test_a_notification_begins_with_words() -> None:
    """Where a message's body is a list, the sign before its first line is left out of the notification."""
    told = render(Message(slot="s", title="Open it?", body="- the test failed\n- nobody looked"))
    assert told.text == "⚪ Open it? — the test failed"
