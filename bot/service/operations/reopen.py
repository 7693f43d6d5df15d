"""Step 10: open the application again, see it from outside, and watch its log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog

from bot.laravel.facts import AppFacts
from bot.laravel.log_records import LogPlace, count_log, log_ends, places_json, places_of, unread
from bot.laravel.maintenance import parse_maintenance_change, up_command, up_refusal
from bot.model.app_test import JudgedProbe
from bot.model.decision import Choice
from bot.model.errors import BackoutError, FailedError
from bot.model.event import Kind, NewEntry
from bot.model.incident import Cutover
from bot.model.message import Progress, Tone
from bot.model.step import Step
from bot.ports.store import Deadline, Transaction
from bot.runbook.app_tests import probe_data, probe_reasons, probe_table
from bot.runbook.guards import reopen_objections
from bot.runbook.watching import SHOWN, Seen, rates_of
from bot.runbook.wording import duration_words
from bot.service.app_probes import asked_probes
from bot.service.desk import Question, open_question, void_all
from bot.service.engine import OperationContext
from bot.service.operations.error_remedies import APP_ERRORS
from bot.service.operations.reentering import still_to_ask
from bot.service.parts import Parts
from bot.service.site_work import SiteWork, Telling, done_entry, step_message

log = structlog.get_logger(__name__)

RUNBOOK_WATCH_MINUTES = 30
VOID_WHEN_OPEN = (APP_ERRORS, "reopen", "undo", "caches", "writers")
"""What was asked of a closed site. An undo asks anew: of what visitors write from now on, and of two persons."""
BEFORE_BYTES = 64_000_000
"""So much of the end of each log is read for how often errors came before the incident."""
# A log that grows faster than it is read is read on at the next look.
LOOKS_AT_ONCE = 4


async def reopen(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Take the application out of maintenance and prove it. *Changes*: the maintenance flag."""
    work = SiteWork(ctx, parts)
    await work.began(Step.REOPEN, "Opening the application.")
    await ctx.take_site()
    if (await work.incident()).cutover != ctx.args["cutover"]:
        raise FailedError(
            f"the data of {work.site_name} changed since the yes to opening it. It stays closed; nothing was changed. "
            "Look at /incident status, then: /app reopen"
        )
    accepted = tuple(ctx.args.get("accepted", ()))
    # Looked at once: what a person says while the application is being opened no longer keeps it closed, and is told.
    await work.once("unopposed", list[str], lambda: _refuse_new_objections(work, accepted))
    facts, folders = await work.facts_and_folders()
    start = await work.once(
        "log", list[dict[str, Any]], lambda: _log_ends(work, unread(facts.log_files)), soon=True
    )
    rates = await work.once("log-before", dict, lambda: _rates_before(work, facts), soon=True)
    output = await work.job(
        "up",
        up_command(app_path=work.settings.app_path),
        "php artisan up",
        root=folders.change_jobs,
        allow=(0, 1),
    )
    if reason := up_refusal(parse_maintenance_change(output)):
        raise FailedError(
            f"{work.site_name} is still closed: {reason}. Next: /app reopen, or look on the host"
        )
    probes = await asked_probes(parts.probe, work.settings, None)
    faults = probe_reasons(probes)
    good = not faults
    status = probes[0].status
    seconds = work.settings.intervals.watch
    text = f"Open again: {_seen_words(probes)}. The log is watched for {duration_words(seconds)}."
    if accepted:
        text += f" It was opened in spite of this: {'; '.join(accepted)}."
    incident = await work.incident()
    if late := [o for o in reopen_objections(incident) if o not in accepted]:
        text += f" Said while it was being opened: {'; '.join(late)}."
    if seconds < RUNBOOK_WATCH_MINUTES * 60:
        text += f" (The runbook says {RUNBOOK_WATCH_MINUTES} minutes; the settings of this site shorten it.)"
    now = parts.clock.now()
    data = {
        "up_at": now.isoformat(),
        "http_status": status,
        "pages": probe_data(probes),
        "in_spite_of": [*accepted, *late],
    }
    entry = NewEntry(kind=Kind.REOPENED, text=text, data=data)
    restored = incident.cutover is Cutover.DONE

    async def nothing() -> None:
        return None

    async def record(tx: Transaction, _: None) -> None:
        await tx.append(work.incident_id, [entry])
        await void_all(tx, work.incident_id, VOID_WHEN_OPEN, "The application is open to visitors again.")
        tone = Tone.GOOD if good else Tone.BAD
        await tx.put_message(
            work.incident_id,
            step_message(
                Step.REOPEN,
                text,
                tone,
                table=probe_table(probes),
                next_steps=("/app logs", "/app freeze"),
            ),
        )
        if restored and incident.cutover_at is not None:
            lists = (incident.rehearsal or {}).get("lists") or ()
            for question in await still_to_ask(tx, work.incident_id, lists, incident.cutover_at):
                await open_question(tx, work.incident_id, question, "backout")
        if not good:
            await open_question(
                tx,
                work.incident_id,
                _alarm(
                    "Visitors do not get what they should:\n" + "\n".join(f"- {fault}" for fault in faults)
                ),
                "backout",
            )
        args: dict[str, Any] = {
            "site": work.site_name,
            "logs": start,
            "errors": 0,
            "kinds": {},
            "told": {},
            "rates": rates.get("rates"),
            "since": now.isoformat(),
            "until": (now + timedelta(seconds=seconds)).isoformat(),
            "restored": restored,
            "round": 1,
        }
        due = await tx.now() + timedelta(seconds=work.settings.intervals.watch_step)
        await tx.set_deadline(
            Deadline(
                key=f"watch.{work.incident_id}",
                kind="watch",
                due_at=due,
                incident_id=work.incident_id,
                args=args,
            )
        )

    await ctx.step("reopened", nothing, record)
    return {"http_status": status}


