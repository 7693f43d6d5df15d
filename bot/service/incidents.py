"""The incident itself: opened, followed, noted, cancelled, released, closed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from bot.model.decision import Choice
from bot.model.errors import NotStartedError
from bot.model.event import Entry, Kind, NewEntry
from bot.model.logbook import logbook_of
from bot.model.message import REPORT_SLOT, Message, Reply, Table, Tone
from bot.model.operation import Operation, OperationState
from bot.model.person import Permission
from bot.model.step import STEP_NAMES, Step
from bot.ports.store import Transaction
from bot.runbook import guards
from bot.runbook.headline import at_work, headline, is_lost, next_commands, usual_outcome, work_words
from bot.runbook.purposes import ASIDE
from bot.runbook.wording import capitalised, shortened
from bot.service.desk import Question, busy, open_question, refuse, state_of, typed
from bot.service.engine import release_site
from bot.service.filing import filing, is_behind
from bot.service.parts import Call, Parts, refused
from bot.service.reports import report_text
from bot.service.status import status_message

TIMELINE_SHOWN = 30
TITLE_LETTERS = 80


async def start(parts: Parts, call: Call, site: str, what_happened: str) -> Reply:
    """Open an incident for a site and begin the assessment, in one transaction."""

    async def body(tx: Transaction) -> Reply:
        number = await tx.next_incident_number(site)
        incident_id = f"inc-{_slug(site)}-{number}"
        # One line that fits over a page; the timeline keeps the words as they were typed.
        title = shortened(" ".join(what_happened.split()), TITLE_LETTERS) or f"data lost on {site}"
        row = await tx.open_incident(incident_id=incident_id, site=site, channel=incident_id, title=title)
        if row is None:
            there = (await tx.incidents(site=site, open_only=True))[0]
            text = (
                f"{site} has an open incident already: {there.id} (channel {there.channel}). Nothing was changed. "
                f"See: /incident status --site {site}"
            )
            return replace(refused(text), incident_id=there.id)
        data = {"site": site, "title": title, "what_happened": what_happened, "person": call.person.name}
        opened = NewEntry(
            kind=Kind.INCIDENT_OPENED, actor=call.person.name, text=what_happened or title, data=data
        )
        await tx.append(incident_id, [opened, typed(call)])
        await _stop_logbook_work(tx, site)
        state = await state_of(tx, incident_id)
        await tx.put_message(incident_id, status_message(state, (), (), parts.clock.now()))
        await tx.put_message(incident_id, _welcome(parts, site, title, call.person.name))
        operation = Operation(
            id=call.delivery_id, kind="assess", incident_id=incident_id, site=site, person=call.person.name
        )
        await tx.add_operation(operation)
        return Reply(
            text=f"Incident {incident_id} is open. Backout is counting what was lost; nothing is changed.",
            incident_id=incident_id,
            operation_id=operation.id,
        )

    reply = await parts.store.transact(body)
    parts.wake()
    return reply


async def _stop_logbook_work(tx: Transaction, site: str) -> None:
    """Have drills and checks of the site stop, on the host first: from now on the incident needs it. *Changes*: the store."""
    for operation in await tx.operations(incident_id=logbook_of(site), state=OperationState.RUNNING):
        await tx.request_cancel(operation.id)


def _slug(site: str) -> str:
    return re.sub(r"[^a-z0-9_-]+", "-", site.lower()).strip("-") or "site"


def _welcome(parts: Parts, site: str, title: str, person: str) -> Message:
    settings = parts.site(site)
    return Message(
        slot="incident",
        title=f"Incident on {site}: {title}",
        tone=Tone.BAD,
        body="Backout finds out what was lost, proves each step on a copy, and changes production only after a yes.",
        facts=(
            ("opened by", person),
            ("host", settings.ssh.address),
            ("application", settings.app_path),
            ("url", settings.url),
        ),
        next_steps=("/app freeze", "/incident status", "/incident escalate"),
    )


async def status(parts: Parts, call: Call) -> Reply:
    """Return what is so, and what comes next; reads only."""
    state = await parts.store.transact(lambda tx: state_of(tx, call.incident_id))
    running = await _running(parts, call.incident_id)
    told = headline(state, running)
    facts = tuple(
        (f"{int(step)}. {STEP_NAMES[step]}", f"{s.status.value}: {s.note}" if s.note else s.status.value)
        for step, s in state.steps.items()
    )
    return Reply(
        text=told.text,
        incident_id=state.id,
        facts=facts,
        suggestions=tuple(text for text, _ in next_commands(state)),
    )


async def _running(parts: Parts, incident_id: str) -> list[Operation]:
    return at_work(
        await parts.store.transact(
            lambda tx: tx.operations(incident_id=incident_id, state=OperationState.RUNNING)
        )
    )


async def timeline(parts: Parts, call: Call) -> Reply:
    """Return the last entries of the timeline; reads only."""
    entries = await parts.store.transact(lambda tx: tx.entries(call.incident_id))
    shown = entries[-TIMELINE_SHOWN:]
    rows = tuple((str(e.sequence), f"{e.at:%H:%M:%S}", e.actor, e.text) for e in shown)
    text = f"{len(entries)} entries" + (f", the last {len(shown)}:" if len(shown) < len(entries) else ":")
    table = Table(columns=("#", "UTC", "who", "what"), rows=rows, numeric=(0,))
    return Reply(text=text, incident_id=call.incident_id, table=table)


async def note(parts: Parts, call: Call, text: str) -> Reply:
    """Write a person's words into the timeline. A correction names the entry: `correct 12: …`."""
    found = re.fullmatch(r"correct (\d+): (.+)", text, re.DOTALL)

    async def body(tx: Transaction) -> Reply:
        if found is None:
            await tx.append(call.incident_id, [NewEntry(kind=Kind.NOTE, actor=call.person.name, text=text)])
            return Reply(text="Noted.", incident_id=call.incident_id)
        number = int(found.group(1))
        entries = await tx.entries(call.incident_id)
        if not 0 < number <= len(entries):
            return refused(
                f"There is no entry {number}; the timeline has {len(entries)}. Nothing was written."
            )
        data = {"of": number, "text": found.group(2)}
        await tx.append(
            call.incident_id,
            [
                NewEntry(
                    kind=Kind.CORRECTION,
                    actor=call.person.name,
                    text=f"Correction of {number}: {found.group(2)}",
                    data=data,
                )
            ],
        )
        return Reply(
            text=f"Entry {number} stays; your correction stands beside it.", incident_id=call.incident_id
        )

    return await parts.store.transact(body)


