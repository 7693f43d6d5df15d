"""What people want at hand: whom to call, and the command sheet with the site's real values."""

from __future__ import annotations

from bot.model.incident import Incident
from bot.model.message import Message, Reply, Table
from bot.ports.store import Transaction
from bot.runbook.contact_sheet import contact_table, site_facts
from bot.runbook.quick_reference import Section, SheetSite, quick_reference, sheet_text
from bot.service.desk import state_of, typed
from bot.service.paging import contacts_of
from bot.service.parts import Call, Parts
from bot.service.ringing import Way, ways_of
from bot.settings import SiteSettings

COMMANDS_SLOT = "commands"


async def contacts(parts: Parts, call: Call) -> Reply:
    """Return whom to call for the site, and what they ask for first; reads only."""
    site = call.site or ""
    settings = parts.site(site)
    state = await parts.store.read(lambda tx: state_of(tx, call.incident_id))
    facts = site_facts(
        settings.hosting.hosting() if settings.hosting else None,
        backups=settings.backups,
        storage=settings.backup_storage,
        database=_database(settings, state),
        user=settings.database_user,
    )
    known = contacts_of(settings)
    if not known:
        nobody = f"No contact is listed for {site} in the settings. Add them under sites.{site}.contacts."
        return Reply(text=nobody, ok=False, facts=facts)
    ways = [_ways(parts, contact.person, ways_of(parts, contact, settings)) for contact in known]
    return Reply(
        text=f"Contacts of {site}, in the order in which they are called:",
        table=contact_table(known, settings.intervals.page_again, ways),
        facts=facts,
    )


def _ways(parts: Parts, person: str | None, ways: tuple[Way, ...]) -> str:
    chat = ("chat",) if person is not None and parts.person(person) is not None else ()
    return ", ".join((*chat, *(way.words for way in ways))) or "nothing: call by telephone"


def _database(settings: SiteSettings, state: Incident) -> str | None:
    """Return the name of the database, or the path of its file: as assessed, else as the settings have it."""
    return str((state.assessment or {}).get("database") or "") or settings.database_name


async def commands(parts: Parts, call: Call) -> Reply:
    """Put the command sheet with this site's values into the channel. *Changes*: the channel only."""

    async def body(tx: Transaction) -> Reply:
        state = await state_of(tx, call.incident_id)
        sections = quick_reference(_sheet_site(parts, call.site or "", state), state)
        text = sheet_text(sections, call.site or "", call.incident_id, await tx.now())
        await tx.append(call.incident_id, [typed(call)])
        message = Message(
            slot=COMMANDS_SLOT,
            title=f"Commands for {call.site}, by hand",
            body="For hands, where Backout cannot be asked: it proves each of these first, and can undo. "
            "What does harm when it is pasted without thinking stands behind a #. No password is in here.",
            file_name=f"commands-{call.site}.sh",
            file_text=text,
        )
        await tx.put_message(call.incident_id, message)
        return Reply(
            text="The command sheet is in the channel, as a file.",
            incident_id=call.incident_id,
            table=_table(sections) if call.platform == "web" else None,
        )

    return await parts.store.transact(body)


def _table(sections: tuple[Section, ...]) -> Table:
    """Return the sheet as a table, for a shell: there the file is not seen."""
    rows = tuple((section.title, line) for section in sections for line in section.lines)
    return Table(columns=("for", "command"), rows=rows)


def _sheet_site(parts: Parts, site: str, state: Incident) -> SheetSite:
    settings = parts.site(site)
    return SheetSite(
        name=site,
        address=settings.ssh.address,
        ssh_user=settings.ssh.user,
        port=settings.ssh.port,
        app_path=settings.app_path,
        backups=settings.backups,
        branch=settings.branch,
        remote=settings.remote,
        retry_after_s=settings.retry_after_s,
        database=_database(settings, state),
        user=settings.database_user,
    )
