"""`backout check`: what a site needs for a recovery, found out by asking it; reads only."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta

from bot.calling_settings import pager_variable
from bot.laravel.credentials import credentials_access
from bot.laravel.facts import AppFacts, app_facts_command, parse_app_facts
from bot.laravel.git import parse_work_tree, work_tree_command
from bot.model.database import Access, DatabaseFacts
from bot.model.errors import BackoutError
from bot.ports.browser import Browser
from bot.ports.database import Database
from bot.ports.host import Command, Host, Hosts
from bot.ports.mail import Mail
from bot.ports.pager import Pager
from bot.ports.probe import Probe
from bot.runbook.wording import bytes_words, scratch_right
from bot.settings import Settings, SiteSettings

Line = tuple[str, bool]
DatabaseFor = Callable[[str, Access, str, Sequence[str]], Database | None]

_CLIENTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "mysql": (("mariadb", "mysql"), ("mariadb-dump", "mysqldump")),
    "mariadb": (("mariadb", "mysql"), ("mariadb-dump", "mysqldump")),
    "pgsql": (("psql",), ("pg_dump",), ("pg_restore",)),
}
"""The client programs that a server's recovery drives, by Laravel's name of the driver; any one of each group does."""

_PROGRAMS = {
    "php": "the application cannot be asked anything. Install php-cli",
    "python3": "nothing can be read, copied or compared. Install python3",
    "git": "the corrected migration cannot be fetched. Install git",
    "sqlite3": "not needed, but an undo by hand asks for it",
    "zstd": "not needed, unless a backup is packed with it",
}
"""The programs that a recovery uses on every host, and what there is to say where one is missing."""

_CAN_DO_WITHOUT = frozenset({"sqlite3", "zstd"})

_FIND_CLIENT = 'for name; do command -v "$name" >/dev/null && exec "$name" --version; done; exit 127'
_POSTGRESQL_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")


async def check_sites(
    settings: Settings, hosts: Hosts, database_for: DatabaseFor, probe: Probe
) -> list[Line]:
    """Return one line for each thing that was looked at: what it is, and whether it is as needed."""
    lines: list[Line] = []
    try:
        for name, site in settings.sites.items():
            lines += await _site(name, site, hosts.of_site(name), database_for)
            lines.append(await _front(name, site, probe))
            called = ", ".join(c.name for c in site.contacts)
            nobody = f"none; name at least one DBA under sites.{name}.contacts"
            lines.append((f"{name}: contacts to call: {called or nobody}", bool(called)))
            approvers = [p.name for p in settings.people if p.may_approve and name in p.sites]
            enough = len(approvers) >= site.approvals
            more = (
                "; a second one where newer rows would go away, and for an undo once the site is open again"
            )
            needed = f"needed: {site.approvals}{more if len(approvers) < 2 else ''}"
            names = ", ".join(approvers) or "nobody"
            lines.append((f"{name}: people who may approve: {names} ({needed})", enough))
    finally:
        await hosts.close()
    return lines


async def check_calling(settings: Settings, mail: Mail | None, pagers: Mapping[str, Pager]) -> list[Line]:
    """Return whether those who are called can be reached beside chat: logged in, reached; nobody is rung."""
    lines: list[Line] = []
    letters = [f"{c.name} of {name}" for name, s in settings.sites.items() for c in s.contacts if c.email]
    if mail is not None:
        lines.append(await _proven("e-mail (smtp)", mail.prove()))
    elif letters:
        # An address may be there for people alone: to call by e-mail is a choice, not a duty.
        lines.append((f"e-mail: there is no [smtp], so none is sent to {', '.join(letters)}", True))
    for name, known in settings.pagers.items():
        pager, variable = pagers.get(name), pager_variable(name)
        if pager is None:
            lines.append((f"pager {name}: {variable} is not set, so it cannot ring", False))
        else:
            lines.append(await _proven(f"pager {name} ({known.form})", pager.prove()))
    used = {
        p for s in settings.sites.values() for p in (*s.pagers, *(q for c in s.contacts for q in c.pagers))
    }
    lines += [
        (f"pager {name}: no site and no contact names it", False)
        for name in settings.pagers
        if name not in used
    ]
    return lines


async def check_browser(settings: Settings, browser: Browser | None) -> list[Line]:
    """Return whether the browser of the bot's machine starts; nothing where the settings name none. No page is loaded."""
    if browser is None:
        return []
    walked = [name for name, site in settings.sites.items() if site.browser is not None]
    return [
        await _proven("browser", browser.prove()),
        (
            f"browser: walks through {', '.join(walked) or 'no site; give one a [sites.NAME.browser]'}",
            bool(walked),
        ),
    ]


async def _proven(what: str, proof: Awaitable[str]) -> Line:
    try:
        return (f"{what}: {await proof}", True)
    except BackoutError as error:
        return (f"{what}: {error}", False)


async def _front(name: str, site: SiteSettings, probe: Probe) -> Line:
    try:
        status = (await probe.status(site.url + "/")).status
    except BackoutError as error:
        return (f"{name}: web front (url): {error}", False)
    return (f"{name}: web front (url) {site.url} answers HTTP {status}", True)


