"""Looking at the application: open or not, which commit, what its log counts. Reads only."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from bot.laravel.facts import app_facts_command, parse_app_facts
from bot.laravel.git import parse_work_tree, work_tree_command
from bot.laravel.log_records import LogLook, count_log, unread
from bot.model.errors import FailedError, ProbeError, UnknownOutcomeError
from bot.model.message import Reply, Table
from bot.ports.database import Work
from bot.ports.host import Command, Completed
from bot.ports.store import Transaction
from bot.service.job_run import host_entry
from bot.service.parts import Call, Parts

# What `/app logs` counts of each log, from its end.
TAIL_BYTES = 16_000_000

Look = Callable[[Command, str], Awaitable[Completed]]


def _looker(parts: Parts, call: Call) -> Look:
    """Return what runs a read-only command for a person and records it in the incident's timeline."""
    host = parts.hosts.of_site(call.site or "")

    async def look(command: Command, describe: str) -> Completed:
        began = time.monotonic()
        done = await host.run(command)
        spent = round(time.monotonic() - began, 3)
        entry = host_entry(
            host, describe, call.person.name, exit_status=done.exit_status, duration_s=spent, outcome="ended"
        )

        async def body(tx: Transaction) -> None:
            await tx.append(call.incident_id, [entry])

        await parts.store.transact(body)
        return done

    return look


async def status(parts: Parts, call: Call) -> Reply:
    """Return whether the site is open, from inside and outside, and which commit and migrations it has."""
    settings = parts.site(call.site or "")
    look = _looker(parts, call)
    facts = parse_app_facts(
        (await look(app_facts_command(settings.app_path), "php: ask the application about itself")).stdout
    )
    done = await look(work_tree_command(settings.app_path), "git: read the deployed commit")
    try:
        outside = f"HTTP {(await parts.probe.status(settings.url + '/')).status}"
    except ProbeError as error:
        outside = str(error)
    rows = facts.migration_rows or ()
    return Reply(
        text=f"{call.site}: {'down' if facts.maintenance.is_down else 'up'}; visitors get {outside}.",
        incident_id=call.incident_id,
        facts=(
            ("application", f"Laravel {facts.laravel}, PHP {facts.php_version}, {facts.environment}"),
            ("database", f"{facts.database.driver} {facts.database.database}"),
            *_code(done.stdout),
            ("last migration", rows[-1].migration if rows else "none"),
        ),
    )


def _code(said: str) -> tuple[tuple[str, str], ...]:
    try:
        tree = parse_work_tree(said)
    except FailedError:
        return (("commit", "none: the code is in no git repository that can be read"),)
    return (
        ("commit", f"{tree.commit[:12]} ({tree.branch or 'detached'})"),
        ("changed on the host", ", ".join(tree.modified) or "nothing"),
    )


async def logs(parts: Parts, call: Call) -> Reply:
    """Return counts of the last records of the application's log, by level and error; never their text."""
    settings = parts.site(call.site or "")
    look = _looker(parts, call)
    facts = parse_app_facts(
        (await look(app_facts_command(settings.app_path), "php: ask the application about itself")).stdout
    )
    if not facts.log_files:
        raise FailedError(f"{call.site} has no log file that Backout could read. Nothing was changed.")
    found = await _counted(
        parts, call, count_log(unread(facts.log_files), is_end=True, tail_bytes=TAIL_BYTES)
    )
    table = Table(
        columns=("error", "records"),
        rows=tuple(
            (name, str(count))
            for name, count in sorted(found.counts.fingerprints.items(), key=lambda i: -i[1])
        ),
        numeric=(1,),
    )
    return Reply(text=_log_words(found), incident_id=call.incident_id, table=table)


async def _counted(parts: Parts, call: Call, work: Work[LogLook]) -> LogLook:
    """Ask the row reader on the host for counts, and record that it was asked."""
    host = parts.hosts.of_site(call.site or "")
    began = time.monotonic()

    async def record(status: int | None, outcome: str) -> None:
        spent = round(time.monotonic() - began, 3)
        said: dict[str, Any] = {"exit_status": status, "duration_s": spent, "outcome": outcome}
        entry = host_entry(host, work.describe, call.person.name, **said)
        await parts.store.transact(lambda tx: tx.append(call.incident_id, [entry]))

    try:
        answer = await host.reader(work.verb, work.request)
    except UnknownOutcomeError:
        await record(None, "unknown")
        raise
    except FailedError:
        await record(1, "refused")
        raise
    await record(0, "ended")
    return work.read(answer)


def _log_words(found: LogLook) -> str:
    paths = ", ".join(place.path for place in found.places)
    levels = ", ".join(f"{count} {level}" for level, count in found.counts.levels.items()) or "no records"
    when = f" ({found.first} to {found.last}, the application's time)" if found.first else ""
    missing = [path for path, state in found.states.items() if state == "missing"]
    gone = f" There is no {missing[0]} yet." if missing else ""
    blind = f" But {found.blind_reason}." if found.blind_reason else ""
    return f"{paths}, the last {found.read_bytes:,} bytes: {levels}{when}.{gone}{blind}"