async def _refuse_new_objections(work: SiteWork, accepted: Sequence[str]) -> list[str]:
    """Raise where something stands against opening that the yes did not take along; else return nothing of it."""
    if new := [o for o in reopen_objections(await work.incident()) if o not in accepted]:
        raise FailedError(
            f"{'; '.join(new)}: this was not known at the yes to opening {work.site_name}. It stays closed; nothing was "
            "changed. To open it all the same: /app reopen"
        )
    return []


async def _log_ends(work: SiteWork, logs: tuple[LogPlace, ...]) -> list[dict[str, Any]]:
    """Return where the application's logs end now, as JSON data; empty where it writes none that Backout knows of."""
    return places_json(await work.ask(log_ends(logs))) if logs else []


async def _rates_before(work: SiteWork, facts: AppFacts) -> dict[str, Any]:
    """Return how often each kind of error came before the incident, `{"rates": …}`; empty where that is not known. Reads only.

    Before means before the code with the bad migration was deployed: what the broken state itself caused is no measure.
    """
    migrated = ((await work.incident()).assessment or {}).get("migrated_at")
    if not facts.log_files or not migrated:
        return {}
    try:
        until = datetime.fromisoformat(migrated).astimezone(ZoneInfo(facts.timezone)).replace(tzinfo=None)
        asked = count_log(
            unread(facts.log_files), is_end=True, tail_bytes=BEFORE_BYTES, until=f"{until:%Y-%m-%d %H:%M:%S}"
        )
        look = await work.ask(asked)
        began = datetime.fromisoformat(look.first) if look.first else None
    except (BackoutError, ValueError, ZoneInfoNotFoundError) as error:
        log.info("how often errors came before is not known", error=type(error).__name__)
        return {}
    if began is None or look.blind_reason:
        return {}
    return {"rates": rates_of(look.counts.fingerprints, (until - began).total_seconds() / 3600)}


def _seen_words(probes: Sequence[JudgedProbe]) -> str:
    """Return what visitors get, in words."""
    if faults := probe_reasons(probes):
        return f"but visitors do not get what they should: {'; '.join(faults)}"
    statuses = sorted({one.status for one in probes if one.status is not None})
    return f"visitors get {' and '.join(f'HTTP {status}' for status in statuses)}"


def errors_words(count: int) -> str:
    """Return a count of new errors in words."""
    return {0: "no new errors", 1: "1 new error"}.get(count, f"{count:,} new errors")


