"""A question that nobody there can answer says so, and what helps."""

from __future__ import annotations

from dataclasses import replace

from bot.service.approvers import too_few_words
from tests.unit.service.night import SAFE, night_at
from tests.unit.service.office import Office
from tests.unit.service.told_host import loss_answer

NEW = {"new": 2, "changed": 0, "deleted": 0, "lists": {}}


def test_too_few_people_are_named(office: Office) -> None:
    """In the north Nora alone may approve: one yes she can give, two nobody can."""
    assert too_few_words(office.parts, "north", 1) == ""
    assert "only Nora may approve on north, and 2 have to" in too_few_words(office.parts, "north", 2)
    assert too_few_words(office.parts, "shop", 2) == ""
    assert "nobody may approve on west" in too_few_words(office.parts, "west", 1)


async def test_a_plan_that_loses_rows_says_that_one_person_is_not_enough(office: Office) -> None:
    """The plan of a site with one approver is shown all the same, with what has to be done before it can be approved."""
    settings = office.parts.settings
    alone = tuple(p.model_copy(update={"may_approve": p.name == "Anna"}) for p in settings.people)
    office.parts = replace(office.parts, settings=settings.model_copy(update={"people": alone}))
    await office.tell(SAFE)
    async with night_at(office) as night:
        night.host.answers["compare"] = loss_answer("none")
        night.host.answers["fingerprint"] = {"fingerprint": "e" * 64}
        night.host.answers["orphans"] = {"foreign_keys": []}
        night.host.answers["swap_prepare"] = {"rows_would_be_lost": {"things": NEW}, "tables_aside": {}}
        await night.run("plan", strategy="swap")
        asked = await night.asked("cutover")
    assert asked.votes_needed == 2
    assert "only Anna may approve on shop, and 2 have to" in asked.body
