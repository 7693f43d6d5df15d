"""The gate as a program: what cannot be told is never taken for a refusal, and a recovery is not deployed into."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.__main__ import app
from bot.model.errors import FailedError
from bot.service.engine import Engine, OperationContext
from bot.service.gate_run import refused_by_incident, run_gate
from tests.playbooks.story import Story
from tests.unit.service.office import Office

LIMIT = timedelta(seconds=5)


async def ended(office: Office, answer: object) -> dict[str, object]:
    """Return what the gate says where its operation ends in this way."""

    async def handler(_: OperationContext) -> object:
        if isinstance(answer, Exception):
            raise answer
        return answer

    engine = Engine(office.store, "gate", {"gate": handler}, poll=timedelta(milliseconds=10))
    await engine.start(sole=True)
    try:
        return (await run_gate(office.parts, engine, "shop", ["loss"], LIMIT)).as_json()
    finally:
        await engine.close()


@pytest.mark.parametrize("answer", [{"failed": "no php"}, FailedError("no php")], ids=["told", "raised"])
async def test_a_failure_is_not_a_refusal(office: Office, answer: object) -> None:
    """What ended without an answer has exit status 2."""
    result = await ended(office, answer)
    assert (result["exit_status"], result["why"]) == (2, "COULD NOT TELL shop: no php")


async def test_what_was_found_comes_back_whole(office: Office) -> None:
    """The operation's result is the program's answer."""
    told = {
        "site": "shop",
        "outcome": "refused",
        "exit_status": 1,
        "why": "REFUSED shop: x",
        "refusals": ["x"],
    }
    result = await ended(office, told)
    assert {name: result[name] for name in told} == told


async def test_nobody_deploys_into_an_open_incident(office: Office) -> None:
    """The open incident is named."""
    await office.tell(Story())
    rows = await office.store.read(lambda tx: tx.incidents(site="shop", open_only=True))
    result = refused_by_incident("shop", rows)
    assert result is not None
    assert result.why == "REFUSED shop: the incident inc-shop-1 is open: t. Nothing was changed"
    assert refused_by_incident("shop", []) is None


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["shop", "--settings", "/nowhere.toml"], "there is no settings file /nowhere.toml"),
        ([], "name the site"),
        (["shop", "--accept", "backup"], "--accept knows review, loss, down, not backup"),
    ],
)
def test_wrong_use_is_not_a_refusal_either(words: list[str], why: str, tmp_path: Path) -> None:
    """A mistake in the script has exit status 2, and is told as JSON where that is asked for."""
    done = CliRunner().invoke(app, ["gate", *words, "--json"], env={"BACKOUT_SETTINGS": str(tmp_path / "no")})
    assert done.exit_code == 2
    assert why in json.loads(done.stdout)["why"]
