"""What the service does for a chat platform beside messages: what it offers while somebody types, and that nothing comes in."""

from __future__ import annotations

from bot.model.command import Completion
from bot.model.decision import Choice
from bot.model.message import Tone
from bot.ports.store import Transaction
from bot.service.desk import Question
from bot.service.platforms import slot_of, told
from bot.service.views import Views
from commands.catalog import completions
from tests.playbooks.story import PLANNED_STORY, Story
from tests.unit.service.office import Office

STORY = Story(*PLANNED_STORY.moments)
QUESTION = Question(
    purpose="freeze",
    question="Freeze?",
    body="",
    choices=(Choice(key="freeze", label="Freeze it"), Choice(key="wait", label="Not now", rejects=True)),
)


async def offered(office: Office, person: str, completion: Completion, **given: str) -> list[tuple[str, str]]:
    views = Views(office.parts, completions)
    return await views.offered(person, completion, "discord", "elsewhere", given)


async def test_what_is_offered_is_what_a_person_may_know(office: Office) -> None:
    """Sites, backups and open questions of the own sites; answers of a question one may answer; nothing for anybody else."""
    await office.tell(STORY)
    decision = await office.asked(QUESTION)
    assert await offered(office, "Anna", Completion.SITE) == [("shop", "shop")]
    assert await offered(office, "Olaf", Completion.SITE) == []
    assert await offered(office, "Somebody", Completion.SITE) == []
    backups = await offered(office, "Anna", Completion.BACKUP)
    assert backups
    assert backups[0][1] == f"VERIFIED: {backups[0][0]}"
    assert await offered(office, "Nora", Completion.BACKUP) == []
    assert await offered(office, "Anna", Completion.DECISION) == [(decision.id, "shop: Freeze?")]
    for other in ("Clara", "Nora", "Somebody"):
        assert await offered(office, other, Completion.DECISION) == []
        assert await offered(office, other, Completion.ANSWER, decision=decision.id) == []
    answers = await offered(office, "Anna", Completion.ANSWER, decision=decision.id)
    assert answers == [("freeze", "Freeze it"), ("wait", "Not now")]
    assert await offered(office, "Anna", Completion.ANSWER, decision="none") == []


async def test_an_answer_may_be_typed(office: Office) -> None:
    """`/incident answer` obeys the same rules as a button, and has the same effect."""
    await office.tell(STORY)
    decision = await office.asked(QUESTION)
    refused = await office.types("clara", f"/incident answer {decision.id} wait")
    assert not refused.ok
    assert not (await office.types("anna", f"/incident answer {decision.id} maybe")).ok
    assert (await office.types("anna", f"/incident answer {decision.id} wait")).text == "Decided: Not now."
    assert (await office.decision(decision.id)).answered_by == "Anna"


async def said(office: Office) -> tuple[Tone, str] | None:
    async def look(tx: Transaction) -> tuple[Tone, str] | None:
        slot = slot_of("discord")
        mine = [m.message for m in await tx.messages("inc-shop-1") if m.message.slot == slot]
        return (mine[0].tone, mine[0].body) if mine else None

    return await office.store.read(look)


async def test_that_nothing_comes_in_is_told_once_and_taken_back(office: Office) -> None:
    """In every open incident, with the reason; a whole outage says more, and is left to who told it."""
    await office.tell(STORY)
    await office.inbox.hearing("discord", None)
    assert await said(office) is None
    for _ in range(2):
        await office.inbox.hearing("discord", "it is closed (4014).")
    found = await said(office)
    assert found is not None
    assert found[0] is Tone.WARNING
    assert (
        "Discord hands no commands and no clicks over: it is closed (4014). Go on in the console." in found[1]
    )
    entries = await office.store.read(lambda tx: tx.entries("inc-shop-1"))
    assert len([one for one in entries if "4014" in one.text]) == 1
    await office.inbox.hearing("discord", None)
    assert (await said(office) or (None,))[0] is Tone.GOOD
    await office.store.transact(lambda tx: told(tx, "inc-shop-1", "discord", "It is away.", Tone.BAD))
    await office.inbox.hearing("discord", "its gateway is not reached.")
    assert await said(office) == (Tone.BAD, "It is away.")