async def _site(name: str, site: SiteSettings, host: Host, database_for: DatabaseFor) -> list[Line]:
    try:
        identity = await host.identity()
    except BackoutError as error:
        return [(f"{name}: ssh to {host.name}: {error}", False)]
    lines: list[Line] = [
        (f"{name}: ssh to {identity.address} as {identity.user}, host key {identity.host_key}", True)
    ]
    for program, use in _PROGRAMS.items():
        found = (await host.run(Command(argv=["sh", "-c", f"command -v {program}"]))).exit_status == 0
        lacking = f"{name}: no {program} on the host: {use}"
        lines.append(
            (f"{name}: {program} on the host" if found else lacking, found or program in _CAN_DO_WITHOUT)
        )
    lines += await _application(name, site, host, database_for)
    for folder in site.backups:
        there = (await host.run(Command(argv=["test", "-d", folder]))).exit_status == 0
        fault = f" is not there, or {identity.user} may not read it: mend sites.{name}.backups, or the folder's rights"
        lines.append((f"{name}: backup folder {folder}{'' if there else fault}", there))
    return lines


async def _application(name: str, site: SiteSettings, host: Host, database_for: DatabaseFor) -> list[Line]:
    try:
        facts = parse_app_facts((await host.run(app_facts_command(site.app_path))).stdout)
    except BackoutError as error:
        return [(f"{name}: application in {site.app_path}: {error}", False)]
    lines: list[Line] = [(f"{name}: Laravel {facts.laravel} in {site.app_path}, {facts.environment}", True)]
    access = credentials_access(site.app_path)
    database = database_for(facts.database.driver, access, f"~/.backout/sites/{name}", site.scratch_databases)
    unknown = "" if database else ", which Backout cannot recover"
    lines.append(
        (f"{name}: database {facts.database.driver} {facts.database.database}{unknown}", database is not None)
    )
    if database is not None:
        lines += await _database(name, facts, host, database)
    try:
        tree = parse_work_tree((await host.run(work_tree_command(site.app_path))).stdout)
        changed = f", but changed on the host, which a deployment refuses: {', '.join(tree.modified[:5])}"
        lines.append(
            (f"{name}: git at {tree.commit[:12]}{changed if tree.modified else ''}", not tree.modified)
        )
    except BackoutError as error:
        without = "data are restored all the same, but no corrected commit is deployed"
        lines.append((f"{name}: git: {error} ({without})", False))
    return lines


async def _database(name: str, facts: AppFacts, host: Host, database: Database) -> list[Line]:
    """Return what the row reader says of the live database, and which client programs the host has for its engine."""
    work = database.facts(facts.database.database)
    try:
        live = work.read(await host.reader(work.verb, work.request, timeout=timedelta(seconds=60)))
    except BackoutError as error:
        lines = await _clients(name, facts.database.driver, host, None)
        return [*lines, (f"{name}: row reader: {error}", False)]
    room = live.free_bytes > live.size_bytes * 3
    space = f"for a safety copy and a scratch copy ({bytes_words(live.free_bytes)} free"
    short = f", {bytes_words(live.size_bytes * 3)} needed): make room on the host" if not room else ")"
    free = f"{name}: {'room' if room else 'too little room'} {space}{short}"
    lines = await _clients(name, facts.database.driver, host, live)
    return [*lines, (free, room), *await _rights(name, facts, host, database)]


async def _rights(name: str, facts: AppFacts, host: Host, database: Database) -> list[Line]:
    """Return whether the application's user may do what a recovery needs; nothing where no right is needed."""
    work = database.rights(facts.database.database)
    if work is None:
        return []
    try:
        rights = work.read(await host.reader(work.verb, work.request, timeout=timedelta(seconds=60)))
    except BackoutError as error:
        return [(f"{name}: rights of the application's user: {error}", False)]
    may = "may make scratch databases"
    if not rights.may_make_scratch:
        may = f"may make no scratch database: {scratch_right(facts.database.driver)}"
    lacks = f"lacks rights on {facts.database.database}: {', '.join(rights.missing)}"
    return [
        (f"{name}: the application's user {may}", rights.may_make_scratch),
        *([(f"{name}: the application's user {lacks}", False)] if rights.missing else []),
    ]


async def _clients(name: str, driver: str, host: Host, live: DatabaseFacts | None) -> list[Line]:
    """Return a line for each client program that the engine needs on the host; of SQLite none."""
    lines: list[Line] = []
    for programs in _CLIENTS.get(driver, ()):
        command = Command(argv=["sh", "-c", _FIND_CLIENT, "sh", *programs])
        done = await host.run(command)
        told = (done.stdout.splitlines() or [""])[0][:120] if done.exit_status == 0 else ""
        lines.append(_client_line(name, programs, told, live))
    return lines


def _client_line(name: str, programs: Sequence[str], told: str, live: DatabaseFacts | None) -> Line:
    if not told:
        return (
            f"{name}: {' or '.join(programs)} is missing on the host: install the engine's client package",
            False,
        )
    client = _POSTGRESQL_VERSION.search(told)
    server = None if live is None else re.match(r"\d+", live.version)
    if client and server and programs[0] == "pg_dump" and int(client[1]) < int(server[0]):
        return (
            f"{name}: {told} on the host is older than the server ({live.version if live else ''}): it refuses to dump it",
            False,
        )
    return (f"{name}: {told} on the host", True)
