"""Step 7, the offer: the corrected migration, fetched, shown, reviewed and rehearsed on a copy of the live database."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.laravel import git
from bot.laravel.facts import AppFacts, app_facts_command, parse_app_facts, pending_migrations
from bot.laravel.guarded import Target
from bot.laravel.migrate import migrate_refusal
from bot.model.decision import Choice
from bot.model.errors import BackoutError, FailedError, UnknownOutcomeError
from bot.model.event import Kind, NewEntry
from bot.model.message import Table, Tone
from bot.model.step import Step
from bot.ports.database import Database
from bot.ports.host import Command
from bot.runbook.checks import failure_words
from bot.runbook.orphans import known_orphans
from bot.runbook.wording import findings_table, shortened
from bot.service.desk import Question
from bot.service.engine import OperationContext
from bot.service.migration_findings import findings_of
from bot.service.operations.migrating import judge_migrations, raise_numbers, run_migrations
from bot.service.operations.rehearsal_words import Offer, Tried, rehearsed
from bot.service.operations.ways_on import leave_out_choice
from bot.service.parts import Parts
from bot.service.site_checks import checks_of, judged_after, numbers_at
from bot.service.site_work import Folders, SiteWork, Telling, step_message

_CANDIDATES_SHOWN = 8
_LINES_SHOWN = 12
_FILES_KEPT = (
    200  # in the timeline; a commit that changes more is no mended migration, and the number is told
)

_MAKE_TREE = (
    "set -e; app=$1; tree=$2; umask 077; "
    'cp -a --reflink=auto -- "$app/vendor" "$tree/vendor"; '
    '[ ! -f "$app/.env" ] || cp -- "$app/.env" "$tree/.env"; '
    'mkdir -p -- "$tree/storage/framework/cache/data" "$tree/storage/framework/sessions" "$tree/storage/framework/views" '
    '"$tree/storage/logs" "$tree/storage/app" "$tree/bootstrap/cache"'
)
"""Fills a work tree with what git does not hold, so that its code runs: packages (a copy: a migration may write there), .env, empty storage."""


async def propose(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Fetch, show and rehearse a corrected commit. *Changes*: git's view of the remote, and scratch; no file of the site."""
    work = SiteWork(ctx, parts)
    await work.began(Step.DEPLOY, "Fetching what the remote offers.")
    deployed, notes = await _fetched(work)
    wanted = str(ctx.args.get("commit") or "")
    candidates = [n for n in notes if any(p.startswith("database/migrations/") for p in n.files)]
    chosen = [n for n in notes if wanted and n.commit.startswith(wanted)] if wanted else candidates
    if len(chosen) != 1:
        await work.tell("choose", _choose(deployed, notes, chosen, wanted))
        return {"offered": [n.commit for n in chosen]}
    changes = git.parse_changed_files(
        await work.look_ok(
            git.changed_files_command(work.settings.app_path, deployed, chosen[0].commit),
            "git: list changed files",
        )
    )
    incoming = notes[
        notes.index(chosen[0]) :
    ]  # newest first: what is newer than the chosen one does not come along
    offer = Offer(deployed=deployed, commit=chosen[0], changes=changes, incoming=incoming)
    facts = await work.app_facts()
    database = work.database(facts)
    findings = await _review(work, offer, facts, database)
    await work.tell("proposed", proposed(offer, findings))
    tried = await _rehearse(work, offer, facts, database)
    await work.tell("rehearsed", rehearsed(work, offer, findings, tried))
    return {"passed": not tried.reasons, "commit": offer.commit.commit}


