"""The small values everything rests on: JSON and hashes, plans, secrets, people."""

from __future__ import annotations

import copy
import json
import logging
import math
import pickle
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.codec import canonical, digest, from_json, to_json
from bot.model.database import Proof, TableLoss
from bot.model.decision import Choice, Decision
from bot.model.message import Message, Progress, Table, Tone
from bot.model.operation import Operation
from bot.model.person import Permission, Person
from bot.model.plan import Plan, Strategy
from bot.model.secret import Secret

AT = datetime(2026, 1, 31, 3, 0, tzinfo=UTC)
PLAN = Plan(
    site="shop",
    host="host.example",
    host_key="SHA256:aaa",
    app_path="/srv/shop",
    database="/srv/shop/database.sqlite",
    database_identity="64769:12",
    engine="sqlite",
    engine_version="3.40.1",
    backup_path="/backups/good.sql",
    backup_sha256="1" * 64,
    safety_path="/safety/one.sqlite",
    safety_sha256="2" * 64,
    strategy=Strategy.REPAIR,
    bad_migration="2026_01_31_drop_prices",
    table_decisions={"orders": "restore"},
    live_fingerprint="3" * 64,
    scratch_path="/scratch/one.sqlite",
    scratch_fingerprint="4" * 64,
    code_commit="5" * 40,
    commands=("copy", "cut over"),
    approvals_needed=1,
)
DECISION = Decision(
    id="inc-shop-1.cutover.1",
    incident_id="inc-shop-1",
    purpose="cutover",
    question="Cut over?",
    body="",
    choices=(Choice(key="yes", label="Yes", typed="shop", starts="cutover", args={"n": 1}),),
    permission=Permission.APPROVE,
    opened_at=AT,
    expires_at=AT + timedelta(minutes=30),
    votes={"Anna": "yes"},
)
VALUES: list[Any] = [
    PLAN,
    DECISION,
    Proof(proven=False, reasons=("x",), details={"a": [1, None]}),
    TableLoss(table="orders", status="both", rows_before=1, rows_after=0, missing_keys=(1, "two")),
    Message(slot="s", title="t", tone=Tone.BAD, table=Table(columns=("a",), rows=(("1",),), numeric=(0,))),
    Message(slot="s", title="t", progress=Progress(what="w", done=1, total=0, unit="rows")),
    Operation(id="o", kind="plan", incident_id="i", site="shop", person="Anna", created_at=AT),
    Person(name="Anna", ids={"web": "anna"}, sites=("shop",)),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda v: type(v).__name__)
def test_what_is_kept_comes_back_the_same(value: Any) -> None:
    """Every kept value survives being written as JSON text and read again."""
    assert from_json(type(value), json.loads(json.dumps(to_json(value)))) == value


@pytest.mark.parametrize(
    "damaged", [None, [], {}, {"site": "shop"}, "text", {**to_json(PLAN), "strategy": "guess"}]
)
def test_damaged_data_are_refused(damaged: object) -> None:
    """What does not fit its type is an error, never half a value."""
    with pytest.raises(pydantic.ValidationError):
        from_json(Plan, damaged)


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.none(), max_size=6))
def test_the_order_of_keys_does_not_count(data: dict[str, Any]) -> None:
    """Two dicts that are equal have one canonical form and one hash."""
    turned = dict(reversed(list(data.items())))
    assert canonical(data) == canonical(turned)
    assert digest(data) == digest(turned)


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_no_number_without_a_json_form_is_hashed(number: float) -> None:
    """NaN and infinity have no JSON form, so they are refused instead of written somehow."""
    with pytest.raises(ValueError, match="JSON"):
        canonical({"n": number})


def test_text_of_all_languages_is_kept_as_it_is() -> None:
    """The canonical form is UTF-8, without escapes for letters."""
    assert canonical({"name": "Zoë – 写真"}) == '{"name":"Zoë – 写真"}'.encode()


# -- plans

_TEXTS = st.text(max_size=20)
_OTHERS: dict[str, st.SearchStrategy[Any]] = {
    "strategy": st.sampled_from(Strategy),
    "table_decisions": st.dictionaries(_TEXTS, st.sampled_from(["restore", "leave"]), max_size=3),
    "code_commit": st.none() | _TEXTS,
    "commands": st.lists(_TEXTS, max_size=3).map(tuple),
    "approvals_needed": st.integers(1, 2),
}


