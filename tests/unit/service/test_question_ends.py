"""A question that does not hold any more is void, and its buttons do nothing: what ends which."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bot.laravel.facts import parse_app_facts
from bot.model.decision import Choice
from bot.service.desk import Question, void_all
from bot.service.freeze_proof import FreezeProof
from bot.service.operations.cutover import _done
from bot.service.operations.freeze import broken, frozen
from bot.service.operations.reopen import VOID_WHEN_OPEN
from bot.service.operations.undo import _undone
from tests.playbooks.story import JUST_OPENED
from tests.unit.laravel.test_answer_and_facts import RECORDED, printed
from tests.unit.model.test_values import PLAN
from tests.unit.service.office import Office

FACTS = parse_app_facts(printed({"facts": RECORDED}))


def proof(*why: str) -> FreezeProof:
    return FreezeProof(
        http_status=503,
        is_down=True,
        flag="file",
        writers=(),
        samples_agree=True,
        seconds_between=1.0,
        why=why,
    )


@pytest.mark.parametrize(
    ("void", "ended", "kept"),
    [
        (VOID_WHEN_OPEN, ("undo", "reopen", "caches", "app-errors"), ("manual:the newest order", "close")),
        (frozen(proof(), "t", FACTS).void, ("watch", "close", "freeze"), ("reopen", "undo", "data-missing")),
        (frozen(proof("a worker"), "t", FACTS).void, ("watch", "close"), ("reopen", "undo", "assessed")),
        (broken(proof("a worker")).void, (), ("watch", "close", "reopen")),
        (
            _done(PLAN, None, "f").void,
            ("cutover", "sessions", "estimate", "way-on", "data-missing", "missing:things"),
            ("acknowledge", "backup-folder"),
        ),
        (_undone(PLAN).void, ("watch", "caches", "undo", "reopen", "manual:a", "way-on"), ("acknowledge",)),
    ],
)
async def test_what_ends_a_question(
    office: Office, void: Sequence[str], ended: tuple[str, ...], kept: tuple[str, ...]
) -> None:
    """Opening, taking down again, cutting over and undoing each end what was asked about the state before."""
    await office.tell(JUST_OPENED)
    for purpose in (*ended, *kept):
        yes = Choice(key="yes", label="Yes")
        await office.asked(Question(purpose=purpose, question="?", body="", choices=(yes,)))
    await office.store.transact(lambda tx: void_all(tx, "inc-shop-1", void, "It does not hold any more."))
    assert {one.purpose for one in await office.open_decisions()} == set(kept)
