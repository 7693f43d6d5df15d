"""Step 1: who the host is, which migration did it, and what was lost, by comparing with the best backup."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from bot.laravel.facts import AppFacts
from bot.laravel.git import deployed_at_command, parse_deployed_at
from bot.laravel.rollback import last_migration
from bot.model.codec import to_json
from bot.model.database import DatabaseFacts, Loss
from bot.model.decision import Choice
from bot.model.event import Kind, NewEntry
from bot.model.incident import Cutover, Incident
from bot.model.message import Tone
from bot.model.step import Step
from bot.ports.database import Database
from bot.ports.host import Command
from bot.runbook.wording import backup_table, bytes_words, capitalised, loss_sentence, loss_table
from bot.service.backup_search import (
    Found,
    LiveShape,
    blamed_migration,
    deploy_script_facts,
    is_blame_settled,
    search,
)
from bot.service.desk import Question
from bot.service.engine import OperationContext
from bot.service.migration_findings import findings_of
from bot.service.operations.wider_search import NO_BACKUP, OFFER, SEARCH, no_backup
from bot.service.parts import Parts
from bot.service.site_checks import users_affected
from bot.service.site_work import Folders, SiteWork, Telling, done_entry, step_message


async def assess(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Find out what was lost, and ask what to do. *Changes*: nothing on production; a scratch copy of a backup."""
    work = SiteWork(ctx, parts)
    await work.began(Step.ASSESS, "Asking the host, the application and the database.")
    host = await work.identity()
    facts = await work.app_facts()
    database = work.database(facts)
    live = await work.ask(database.facts(facts.database.database))
    before = await work.incident()
    bad = blamed_migration(before, facts)
    await work.show(_first_words(facts, live, bad))
    script = await deploy_script_facts(work)
    deployed_at = parse_deployed_at(
        (
            await work.look(
                deployed_at_command(work.settings.app_path), "git: read when the code was deployed"
            )
        ).stdout
    )
    found = await search(work, facts, bad, LiveShape.of(live))
    backup = next((b for b in found.backups if b["recommended"]), None)
    data: dict[str, Any] = {
        "host": host.address,
        "host_key": host.host_key,
        "hostname": host.hostname,
        "laravel_version": str(facts.laravel),
        "php_version": facts.php_version,
        "engine": live.engine,
        "engine_version": live.version,
        "database": live.path,
        "database_identity": live.identity,
        "size_bytes": live.size_bytes,
        "rows": live.rows,
        "objects": live.objects,
        "bad_migration": bad,
        "findings": await review_of(work, facts, live, bad),
        "migrated_at": _migrated_at(before, deployed_at),
        "deploy_script": work.settings.deploy_script,
        "backs_up_before_migrating": (script or {}).get("backs_up_before_migrate"),
        "backup": backup["path"] if backup else None,
        "backup_sha256": backup["sha256"] if backup else None,
    }
    if backup is None:
        await work.tell("assessed", _cannot_tell(data, found, facts))
        return {"verdict": "unknown"}
    folders = await work.folders()
    baseline = await load_baseline(work, folders, database, live, backup)
    loss = await work.work(
        "compare",
        database.compare(baseline, live.path, beside_the_data(facts), folders.lists),
        root=folders.scratch_jobs,
        title=step_message(
            Step.ASSESS, "Comparing the backup with the live database, row by row.", Tone.WORKING
        ),
    )
    known = set(backup["migrations"])
    since = [row.migration for row in facts.migration_rows or () if row.migration not in known]
    data |= {"loss": _loss_data(loss), "baseline": baseline, "migrations_since_backup": len(since)}
    users = await users_affected(work, database, facts, live.path) if loss.verdict != "none" else None
    await work.tell("assessed", _assessed(data, loss, found, facts, users, before))
    return {"verdict": loss.verdict}


async def review_of(work: SiteWork, facts: AppFacts, live: DatabaseFacts, name: str) -> list[dict[str, Any]]:
    """Return what the source of a deployed migration shows; empty where its file is gone. Reads only."""
    file = next((f for f in facts.migration_files if f.name == name), None)
    if file is None:
        return []
    source = await work.look(Command(argv=["cat", "--", file.path]), f"read {file.path}")
    if source.exit_status != 0:
        return []
    return findings_of(source.stdout, file.path, facts, live)


