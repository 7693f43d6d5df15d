"""The one door: who is it, which incident is meant, and one effect however often a command arrives."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.model.decision import Choice, DecisionState
from bot.model.event import Kind
from bot.model.message import IncomingCommand, Reply
from bot.model.person import Permission
from bot.ports.store import Transaction
from bot.service.desk import Question
from bot.service.dispatch import Dispatcher
from bot.service.one_transaction import joined
from bot.service.parts import Call, Parts
from commands.catalog import CATALOGUE, read
from tests.playbooks.story import (
    ASSESSED_STORY,
    CHECKED_STORY,
    FROZEN_STORY,
    JUST_OPENED,
    PLANNED_STORY,
    REOPENED_STORY,
    SAFE_STORY,
    Story,
    moment,
)
from tests.unit.service.office import Office


@pytest.mark.parametrize("text", ["/incident start shop", "/app freeze", "help", "nonsense"])
async def test_a_stranger_is_told_nothing_else(office: Office, text: str) -> None:
    """Whoever is not in the settings gets one answer to everything, and leaves no trace."""
    await office.tell(JUST_OPENED)
    reply = await office.types("mallory", text)
    assert not reply.ok
    assert "not listed" in reply.text
    assert len(await office.timeline()) == 1


@pytest.mark.parametrize(
    ("account", "text", "said"),
    [
        ("clara", "/app freeze", "may read but not respond"),
        ("clara", "/incident start shop", "may read but not respond"),
        ("emil", "/restore confirm shop", "may not approve"),
        ("emil", "/app reopen", "may not approve"),
        ("nora", "/app freeze --site shop", "no site 'shop' for you"),
        ("nora", "/incident start shop", "no site 'shop' for you"),
        ("nora", "/incident status --site shop", "no site 'shop' for you"),
        ("nora", "/incident status", "none is open"),
        ("olaf", "/incident list", "not listed for any site"),
        ("anna", "/incident start nowhere", "no site 'nowhere' for you. Yours: shop"),
        ("anna", "/app freeze --site nowhere", "no site 'nowhere' for you"),
        ("anna", "/app freeze --site shpo", "Did you mean shop?"),
        ("anna", "/app freeze --site SHOP", "Did you mean shop?"),
    ],
)
async def test_what_is_not_permitted_changes_nothing(
    office: Office, account: str, text: str, said: str
) -> None:
    """A person without the right, or of another site, is refused in words, and nothing is begun or asked."""
    await office.tell(PLANNED_STORY)
    reply = await office.types(account, text)
    assert not reply.ok
    assert said in reply.text
    assert await office.operations() == []
    assert await office.open_decisions() == []


async def test_another_sites_person_cannot_begin_by_naming_two_sites(office: Office) -> None:
    """Naming one's own site by option does not open an incident on a site that is not one's own."""
    reply = await office.types("nora", "/incident start shop --site north", channel="")
    rows = await office.store.transact(lambda tx: tx.incidents())
    assert [r.site for r in rows if r.site == "shop"] == []
    assert not reply.ok or [r.site for r in rows] == ["north"]


async def test_an_unknown_site_beside_a_known_one_is_refused_in_words(office: Office) -> None:
    """A site that does not exist is refused by name, whatever else stands in the line."""
    reply = await office.types("anna", "/incident start nowhere --site shop", channel="")
    assert not reply.ok
    assert "nowhere" in reply.text
    assert "internal fault" not in reply.text


async def test_the_channel_says_which_incident(office: Office) -> None:
    """A command in an incident's channel is about that incident, also when others are open."""
    await office.tell(JUST_OPENED, "inc-north-1", "north")
    await office.tell(JUST_OPENED)
    assert (await office.types("anna", "/incident status")).incident_id == "inc-shop-1"


async def test_a_named_site_says_which_incident(office: Office) -> None:
    """`--site` finds the open incident of a site from any channel."""
    await office.tell(JUST_OPENED)
    reply = await office.types("anna", "/incident status --site shop", channel="general")
    assert reply.incident_id == "inc-shop-1"


async def test_elsewhere_it_is_asked_which_incident(office: Office) -> None:
    """In a channel of no incident the open ones that the person may see are listed, and nothing is begun."""
    await office.tell(JUST_OPENED, "inc-north-1", "north")
    await office.tell(JUST_OPENED)
    reply = await office.types("anna", "/app freeze", channel="general")
    assert not reply.ok
    assert "inc-shop-1" in reply.text
    assert "--site shop" in reply.text
    assert "north" not in reply.text
    assert "north" not in (await office.types("anna", "/incident list", channel="general")).text


