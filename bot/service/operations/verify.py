"""Steps 8 and 9: the data against the backup, the site's own checks, then the application; and its caches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.laravel.caches import MADE_ANEW, CacheDecision, clear_command, make_command
from bot.laravel.facts import AppFacts
from bot.laravel.guarded import Refused, Target, parse_guarded_artisan
from bot.model.codec import from_json, to_json
from bot.model.database import Loss
from bot.model.event import Kind, NewEntry
from bot.model.incident import Incident
from bot.model.message import Message, Table, Tone
from bot.model.plan import Plan
from bot.model.site_check import JudgedCheck
from bot.model.step import Step
from bot.ports.database import Database
from bot.ports.host import Command
from bot.runbook.checks import LIVE, OTHER, failure_words, judged
from bot.runbook.orphans import known_orphans, more_orphans, orphans_words
from bot.runbook.wording import check_table, loss_sentence, loss_table
from bot.service.engine import OperationContext
from bot.service.operations.app_test import cache_needs, test_app
from bot.service.operations.assess import beside_the_data
from bot.service.operations.error_remedies import opcache_seen
from bot.service.operations.migrating import ORPHANS_LIMIT_S
from bot.service.operations.missing import MISSING, ask_what_is_missing
from bot.service.operations.waiting import waiting_rows, waiting_shown
from bot.service.parts import Parts
from bot.service.site_checks import answers_of, checks_of, earlier_numbers
from bot.service.site_work import Folders, SiteWork, Telling, counts, done_entry, failed_entry, step_message

LEFT, CLEARED, CLEARED_AND_MADE = "left", "cleared", "cleared, and made anew"


async def check(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Verify the data (step 8), then test the application behind the bypass (step 9). *Changes*: the bypass secret only."""
    work = SiteWork(ctx, parts)
    await work.began(
        Step.VERIFY_DATA, "Comparing with the backup, looking for orphans, asking the site's own checks."
    )
    incident = await work.incident()
    facts = await work.app_facts()
    database = work.database(facts)
    if not await _verify_data(work, incident, facts, database):
        return {"passed": False, "step": int(Step.VERIFY_DATA)}
    await work.began(Step.TEST_APP, "Visiting the application behind the maintenance bypass.")
    passed = await test_app(work, facts)
    return {"passed": passed, "step": int(Step.TEST_APP)}


# -- step 8


async def _verify_data(work: SiteWork, incident: Incident, facts: AppFacts, database: Database) -> bool:
    folders = await work.folders()
    live = facts.database.database
    # What went live was accounted for against the backup, row by row, in the rehearsal; here nothing may be missing of it.
    plan = from_json(Plan, incident.plan)
    loss = await work.work(
        "compare",
        database.compare(
            plan.scratch_path,
            live,
            beside_the_data(facts),
            folders.lists,
            before_fingerprint=plan.scratch_fingerprint,
        ),
        root=folders.scratch_jobs,
    )
    orphans = await work.ask(database.orphans(live, ORPHANS_LIMIT_S))
    asked = checks_of(work, database, facts)
    results = judged(
        asked,
        await answers_of(work, database, live, asked, LIVE),
        await answers_of(work, database, live, asked, OTHER),
        await earlier_numbers(work, database, incident, asked),
    )
    rows = (await work.ask(database.facts(live))).rows
    waiting = await waiting_rows(work, database, facts, live, rows)
    shown = [*_checks_shown(results), *waiting_shown(waiting, work.parts.clock.now(), facts)]
    opened = incident.opened_since_cutover
    reasons = data_reasons(loss, orphans, known_orphans(incident), results, opened=opened)
    await work.tell("verified", _verified(loss, orphans, results, waiting, reasons, shown, opened=opened))
    return not reasons


def data_reasons(
    loss: Loss,
    orphans: dict[str, int],
    before: Mapping[str, int],
    results: tuple[JudgedCheck, ...],
    *,
    opened: bool,
) -> list[str]:
    """Return what stands against the data: values or rows of the restored state that are gone, orphans that it did not
    have `before`, failed checks.

    Once visitors could write, what is gone since the cut-over may be gone by their wish, and is only told; a table or a
    column that is no more is no visitor's doing.
    """
    reasons = _dropped(loss) if opened else _gone(loss)
    reasons += more_orphans(orphans, before)
    return reasons + failure_words(results)


def _gone(loss: Loss) -> list[str]:
    reasons = []
    if loss.values_lost:
        reasons.append(f"{loss.values_lost:,} values of the restored state are not in the live database")
    reasons += [
        f"{t.missing:,} rows of {t.table} are gone since the cut-over" for t in loss.tables if t.missing
    ]
    if loss.verdict == "rewritten":
        reasons.append(loss_sentence(loss).replace("**", "").rstrip("."))
    return reasons


def _dropped(loss: Loss) -> list[str]:
    """Return what went with its table or column since the cut-over."""
    tables = [t for t in loss.tables if t.status == "dropped"]
    reasons = [f"the table {t.table} is gone since the cut-over" for t in tables if t.missing]
    return reasons + [
        f"the column {t.table}.{c.column} is gone since the cut-over, with {c.values_lost:,} values"
        for t in loss.tables
        if t not in tables
        for c in t.columns
        if c.status == "dropped" and c.values_lost
    ]


def good_words(gone: list[str], orphans: Mapping[str, int], *, opened: bool) -> tuple[str, Tone]:
    """Return what is told where nothing stands against the data, and how good it is."""
    if not (opened and gone):
        return (
            f"The data are good: nothing of the restored state is missing, {orphans_words(orphans)}, every check passed.",
            Tone.GOOD,
        )
    return (
        (
            f"Every check passed, {orphans_words(orphans)}. But {'; '.join(gone)}. Visitors could write since then, so this may be as they "
            "wished: look at it before you open."
        ),
        Tone.WARNING,
    )


