"""No backup can be trusted: the host is searched beyond the folders of the settings, within limits; reads only."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bot.laravel.facts import AppFacts
from bot.model.decision import Choice
from bot.model.event import Kind, NewEntry
from bot.model.message import Message, Tone
from bot.model.step import Step
from bot.ports.database import Work
from bot.runbook.wide_search import Place, places_found, script_folders, wide_roots
from bot.runbook.wording import backup_table
from bot.service.backup_search import LiveShape, bad_migration_of, find_request, inspect
from bot.service.desk import Question
from bot.service.engine import OperationContext
from bot.service.parts import Parts
from bot.service.site_work import SiteWork, Telling

SLOT = "wider-search"
OFFER = "backup-folder"
NO_BACKUP = "no-backup"

DEEPEST = 5
WALK_LIMIT_S = 60
FILES_LIMIT = 200
READ_LIMIT = 20
"""How many of the files found are read to their end, the newest first."""
READ_LIMIT_S = 600
"""After so long no further file is begun."""
OFFERED = 5


async def search_wider(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Search usual folders, the home and where deploy scripts back up to, judge what is found, and offer it. Reads only."""
    work = SiteWork(ctx, parts)
    await work.show(_message("Searching the host for other backups.", Tone.WORKING))
    facts = await work.app_facts()
    incident = await work.incident()
    bad = (incident.assessment or {}).get("bad_migration") or bad_migration_of(facts)
    live = await work.ask(work.database(facts).facts(facts.database.database))
    scripts = await _scripts(work)
    named = script_folders(scripts, work.settings.app_path)
    found = await _find(work, facts, wide_roots(work.settings.app_path, named))
    known = {str(line["path"]) for line in incident.backups}
    files = [str(file["path"]) for file in found["files"] if file["path"] not in known]
    lines, began = [], time.monotonic()
    for path in files[:READ_LIMIT]:
        if time.monotonic() - began > READ_LIMIT_S:
            break
        lines.append(await inspect(work, facts, bad, path, LiveShape.of(live)))
    home = (await work.folders()).base.partition("/.backout/")[0]
    places = places_found(lines, (home, work.settings.app_path.rpartition("/")[0]))
    unread = len(files) - len(lines)
    await work.tell("searched", _searched(lines, places, unread, named, is_complete=bool(found["complete"])))
    return {"found": len(files), "places": [place.path for place in places if place.usable]}


async def _scripts(work: SiteWork) -> list[dict[str, Any]]:
    """Return what the deploy script of the settings, and shell scripts beside the application, say of backups."""
    app_path = work.settings.app_path
    named = [work.settings.deploy_script] if work.settings.deploy_script else []
    folders = [app_path, app_path.rpartition("/")[0], "~", "~/bin"]
    question: Work[dict[str, Any]] = Work(
        verb="scripts",
        request={"paths": named, "folders": [folder for folder in folders if folder], "app_path": app_path},
        describe="read deploy scripts for the path they back up to (on the host; no line leaves it)",
        read=dict,
    )
    return list((await work.ask(question))["scripts"])


async def _find(work: SiteWork, facts: AppFacts, roots: Sequence[str]) -> dict[str, Any]:
    limits = {
        "max_depth": DEEPEST,
        "limit": FILES_LIMIT,
        "time_limit_s": WALK_LIMIT_S,
        "is_guess": True,
    }
    return await work.ask(
        Work(
            verb="find",
            request={**find_request(work, facts, roots), **limits},
            describe=f"search {', '.join(roots)} for backups (at most {WALK_LIMIT_S} s)",
            read=dict,
        )
    )


def _searched(
    lines: Sequence[dict[str, Any]],
    places: Sequence[Place],
    unread: int,
    named: Sequence[str],
    *,
    is_complete: bool,
) -> Telling:
    usable = [place for place in places if place.usable]
    files = f"{len(lines)} file{'' if len(lines) == 1 else 's'}"
    text = f"Searched the host beyond the settings: {files} found and read"
    text += f", in {len(usable)} folder(s) with a backup that may be of use." if usable else ", none of use."
    facts = (
        *((("deploy scripts back up to", ", ".join(named)),) if named else ()),
        *((("not read", f"{unread} older files"),) if unread else ()),
        *((("not searched to the end", "the search came to its limits"),) if not is_complete else ()),
        *((place.path, _verdict_words(place)) for place in places[:10]),
    )
    # Dumps of other sites of the same account are counted by folder, and not named (HAZARDS B7).
    shown = [line for line in lines if line["word"] != "REFUSED"]
    message = _message(
        text,
        Tone.WARNING if usable else Tone.BAD,
        facts=facts,
        table=backup_table(shown) if shown else None,
        next_steps=("/backups list",) if usable else ("/incident escalate",),
    )
    kept = [{"path": p.path, "verdicts": dict(p.verdicts)} for p in places]
    entry = NewEntry(
        kind=Kind.NOTE, text=text, data={"topic": "wider search", "places": kept, "scripts": list(named)}
    )
    return Telling(
        entries=[entry],
        messages=[message],
        questions=[_offer(usable[:OFFERED])] if usable else [],
        void=[NO_BACKUP],
        void_reason="The host was searched.",
    )


def _verdict_words(place: Place) -> str:
    return ", ".join(f"{count} {word}" for word, count in sorted(place.verdicts.items()))


def _offer(places: Sequence[Place]) -> Question:
    choices = [
        Choice(
            key=f"place-{number}",
            label=f"Add {place.path}",
            style="primary" if number == 1 else "default",
            starts="assess",
            args={"also": [place.path]},
        )
        for number, place in enumerate(places, start=1)
    ]
    return Question(
        purpose=OFFER,
        question="Do these backups belong to this site? One press adds the folder for this incident.",
        body="Then every backup in it is judged as those of the settings are, and the loss is counted against the best one. "
        "The settings stay as they are: add the folder to the site's `backups` there afterwards.",
        choices=(*choices, _DBA, Choice(key="none", label="None of them", rejects=True)),
        step=Step.CHOOSE_BACKUP,
        facts=tuple((f"place-{n}", f"{p.path}: {_verdict_words(p)}") for n, p in enumerate(places, start=1)),
    )


_DBA = Choice(key="dba", label="Call the DBA", starts="escalate", args={"reason": "no backup verified"})

SEARCH = Choice(key="search", label="Search the host for other backups", starts="search_wider")
"""The remedy where no backup can be trusted."""


def no_backup() -> Question:
    """Return the question that is asked where a listing holds no backup that is VERIFIED."""
    return Question(
        purpose=NO_BACKUP,
        question="No backup can be trusted. Search the host for others?",
        body="Usual folders, the home and the folders that deploy scripts back up to are read, within limits. Nothing is changed.",
        choices=(
            replace(SEARCH, style="primary"),
            _DBA,
            Choice(key="wait", label="Not now", rejects=True),
        ),
        step=Step.CHOOSE_BACKUP,
        tone=Tone.BAD,
    )


def _message(text: str, tone: Tone, **more: Any) -> Message:
    return Message(
        slot=SLOT,
        title="Search for other backups",
        tone=tone,
        step=int(Step.CHOOSE_BACKUP),
        body=text,
        **more,
    )