async def test_the_channel_of_another_site_is_no_channel(office: Office) -> None:
    """A person in another site's channel is told nothing of it."""
    await office.tell(JUST_OPENED, "inc-north-1", "north")
    reply = await office.types("anna", "/incident timeline", channel="inc-north-1")
    assert not reply.ok
    assert "belongs to no incident" in reply.text


async def test_a_command_after_the_end_is_refused(office: Office) -> None:
    """In the channel of a closed incident nothing is begun, and how to begin anew is said."""
    await office.tell(JUST_OPENED.and_then(moment(Kind.INCIDENT_CLOSED, outcome="given up")))
    await office.store.transact(lambda tx: tx.close_incident("inc-shop-1"))
    reply = await office.types("anna", "/app freeze")
    assert "/incident start shop" in reply.text
    assert await office.operations() == []


@pytest.mark.parametrize(
    ("text", "story"),
    [
        ("/incident note it is the price column", FROZEN_STORY),
        ("/backups create", FROZEN_STORY),
        ("/restore plan", SAFE_STORY),
        ("/app freeze", JUST_OPENED),
    ],
)
async def test_a_repeated_delivery_has_one_effect(office: Office, text: str, story: object) -> None:
    """The same typing delivered five times at once is one entry, one question or one operation."""
    await office.tell(story)  # type: ignore[arg-type]  # parametrised
    before = len(await office.timeline())
    replies = await asyncio.gather(*(office.types("anna", text, delivery="d-1") for _ in range(5)))
    assert sum("received already" in r.text for r in replies) == 4
    assert len(await office.operations()) + len(await office.open_decisions()) <= 1
    assert len(await office.timeline()) - before in (1, 2)


async def test_a_command_that_met_a_broken_store_can_be_sent_again(office: Office) -> None:
    """A re-sent command takes effect when its first delivery could not be recorded; it is never told that it had."""
    await office.tell(FROZEN_STORY)
    office.store.left = 0
    first = await office.types("anna", "/backups create", delivery="d-1")
    office.store.left = None
    second = await office.types("anna", "/backups create", delivery="d-1")
    assert not first.ok
    assert "cannot write its own records" in first.text
    assert second.ok
    assert [o.id for o in await office.operations()] == ["d-1"]


@pytest.mark.parametrize(
    "text",
    ["/incident note x", "/backups create", "/app freeze", "/incident release", "/restore confirm shop"],
)
async def test_a_delivery_and_its_effect_are_one_transaction(office: Office, text: str) -> None:
    """A command needs one transaction, in which its delivery is recorded: nothing can come between the two."""
    await office.tell(FROZEN_STORY)
    office.store.left = 1
    await office.types("anna", text, delivery="d-1")
    assert office.store.left == 0
    office.store.left = None
    assert "received already" in (await office.types("anna", text, delivery="d-1")).text


async def test_a_fault_in_a_command_takes_its_delivery_back(office: Office) -> None:
    """A command that failed inside leaves nothing behind, so that the same delivery may have its effect later."""
    await office.tell(FROZEN_STORY)
    before = await office.timeline()
    broken = Dispatcher(office.parts, lambda text: _FailsAfterWriting(read(text)))
    command = IncomingCommand(
        platform="web", account="anna", channel="inc-shop-1", text="/incident note x", delivery_id="d-1"
    )
    assert "internal fault" in (await broken.command(command)).text
    assert await office.timeline() == before
    assert (await office.types("anna", "/incident note x", delivery="d-1")).text == "Noted."


class _FailsAfterWriting:
    """A command that does its work and then meets a fault."""

    def __init__(self, request: Any) -> None:
        self._request = request

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request, name)

    async def run(self, parts: Parts, call: Call) -> Reply:
        await self._request.run(parts, call)
        raise ZeroDivisionError


async def test_no_host_is_asked_inside_of_a_transaction(office: Office) -> None:
    """A command that waits for a host says so: inside of a transaction there are no hosts to ask."""

    async def body(tx: Transaction) -> None:
        with pytest.raises(LookupError):
            joined(office.parts, tx).hosts.of_site("shop")

    await office.store.transact(body)
    asking = {command.name for command in CATALOGUE if command.asks_host}
    assert asking == {"/app status", "/app logs"}
    assert all(command.permission is Permission.READ for command in CATALOGUE if command.asks_host)


