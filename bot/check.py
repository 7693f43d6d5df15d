"""`backout check`: what a site needs for a recovery, found out by asking it; reads only."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from bot.laravel.facts import app_facts_command, parse_app_facts
from bot.laravel.git import parse_work_tree, work_tree_command
from bot.model.errors import BackoutError
from bot.ports.database import Database
from bot.ports.host import Command, Host, Hosts
from bot.ports.probe import Probe
from bot.settings import Settings, SiteSettings

Line = tuple[str, bool]


async def check_sites(
    settings: Settings, hosts: Hosts, database_for: Callable[[str], Database | None], probe: Probe
) -> list[Line]:
    """Return one line for each thing that was looked at: what it is, and whether it is as needed."""
    lines: list[Line] = []
    try:
        for name, site in settings.sites.items():
            lines += await _site(name, site, hosts.of_site(name), database_for)
            lines.append(await _front(name, site, probe))
            lines.append((f"{name}: contacts to call: {len(site.contacts)}", bool(site.contacts)))
            approvers = [p.name for p in settings.people if p.may_approve and name in p.sites]
            enough = len(approvers) >= site.approvals
            lines.append(
                (
                    f"{name}: people who may approve: {', '.join(approvers) or 'nobody'} (needed: {site.approvals})",
                    enough,
                )
            )
    finally:
        await hosts.close()
    return lines


async def _front(name: str, site: SiteSettings, probe: Probe) -> Line:
    try:
        status = (await probe.status(site.url + "/")).status
    except BackoutError as error:
        return (f"{name}: web front (url): {error}", False)
    return (f"{name}: web front (url) {site.url} answers HTTP {status}", True)


async def _site(
    name: str, site: SiteSettings, host: Host, database_for: Callable[[str], Database | None]
) -> list[Line]:
    try:
        identity = await host.identity()
    except BackoutError as error:
        return [(f"{name}: ssh to {host.name}: {error}", False)]
    lines: list[Line] = [
        (f"{name}: ssh to {identity.address} as {identity.user}, host key {identity.host_key}", True)
    ]
    for program in ("php", "python3", "git", "sqlite3", "zstd"):
        found = (await host.run(Command(argv=["sh", "-c", f"command -v {program}"]))).exit_status == 0
        lines.append((f"{name}: {program} on the host", found or program in ("sqlite3", "zstd")))
    lines += await _application(name, site, host, database_for)
    for folder in site.backups:
        there = (await host.run(Command(argv=["test", "-d", folder]))).exit_status == 0
        lines.append((f"{name}: backup folder {folder}", there))
    return lines


async def _application(
    name: str, site: SiteSettings, host: Host, database_for: Callable[[str], Database | None]
) -> list[Line]:
    try:
        facts = parse_app_facts((await host.run(app_facts_command(site.app_path))).stdout)
    except BackoutError as error:
        return [(f"{name}: application in {site.app_path}: {error}", False)]
    lines: list[Line] = [(f"{name}: Laravel {facts.laravel} in {site.app_path}, {facts.environment}", True)]
    database = database_for(facts.database.driver)
    lines.append(
        (f"{name}: database {facts.database.driver} {facts.database.database}", database is not None)
    )
    if database is not None:
        work = database.facts(facts.database.database)
        try:
            live = work.read(await host.reader(work.verb, work.request, timeout=timedelta(seconds=60)))
            room = live.free_bytes > live.size_bytes * 3
            lines.append(
                (
                    f"{name}: room for a safety copy and a scratch copy ({live.free_bytes // 10**6} MB free)",
                    room,
                )
            )
        except BackoutError as error:
            lines.append((f"{name}: row reader: {error}", False))
    try:
        tree = parse_work_tree((await host.run(work_tree_command(site.app_path))).stdout)
        lines.append((f"{name}: git at {tree.commit[:12]}", not tree.modified))
    except BackoutError as error:
        lines.append((f"{name}: git: {error}", False))
    return lines