async def _fetched(work: SiteWork) -> tuple[str, tuple[git.CommitNote, ...]]:
    settings, path = work.settings, work.settings.app_path
    plan = (await work.incident()).plan
    if plan and plan.get("code_commit", "") is None:
        raise FailedError(
            f"when the recovery was planned, git told no commit of the code in {path} on {work.host.name}, so an undo could not put "
            "it back. Nothing was changed, and Backout deploys nothing there"
        )
    folders = await work.folders()
    tree = git.parse_work_tree(
        await work.look_ok(git.work_tree_command(path), "git: read the deployed commit")
    )
    # Known now, and not only when the commit was rehearsed and approved.
    if reason := git.checkout_refusal(tree, tree.commit):
        raise FailedError(
            f"{reason}. Nothing was changed on {work.site_name}. Commit them there or put them back (`git stash`), then: /app deploy"
        )
    fetch = git.fetch_command(path, settings.remote, settings.branch)
    await work.job(
        "fetch", fetch, f"git fetch {settings.remote} {settings.branch}", root=folders.scratch_jobs
    )
    offered = git.parse_commit(
        await work.look_ok(
            git.remote_commit_command(path, settings.remote, settings.branch), "git: read the remote's commit"
        )
    )
    relation = git.parse_relation(
        await work.look_ok(
            git.counts_command(path, tree.commit, offered), "git: compare with the deployed commit"
        )
    )
    if reason := git.relation_refusal(relation):
        raise FailedError(
            f"{reason}. Nothing was changed on {work.site_name}. Push the corrected commit, then: /app deploy"
        )
    notes = git.parse_commits(
        await work.look_ok(git.commits_command(path, tree.commit, offered), "git: list the offered commits")
    )
    return tree.commit, notes


def _choose(
    deployed: str, notes: tuple[git.CommitNote, ...], chosen: list[git.CommitNote], wanted: str
) -> Telling:
    why = (
        f"No offered commit starts with {shortened(wanted, 60)}."
        if wanted and not chosen
        else "Each contains those before it."
    )
    shown = (chosen or list(notes))[:_CANDIDATES_SHOWN]
    table = Table(
        columns=("commit", "when", "author", "subject"),
        rows=tuple((n.commit[:12], f"{n.time:%Y-%m-%d %H:%M}", n.author, n.subject) for n in shown),
    )
    choices = [
        Choice(
            key=n.commit[:12],
            label=f"{n.commit[:8]} {shortened(n.subject, 50)}",
            starts="propose",
            args={"commit": n.commit},
        )
        for n in shown
    ]
    choices.append(leave_out_choice())
    message = step_message(
        Step.DEPLOY,
        f"The remote offers {len(notes)} commit(s) on top of {deployed[:12]}. {why}",
        Tone.WARNING,
        table=table,
    )
    question = Question(
        purpose="propose",
        question="Which commit is the corrected one?",
        body="It is reviewed and rehearsed on a copy first; production is not changed by this answer.",
        choices=tuple(choices),
        step=Step.DEPLOY,
    )
    return Telling(messages=[message], questions=[question])


async def _review(work: SiteWork, offer: Offer, facts: AppFacts, database: Database) -> list[dict[str, Any]]:
    live = await work.ask(database.facts(facts.database.database))
    findings: list[dict[str, Any]] = []
    for path in offer.migrations:
        show = git.show_file_command(work.settings.app_path, offer.commit.commit, path)
        source = await work.look_ok(show, f"git show {offer.commit.commit[:12]}:{path}")
        findings += findings_of(source, path, facts, live)
    return findings


def proposed(offer: Offer, findings: list[dict[str, Any]]) -> Telling:
    """Return what is told of a commit before it is rehearsed: what it brings, what it changes, what the review found."""
    note = offer.commit
    text = f"Commit {note.commit[:12]} by {note.author}: {note.subject}"
    data = {
        "commit": note.commit,
        "subject": note.subject,
        "author": note.author,
        "migrations": list(offer.migrations),
        "findings": findings,
        "commits": [
            {"commit": n.commit, "author": n.author, "time": n.time.isoformat(), "subject": n.subject}
            for n in offer.incoming
        ],
        "files": [{"status": c.status, "path": c.path} for c in offer.changes[:_FILES_KEPT]],
        "files_changed": len(offer.changes),
    }
    message = step_message(
        Step.DEPLOY,
        f"{text}\nRehearsing it on a copy of the live database.",
        Tone.WORKING,
        facts=(
            ("migrations", ", ".join(offer.migrations) or "none"),
            ("commits it brings", _listed([_commit_words(n) for n in offer.incoming], "\n")),
            ("files changed", _listed([f"{c.status} {c.path}" for c in offer.changes], "\n")),
        ),
        table=findings_table(findings),
    )
    return Telling(entries=[NewEntry(kind=Kind.CORRECTED_PROPOSED, text=text, data=data)], messages=[message])


def _commit_words(note: git.CommitNote) -> str:
    return f"{note.commit[:12]} {note.time:%Y-%m-%d %H:%M} {note.author}: {shortened(note.subject, 80)}"


