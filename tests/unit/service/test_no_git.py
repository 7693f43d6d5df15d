"""A site whose code is in no git repository is restored all the same: git is needed for a corrected commit alone."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

from bot.model.event import Kind
from bot.model.incident import Cutover
from bot.runbook.guards import refuse_check
from bot.service.operations.undo import _code_refusal, _question
from bot.service.site_work import SiteWork
from tests.playbooks.story import ALIGNED_STORY, moment
from tests.unit.model.test_values import PLAN
from tests.unit.runbook.test_wording import loss
from tests.unit.service.night import SAFE, Night
from tests.unit.service.told_host import loss_answer

WITHOUT = replace(PLAN, code_commit=None)


async def test_a_recovery_is_planned_without_git(night: Night) -> None:
    """The plan knows of no commit, and says what that means for an undo; it can be approved."""
    await night.office.tell(SAFE)
    night.host.answers["compare"] = loss_answer("none")
    night.host.answers["fingerprint"] = {"fingerprint": "e" * 64}
    key = {"table": "comments", "columns": ["thing_id"], "parent": "things"}
    other = {"table": "comments", "columns": ["person_id"], "parent": "people"}
    night.host.answers["orphans"] = {"foreign_keys": [{**key, "violations": 3}, {**other, "violations": 0}]}
    night.host.answers["swap_prepare"] = {"rows_would_be_lost": {}, "tables_aside": {}}
    await night.run("plan", strategy="swap")
    assert ((await night.office.state()).plan or {})["code_commit"] is None
    await night.asked("cutover")
    (rehearsed,) = await night.office.timeline(Kind.REHEARSED)
    assert "an undo puts back the data alone" in rehearsed.data["notes"][-1]
    assert rehearsed.data["orphans"] == {"comments(thing_id) -> things": 3}


async def test_an_undo_asks_git_only_for_a_code_it_can_put_back() -> None:
    """Without a known commit nothing is asked of git, and the question says that the code stays."""
    settings = SimpleNamespace(intervals=SimpleNamespace(approval_expiry=900))
    parts = SimpleNamespace(
        settings=SimpleNamespace(people=[SimpleNamespace(name="Ann", may_approve=True, sites=("shop",))])
    )
    work = cast("SiteWork", SimpleNamespace(site_name="shop", settings=settings, parts=parts))
    assert await _code_refusal(work, WITHOUT) is None
    incident = replace(ALIGNED_STORY.state(), cutover=Cutover.DONE)
    assert "the code stays as it is" in _question(work, incident, WITHOUT, "f", loss("none")).body


async def test_no_commit_is_deployed_that_could_not_be_undone(night: Night) -> None:
    """Step 7 says why it cannot be, and can be left out."""
    planned = moment(Kind.PLAN_MADE, plan_hash="a" * 64, code_commit=None)
    first = ALIGNED_STORY.moments[: [m[0] for m in ALIGNED_STORY.moments].index(Kind.PLAN_MADE)]
    rest = ALIGNED_STORY.moments[len(first) + 1 :]
    await night.office.tell(type(ALIGNED_STORY)(*first, planned, *rest))
    await night.run("propose")
    assert "could not put it back" in (await night.asked("propose")).body
    await night.press("propose", "skip")
    assert refuse_check(await night.office.state()) is None