_NOT_CANCELLED = frozenset({"close", "close_by_hand", "watch", "escalate", "acknowledge"}) | ASIDE


async def cancel(parts: Parts, call: Call) -> Reply:
    """Ask what is running in the incident to stop; what it runs on the host is stopped first.

    Stopping a change of production needs an approver, as the change itself did.
    """

    async def body(tx: Transaction) -> Reply:
        running = await tx.operations(incident_id=call.incident_id, state=OperationState.RUNNING)
        running = [o for o in running if o.kind not in _NOT_CANCELLED]
        if not running:
            return refused(
                "Nothing is running in this incident that could be cancelled. Nothing was changed."
            )
        if any(o.kind in ("cutover", "undo", "deploy") for o in running) and (
            reason := call.person.refusal(Permission.APPROVE, call.site or "")
        ):
            return await refuse(tx, call, f"Production is being changed: {reason}. Nothing was cancelled.")
        for operation in running:
            await tx.request_cancel(operation.id)
        await tx.append(call.incident_id, [typed(call)])
        names = ", ".join(work_words(o.kind) for o in running)
        return Reply(
            text=f"Stopping: {names}. Its work on the host is stopped first.", incident_id=call.incident_id
        )

    reply = await parts.store.transact(body)
    parts.wake()
    return reply