def _listed(lines: list[str], between: str) -> str:
    """Return how many there are, and the first of them."""
    more = [f"… and {len(lines) - _LINES_SHOWN} more"] if len(lines) > _LINES_SHOWN else []
    return between.join([f"{len(lines)}:", *lines[:_LINES_SHOWN], *more])


async def _rehearse(work: SiteWork, offer: Offer, facts: AppFacts, database: Database) -> Tried:
    """Run the commit's migrations on a copy, with that commit's own code. Returns what stands against it."""
    if git.composer_changed(offer.changes):
        reason = (
            "composer.lock changed: packages must be installed by hand first, Backout does not run composer"
        )
        return Tried(reasons=(reason,))
    folders = await work.folders()
    tree = f"{folders.scratch}/tree-{work.tag}"
    inside = git.parse_prefix(
        await work.look_ok(
            git.prefix_command(work.settings.app_path), "git: find the application's folder in its repository"
        )
    )
    app = f"{tree}/{inside}" if inside else tree
    await _make_tree(work, folders, tree, app, offer.commit.commit)
    try:
        outcome = await _rehearse_in(work, offer, facts, database, folders, app)
    except UnknownOutcomeError:
        raise  # not an end: the same tree is used when this is looked at again
    except BackoutError:
        await _remove_tree(work, folders, tree)
        raise
    await _remove_tree(work, folders, tree)
    return outcome


async def _rehearse_in(
    work: SiteWork, offer: Offer, facts: AppFacts, database: Database, folders: Folders, app: str
) -> Tried:
    tree_facts = parse_app_facts(
        await work.look_ok(app_facts_command(app), f"php: read the migrations of {offer.commit.commit[:12]}")
    )
    # What ran is asked of the live application: beside its own folder the tree may find no database, or an old one.
    tree_facts = replace(tree_facts, migration_rows=facts.migration_rows)
    pending = pending_migrations(tree_facts)
    approved = [f for f in tree_facts.migration_files if f.name in pending]
    if reason := migrate_refusal(tree_facts.migration_rows, pending, [f.name for f in approved]):
        return Tried(reasons=(reason,))
    live = facts.database.database
    scratch = database.scratch_place(folders.scratch, "deploy", work.tag)
    title = step_message(Step.DEPLOY, "Copying the live database to scratch.", Tone.WORKING)
    copied = await work.scratch("scratch", database, database.copy(live, scratch), title)
    asked = checks_of(work, database, facts)
    # Recorded before the migration runs: after a restart the copy may not be what it was.
    numbers = await work.once("checks-before", dict, lambda: numbers_at(work, database, copied.path, asked))
    target = Target(driver=facts.database.driver, database=copied.database, is_scratch=True)
    run = await run_migrations(work, folders, database, app, target, approved, "scratch")
    reasons, shrunk, loss = await judge_migrations(
        work,
        facts,
        folders,
        database,
        run,
        approved,
        live,
        copied.path,
        "scratch",
        orphans_before=known_orphans(await work.incident()),
    )
    checks = await judged_after(work, database, copied.path, asked, numbers)
    reasons += failure_words(checks)
    if not reasons:
        await raise_numbers(work, folders, database, copied.path, "scratch")
    return Tried(
        reasons=tuple(reasons),
        shrunk=shrunk,
        approved=tuple(approved),
        loss=loss,
        checks=checks,
        duration_s=run.duration_s,
    )


async def _remove_tree(work: SiteWork, folders: Folders, tree: str) -> None:
    remove = git.remove_worktree_command(work.settings.app_path, tree)
    await work.job(
        "tree-off", remove, f"git worktree remove {tree}", root=folders.scratch_jobs, allow=(0, 128)
    )


async def _make_tree(work: SiteWork, folders: Folders, tree: str, app: str, commit: str) -> None:
    add = git.add_worktree_command(work.settings.app_path, tree, commit)
    await work.job("tree", add, f"git worktree add {tree} {commit[:12]}", root=folders.scratch_jobs)
    fill = Command(argv=["sh", "-c", _MAKE_TREE, "sh", work.settings.app_path, app])
    await work.job(
        "tree-fill", fill, f"fill {app} with packages, .env and empty storage", root=folders.scratch_jobs
    )