async def watch(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Read what the log gained since the last look and count its errors; set the next look, or end. Reads only."""
    work = SiteWork(ctx, parts)
    args = dict(ctx.args)
    incident = await work.incident()
    if incident.reopened_at is None or not incident.open:
        return {"ended": "the application is not open by this incident any more"}
    new, blind = await _look_at_log(work, args)
    args["errors"] = int(args["errors"]) + new
    now, until = parts.clock.now(), datetime.fromisoformat(args["until"])
    seen = _seen(args, now)
    alarms = seen.alarms(args.get("told") or {})
    args["told"] = {**(args.get("told") or {}), **{kind: seen.counts[kind] for kind in alarms}}
    args["round"] = int(args["round"]) + 1
    if now >= until:
        await work.tell("ended", _ended(work, args, blind, seen))
        return {"errors": args["errors"]}
    since = datetime.fromisoformat(args["since"])

    async def nothing() -> None:
        return None

    async def record(tx: Transaction, _: None) -> None:
        spent, total = (now - since).total_seconds(), (until - since).total_seconds()
        message = _watching(args, blind, seen, spent, total)
        await tx.put_message(work.incident_id, message)
        if new:
            text = (
                f"{errors_words(new)} in the log since the application was opened ({args['errors']} in all)."
            )
            data = {"errors": args["errors"], "new": new, "kinds": args["kinds"], "rises": list(seen.rises)}
            await tx.append(work.incident_id, [NewEntry(kind=Kind.WATCH, text=text, data=data)])
        if alarms:
            told = "\n".join(f"- `{seen.words(kind)}`" for kind in alarms[:SHOWN])
            await open_question(
                tx, work.incident_id, _alarm(f"Errors that are new or more frequent:\n{told}"), "backout"
            )
        due = min(until, now + timedelta(seconds=work.settings.intervals.watch_step))
        key = f"watch.{work.incident_id}"
        await tx.set_deadline(
            Deadline(key=key, kind="watch", due_at=due, incident_id=work.incident_id, args=args)
        )

    await ctx.step("looked", nothing, record)
    return {"errors": args["errors"]}


def _seen(args: dict[str, Any], now: datetime) -> Seen:
    hours = (now - datetime.fromisoformat(args["since"])).total_seconds() / 3600
    return Seen(counts=args.get("kinds") or {}, rates=args.get("rates"), hours=hours)


async def _look_at_log(work: SiteWork, args: dict[str, Any]) -> tuple[int, str]:
    """Return how many new errors there are, and why that cannot be told now (empty: it can). Moves the places in `args`."""
    if not args["logs"]:
        return 0, "the application writes no log file that can be read"
    found = 0
    try:
        for _ in range(LOOKS_AT_ONCE):
            look = await work.ask(count_log(places_of(args["logs"])))
            found, args["logs"] = found + look.counts.alarms, places_json(look.places)
            args["kinds"] = dict(Counter(args.get("kinds") or {}) + Counter(look.counts.fingerprints))
            if not look.more:
                break
    except BackoutError as error:  # the watch goes on: one look that failed must not end it
        return found, f"this look at the log failed: {error}"
    return found, look.blind_reason


def _watching(args: dict[str, Any], blind: str, seen: Seen, spent: float, total: float) -> Any:
    errors = int(args["errors"])
    said = f"{errors_words(errors).capitalize()} in the log so far." + (f" But {blind}." if blind else "")
    return step_message(
        Step.REOPEN,
        f"The application is open. {said}",
        Tone.WARNING if seen.rises or blind else Tone.WORKING,
        facts=tuple(("errors", line) for line in seen.lines()),
        progress=Progress(what="watching the log", done=int(spent), total=int(total), unit="s"),
        next_steps=("/app logs", "/app freeze"),
    )


def _alarm(text: str) -> Question:
    return Question(
        purpose="watch",
        question="Something is wrong after reopening. Freeze again?",
        body=text,
        choices=(
            Choice(key="freeze", label="Freeze again", style="danger", starts="freeze"),
            Choice(key="stay", label="Stay open", rejects=True),
        ),
        step=Step.REOPEN,
        tone=Tone.BAD,
    )


def _ended(work: SiteWork, args: dict[str, Any], blind: str, seen: Seen) -> Telling:
    minutes = work.settings.intervals.watch / 60
    errors = int(args["errors"])
    quiet = not seen.rises and not blind
    text = f"The watch of the log has ended after {duration_words(minutes * 60)}: {errors_words(errors)}."
    if errors and seen.rates is not None:
        rises = len(seen.rises)
        text += (
            " No kind is new or more frequent than before."
            if not rises
            else f" {rises} kind(s) are new or more frequent."
        )
    text += f" But {blind}." if blind else ""
    data = {
        "minutes": minutes,
        "new_errors": errors,
        "quiet": quiet,
        "kinds": args.get("kinds") or {},
        "rises": list(seen.rises),
        "shortened_from_minutes": RUNBOOK_WATCH_MINUTES if minutes < RUNBOOK_WATCH_MINUTES else None,
    }
    close = Choice(
        key="close",
        label="Close the incident",
        style="primary",
        starts="close",
        args={"outcome": "recovered" if args["restored"] else "reopened"},
    )
    question = Question(
        purpose="close",
        question="Close the incident?",
        body=f"{text} The post-mortem is written from the timeline. What was the root cause, and how many "
        "users were affected? Say it first: `/incident note Root cause: …`, `/incident note Users affected: …`",
        choices=(
            close,
            Choice(key="freeze", label="Freeze again", starts="freeze"),
            Choice(key="wait", label="Not yet", rejects=True),
        ),
        step=Step.REPORT,
        tone=Tone.GOOD if quiet else Tone.WARNING,
    )
    return Telling(
        entries=[NewEntry(kind=Kind.WATCH_ENDED, text=text, data=data), done_entry(Step.REOPEN, text)],
        messages=[
            step_message(
                Step.REOPEN,
                text,
                Tone.GOOD if quiet else Tone.WARNING,
                facts=tuple(("errors", line) for line in seen.lines()),
                next_steps=("/incident close",),
            )
        ],
        questions=[question],
    )