@pytest.mark.parametrize("name", [f.name for f in fields(Plan)])
@given(data=st.data())
def test_whatever_changes_in_a_plan_makes_another_plan(name: str, data: st.DataObject) -> None:
    """The hash that people approve covers every single field."""
    value = data.draw(_OTHERS.get(name, _TEXTS))
    other = replace(PLAN, **{name: value})
    assert (other.hash == PLAN.hash) == (value == getattr(PLAN, name))


def test_a_kept_plan_has_the_same_hash() -> None:
    """A plan read back from the timeline is the plan that was approved."""
    assert from_json(Plan, json.loads(json.dumps(to_json(PLAN)))).hash == PLAN.hash


def test_a_plan_is_read_back_from_a_timeline_entry_that_holds_more() -> None:
    """The entry of a plan holds its hash and more beside it; the plan read from it is the same."""
    entry = {**to_json(PLAN), "plan_hash": PLAN.hash, "decisions": {"orders": "restore"}}
    assert from_json(Plan, entry).hash == PLAN.hash


# -- secrets

SHOWN = [str, repr, "{}".format, "{:>20}".format, lambda s: f"{s!r:s}", lambda s: " ".join(map(str, [s]))]


@pytest.mark.parametrize("show", SHOWN)
def test_a_secret_is_never_shown(show: Any) -> None:
    """However a secret is turned into text, its value does not appear."""
    assert "hunter2" not in show(Secret("hunter2"))


def test_a_secret_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A secret in a log call, alone or inside of other values, leaves stars."""
    with caplog.at_level(logging.INFO):
        logging.getLogger("shop").info("token %s of %s", Secret("hunter2"), {"all": [Secret("hunter2")]})
    assert "hunter2" not in caplog.text
    assert "***" in caplog.text


@pytest.mark.parametrize("keep", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_secret_is_not_written_away(keep: Any) -> None:
    """A secret can neither be pickled nor copied by the machinery that would pickle it."""
    with pytest.raises(TypeError):
        keep(Secret("hunter2"))


def test_a_secret_is_no_json() -> None:
    """A secret cannot be written as JSON."""
    with pytest.raises(TypeError):
        json.dumps({"token": Secret("hunter2")})


def test_only_reveal_gives_the_value() -> None:
    """The value comes out in one way, and equal secrets are equal."""
    assert Secret("hunter2").reveal() == "hunter2"
    assert Secret("hunter2") == Secret("hunter2")
    assert Secret("hunter2") != "hunter2"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


# -- people

READER = Person(name="Clara", sites=("shop",))
RESPONDER = Person(name="Anna", sites=("shop",), may_respond=True)
APPROVER = Person(name="Boris", sites=("shop",), may_approve=True)


@pytest.mark.parametrize(
    ("person", "permission", "allowed"),
    [
        (READER, Permission.READ, True),
        (READER, Permission.RESPOND, False),
        (READER, Permission.APPROVE, False),
        (RESPONDER, Permission.RESPOND, True),
        (RESPONDER, Permission.APPROVE, False),
        (APPROVER, Permission.RESPOND, False),
        (APPROVER, Permission.APPROVE, True),
    ],
)
def test_a_person_may_do_what_the_settings_say(person: Person, permission: Permission, allowed: bool) -> None:
    """Reading, responding and approving are given one by one, and denied by default."""
    reason = person.refusal(permission, "shop")
    assert (reason is None) == allowed
    assert allowed or person.name in (reason or "")


@pytest.mark.parametrize("permission", list(Permission))
def test_another_site_is_closed(permission: Permission) -> None:
    """A person of one site may not even read another."""
    everything = replace(RESPONDER, may_approve=True)
    assert "north" in (everything.refusal(permission, "north") or "")


def test_choices_are_found_by_key() -> None:
    """A decision knows its own choices only."""
    assert DECISION.choice("yes") is DECISION.choices[0]
    assert DECISION.choice("no") is None