def beside_the_data(facts: AppFacts) -> list[str]:
    """Return the tables that are no one's data: jobs, sessions, caches, and Laravel's own list of migrations."""
    return [
        facts.migrations_table,
        *(t.table for t in facts.runtime_tables if t.in_default_database and t.exists),
    ]


async def load_baseline(
    work: SiteWork, folders: Folders, database: Database, live: DatabaseFacts, backup: dict[str, Any]
) -> str:
    """Load a verified backup into a scratch of its own and return its place; one that is there is used again."""
    known = (await work.incident()).assessment or {}
    if known.get("backup_sha256") == backup["sha256"] and known.get("baseline"):
        there = str(known["baseline"])
        if await work.is_there(database, there):
            return there
    target = database.scratch_place(folders.scratch, "baseline", work.tag)
    expect = {name: rows for name, rows in backup["rows"].items() if rows is not None}
    title = step_message(
        Step.ASSESS, f"Loading {backup['path'].rsplit('/', 1)[-1]} into a scratch copy.", Tone.WORKING
    )
    load = database.load(backup["path"], target, live, expect or None)
    loaded = await work.scratch("load", database, load, title)
    return loaded.path


def _first_words(facts: AppFacts, live: DatabaseFacts, bad: str) -> Any:
    return step_message(
        Step.ASSESS,
        f"{_migration_words(bad, facts)} Looking for the backup from before it.",
        Tone.WORKING,
        facts=_where(facts, live),
    )


def _migrated_at(before: Incident, deployed_at: datetime | None) -> str | None:
    """Return when the code with the bad migration was deployed; once production was cut over, as it was found before."""
    if is_blame_settled(before):
        at: str | None = (before.assessment or {}).get("migrated_at")
        return at
    return deployed_at.isoformat() if deployed_at else None


def _migration_words(bad: str, facts: AppFacts) -> str:
    last = last_migration(facts.migration_rows or ())
    if last is not None and last.migration == bad:
        return f"The last migration that ran is `{bad}`."
    return f"The migration that did the damage is `{bad}`; it is not the last one recorded now."


def _where(facts: AppFacts, live: DatabaseFacts) -> tuple[tuple[str, str], ...]:
    return (
        ("application", f"Laravel {facts.laravel}, PHP {facts.php_version}, {facts.environment}"),
        ("database", f"{live.engine} {live.version}, {live.path}, {bytes_words(live.size_bytes)}"),
    )


def _loss_data(loss: Loss) -> dict[str, Any]:
    plain: dict[str, Any] = to_json(loss)
    for table in plain["tables"]:
        table["columns"] = [
            c
            for c in table["columns"]
            if c["status"] == "dropped" or c["values_lost"] or c["values_moved"] or c["nulled"]
        ]
    plain["totals"] = {
        "rows_lost": loss.rows_lost,
        "values_lost": loss.values_lost,
        "values_moved": loss.values_moved,
        "rows_new": loss.rows_new,
        "values_nulled": loss.values_nulled,
    }
    return plain


def _assessed(
    data: dict[str, Any],
    loss: Loss,
    found: Found,
    facts: AppFacts,
    users: NewEntry | None,
    before: Incident,
) -> Telling:
    sentence = loss_sentence(loss)
    tone = {"none": Tone.GOOD, "missing_rows": Tone.WARNING, "rewritten": Tone.WARNING}.get(
        loss.verdict, Tone.BAD
    )
    entry = NewEntry(kind=Kind.ASSESSED, text=_plain(sentence), data=data)
    message = step_message(
        Step.ASSESS,
        f"{sentence}\n{_migration_words(data['bad_migration'], facts)}",
        tone,
        facts=(
            ("application", f"Laravel {facts.laravel}, PHP {facts.php_version}"),
            ("database", f"{data['engine']} {data['engine_version']}, {bytes_words(data['size_bytes'])}"),
            ("compared with", str(data["backup"])),
            ("host key", data["host_key"]),
            *((("users affected", users.text.partition(": ")[2]),) if users else ()),
        ),
        table=loss_table(loss),
    )
    return Telling(
        entries=[
            _listed(found),
            done_entry(Step.CHOOSE_BACKUP, found.advice),
            entry,
            *([users] if users else []),
            done_entry(Step.ASSESS, _plain(sentence)),
        ],
        messages=[message, _backups_message(found)],
        questions=[_what_now(loss, restored=before.cutover is Cutover.DONE)],
        void=(NO_BACKUP, OFFER),
        void_reason="A backup is verified.",
    )


