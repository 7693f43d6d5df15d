"""Step 9: the application behind the maintenance bypass: its addresses, a walk in the browser, its log, and people's own look."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

from bot.laravel.caches import CacheDecision, cache_decisions
from bot.laravel.facts import AppFacts
from bot.laravel.git import changed_files_command, head_command, parse_changed_files, parse_commit
from bot.laravel.log_records import LogLook, LogPlace, count_log, log_ends, unread
from bot.laravel.maintenance import (
    down_command,
    down_refusal,
    maintenance_state_command,
    parse_maintenance_change,
)
from bot.model.app_test import Deed, JudgedProbe, Walk, Walked
from bot.model.codec import from_json
from bot.model.decision import Choice
from bot.model.errors import BrowserError, FailedError
from bot.model.event import Kind, NewEntry
from bot.model.incident import Incident
from bot.model.message import Message, Tone
from bot.model.plan import Plan
from bot.model.secret import Secret
from bot.model.step import Step
from bot.runbook.app_tests import (
    probe_data,
    probe_reasons,
    probe_table,
    walk_data,
    walk_facts,
    walk_reasons,
    walk_table,
)
from bot.service.app_probes import asked_probes
from bot.service.desk import Question
from bot.service.operations.error_remedies import (
    APP_ERRORS,
    Remedies,
    ask_for_remedy,
    look_for_causes,
    opcache_seen,
)
from bot.service.operations.waiting import ask_what_is_left
from bot.service.site_work import SiteWork, Telling, done_entry, failed_entry, step_message

MANUAL = "manual:"
"""How the purposes of the questions begin that people answer by looking."""

NOT_REPEATED = (
    "Backout was restarted in the middle of the walk, which may have clicked already, so it was not repeated. Look at what it "
    "clicks on the site; to walk again: /app check"
)


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What the tests saw. `walked` None with an `error`: there was no walk, and why; None without one: none is asked for.

    `log` is what the logs gained meanwhile; None: the application writes none that can be read.
    """

    probes: tuple[JudgedProbe, ...]
    walk: Walk | None
    walked: Walked | None
    error: str | None
    log: LogLook | None

    @property
    def log_errors(self) -> int:
        """Return how many errors the logs gained."""
        return self.log.counts.alarms if self.log else 0

    @property
    def blind(self) -> str:
        """Return why that count may miss some; empty: it does not."""
        return self.log.blind_reason if self.log else "the application writes no log file that can be read"

    def reasons(self) -> list[str]:
        """Return what stands against the application; empty: nothing."""
        found = probe_reasons(self.probes)
        if self.error:
            found.append(f"not tested in the browser: {self.error}")
        if self.walked:
            found += walk_reasons(self.walked)
        if self.log_errors:
            found.append(f"{self.log_errors} new errors in the log")
        return found


@dataclass(frozen=True, kw_only=True)
class Walking:
    """What came of the walk in the browser; with an `error` there was none, and why."""

    walked: Walked | None = None
    error: str | None = None


async def test_app(work: SiteWork, facts: AppFacts) -> bool:
    """Test the application and tell what was seen; return whether all is good. *Changes*: the bypass secret only."""
    settings = work.settings
    before = await _log_ends(work, facts)
    secret = await _enter(work, facts)
    probes = await asked_probes(work.parts.probe, settings, secret)
    walk = settings.browser.walk(settings.url) if settings.browser else None
    walking = await walked_once(work, walk, secret)
    look = await _new_errors(work, before)
    seen = _Seen(probes=probes, walk=walk, walked=walking.walked, error=walking.error, log=look)
    reasons = seen.reasons()
    caches = await cache_needs(work, facts, answers_errors=bool(reasons))
    opcache = await opcache_seen(work)
    causes = await look_for_causes(work, facts, caches, look, opcache) if reasons else ()
    needed = tuple(d for d in caches if d.needed)
    await work.tell("tested", _tested(work, seen, needed, causes, opcache, await work.incident()))
    return not reasons


async def walked_once(work: SiteWork, walk: Walk | None, secret: Secret) -> Walking:
    """Return what was seen in the browser, or why nothing was. What it clicked it may have clicked for good: it walks once."""
    if walk is None:
        return Walking()
    if work.parts.browser is None:
        return Walking(error="no browser is named under [browser] in the settings")
    browser, claim = work.parts.browser, work.operation.fence

    async def begin() -> int:
        return claim

    async def go() -> Walking:
        if clicks and begun_by != claim:
            return Walking(error=NOT_REPEATED)
        try:
            return Walking(walked=await browser.walk(walk, secret))
        except BrowserError as error:
            return Walking(error=str(error))

    clicks = any(step.deed is Deed.CLICK for step in walk.steps)
    begun_by = await work.once("walk-begun", int, begin)
    return await work.once("walked", Walking, go)


async def _enter(work: SiteWork, facts: AppFacts) -> Secret:
    """Put a fresh bypass secret into the maintenance flag and return it; the site stays down all the while."""
    folders = await work.folders()
    state = parse_maintenance_change(
        await work.look_ok(
            maintenance_state_command(app_path=work.settings.app_path), "php: read the maintenance state"
        )
    )
    if not state.after.is_down:
        raise FailedError(
            f"{work.site_name} is not in maintenance mode, so it is not tested behind it. Nothing was changed."
        )
    secret = Secret(secrets.token_urlsafe(24))
    command = down_command(
        app_path=work.settings.app_path,
        version=facts.laravel,
        secret=secret,
        retry=timedelta(seconds=work.settings.retry_after_s),
    )
    step = (
        f"bypass-{work.operation.fence}"  # a secret lives in one process: after a restart a fresh one is set
    )
    output = await work.job(
        step,
        command,
        "php: set a fresh maintenance bypass (by standard input)",
        root=folders.change_jobs,
        allow=(0, 1),
    )
    if reason := down_refusal(parse_maintenance_change(output)):
        raise FailedError(
            f"{work.site_name} cannot be entered behind the bypass: {reason}. Nothing else was changed."
        )
    return secret