async def test_two_starts_at_once_open_one_incident(office: Office) -> None:
    """Two people who start an incident in the same moment get one; the second is told its channel."""
    replies = await asyncio.gather(
        *(office.types(who, "/incident start shop prices gone", channel="") for who in ("anna", "boris"))
    )
    assert sorted(r.ok for r in replies) == [False, True]
    assert "inc-shop-1" in next(r for r in replies if not r.ok).text
    assert len(await office.operations()) == 1


async def test_a_second_incident_on_the_site_is_refused(office: Office) -> None:
    """While one incident of a site is open, a second one is not opened, and the first is named."""
    await office.tell(FROZEN_STORY)
    reply = await office.types("anna", "/incident start shop again", channel="")
    assert not reply.ok
    assert "inc-shop-1" in reply.text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/restore plan", "/app freeze"),
        ("/restore confirm shop", "/restore plan"),
        ("/restore undo", "nothing to undo"),
        ("/app deploy", "not restored yet"),
        ("/app check", "not restored yet"),
        ("/app rollback", "/restore plan"),
        ("/app reopen", "nothing to reopen"),
        ("/backups create", "/app freeze"),
        ("/incident ack", "/incident escalate"),
        ("/app caches", "/app check"),
    ],
)
async def test_a_command_out_of_order_is_refused_and_kept(office: Office, text: str, said: str) -> None:
    """What may not happen yet begins nothing, says what comes first, and stands in the timeline with its reason."""
    await office.tell(JUST_OPENED)
    reply = await office.types("anna", text)
    refusals = await office.timeline(Kind.REFUSED)
    assert not reply.ok
    assert said in reply.text
    assert [e.text for e in refusals] == [reply.text]
    assert refusals[0].data["command"] == text
    assert await office.operations() == []
    assert await office.open_decisions() == []


async def test_the_same_work_is_not_begun_twice(office: Office) -> None:
    """While a rehearsal runs a second one is refused, and who asked is said."""
    await office.tell(SAFE_STORY)
    await office.running("plan")
    reply = await office.types("anna", "/restore plan")
    assert "asked for by Boris" in reply.text


@pytest.mark.parametrize(
    "text", ["/restore plan", "/backups create", "/incident close", "/incident close --now given up"]
)
async def test_nothing_is_built_on_a_change_that_runs(office: Office, text: str) -> None:
    """While production is being changed, no plan, no copy and no end of the incident is begun beside it."""
    story = JUST_OPENED if "close" in text else SAFE_STORY
    await office.tell(story)
    running = await office.running("freeze", changes_site=True)
    reply = await office.types("anna", text)
    assert not reply.ok
    assert [o.id for o in await office.operations()] == [running.id]


async def test_reading_goes_on_beside_a_change(office: Office) -> None:
    """Listing backups is allowed while production is being changed."""
    await office.tell(SAFE_STORY)
    await office.running("freeze", changes_site=True)
    assert (await office.types("anna", "/backups list")).ok


async def test_what_needs_an_approver_is_answered_by_an_approver(office: Office) -> None:
    """The question of a command that only approvers may type takes its yes from approvers only."""
    await office.tell(CHECKED_STORY)
    asked = await office.types("anna", "/app reopen")
    assert asked.decision_id is not None
    assert (await office.decision(asked.decision_id)).permission is Permission.APPROVE


async def test_asking_twice_leaves_one_question(office: Office) -> None:
    """The same command typed twice has one open question."""
    await office.tell(JUST_OPENED)
    first, second = await office.types("anna", "/app freeze"), await office.types("boris", "/app freeze")
    open_now = await office.open_decisions()
    assert [d.id for d in open_now] == [second.decision_id]
    assert (await office.decision(first.decision_id or "")).state is DecisionState.VOID


async def test_opening_without_a_restore_is_asked_as_such(office: Office) -> None:
    """Before anything is restored the question to reopen says so; after the restore it does not."""
    await office.tell(SAFE_STORY)
    asked = await office.types("anna", "/app reopen")
    decision = await office.decision(asked.decision_id or "")
    assert "WITHOUT restoring" in asked.text
    assert "Nothing was restored" in decision.body
    assert decision.choices[0].style == "danger"


async def test_opening_after_the_restore_is_an_ordinary_question(office: Office) -> None:
    """Once the data are restored and checked, the question to reopen holds no warning of that kind."""
    await office.tell(CHECKED_STORY)
    asked = await office.types("anna", "/app reopen")
    assert "WITHOUT" not in asked.text
    assert "undo loses" in (await office.decision(asked.decision_id or "")).body


