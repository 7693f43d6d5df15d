"""One operation's hands on its site: facts, proven copies, jobs, and what it tells the timeline and the channel."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, TypeVar

from bot.laravel.credentials import credentials_access
from bot.laravel.facts import AppFacts, app_facts_command, parse_app_facts
from bot.model.codec import digest, from_json, to_json
from bot.model.errors import (
    FailedError,
    HostBusyError,
    NotStartedError,
    ReaderRefusalError,
    UnknownOutcomeError,
)
from bot.model.event import Kind, NewEntry
from bot.model.incident import Incident
from bot.model.logbook import is_logbook
from bot.model.message import Message, Progress, Tone
from bot.model.step import STEP_NAMES, Step
from bot.ports.database import Database, Work
from bot.ports.host import SCRATCH_ROOT, Command, Completed, Host, HostIdentity
from bot.ports.store import Transaction
from bot.runbook.wording import pace_words, scratch_right
from bot.service.desk import Question, open_question, state_of, void_all
from bot.service.engine import OperationContext
from bot.service.job_run import host_entry
from bot.service.jobs import JobResult, run_job, run_reader_job
from bot.service.pacing import Pacer
from bot.service.paging import call_by_rule
from bot.service.parts import Parts
from bot.service.together import together
from bot.settings import SiteSettings

T = TypeVar("T")

FINGERPRINT_LIMIT = timedelta(minutes=20)
"""How long reading a whole database may take while a person waits."""

# A prefix of the tables, or the application's own settings, give it another name; each verb takes this one by itself.
_USUAL_MIGRATIONS_TABLE = "migrations"

SCRATCH_WAIT_S = 1800
"""How long an operation waits for another one's scratch job on the same site."""


# Prints the folder of the site ($1) below the user's home, with the folders named after it made; nothing without a home.
_MAKE_FOLDERS = """
case $HOME in /*) ;; *) exit 0 ;; esac
base=${HOME%/}/.backout/sites/$1
shift
umask 077
mkdir -p -- "$base" && cd -- "$base" && mkdir -p -- "$@" && chmod 700 -- . "$@" && printf %s "$base"
"""


@dataclass(frozen=True, kw_only=True)
class Folders:
    """Backout's own folders for a site on its host; absolute. Jobs of one root run one at a time."""

    base: str

    @property
    def change_jobs(self) -> str:
        """Return the root of jobs that change production or its safety copy."""
        return f"{self.base}/jobs"

    @property
    def scratch_jobs(self) -> str:
        """Return the root of jobs that write scratch files only."""
        return f"{self.base}/{SCRATCH_ROOT}"

    @property
    def scratch(self) -> str:
        """Return the folder of scratch databases."""
        return f"{self.base}/scratch"

    @property
    def safety(self) -> str:
        """Return the folder of safety backups."""
        return f"{self.base}/safety"

    @property
    def lists(self) -> str:
        """Return the folder of key lists."""
        return f"{self.base}/lists"

    @property
    def kept(self) -> str:
        """Return the folder of rows that a person had taken out of production."""
        return f"{self.base}/kept"


@dataclass(frozen=True, kw_only=True)
class Telling:
    """What one recorded moment adds: timeline entries, messages, and questions, in one transaction."""

    entries: Sequence[NewEntry] = ()
    messages: Sequence[Message] = ()
    questions: Sequence[Question] = ()
    void: Sequence[str] = field(default=())
    void_reason: str = ""


