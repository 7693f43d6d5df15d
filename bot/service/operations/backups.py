"""Steps 3 and 4: the backups there are and what each is worth; and a proven copy of the state as it is now."""

from __future__ import annotations

from typing import Any

from bot.model.codec import digest
from bot.model.errors import FailedError, JobDiedError
from bot.model.event import Kind, NewEntry
from bot.model.incident import Cutover
from bot.model.message import Message, Tone
from bot.model.step import Step
from bot.runbook.wording import backup_table, bytes_words
from bot.service.backup_search import LiveShape, bad_migration_of, inspect, search
from bot.service.engine import OperationContext
from bot.service.freeze_proof import prove_freeze
from bot.service.operations.assess import listed
from bot.service.operations.freeze import broken
from bot.service.parts import Parts
from bot.service.site_work import SiteWork, Telling, counts, done_entry, failed_entry, step_message


async def list_backups(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Find and judge every backup of the site; reads only."""
    work = SiteWork(ctx, parts)
    await work.began(Step.CHOOSE_BACKUP, "Looking for backups.")
    facts = await work.app_facts()
    known = (await work.incident()).assessment or {}
    live = await work.ask(work.database(facts).facts(facts.database.database))
    bad = known.get("bad_migration") or bad_migration_of(facts)
    found = await search(work, facts, bad, LiveShape.of(live))
    await work.tell("listed", listed(found))
    return {"count": len(found.backups)}


async def inspect_backup(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Judge one file, and load it into scratch when asked to; reads only, but for the scratch copy."""
    work = SiteWork(ctx, parts)
    facts = await work.app_facts()
    known = (await work.incident()).assessment or {}
    bad = known.get("bad_migration") or bad_migration_of(facts)
    live = await work.ask(work.database(facts).facts(facts.database.database))
    line = await inspect(work, facts, bad, await _full_path(work, str(ctx.args["path"])), LiveShape.of(live))
    if ctx.args.get("load") and line["word"] == "COULD NOT VERIFY" and line["sha256"]:
        line = await _verify_by_load(work, line, bad)
    line["recommended"] = False
    rows = {name: rows for name, rows in line["rows"].items() if rows is not None}
    message = Message(
        slot=f"backup-{digest(line['path'])[:16]}",
        title=f"Backup {line['path'].rsplit('/', 1)[-1]}",
        tone=Tone.GOOD if line["word"].startswith("VERIFIED") else Tone.BAD,
        step=int(Step.CHOOSE_BACKUP),
        table=backup_table([line]),
        facts=(
            ("SHA-256", line["sha256"] or "unknown"),
            ("rows", counts(rows)),
            *(("note", n) for n in line.get("notes", ())),
        ),
        next_steps=("/backups list",),
    )
    entry = NewEntry(kind=Kind.BACKUP_INSPECTED, text=f"{line['path']}: {line['word']}", data=line)
    await work.tell("inspected", Telling(entries=[entry], messages=[message]))
    return {"word": line["word"]}


async def _full_path(work: SiteWork, name: str) -> str:
    """Return the path of a listed backup that was named by its file name alone; any other name as it is."""
    listed_paths = [str(b["path"]) for b in (await work.incident()).backups]
    return next((path for path in listed_paths if path.rsplit("/", 1)[-1] == name), name)


async def _verify_by_load(work: SiteWork, line: dict[str, Any], bad: str) -> dict[str, Any]:
    """Return the line of a backup that no marker proves, after loading it whole: verified by load, or why not."""
    facts = await work.app_facts()
    database = work.database(facts)
    folders = await work.folders()
    live = await work.ask(database.facts(facts.database.database))
    target = database.scratch_place(folders.scratch, "inspect", work.tag)
    loaded = await work.scratch("load", database, database.load(line["path"], target, live, None))
    earlier = [row.migration for row in facts.migration_rows or () if row.migration != bad]
    missing = [name for name in earlier if name not in loaded.migrations]
    if loaded.foreign_key_violations or bad in loaded.migrations or missing or not any(loaded.rows.values()):
        return {
            **line,
            "word": "REFUSED",
            "reasons": [*line["reasons"], "loaded into scratch, it is not whole or not from before"],
        }
    return {
        **line,
        "word": "VERIFIED",
        "reasons": ["verified by load: it loaded whole, its keys hold"],
        "rows": loaded.rows,
    }


async def safety_backup(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Take a proven copy of the live database. *Changes*: writes one file in Backout's own folder on the host."""
    work = SiteWork(ctx, parts)
    await work.began(Step.SAFETY_BACKUP, "Proving the freeze again, then copying the database as it is.")
    await ctx.take_site()
    facts, folders = await work.facts_and_folders()
    database = work.database(facts)
    proof = await prove_freeze(work, facts, database)
    if not proof.proven:
        await work.tell("broken", broken(proof))
        text = f"No safety backup was taken: {'; '.join(proof.why)}. Nothing was changed. Next: /app freeze"
        await work.tell(
            "failed",
            Telling(
                entries=[failed_entry(Step.SAFETY_BACKUP, text)],
                messages=[step_message(Step.SAFETY_BACKUP, text, Tone.BAD)],
            ),
        )
        return {"made": False}
    assessed = ((await work.incident()).assessment or {}).get("database")
    if assessed is not None and facts.database.database != assessed:
        raise FailedError(
            f"the application's database is {facts.database.database} now, and {assessed} was assessed. Nothing was changed. "
            "Look at .env, then: /incident assess"
        )
    target = database.safety_place(folders.safety, work.site_name, work.tag)
    try:
        copy = await work.work(
            "copy",
            database.copy(facts.database.database, target),
            root=folders.change_jobs,
            title=step_message(Step.SAFETY_BACKUP, "Copying the database as it is now.", Tone.WORKING),
        )
    except JobDiedError as error:
        raise JobDiedError(
            f"{error} Nothing was changed in the database, and there is no safety backup from it: a file that may be left at "
            f"{target} is not proven and counts for nothing. Next: /backups create"
        ) from error
    text = f"Safety backup taken and proven: {bytes_words(copy.size_bytes)}, equal to the live database table by table."
    data = {
        "path": copy.path,
        "sha256": copy.sha256,
        "size_bytes": copy.size_bytes,
        "fingerprint": copy.fingerprint,
        "rows": copy.rows,
        "duration_s": (work.ctx.recorded().get("copy") or {}).get("duration_s"),
    }
    message = step_message(
        Step.SAFETY_BACKUP,
        text,
        Tone.GOOD,
        facts=(("file", copy.path), ("SHA-256", copy.sha256), ("rows", counts(copy.rows))),
        next_steps=("/restore plan",)
        if (await work.incident()).cutover is Cutover.NONE
        else ("/incident status",),
    )
    entries = [NewEntry(kind=Kind.SAFETY_MADE, text=text, data=data), done_entry(Step.SAFETY_BACKUP, text)]
    await work.tell("made", Telling(entries=entries, messages=[message]))
    return data