async def test_confirming_waits_for_the_questions_about_rows(office: Office) -> None:
    """While the rehearsal waits for answers, `/restore confirm` says so and changes nothing."""
    await office.tell(SAFE_STORY)
    keep = Choice(key="leave", label="Leave", starts=None)
    await office.asked(Question(purpose="missing:prices", question="?", body="", choices=(keep,)))
    reply = await office.types("anna", "/restore confirm shop")
    assert not reply.ok
    assert "waits for 1 answer" in reply.text
    assert await office.operations() == []


async def test_confirming_names_the_question_about_sessions(office: Office) -> None:
    """Where the plan was approved and a session stood in its way, `/restore confirm` leads to that question."""
    await office.tell(PLANNED_STORY)
    wait = Choice(key="wait", label="Not now", rejects=True)
    await office.asked(
        Question(purpose="sessions", question="?", body="", choices=(wait,), plan_hash="a" * 64)
    )
    reply = await office.types("anna", "/restore confirm shop")
    assert not reply.ok
    assert "sessions stood in its way" in reply.text


async def test_a_plan_on_a_mistyped_backup_is_not_begun(office: Office) -> None:
    """A backup that is not VERIFIED is refused when it is typed; it counts as no failed restore."""
    await office.tell(SAFE_STORY)
    for _ in range(3):
        assert (
            "godo.sql is not a VERIFIED backup" in (await office.types("anna", "/restore plan godo.sql")).text
        )
    assert await office.operations() == []
    assert (await office.state()).restore_failures == 0
    assert (await office.types("anna", "/restore plan good.sql")).ok


async def test_what_happened_becomes_a_title_of_one_line(office: Office) -> None:
    """A long report in several lines is shortened to a title, and kept whole in the timeline."""
    words = "captions\nare gone " + "since the deployment " * 30
    await office.types("anna", f"/incident start shop {words}", channel="")
    (row,) = await office.store.transact(lambda tx: tx.incidents())
    assert row.title.startswith("captions are gone since")
    assert len(row.title) <= 80
    (opened,) = await office.timeline(Kind.INCIDENT_OPENED)
    assert opened.data["what_happened"] == words.strip()


async def test_the_status_names_the_steps(office: Office) -> None:
    """`/incident status` calls each step by its name, not by its number alone."""
    await office.tell(JUST_OPENED)
    labels = [label for label, _ in (await office.types("anna", "/incident status")).facts]
    assert (labels[0], labels[-1]) == ("1. Assess", "11. Report")


@pytest.mark.parametrize(
    ("story", "outcome"),
    [(CHECKED_STORY, "still down"), (JUST_OPENED, "without a restore")],
)
async def test_an_incident_that_ends_unrestored_says_so(office: Office, story: Story, outcome: str) -> None:
    """Closed without a word, an incident whose data were not brought back does not end as if all were well."""
    await office.tell(story)
    reply = await office.types("anna", "/incident close")
    ended = [o.args["outcome"] for o in await office.operations()]
    assert outcome in (ended[0] if reply.ok else reply.text)


async def test_an_incident_whose_data_are_lost_is_not_closed_unasked(office: Office) -> None:
    """While nothing is restored, `/incident close` asks; only the answer closes."""
    await office.tell(ASSESSED_STORY)
    reply = await office.types("anna", "/incident close")
    assert "nothing is restored. Close the incident all the same?" in reply.text
    assert await office.operations() == []
    (asked,) = await office.open_decisions()
    assert (await office.clicks("anna", asked.id, "close")).ok
    (operation,) = await office.operations()
    assert (operation.kind, operation.args["outcome"]) == ("close", "not recovered")


async def test_confirming_needs_the_sites_name(office: Office) -> None:
    """`/restore confirm` approves nothing without the name, and the plan once with it."""
    await office.tell(PLANNED_STORY)
    approve = Choice(key="approve", label="Approve", typed="shop", starts="cutover")
    await office.asked(
        Question(purpose="cutover", question="?", body="", choices=(approve,), plan_hash="a" * 64)
    )
    assert "/restore confirm shop" in (await office.types("anna", "/restore confirm")).text
    assert not (await office.types("anna", "/restore confirm north")).ok
    assert (await office.types("anna", "/restore confirm shop")).ok
    assert "answered or has expired" in (await office.types("anna", "/restore confirm shop")).text
    assert [o.kind for o in await office.operations()] == ["cutover"]