def _verified(
    loss: Loss,
    orphans: dict[str, int],
    results: tuple[JudgedCheck, ...],
    waiting: list[dict[str, Any]],
    reasons: list[str],
    shown: list[Message],
    *,
    opened: bool,
) -> Telling:
    runtime = {str(one["table"]): int(one["rows"]) for one in waiting}
    data = {
        "passed": not reasons,
        "reasons": reasons,
        "checks": [to_json(r) for r in results],
        "loss_totals": {
            "rows_lost": loss.rows_lost,
            "values_lost": loss.values_lost,
            "values_moved": loss.values_moved,
            "rows_new": loss.rows_new,
        },
        "foreign_key_violations": sum(orphans.values()),
        "runtime_tables": runtime,
        "waiting": waiting,
    }
    facts = (
        ("values lost", f"{loss.values_lost:,}"),
        ("values moved", f"{loss.values_moved:,}"),
        ("rows without their parent", f"{sum(orphans.values()):,}"),
        ("site's checks", f"{sum(r.passed for r in results)} of {len(results)} passed"),
        ("jobs, sessions, caches (current rows kept)", counts(runtime)),
    )
    if reasons:
        text = f"The data are NOT good: {'; '.join(reasons)}."
        message = step_message(
            Step.VERIFY_DATA,
            text,
            Tone.BAD,
            facts=facts,
            table=loss_table(loss, before="rows restored"),
            next_steps=("/restore undo", "/incident escalate"),
        )
        return Telling(
            entries=[
                NewEntry(kind=Kind.DATA_CHECKED, text=text, data=data),
                failed_entry(Step.VERIFY_DATA, text),
            ],
            messages=[message, *shown],
            questions=[ask_what_is_missing(reasons)],
        )
    text, tone = good_words(_gone(loss), orphans, opened=opened)
    message = step_message(
        Step.VERIFY_DATA, text, tone, facts=facts, table=loss_table(loss, before="rows restored")
    )
    return Telling(
        entries=[NewEntry(kind=Kind.DATA_CHECKED, text=text, data=data), done_entry(Step.VERIFY_DATA, text)],
        messages=[message, *shown],
        void=(MISSING,),
        void_reason="The data are good.",
    )


def _checks_shown(results: tuple[JudgedCheck, ...]) -> list[Message]:
    """Return the message with the site's own checks, none where the site has none."""
    if not results:
        return []
    bad = sum(not one.passed for one in results)
    return [
        Message(
            slot="checks",
            title="The site's own checks",
            tone=Tone.BAD if bad else Tone.GOOD,
            step=int(Step.VERIFY_DATA),
            body=f"{bad} of {len(results)} are not good." if bad else f"All {len(results)} are good.",
            table=check_table(results),
        )
    ]


async def clear_caches(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Clear the caches that need it, each with its reason. *Changes*: those caches."""
    work = SiteWork(ctx, parts)
    await ctx.take_site()
    facts, folders = await work.facts_and_folders()
    decisions = await cache_needs(work, facts, answers_errors=bool(ctx.args.get("answers_errors")))
    target = Target(
        driver=facts.database.driver,
        database=facts.database.database,
        inode=facts.database.inode,
        is_scratch=False,
    )
    rows = [
        (one.clear.value, await cleared(work, folders, target, one) if one.needed else LEFT, one.reason)
        for one in decisions
    ]
    table = Table(columns=("cache", "", "why"), rows=tuple(rows))
    done = [row[0] for row in rows if row[1].startswith(CLEARED)]
    failed = [row[0] for row in rows if row[1] not in (LEFT, CLEARED, CLEARED_AND_MADE)]
    text = f"{len(done)} of {len(rows)} caches had to be cleared, and were."
    text += f" NOT as it should be: {', '.join(failed)}." if failed else ""
    opcache = await opcache_seen(work)
    message = Message(
        slot="caches",
        title="Caches",
        tone=Tone.BAD if failed else Tone.GOOD,
        step=int(Step.TEST_APP),
        body=text,
        facts=(("PHP's OPcache", opcache),),
        table=table,
        next_steps=("/app check",),
    )
    entry = NewEntry(kind=Kind.NOTE, text=text, data={"caches": [list(r) for r in rows], "opcache": opcache})
    await work.tell("cleared", Telling(entries=[entry], messages=[message]))
    return {"cleared": done}


async def cleared(work: SiteWork, folders: Folders, target: Target, decision: CacheDecision) -> str:
    """Clear one cache, and make it anew where it is one that was there. Returns what came of it. *Changes*: that cache."""
    clear, name = decision.clear, decision.clear.name.lower()
    path = work.settings.app_path
    command = clear_command(app_path=path, target=target, clear=clear)
    failed = await _artisan(work, folders, f"clear-{name}", command, clear.value)
    if failed is not None or clear not in MADE_ANEW:
        return failed or CLEARED
    command = make_command(app_path=path, target=target, clear=clear)
    failed = await _artisan(work, folders, f"make-{name}", command, MADE_ANEW[clear])
    if failed is not None:
        return f"{CLEARED}, but {MADE_ANEW[clear]}: {failed}. The application works without it, more slowly"
    return CLEARED_AND_MADE


async def _artisan(work: SiteWork, folders: Folders, step: str, command: Command, name: str) -> str | None:
    """Return why a command that was run on production did not do what it should, None where it did."""
    output = await work.job(step, command, f"php artisan {name}", root=folders.change_jobs, allow=(0, 1, 3))
    run = parse_guarded_artisan(output)
    if isinstance(run, Refused):
        return run.reason
    return None if run.exit_code == 0 else "FAILED"
