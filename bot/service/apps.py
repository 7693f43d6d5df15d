"""Looking at the application: open or not, which commit, what its log counts. Reads only."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from bot.laravel.facts import app_facts_command, parse_app_facts
from bot.laravel.git import parse_work_tree, work_tree_command
from bot.laravel.log_records import (
    PIECE_BYTES,
    LogPosition,
    count_records,
    finish_records,
    fold_records,
    parse_log_piece,
    read_log_command,
)
from bot.model.errors import FailedError, ProbeError
from bot.model.message import Reply, Table
from bot.ports.host import Command, Completed
from bot.ports.store import Transaction
from bot.service.job_run import host_entry
from bot.service.parts import Call, Parts

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
    tree = parse_work_tree(
        (await look(work_tree_command(settings.app_path), "git: read the deployed commit")).stdout
    )
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
            ("commit", f"{tree.commit[:12]} ({tree.branch or 'detached'})"),
            ("changed on the host", ", ".join(tree.modified) or "nothing"),
            ("last migration", rows[-1].migration if rows else "none"),
        ),
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
    path = facts.log_files[0].path
    size = parse_log_piece(
        (await look(read_log_command(path, 0, limit=1), f"read the size of {path}")).stdout
    ).size
    start = max(0, size - PIECE_BYTES)
    piece = parse_log_piece((await look(read_log_command(path, start), f"read the end of {path}")).stdout)
    records, rest = fold_records(LogPosition(path=path, inode=piece.inode, offset=start), piece)
    counted = count_records((*records, *finish_records(rest)))
    table = Table(
        columns=("error", "records"),
        rows=tuple(
            (name, str(count)) for name, count in sorted(counted.fingerprints.items(), key=lambda i: -i[1])
        ),
        numeric=(1,),
    )
    levels = ", ".join(f"{count} {level}" for level, count in counted.levels.items()) or "no records"
    return Reply(
        text=f"{path}, the last {size - start:,} bytes: {levels}.", incident_id=call.incident_id, table=table
    )