async def release(parts: Parts, call: Call) -> Reply:
    """Free the site that a failed operation keeps; where nothing keeps it, that is said and recorded."""
    try:
        holder = await release_site(parts.store, call.site or "", call.person.name)
    except NotStartedError as nothing_kept:
        reason = capitalised(str(nothing_kept))
        return await parts.store.transact(lambda tx: refuse(tx, call, reason))
    await parts.store.transact(lambda tx: tx.append(call.incident_id, [typed(call)]))
    return Reply(
        text=f"{call.site} is free again. What had kept it ({work_words(holder.kind)}) ended with: "
        f"{holder.error or 'it was cancelled.'} See first: /restore status",
        incident_id=call.incident_id,
    )


async def close(parts: Parts, call: Call, outcome: str, *, now: bool, by_hand: bool = False) -> Reply:
    """End the incident and write its report; `now` ends a watch that still runs, `by_hand` asks whether to end it as it is.

    While data are lost and nothing is restored, it is asked first, unless `now` is said.
    """

    async def body(tx: Transaction) -> Reply:
        state = await state_of(tx, call.incident_id)
        reason = guards.refuse_close(state)
        is_taken_over = by_hand and reason is not None and guards.refuse_close_by_hand(state) is None
        if reason is not None and not is_taken_over and not (now and guards.only_watched(state)):
            return await refuse(tx, call, reason)
        if running := await busy(tx, call.incident_id, "close"):
            return await refuse(tx, call, running)
        if is_taken_over:
            return await _ask_to_close_by_hand(tx, call, outcome or "taken over by hand")
        word = outcome or usual_outcome(state)
        if is_lost(state) and not now:
            return await _ask_to_close(tx, call, word)
        operation = Operation(
            id=call.delivery_id,
            kind="close",
            incident_id=call.incident_id,
            site=call.site or "",
            person=call.person.name,
            args={"outcome": word, "now": now},
        )
        await tx.append(call.incident_id, [typed(call)])
        await tx.add_operation(operation)
        return Reply(
            text="Closing; the post-mortem is being written.",
            incident_id=call.incident_id,
            operation_id=operation.id,
        )

    reply = await parts.store.transact(body)
    parts.wake()
    return reply


async def _ask_to_close(tx: Transaction, call: Call, outcome: str) -> Reply:
    """Ask whether an incident ends though its data are not back. *Changes*: the store only."""
    question = Question(
        purpose="close",
        question="Data were lost and nothing is restored. Close the incident all the same?",
        body="Production stays as it is. What was lost stays lost until it is restored; the post-mortem says so.",
        choices=(
            Choice(
                key="close",
                label="Close without a restore",
                style="danger",
                starts="close",
                args={"outcome": outcome},
            ),
            Choice(key="wait", label="Go on with the recovery", style="primary", rejects=True),
        ),
        step=Step.REPORT,
        tone=Tone.BAD,
    )
    return await _asked(tx, call, question)


async def _ask_to_close_by_hand(tx: Transaction, call: Call, outcome: str) -> Reply:
    """Ask whether an incident ends that Backout could not bring to its end. *Changes*: the store only."""
    site = call.site or ""
    question = Question(
        purpose="close",
        question=f"Close the incident of {site}, though Backout has not opened the site?",
        body="For what others have taken over. Nothing on the host is changed or looked at: whether the site is open, and what its "
        "database holds, is known to you alone. The safety backup stays where it is. Type the site's name.",
        choices=(
            Choice(
                key="close",
                label="Close it as it is",
                style="danger",
                typed=site,
                starts="close_by_hand",
                args={"outcome": outcome},
            ),
            Choice(key="wait", label="Go on with the recovery", style="primary", rejects=True),
        ),
        permission=Permission.APPROVE,
        step=Step.REPORT,
        tone=Tone.BAD,
    )
    return await _asked(tx, call, question)


async def _asked(tx: Transaction, call: Call, question: Question) -> Reply:
    await tx.append(call.incident_id, [typed(call)])
    decision = await open_question(tx, call.incident_id, question, call.person.name)
    return Reply(
        text=f"{decision.question} The question is in the channel; the incident is still open.",
        incident_id=call.incident_id,
        decision_id=decision.id,
    )


