"""A site whose tables have a prefix: Laravel's list of migrations has one too, and every verb of the reader is told it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.playbooks.story import FROZEN_STORY
from tests.unit.service.night import SAFE, Night

Request = dict[str, object]


@pytest.fixture
def asked(night: Night) -> list[tuple[str, Request]]:
    """Have the host write down what its reader is asked, each verb with its request."""
    seen: list[tuple[str, Request]] = []
    answers = night.host.answers
    answers["fingerprint"] = {"fingerprint": "e" * 64}
    answers["orphans"] = {"foreign_keys": []}
    answers["swap_prepare"] = {"rows_would_be_lost": {}, "tables_aside": {}}

    def noted(verb: str, answer: Any) -> Callable[[Request], Any]:
        def say(request: Request) -> Any:
            seen.append((verb, request))
            return answer

        return say

    night.host.answers = {verb: noted(verb, answer) for verb, answer in answers.items()}
    return seen


async def test_each_verb_knows_the_name(night: Night, asked: list[tuple[str, Request]]) -> None:
    """Judging a backup, loading, comparing and preparing a swap all go by the list that the application has."""
    night.host.app["migrations_table"] = "app_migrations"
    await night.office.tell(FROZEN_STORY)
    await night.run("assess")
    assert {"facts", "inspect", "load", "compare"} <= {verb for verb, _ in asked}
    assert {request.get("migrations_table") for _, request in asked} == {"app_migrations"}


async def test_a_plan_knows_it_too(night: Night, asked: list[tuple[str, Request]]) -> None:
    """What is rehearsed goes by the same name: else the list would be taken for people's rows."""
    night.host.app["migrations_table"] = "app_migrations"
    await night.office.tell(SAFE)
    await night.run("plan", strategy="swap")
    assert "swap_prepare" in {verb for verb, _ in asked}
    assert {request.get("migrations_table") for _, request in asked} == {"app_migrations"}


async def test_the_usual_name_is_not_said(night: Night, asked: list[tuple[str, Request]]) -> None:
    """Without a prefix nothing is added: each verb takes the usual name by itself."""
    await night.office.tell(FROZEN_STORY)
    await night.run("assess")
    assert asked
    assert not any("migrations_table" in request for _, request in asked)