class SiteWork:
    """Made anew for each run of an operation; everything that lasts is in the store or on the host."""

    def __init__(self, ctx: OperationContext, parts: Parts) -> None:
        self.ctx = ctx
        self.parts = parts
        self.operation = ctx.operation
        self.site_name = ctx.operation.site
        self.settings: SiteSettings = parts.site(self.site_name)
        self.host: Host = parts.hosts.of_site(self.site_name)
        self._migrations_table = _USUAL_MIGRATIONS_TABLE

    @property
    def incident_id(self) -> str:
        """Return the incident this operation belongs to."""
        return self.operation.incident_id

    @property
    def person(self) -> str:
        """Return who asked for this operation."""
        return self.operation.person

    @property
    def tag(self) -> str:
        """Return a short name of this operation for files: its time and a part of the hash of its id."""
        at = self.operation.created_at or self.parts.clock.now()
        return f"{at:%Y%m%d%H%M%S}-{digest(self.operation.id)[:8]}"

    async def incident(self) -> Incident:
        """Return the incident's present state; reads only."""
        return await self.parts.store.read(lambda tx: state_of(tx, self.incident_id))

    # -- telling

    async def tell(self, name: str, telling: Telling, *, soon: bool = False) -> None:
        """Record one moment exactly once, under a checkpoint of this name; `soon` as in `OperationContext.step`."""

        async def nothing() -> None:
            return None

        async def record(tx: Transaction, _: None) -> None:
            await self.record(tx, telling)

        await self.ctx.step(f"tell.{name}", nothing, record, soon=soon)

    async def record(self, tx: Transaction, telling: Telling) -> None:
        """Write what a moment tells, as part of a transaction that records more."""
        await tx.append(self.incident_id, telling.entries)
        await call_by_rule(tx, self.parts, self.incident_id, self.site_name)
        if telling.void:
            await void_all(tx, self.incident_id, telling.void, telling.void_reason)
        for message in telling.messages:
            await tx.put_message(self.incident_id, message)
        for question in telling.questions:
            await open_question(tx, self.incident_id, question, "backout")

    async def began(self, step: Step, text: str) -> None:
        """Record that a step began, and show its message; what it does first is only to read."""
        entry = NewEntry(kind=Kind.STEP_STARTED, actor=self.person, text=text, data={"step": int(step)})
        await self.tell(
            f"began.{step.name}",
            Telling(entries=[entry], messages=[step_message(step, text, Tone.WORKING)]),
            soon=True,
        )

    async def show(self, message: Message) -> None:
        """Put a message into the channel (again); for progress, which needs no checkpoint."""

        async def body(tx: Transaction) -> None:
            await tx.put_message(self.incident_id, message)

        await self.ctx.write(body)

    def _note(self, describe: str, status: int | None, duration_s: float, outcome: str) -> None:
        """Have it recorded that a fact was asked for; a resumed run asks, and records it, again.

        Not in a site's logbook: a check of every hour would fill it, and its result says what was found.
        """
        if is_logbook(self.incident_id):
            return
        said = {"exit_status": status, "duration_s": duration_s, "outcome": outcome}
        entry = host_entry(self.host, describe, self.person, **said)

        async def body(tx: Transaction) -> None:
            await tx.append(self.incident_id, [entry])

        self.ctx.write_soon(body)

    # -- facts: short and read only

    async def look(self, command: Command, describe: str) -> Completed:
        """Run a read-only command now, whatever was recorded before, and record that it was run."""
        began = time.monotonic()
        try:
            done = await self.host.run(command)
        except UnknownOutcomeError:
            self._note(describe, None, time.monotonic() - began, "unknown")
            raise
        self._note(describe, done.exit_status, done.duration_s, "ended")
        return done

    async def look_ok(self, command: Command, describe: str) -> str:
        """Return the standard output of a read-only command. *Raises* FailedError unless its exit status is 0."""
        done = await self.look(command, describe)
        if done.exit_status != 0:
            raise FailedError(
                f"{describe}: exit status {done.exit_status} on {self.host.name} for {self.site_name}. Nothing was changed."
            )
        return done.stdout

    async def ask(self, work: Work[T], limit: timedelta = timedelta(seconds=300)) -> T:
        """Run a read-only verb of the row reader now and return its answer."""
        began = time.monotonic()
        try:
            answer = await self.host.reader(work.verb, self._request(work), timeout=limit)
        except UnknownOutcomeError:
            self._note(work.describe, None, time.monotonic() - began, "unknown")
            raise
        except FailedError:
            self._note(work.describe, 1, time.monotonic() - began, "refused")
            raise
        self._note(work.describe, 0, time.monotonic() - began, "ended")
        return work.read(answer)

    def _request(self, work: Work[T]) -> dict[str, object]:
        """Return what a verb is asked with: the name of Laravel's list of migrations goes along where it is not the usual one."""
        if self._migrations_table == _USUAL_MIGRATIONS_TABLE:
            return work.request
        return {"migrations_table": self._migrations_table, **work.request}

    async def is_there(self, database: Database, place: str) -> bool:
        """Return whether a scratch database is still there; reads only."""
        try:
            return await self.ask(database.exists(place))
        except ReaderRefusalError as error:
            if error.kind == "not_found":
                return False
            raise

    async def once(
        self, name: str, kind: type[T], act: Callable[[], Awaitable[T]], *, soon: bool = False
    ) -> T:
        """Return what `act` returned the first time it was run under this name in this operation."""

        async def plain() -> Any:
            return to_json(await act())

        return from_json(kind, await self.ctx.step(name, plain, soon=soon))

    # -- jobs: detached, launched once

    async def work(self, step: str, work: Work[T], *, root: str, title: Message | None = None) -> T:
        """Run a verb of the row reader as a detached job, attach to it when it runs already, and return its answer."""

        async def launch_or_attach() -> dict[str, Any]:
            return await run_reader_job(
                self.ctx,
                host=self.host,
                root=root,
                step=step,
                verb=work.verb,
                request=self._request(work),
                describe=work.describe,
                person=self.person,
                on_progress=self._shows(title),
                timeout=timedelta(seconds=self.settings.intervals.job_limit),
            )

        return work.read(await self._when_free(root, launch_or_attach))

    async def scratch(self, step: str, database: Database, work: Work[T], title: Message | None = None) -> T:
        """Run a verb that makes a scratch database, and return its answer. *Changes*: scratch only.

        *Raises* FailedError where the application's user may not make one, with what an administrator can do.
        """
        folders = await self.folders()
        try:
            return await self.work(step, work, root=folders.scratch_jobs, title=title)
        except ReaderRefusalError as error:
            if error.kind != "refused" or "may not make databases" not in str(error):
                raise
            raise FailedError(
                f"{error.reason} A recovery is rehearsed in such a database. What "
                f"helps: {scratch_right(database.engine)}. Then ask for the same again; production was not changed."
            ) from error

    async def job(
        self, step: str, command: Command, describe: str, *, root: str, allow: tuple[int, ...] = (0,)
    ) -> str:
        """Run a command as a detached job and return its standard output."""

        async def launch_or_attach() -> JobResult:
            return await run_job(
                self.ctx,
                host=self.host,
                root=root,
                step=step,
                describe=describe,
                command=command,
                person=self.person,
                allow_statuses=allow,
                timeout=timedelta(seconds=self.settings.intervals.job_limit),
            )

        return (await self._when_free(root, launch_or_attach)).stdout

    async def _when_free(self, root: str, launch: Callable[[], Awaitable[T]]) -> T:
        """Wait for another job on scratch files to end; a job that changes production is never waited for blindly."""
        deadline = time.monotonic() + SCRATCH_WAIT_S
        while True:
            try:
                return await launch()
            except HostBusyError as error:
                if not root.endswith(f"/{SCRATCH_ROOT}") or time.monotonic() > deadline:
                    raise FailedError(
                        f"another job ({error.holder}) works for {self.site_name} on {self.host.name}. Nothing was started. "
                        "Wait for it, or /incident cancel it."
                    ) from error
            await asyncio.sleep(1)

    def _shows(self, message: Message | None) -> Callable[[Progress], Awaitable[None]] | None:
        if message is None:
            return None

        pacer = Pacer()

        async def on_progress(progress: Progress) -> None:
            paced = pacer.paced(progress)
            words = pace_words(paced)
            pace = (("pace", words),) if words else ()
            await self.show(replace(message, progress=paced, facts=(*message.facts, *pace)))

        return on_progress

    # -- what nearly every operation needs

    async def identity(self) -> HostIdentity:
        """Return who the host is; reads only."""
        return await self.host.identity()

    async def folders(self) -> Folders:
        """Return Backout's folders for this site, made if missing (mode 0700). *Changes*: those folders only."""

        async def make() -> str:
            below = Folders(base=".")
            names = [
                below.change_jobs,
                below.scratch_jobs,
                below.scratch,
                below.safety,
                below.lists,
                below.kept,
            ]
            done = await self.look_ok(
                Command(argv=["sh", "-c", _MAKE_FOLDERS, "sh", self.site_name, *names]),
                "make Backout's folders",
            )
            if not done.startswith("/"):
                raise FailedError(f"{self.host.name} has no home folder for its user. Nothing was changed.")
            return done

        return Folders(base=await self.ctx.step("folders", make, soon=True))

    async def facts_and_folders(self) -> tuple[AppFacts, Folders]:
        """Return what the application says of itself now, and Backout's folders, asked for at the same time."""
        return await together(self.app_facts(), self.folders())

    async def app_facts(self) -> AppFacts:
        """Return what the application says of itself now; reads only."""
        path = self.settings.app_path
        try:
            done = await self.look(
                app_facts_command(path), f"php: ask the application in {path} about itself"
            )
        except NotStartedError:  # such as no such folder
            await self._refuse_no_application(path)
            raise
        if done.exit_status != 0:
            await self._refuse_no_application(path)
        if done.exit_status == 127:
            raise FailedError(
                f"there is no php on {self.host.name} (site {self.site_name}). Nothing was changed. Install php-cli there."
            )
        if not done.stdout.strip():
            raise FailedError(
                f"{path} on {self.host.name} holds no application that answers (exit status {done.exit_status}). "
                f"Nothing was changed. Check app_path of the site {self.site_name} in the settings."
            )
        facts = parse_app_facts(done.stdout)
        self._migrations_table = facts.migrations_table
        return facts

    async def _refuse_no_application(self, path: str) -> None:
        there = await self.look(Command(argv=["test", "-f", f"{path}/artisan"]), f"look for {path}/artisan")
        if there.exit_status != 0:
            raise FailedError(
                f"there is no application in {path} on {self.host.name} (no file artisan). Nothing was changed. "
                f"Check app_path of the site {self.site_name} in the settings."
            )

    def database(self, facts: AppFacts) -> Database:
        """Return the adapter of the application's engine. *Raises* FailedError where Backout has none."""
        access = credentials_access(self.settings.app_path)
        lent = self.settings.scratch_databases
        found = self.parts.database_for(facts.database.driver, access, workspace_of(self.site_name), lent)
        if found is None:
            raise FailedError(
                f"{self.site_name} uses {facts.database.driver}, which this version of Backout cannot recover. Nothing was changed."
            )
        return found


def workspace_of(site: str) -> str:
    """Return Backout's own folder for a site on its host, as the host's own programs resolve it."""
    return f"~/.backout/sites/{site}"


def step_message(step: Step, body: str, tone: Tone, **more: Any) -> Message:
    """Return the one message of a step, which fills up as the step goes on."""
    return Message(
        slot=f"step-{int(step)}",
        title=f"{int(step)}. {STEP_NAMES[step]}",
        tone=tone,
        step=int(step),
        body=body,
        **more,
    )


def done_entry(step: Step, text: str, **data: Any) -> NewEntry:
    """Return the entry of a step that is done."""
    return NewEntry(kind=Kind.STEP_DONE, text=text, data={"step": int(step), **data})


def failed_entry(step: Step, text: str, **data: Any) -> NewEntry:
    """Return the entry of a step that failed or was not proven."""
    return NewEntry(kind=Kind.STEP_FAILED, text=text, data={"step": int(step), **data})


def counts(values: Mapping[str, int]) -> str:
    """Return counts by name as one line: `comments 10000, users 12`."""
    return ", ".join(f"{name} {count:,}" for name, count in values.items()) or "none"