async def report(parts: Parts, call: Call) -> Reply:
    """Return where the post-mortem can be read; it is computed from the timeline at each look."""
    entries: list[Entry] = await parts.store.transact(lambda tx: tx.entries(call.incident_id))
    if call.incident is not None and call.incident.closed_at is not None:
        filed = await _filed_anew(parts, call, entries)
        if filed is not None:
            return filed
    if call.platform != "web":
        return await _report_as_file(parts, call)
    written = [str(e.data["path"]) for e in entries if e.kind is Kind.REPORT_WRITTEN and e.data.get("path")]
    where = f" As files: {', '.join(written)}." if written else " It is final once the incident is closed."
    return Reply(
        text=f"The post-mortem as it stands now: the Report tab, or GET /api/incidents/{call.incident_id}/report.md.{where}",
        incident_id=call.incident_id,
    )


_WRITES_REPORT = frozenset({"close", "close_by_hand", "file_report"})


async def _filed_anew(parts: Parts, call: Call, entries: Sequence[Entry]) -> Reply | None:
    """Begin to write the report of a closed incident once more, where people added something since; else None."""
    if call.person.refusal(Permission.RESPOND, call.site or ""):
        return None
    amended = is_behind(entries, on_host=False)
    on_host = parts.site(call.site or "").reports_on_host and is_behind(entries, on_host=True)
    if not amended and not on_host:
        return None
    operation = filing(
        call.incident_id, call.site or "", call.person.name, cause=call.delivery_id, amended=amended
    )

    async def body(tx: Transaction) -> bool:
        running = await tx.operations(incident_id=call.incident_id, state=OperationState.RUNNING)
        if any(one.kind in _WRITES_REPORT and one.id != operation.id for one in running):
            return False
        await tx.add_operation(operation)
        return True

    if not await parts.store.transact(body):
        return Reply(
            text="The post-mortem is being written at this moment. For what was added since it began, ask again then.",
            incident_id=call.incident_id,
        )
    parts.wake()
    return Reply(
        text="The post-mortem is written anew, with what was added since; the earlier one stays.",
        incident_id=call.incident_id,
        operation_id=operation.id,
    )


async def _report_as_file(parts: Parts, call: Call) -> Reply:
    """Put the post-mortem as it stands now into the channel; one that is closed has it there already."""
    text = await report_text(parts, call.incident_id, call.site or "")

    async def body(tx: Transaction) -> Reply:
        there = {m.message.slot: m.message for m in await tx.messages(call.incident_id)}
        if call.incident is not None and call.incident.closed_at is not None and REPORT_SLOT in there:
            return Reply(text="The post-mortem is in the channel, as a file.", incident_id=call.incident_id)
        draft = Message(
            slot=REPORT_SLOT,
            title=f"Post-mortem of {call.incident_id}, a draft",
            step=int(Step.REPORT),
            body="As it stands now; it is final once the incident is closed.",
            file_name=f"{call.incident_id}.md",
            file_text=text,
        )
        await tx.put_message(call.incident_id, draft)
        return Reply(
            text="The post-mortem as it stands now comes into the channel, as a file.",
            incident_id=call.incident_id,
        )

    return await parts.store.transact(body)


async def list_all(parts: Parts, call: Call) -> Reply:
    """Return the person's incidents, newest first; reads only."""
    rows = [
        r
        for r in await parts.store.transact(lambda tx: tx.incidents())
        if not call.person.refusal_to_read(r.site)
    ]
    if not rows:
        return Reply(text="There is no incident yet. To begin: /incident start <site>")
    table = Table(
        columns=("incident", "site", "what", "opened", "closed"),
        rows=tuple(
            (
                r.id,
                r.site,
                r.title,
                f"{r.opened_at:%Y-%m-%d %H:%M}",
                f"{r.closed_at:%Y-%m-%d %H:%M}" if r.closed_at else "open",
            )
            for r in rows
        ),
    )
    return Reply(text=f"{len(rows)} incident(s):", table=table)
