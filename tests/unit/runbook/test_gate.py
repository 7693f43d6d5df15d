"""What the gate says of what was found: one line, one exit status."""

from __future__ import annotations

from typing import Any

import pytest

from bot.runbook.gate import (
    GateOutcome,
    GateResult,
    Objection,
    Rehearsed,
    backup_objection,
    gate_result,
    not_told,
    nothing_pending,
)

BACKUP = {"file": "shop.sql", "age_s": 180.0}
STOP = {"file": "m.php", "line": 9, "severity": "stop", "message": "total is dropped here", "code": "c"}
WARN = {**STOP, "severity": "warn", "message": "it deletes rows"}
GOOD = Rehearsed(up_s=2.0, down_s=1.0, again_s=1.0)


def said(**more: Any) -> GateResult:
    found: dict[str, Any] = {
        "site": "shop",
        "pending": ["m"],
        "backup": BACKUP,
        "findings": [],
        "against": [],
        "rehearsed": GOOD,
    }
    return gate_result(**{**found, **more})


def test_what_is_well_passes_in_one_line() -> None:
    """The line names the migration, how long it took, and the backup with its age."""
    result = said(findings=[WARN])
    assert result.why == (
        "PASS shop: m: up, down and up again on a copy, 4 s; backup shop.sql VERIFIED, 3 min 0 s old. 1 warning"
    )
    assert (result.outcome.exit_status, result.warnings) == (0, ("m.php:9: it deletes rows",))


@pytest.mark.parametrize(
    "more",
    [
        {"findings": [STOP]},
        {"against": [Objection(about="backup", text="no backup")]},
        {"rehearsed": Rehearsed(up_s=1.0, against=(Objection(about="loss", text="rows go"),))},
        {"rehearsed": Rehearsed(up_s=1.0, against=(Objection(about="down", text="not back"),))},
        {"rehearsed": Rehearsed(up_s=1.0, against=(Objection(about="live", text="ALARM"),))},
    ],
    ids=["review", "backup", "loss", "down", "live"],
)
def test_one_objection_refuses(more: dict[str, Any]) -> None:
    """Each kind of objection ends the deployment with exit status 1, and says that nothing was changed."""
    result = said(**more)
    assert result.outcome.exit_status == 1
    assert result.why.endswith("Nothing was changed")


def test_a_person_may_take_a_loss_upon_themselves_but_no_missing_backup() -> None:
    """What is accepted is said; a backup, and what happened to live, are never accepted."""
    loss = Rehearsed(up_s=1.0, against=(Objection(about="loss", text="rows go"),))
    result = said(rehearsed=loss, accept=["loss"])
    assert (result.outcome, result.accepted) == (GateOutcome.PASS, ("rows go",))
    assert result.why.endswith("Accepted by hand: rows go")
    against = [Objection(about="backup", text="no backup"), Objection(about="live", text="ALARM")]
    refused = said(against=against, accept=["backup", "live", "review", "loss", "down"])
    assert refused.refusals == ("no backup", "ALARM")


@pytest.mark.parametrize(("age_s", "refused"), [(3600.0, False), (3600.1, True), (None, True)])
def test_the_age_of_the_backup(age_s: float | None, refused: bool) -> None:
    """At the limit it is still fresh; the newest file that is no use is named with its reason."""
    bad = [{"path": "/b/new.sql", "word": "REFUSED", "reasons": ["it is cut short"]}]
    objection = backup_objection(age_s, 3600, bad)
    assert (objection is not None) == refused
    if objection is not None:
        assert objection.text == (
            "there is no VERIFIED backup from the last 1 h 0 min; the newest, /b/new.sql, is REFUSED: it is cut short"
        )


def test_the_two_other_ends() -> None:
    """Nothing to migrate passes; what could not be found out has an exit status of its own, in one line."""
    assert nothing_pending("shop").outcome.exit_status == 0
    result = not_told("shop", "the host\nis not reached.")
    assert (result.outcome.exit_status, result.why) == (2, "COULD NOT TELL shop: the host is not reached")


def test_it_is_json() -> None:
    """A script can read outcome, status and reasons."""
    plain = said(against=[Objection(about="backup", text="none")]).as_json()
    assert (plain["outcome"], plain["exit_status"], plain["refusals"]) == ("refused", 1, ["none"])
    assert plain["rehearsal"]["passed"]