_CLOSE_QUESTIONS = {
    "none": "No loss was found. Close the incident?",
    "missing_rows": "Only deleted rows were found. Did people delete them?",
    "rewritten": "Values were emptied, changed, or moved without proof. Is that meant?",
}


def _what_now(loss: Loss, *, restored: bool) -> Question:
    freeze = Choice(key="freeze", label="Freeze the application", style="primary", starts="freeze")
    dba = Choice(
        key="dba", label="Call the DBA", starts="escalate", args={"reason": "asked for after the assessment"}
    )
    wait = Choice(key="wait", label="Not now", rejects=True)
    if loss.verdict == "loss":
        return Question(
            purpose="assessed",
            question="Data were lost. Stop the application now?",
            body="Visitors see a maintenance page (503). Each minute online may add rows that must be put back later.",
            choices=(freeze, dba, wait),
            step=Step.ASSESS,
            tone=Tone.BAD,
        )
    sure = loss.verdict == "none"
    found_none = "recovered" if restored else "no loss"
    close = Choice(
        key="close",
        label=f"{capitalised(found_none)}: close the incident"
        if sure
        else "Close: a person looked, nothing is missing",
        style="primary" if sure else "default",
        starts="close",
        args={"outcome": found_none if sure else "closed after a look"},
    )
    return Question(
        purpose="assessed",
        question=_CLOSE_QUESTIONS[loss.verdict],
        body="Production holds the restored data; nothing was changed by this look."
        if restored
        else "Nothing was changed on production.",
        choices=(close, replace(freeze, style="default"), dba, wait),
        step=Step.ASSESS,
        tone=Tone.GOOD if loss.verdict == "none" else Tone.WARNING,
    )


def _cannot_tell(data: dict[str, Any], found: Found, facts: AppFacts) -> Telling:
    text = "No backup could be verified, so what was lost cannot be counted. Call the DBA before anything is changed."
    question = Question(
        purpose="assessed",
        question="No backup can be trusted. What now?",
        body="Freezing keeps what is there. Nothing is restored from a backup that is not verified.",
        choices=(
            Choice(
                key="dba",
                label="Call the DBA",
                style="primary",
                starts="escalate",
                args={"reason": "no backup verified"},
            ),
            SEARCH,
            Choice(key="freeze", label="Freeze the application", starts="freeze"),
            Choice(key="wait", label="Not now", rejects=True),
        ),
        step=Step.ASSESS,
        tone=Tone.BAD,
    )
    message = step_message(
        Step.ASSESS, f"**{text}**", Tone.BAD, facts=(("application", f"Laravel {facts.laravel}"),)
    )
    return Telling(
        entries=[
            _listed(found),
            NewEntry(kind=Kind.ASSESSED, text=text, data=data),
            done_entry(Step.ASSESS, text),
        ],
        messages=[message, _backups_message(found)],
        questions=[question],
    )


def _listed(found: Found) -> NewEntry:
    good = sum(b["word"] == "VERIFIED" for b in found.backups)
    return NewEntry(
        kind=Kind.BACKUPS_LISTED,
        text=f"{len(found.backups)} backups looked at, {good} verified. {found.advice}",
        data={
            "backups": list(found.backups),
            "complete": found.complete,
            "skipped": list(found.skipped),
            "folders": list(found.added),
        },
    )


def _backups_message(found: Found) -> Any:
    good = [b for b in found.backups if b["word"] == "VERIFIED"]
    return step_message(
        Step.CHOOSE_BACKUP,
        found.advice if good else "**No backup could be verified.** Each line says why.",
        Tone.GOOD if good else Tone.BAD,
        table=backup_table(found.backups),
        facts=tuple(("not looked at", line) for line in found.skipped[:10]),
        next_steps=("/backups inspect <file>",),
    )


def _plain(text: str) -> str:
    return text.replace("**", "").replace("`", "")


def listed(found: Found) -> Telling:
    """Return what a listing of backups tells: the timeline entry, step 3 done, its table, and what helps where none is good."""
    is_good = any(b["word"] == "VERIFIED" for b in found.backups)
    return Telling(
        entries=[_listed(found), done_entry(Step.CHOOSE_BACKUP, found.advice)],
        messages=[_backups_message(found)],
        questions=[] if is_good else [no_backup()],
        void=(NO_BACKUP, OFFER) if is_good else (),
        void_reason="A backup is verified.",
    )
