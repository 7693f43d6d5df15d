"""The status message of an incident: what is so now, in four lines."""

from __future__ import annotations

from bot.model.decision import Choice
from bot.model.event import Kind
from bot.model.step import Step
from bot.service.desk import Question
from bot.service.status import status_message
from tests.playbooks.story import SAFE_STORY, moment
from tests.unit.service.office import START, Office

BEGUN = SAFE_STORY.and_then(moment(Kind.STEP_STARTED, step=int(Step.RESTORE)))


async def step_shown(office: Office) -> str:
    message = status_message(
        await office.state(), await office.operations(), await office.open_decisions(), START
    )
    return dict(message.facts)["step"]


async def test_a_step_that_waits_for_people_says_so(office: Office) -> None:
    """A step is running while something runs; with nothing but a question open it waits for an answer."""
    await office.tell(BEGUN)
    plan = await office.running("plan")
    assert await step_shown(office) == "5 of 11: Restore, running"
    await office.ended(plan.id)
    yes = Choice(key="approve", label="Approve")
    await office.asked(Question(purpose="cutover", question="Approve?", body="", choices=(yes,)))
    message = status_message(await office.state(), (), await office.open_decisions(), START)
    assert dict(message.facts)["step"] == "5 of 11: Restore, waits for an answer"
