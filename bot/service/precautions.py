"""`/backups health`: how the backups of a site are, by its logbook; and work that a person asks for while there is no incident."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.model.message import Reply, Table
from bot.model.operation import Operation
from bot.model.person import Permission
from bot.ports.store import Transaction
from bot.runbook.drills import drill_facts, drill_words
from bot.runbook.health import health_words
from bot.runbook.wording import bytes_words, duration_words
from bot.service.operations.drill import last_drills
from bot.service.operations.health import last_checks
from bot.service.parts import Call, Parts, refused
from bot.service.schedules import deadline_key, is_running, schedule_of, schedule_words

CHECKS_SHOWN = 10


async def health(parts: Parts, call: Call, *, now: bool) -> Reply:
    """Return how the backups of a site were at the last check, and the trend; with `now`, look again.

    *Changes*: with `now`, an operation that reads on the host; else nothing.
    """
    site = site_meant(call)
    if site is None:
        return which_site(call, "/backups health")
    if now:
        text = f"Looking at the newest backups of {site}. The result: /backups health {site}; an alarm comes to where reports are read."
        return await begin_alone(parts, call, site, "health", text)
    return await parts.store.read(lambda tx: _told(tx, parts, site))


async def drill(parts: Parts, call: Call) -> Reply:
    """Begin a drill of a site by hand. *Changes*: an operation, which writes scratch only."""
    site = site_meant(call)
    if site is None:
        return which_site(call, "/backups drill")
    rows = await parts.store.read(lambda tx: tx.incidents(site=site, open_only=True))
    if rows:
        return refused(
            f"{rows[0].id} is open: no drill while a site is in trouble. Nothing was begun. See: /backups list"
        )
    text = f"Restoring the newest backup of {site} into scratch. The result comes to where reports are read, and: /backups health {site}"
    return await begin_alone(parts, call, site, "drill", text)


async def _told(tx: Transaction, parts: Parts, site: str) -> Reply:
    checks = await last_checks(tx, site, CHECKS_SHOWN)
    due = await tx.deadline(deadline_key("health", site))
    schedule = schedule_words(schedule_of(parts.site(site), "health"))
    facts = [("checked", f"{schedule}; next {due.due_at:%Y-%m-%d %H:%M} UTC" if due else schedule)]
    facts += await _drill_facts(tx, parts, site)
    if not checks:
        text = f"The backups of {site} were never looked at outside an incident."
        return Reply(text=text, facts=tuple(facts), suggestions=(f"/backups health {site} --now",))
    last = checks[-1]
    alarm = last["alarm"]
    facts.append(("last check", _minute(last["at"])))
    if alarm["on"]:
        facts.append(("alarm since", _minute(alarm["since"])))
    facts += [
        (b["path"], f"{b['word']}: {'; '.join(b['reasons'])}") for b in (last.get("bad") or ())[:CHECKS_SHOWN]
    ]
    return Reply(
        text=health_words(site, last),
        facts=tuple(facts),
        table=_checks_table(checks),
        suggestions=(f"/backups health {site} --now",),
    )


async def _drill_facts(tx: Transaction, parts: Parts, site: str) -> list[tuple[str, str]]:
    """Return when drills are made, how the last one went, and how long the last ones took."""
    due = await tx.deadline(deadline_key("drill", site))
    schedule = schedule_words(schedule_of(parts.site(site), "drill"))
    facts = [("drills", f"{schedule}; next {due.due_at:%Y-%m-%d %H:%M} UTC" if due else schedule)]
    drills = await last_drills(tx, site)
    if drills:
        *earlier, last = drills
        facts.append((f"drill of {_minute(last['at'])}", drill_words(site, last, earlier)))
        facts += drill_facts(last)
    if len(drills) > 1:
        times = [
            duration_words(d["total_s"]) if d.get("total_s") else d["verdict"] for d in drills[-CHECKS_SHOWN:]
        ]
        facts.append(("drills so far, the last one last", ", ".join(times)))
    return facts


def _checks_table(checks: Sequence[Mapping[str, Any]]) -> Table:
    rows = tuple(
        (_minute(check["at"]), check["verdict"], *_backup_cells(check["backup"]))
        for check in reversed(checks)
    )
    return Table(
        columns=("checked", "verdict", "newest good backup", "size", "rows", "age"), rows=rows, numeric=(3, 4)
    )


def _backup_cells(backup: Mapping[str, Any] | None) -> tuple[str, str, str, str]:
    if backup is None:
        return ("none", "", "", "")
    age = duration_words(backup["age_s"])
    return (backup["file"], bytes_words(backup["size_bytes"]), f"{backup['rows']:,}", age)


def _minute(iso: str) -> str:
    return f"{iso[:10]} {iso[11:16]}"


def site_meant(call: Call) -> str | None:
    """Return the site that a command without an incident is about: the one named, the channel's, or the person's only one."""
    return call.site or (call.person.sites[0] if len(call.person.sites) == 1 else None)


def which_site(call: Call, command: str) -> Reply:
    """Return the question which of a person's sites is meant."""
    lines = [f"{command} {site}" for site in call.person.sites]
    return refused(f"Which site? Yours: {', '.join(call.person.sites)}. Nothing was done.", *lines)


async def begin_alone(parts: Parts, call: Call, site: str, kind: str, started: str) -> Reply:
    """Begin work that belongs to no incident, once for each delivery. *Changes*: the store only; the operation does the rest."""

    async def body(tx: Transaction) -> Reply:
        if reason := call.person.refusal(Permission.RESPOND, site):
            return refused(f"{reason}. Nothing was begun.")
        if await is_running(tx, site, kind):
            return refused(f"This is being done for {site} already. Wait for it: /backups health {site}")
        logbook = await tx.open_logbook(site)
        operation = Operation(
            id=call.delivery_id, kind=kind, incident_id=logbook, site=site, person=call.person.name
        )
        await tx.add_operation(operation)
        return Reply(text=started, operation_id=operation.id)

    reply = await parts.store.transact(body)
    parts.wake()
    return reply