async def _log_ends(work: SiteWork, facts: AppFacts) -> tuple[LogPlace, ...]:
    """Return where the application's logs end now; empty where it writes none that Backout knows of."""
    return await work.ask(log_ends(unread(facts.log_files))) if facts.log_files else ()


async def _new_errors(work: SiteWork, before: tuple[LogPlace, ...]) -> LogLook | None:
    """Return what the logs gained, None where the application writes no log that can be read."""
    return await work.ask(count_log(before, is_end=True)) if before else None


async def cache_needs(
    work: SiteWork, facts: AppFacts, *, answers_errors: bool = False
) -> tuple[CacheDecision, ...]:
    """Return of each cache whether it has to be cleared, and why; reads only."""
    incident = await work.incident()
    plan = from_json(Plan, incident.plan) if incident.plan else None
    changed: list[str] = []
    if plan is not None and plan.code_commit is not None:
        path = work.settings.app_path
        head = parse_commit(await work.look_ok(head_command(path), "git: read the checked-out commit"))
        if head != plan.code_commit:
            command = changed_files_command(path, plan.code_commit, head)
            changed = [
                c.path for c in parse_changed_files(await work.look_ok(command, "git: list changed files"))
            ]
    return cache_decisions(facts, changed, database_replaced=True, answers_errors=answers_errors)


def _tested(
    work: SiteWork,
    seen: _Seen,
    needed: tuple[CacheDecision, ...],
    causes: Remedies,
    opcache: str,
    incident: Incident,
) -> Telling:
    reasons = seen.reasons()
    asked = [_manual(item) for item in dict.fromkeys(work.settings.checklist)]
    asked += [jobs] if (jobs := ask_what_is_left(incident, work.parts.clock.now())) else []
    items = [one.purpose.removeprefix(MANUAL) for one in asked]
    data = {
        "passed": not reasons,
        "reasons": reasons,
        "pages": probe_data(seen.probes),
        "browser": _browser_data(seen),
        "log_errors": seen.log_errors,
        "manual_items": items,
        "caches_needed": [d.clear.value for d in needed],
        "opcache": opcache,
        "causes": [list(cause) for cause in causes],
    }
    errors = str(seen.log_errors)
    facts = (
        ("new errors in the log", f"{errors}, but {seen.blind}" if seen.blind else errors),
        ("caches to clear", ", ".join(f"{d.clear.value} ({d.reason})" for d in needed) or "none"),
        ("PHP's OPcache", opcache),
    )
    text = (
        "The application works (tested while visitors still see the maintenance page)."
        if not reasons
        else f"The application does NOT work: {'; '.join(reasons)}."
    )
    steps = (
        ("/app caches", "/app check", "/restore undo", "/app reopen")
        if reasons
        else (("/app caches",) if needed else ()) + ("/app reopen",)
    )
    message = step_message(
        Step.TEST_APP,
        text,
        Tone.BAD if reasons else Tone.GOOD,
        facts=facts,
        table=probe_table(seen.probes),
        next_steps=steps,
    )
    # What was looked at and found good since the last change of data or code is not asked again.
    unticked = [one for item, one in zip(items, asked, strict=True) if not incident.manual.get(item)]
    return Telling(
        entries=[
            NewEntry(kind=Kind.APP_TESTED, text=text, data=data),
            failed_entry(Step.TEST_APP, text) if reasons else done_entry(Step.TEST_APP, text),
        ],
        messages=[message, *_browser_message(seen)],
        questions=[ask_for_remedy(reasons, causes)] if reasons else unticked,
        void=() if reasons else (APP_ERRORS,),
        void_reason="The application works.",
    )


def _browser_data(seen: _Seen) -> dict[str, object] | None:
    if seen.walked is not None:
        return walk_data(seen.walked)
    return {"error": seen.error} if seen.error else None


def _browser_message(seen: _Seen) -> list[Message]:
    """Return the message of the walk in the browser, none where none is asked for."""
    if seen.walk is None:
        return []
    title, step = "In the browser", int(Step.TEST_APP)
    if seen.walked is None:
        body = f"Not tested: {seen.error}"
        return [Message(slot="browser", title=title, tone=Tone.BAD, step=step, body=body)]
    where = "in the browser"
    reasons = [r.removeprefix(f"{where}, ").removesuffix(f" {where}") for r in walk_reasons(seen.walked)]
    return [
        Message(
            slot="browser",
            title=title,
            tone=Tone.BAD if reasons else Tone.GOOD,
            step=step,
            body=f"Not good: {'; '.join(reasons)}." if reasons else "The walk through the site is good.",
            facts=walk_facts(seen.walked),
            table=walk_table(seen.walked, seen.walk.steps),
        )
    ]


def _manual(item: str) -> Question:
    return Question(
        purpose=f"{MANUAL}{item}",
        question=f"Looked at by a person: {item}?",
        body="Look at the site the way your team does in maintenance mode. What nobody ticks is told when it is reopened, and in "
        "the report, as not confirmed.",
        choices=(
            Choice(key="ok", label="Works", style="primary"),
            Choice(key="bad", label="Does not work", style="danger", rejects=True),
        ),
        step=Step.TEST_APP,
        tone=Tone.NEUTRAL,
    )