async def test_a_note_is_kept_word_for_word(office: Office) -> None:
    """A note stands in the timeline as it was typed; it holds no command of its own."""
    await office.tell(JUST_OPENED)
    words = 'Root cause: the migration\'s `drop` ran first; see "deploy.log"'
    await office.types("anna", f"/incident note {words}")
    (note,) = await office.timeline(Kind.NOTE)
    assert (note.text, note.actor) == (words, "Anna")


async def test_a_correction_stands_beside_what_it_corrects(office: Office) -> None:
    """A correction names its entry and leaves it; a number that is not there is refused."""
    await office.tell(JUST_OPENED)
    before = (await office.timeline())[0]
    assert (await office.types("anna", "/incident note correct 1: it was at noon")).ok
    assert not (await office.types("anna", "/incident note correct 99: no")).ok
    (correction,) = await office.timeline(Kind.CORRECTION)
    assert correction.data == {"of": 1, "text": "it was at noon"}
    assert (await office.timeline())[0] == before


async def test_cancel_asks_what_runs_to_stop(office: Office) -> None:
    """`/incident cancel` marks what runs; where nothing runs it says so."""
    await office.tell(SAFE_STORY)
    assert "Nothing is running" in (await office.types("anna", "/incident cancel")).text
    running = await office.running("plan")
    assert "rehearsing the recovery" in (await office.types("anna", "/incident cancel")).text
    (operation,) = await office.operations()
    assert operation.id == running.id
    assert operation.cancel_requested


@pytest.mark.parametrize("kind", ["cutover", "undo", "deploy"])
async def test_a_change_is_stopped_by_an_approver_only(office: Office, kind: str) -> None:
    """Stopping a change of production half-way is for those who may approve one; the refusal is kept."""
    await office.tell(SAFE_STORY)
    await office.running(kind, changes_site=True)
    assert "may not approve" in (await office.types("emil", "/incident cancel")).text
    assert not (await office.operations())[0].cancel_requested
    assert len(await office.timeline(Kind.REFUSED)) == 1
    assert (await office.types("boris", "/incident cancel")).ok


async def test_release_without_a_holder_is_refused_in_words(office: Office) -> None:
    """A site that nothing keeps is not released, and that is said."""
    await office.tell(SAFE_STORY)
    reply = await office.types("anna", "/incident release")
    assert not reply.ok
    assert "not kept by any operation" in reply.text


async def test_closing_early_ends_the_watch_only(office: Office) -> None:
    """`--now` ends a running watch, and nothing else that stands against closing."""
    await office.tell(REOPENED_STORY)
    assert not (await office.types("anna", "/incident close")).ok
    assert (await office.types("anna", "/incident close --now")).ok
    (operation,) = await office.operations()
    assert operation.args["outcome"] == "recovered"


async def test_closing_early_does_not_leave_a_site_down(office: Office) -> None:
    """`--now` does not close an incident whose application is down."""
    await office.tell(FROZEN_STORY)
    assert "/app reopen" in (await office.types("anna", "/incident close --now")).text
    assert await office.operations() == []


@pytest.mark.parametrize(
    "hostile",
    ["$(touch /x)", "'; drop table entries; --", "<script>alert(1)</script>", "\u202eevil", "a" * 20_000],
)
async def test_hostile_words_are_only_kept(office: Office, hostile: str) -> None:
    """Whatever the title of an incident holds, it is opened, kept as text, and shown as text."""
    reply = await office.types("anna", f"/incident start shop {hostile}", channel="")
    assert reply.ok
    (opened,) = await office.timeline(Kind.INCIDENT_OPENED)
    assert opened.text == hostile


async def test_what_needs_no_incident_is_answered_anywhere(office: Office) -> None:
    """Help and the list of incidents need no incident."""
    assert (await office.types("clara", "help", channel="")).ok
    assert "no incident yet" in (await office.types("clara", "/incident list", channel="")).text


async def test_the_contacts_are_told_in_order(office: Office) -> None:
    """Whom to call stands in the order of the settings; a site without contacts says where to add them."""
    await office.tell(JUST_OPENED)
    await office.tell(JUST_OPENED, "inc-north-1", "north")
    table = (await office.types("clara", "/incident contacts")).table
    assert table is not None
    assert [row[0] for row in table.rows] == ["Dora", "Egon"]
    assert (
        "sites.north.contacts"
        in (await office.types("nora", "/incident contacts", channel="inc-north-1")).text
    )
