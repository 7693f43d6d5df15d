"""Step 7: the corrected migration, fetched, shown, reviewed and rehearsed on a copy, then run as approved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bot.laravel import git
from bot.laravel.facts import AppFacts, MigrationFile, app_facts_command, parse_app_facts, pending_migrations
from bot.laravel.guarded import ArtisanRun, Refused, Target, parse_guarded_artisan, shrunk_tables
from bot.laravel.migrate import MigrationOutcome, migrate_command, migrate_refusal, migration_verdict
from bot.laravel.review import review_migration
from bot.model.codec import from_json
from bot.model.database import Loss
from bot.model.decision import Choice
from bot.model.errors import BackoutError, FailedError, JobDiedError, UnknownOutcomeError
from bot.model.event import Kind, NewEntry
from bot.model.message import Table, Tone
from bot.model.person import Permission
from bot.model.plan import Plan
from bot.model.step import Step
from bot.ports.database import Database
from bot.ports.host import Command
from bot.ports.store import Transaction
from bot.runbook.wording import findings_table, loss_sentence
from bot.service.desk import Question
from bot.service.engine import OperationContext
from bot.service.freeze_proof import prove_freeze
from bot.service.operations.assess import beside_the_data
from bot.service.operations.freeze import broken
from bot.service.parts import Parts
from bot.service.site_work import Folders, SiteWork, Telling, done_entry, failed_entry, step_message

_CANDIDATES_SHOWN = 8

_MAKE_TREE = (
    "set -e; app=$1; tree=$2; umask 077; "
    'cp -a --reflink=auto -- "$app/vendor" "$tree/vendor"; '
    '[ ! -f "$app/.env" ] || cp -- "$app/.env" "$tree/.env"; '
    'mkdir -p -- "$tree/storage/framework/cache/data" "$tree/storage/framework/sessions" "$tree/storage/framework/views" '
    '"$tree/storage/logs" "$tree/storage/app" "$tree/bootstrap/cache"'
)
"""Fills a work tree with what git does not hold, so that its code runs: packages (a copy: a migration may write there), .env, empty storage."""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A commit that may be deployed, and what it changes against the deployed one."""

    deployed: str
    commit: git.CommitNote
    changes: tuple[git.FileChange, ...]

    @property
    def migrations(self) -> tuple[str, ...]:
        """Return the paths of the migration files it adds or changes."""
        return tuple(c.path for c in git.migration_changes(self.changes) if c.status != "D")


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
    offer = Offer(deployed=deployed, commit=chosen[0], changes=changes)
    facts = await work.app_facts()
    database = work.database(facts)
    findings = await _review(work, offer, facts, database)
    await work.tell("proposed", _proposed(offer, findings))
    reasons, shrunk, approved, loss = await _rehearse(work, offer, facts, database)
    await work.tell("rehearsed", _rehearsed(work, offer, findings, reasons, shrunk, approved, loss))
    return {"passed": not reasons, "commit": offer.commit.commit}


async def _fetched(work: SiteWork) -> tuple[str, tuple[git.CommitNote, ...]]:
    settings, path = work.settings, work.settings.app_path
    folders = await work.folders()
    tree = git.parse_work_tree(
        await work.look_ok(git.work_tree_command(path), "git: read the deployed commit")
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
        f"No offered commit starts with {wanted}."
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
            label=f"{n.commit[:8]} {n.subject[:50]}",
            starts="propose",
            args={"commit": n.commit},
        )
        for n in shown
    ]
    choices.append(
        Choice(key="skip", label="Leave the corrected migration out for now", starts="skip_deploy")
    )
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
        found = review_migration(
            source,
            driver=facts.database.driver,
            version=facts.laravel,
            cascading_children={k: list(v) for k, v in live.cascading_children.items()},
        )
        findings += [
            {"file": path, "code": f.code, "severity": f.severity.value, "line": f.line, "message": f.message}
            for f in found
        ]
    return findings


def _proposed(offer: Offer, findings: list[dict[str, Any]]) -> Telling:
    note = offer.commit
    text = f"Commit {note.commit[:12]} by {note.author}: {note.subject}"
    data = {
        "commit": note.commit,
        "subject": note.subject,
        "author": note.author,
        "migrations": list(offer.migrations),
        "findings": findings,
    }
    message = step_message(
        Step.DEPLOY,
        f"{text}\nRehearsing it on a copy of the live database.",
        Tone.WORKING,
        facts=(
            ("migrations", ", ".join(offer.migrations) or "none"),
            ("files changed", str(len(offer.changes))),
        ),
        table=findings_table(findings),
    )
    return Telling(entries=[NewEntry(kind=Kind.CORRECTED_PROPOSED, text=text, data=data)], messages=[message])


# -- the rehearsal

Rehearsal = tuple[list[str], dict[str, list[int]], list[MigrationFile], Loss | None]
"""What stands against a commit (empty: nothing), tables that shrank, the migrations that ran, and the loss table."""


async def _rehearse(work: SiteWork, offer: Offer, facts: AppFacts, database: Database) -> Rehearsal:
    """Run the commit's migrations on a copy, with that commit's own code. Returns what stands against it."""
    if git.composer_changed(offer.changes):
        return (
            [
                "composer.lock changed: packages must be installed by hand first, Backout does not run composer"
            ],
            {},
            [],
            None,
        )
    folders = await work.folders()
    tree = f"{folders.scratch}/tree-{work.tag}"
    await _make_tree(work, folders, tree, offer.commit.commit)
    try:
        outcome = await _rehearse_in(work, offer, facts, database, folders, tree)
    except UnknownOutcomeError:
        raise  # not an end: the same tree is used when this is looked at again
    except BackoutError:
        await _remove_tree(work, folders, tree)
        raise
    await _remove_tree(work, folders, tree)
    return outcome


async def _rehearse_in(
    work: SiteWork, offer: Offer, facts: AppFacts, database: Database, folders: Folders, tree: str
) -> Rehearsal:
    tree_facts = parse_app_facts(
        await work.look_ok(app_facts_command(tree), f"php: read the migrations of {offer.commit.commit[:12]}")
    )
    pending = pending_migrations(tree_facts)
    approved = [f for f in tree_facts.migration_files if f.name in pending]
    if reason := migrate_refusal(tree_facts.migration_rows, pending, [f.name for f in approved]):
        return [reason], {}, [], None
    live = facts.database.database
    scratch = f"{folders.scratch}/deploy-{work.tag}.sqlite"
    copied = await work.work("scratch", database.copy(live, scratch), root=folders.scratch_jobs)
    target = Target(driver=facts.database.driver, database=copied.path, is_scratch=True)
    run = await _migrate(work, folders, tree, target, approved, "scratch")
    reasons, shrunk, loss = await _judge(
        work, facts, folders, database, run, approved, live, copied.path, "scratch"
    )
    return reasons, shrunk, approved, loss


async def _remove_tree(work: SiteWork, folders: Folders, tree: str) -> None:
    remove = git.remove_worktree_command(work.settings.app_path, tree)
    await work.job(
        "tree-off", remove, f"git worktree remove {tree}", root=folders.scratch_jobs, allow=(0, 128)
    )


async def _make_tree(work: SiteWork, folders: Folders, tree: str, commit: str) -> None:
    add = git.add_worktree_command(work.settings.app_path, tree, commit)
    await work.job("tree", add, f"git worktree add {tree} {commit[:12]}", root=folders.scratch_jobs)
    fill = Command(argv=["sh", "-c", _MAKE_TREE, "sh", work.settings.app_path, tree])
    await work.job(
        "tree-fill", fill, f"fill {tree} with packages, .env and empty storage", root=folders.scratch_jobs
    )


async def _migrate(
    work: SiteWork, folders: Folders, app_path: str, target: Target, approved: list[MigrationFile], where: str
) -> ArtisanRun:
    command = migrate_command(app_path=app_path, target=target, approved=approved, timeout=timedelta(hours=2))
    names = " ".join(f"--path={f.path}" for f in approved)
    root = folders.scratch_jobs if target.is_scratch else folders.change_jobs
    output = await work.job(
        f"migrate-{where}",
        command,
        f"php artisan migrate --force {names} (on {target.database})",
        root=root,
        allow=(0, 1, 3),
    )
    run = parse_guarded_artisan(output)
    if isinstance(run, Refused):
        raise FailedError(
            f"the migration was not run: {run.reason}. Nothing was changed on {work.site_name}. Next: /app deploy"
        )
    return run


async def _judge(
    work: SiteWork,
    facts: AppFacts,
    folders: Folders,
    database: Database,
    run: ArtisanRun,
    approved: list[MigrationFile],
    before: str,
    after: str,
    where: str,
) -> tuple[list[str], dict[str, list[int]], Loss]:
    """Return why a migration's result must not stand (empty: it may), the tables that shrank, and the loss table."""
    verdict = migration_verdict(run, [f.name for f in approved])
    reasons = [] if verdict.outcome is MigrationOutcome.MIGRATED else [verdict.reason]
    shrunk = {t: [b, a] for t, (b, a) in shrunk_tables(run).items()}
    reasons += [f"{t} shrank from {b:,} to {a:,} rows" for t, (b, a) in shrunk.items()]
    loss = await work.work(
        f"compare-{where}",
        database.compare(before, after, beside_the_data(facts), folders.lists),
        root=folders.scratch_jobs,
    )
    reasons += [
        f"{t.reused_keys:,} keys of {t.table} belong to other rows now" for t in loss.tables if t.reused_keys
    ]
    told = set(shrunk) >= {t.table for t in loss.tables if t.missing} and not loss.values_lost
    if loss.verdict != "none" and not (shrunk and told):
        reasons.append(loss_sentence(loss).replace("**", "").rstrip("."))
    orphans = await work.ask(database.orphans(after, 60))
    reasons += [f"{count:,} orphans in {key}" for key, count in orphans.items() if count]
    return reasons, shrunk, loss


def _rehearsed(
    work: SiteWork,
    offer: Offer,
    findings: list[dict[str, Any]],
    reasons: list[str],
    shrunk: dict[str, list[int]],
    approved: list[MigrationFile],
    loss: Loss | None,
) -> Telling:
    commit = offer.commit.commit
    data = {
        "commit": commit,
        "passed": not reasons,
        "reasons": reasons,
        "shrunk": shrunk,
        "approved": [[f.name, f.sha256] for f in approved],
        "deployed": offer.deployed,
    }
    table = findings_table(findings)
    if reasons:
        text = f"Stopped by the rehearsal: commit {commit[:12]} would do harm. {'; '.join(reasons)}. Production was not changed."
        message = step_message(
            Step.DEPLOY, text, Tone.BAD, table=table, next_steps=("/app deploy <another commit>",)
        )
        entries = [
            NewEntry(kind=Kind.CORRECTED_REHEARSED, text=text, data=data),
            failed_entry(Step.DEPLOY, text),
        ]
        return Telling(
            entries=entries, messages=[message], void=["deploy"], void_reason="Another commit was rehearsed."
        )
    moved = (
        f"{loss.values_moved:,} values move to their new place"
        if loss and loss.values_moved
        else "nothing is lost"
    )
    text = f"Rehearsed: commit {commit[:12]} runs whole on the copy, no table shrinks, {moved}."
    message = step_message(Step.DEPLOY, text, Tone.WARNING, table=table)
    return Telling(
        entries=[NewEntry(kind=Kind.CORRECTED_REHEARSED, text=text, data=data)],
        messages=[message],
        questions=[_approve(work, offer, approved, text)],
    )


def _approve(work: SiteWork, offer: Offer, approved: list[MigrationFile], text: str) -> Question:
    names = ", ".join(f.name for f in approved)
    return Question(
        purpose="deploy",
        question=f"Deploy {offer.commit.commit[:12]} and run its migration on {work.site_name}?",
        body=f"{text} It checks out that commit and runs {names}, nothing else. It can be undone together with the cut-over.",
        choices=(
            Choice(
                key="approve",
                label="Deploy and migrate",
                style="danger",
                starts="deploy",
                args={
                    "commit": offer.commit.commit,
                    "deployed": offer.deployed,
                    "approved": [[f.name, f.sha256] for f in approved],
                },
            ),
            Choice(key="reject", label="No", rejects=True),
        ),
        permission=Permission.APPROVE,
        step=Step.DEPLOY,
        expires_in=timedelta(seconds=work.settings.intervals.approval_expiry),
    )


# -- on production


async def deploy(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Check out the approved commit and run its migration. *Changes*: the site's code and, by the migration, its data."""
    work = SiteWork(ctx, parts)
    await work.began(Step.DEPLOY, "Proving the freeze once more, then checking out the approved commit.")
    await ctx.take_site()
    commit, deployed = str(ctx.args["commit"]), str(ctx.args["deployed"])
    facts = await work.app_facts()
    database = work.database(facts)
    folders = await work.folders()
    plan = from_json(Plan, (await work.incident()).plan)
    if "deploy.begun" not in ctx.recorded():
        if reason := await _refusal(work, facts, database, plan, deployed):
            text = f"Not deployed: {reason}. Nothing was changed."
            message = step_message(Step.DEPLOY, text, Tone.BAD, next_steps=("/app freeze", "/app deploy"))
            await work.tell("refused", Telling(entries=[failed_entry(Step.DEPLOY, text)], messages=[message]))
            return {"deployed": False, "why": reason}
        await _record_intent(work, commit, facts.database.database)
    elif not (proof := await prove_freeze(work, facts, database)).proven:
        await work.tell("broken", broken(proof))
        raise FailedError(
            f"{work.site_name} was opened while Backout was not running, in the middle of the deployment: "
            f"{'; '.join(proof.why)}. Nothing more was done. Next: /app freeze, /incident release, /restore undo"
        )
    checkout = git.checkout_command(work.settings.app_path, commit)
    await work.job("checkout", checkout, f"git checkout --detach {commit[:12]}", root=folders.change_jobs)
    head = git.parse_commit(
        await work.look_ok(git.head_command(work.settings.app_path), "git: read the checked-out commit")
    )
    if head != commit:
        raise FailedError(
            f"{work.site_name} has {head[:12]} checked out, not {commit[:12]}; no migration was run. Next: /restore undo"
        )
    now = await work.app_facts()
    approved = _as_approved(work, now, ctx.args["approved"])
    target = Target(
        driver=facts.database.driver,
        database=facts.database.database,
        inode=facts.database.inode,
        is_scratch=False,
    )
    try:
        run = await _migrate(work, folders, work.settings.app_path, target, approved, "live")
    except JobDiedError as error:
        await work.tell("unknown", await _looked_up(work, error))
        raise FailedError(
            f"the migration on {work.site_name} ended without an answer. The site stays frozen. Next: /restore undo"
        ) from error
    reasons, shrunk, loss = await _judge(
        work, facts, folders, database, run, approved, plan.scratch_path, facts.database.database, "live"
    )
    await work.tell("deployed", _deployed(commit, approved, run, reasons, shrunk, loss))
    return {"deployed": not reasons}


async def _record_intent(work: SiteWork, commit: str, database: str) -> None:
    text = f"About to check out {commit[:12]} and run its migration on {database}."

    async def nothing() -> None:
        return None

    async def record(tx: Transaction, _: None) -> None:
        await tx.append(
            work.incident_id, [NewEntry(kind=Kind.CORRECTED_INTENT, text=text, data={"commit": commit})]
        )

    await work.ctx.step("deploy.begun", nothing, record)


def _as_approved(work: SiteWork, facts: AppFacts, approved: list[list[str]]) -> list[MigrationFile]:
    """Return the pending migration files of the checked-out code. *Raises* FailedError unless they are the approved ones."""
    wanted = {str(name): str(sha256) for name, sha256 in approved}
    pending = pending_migrations(facts)
    files = [f for f in facts.migration_files if f.name in pending]
    if {f.name: f.sha256 for f in files} != wanted:
        if not pending and wanted.keys() <= {row.migration for row in facts.migration_rows or ()}:
            return [f for f in facts.migration_files if f.name in wanted]
        raise FailedError(
            f"the pending migrations of {work.site_name} ({', '.join(pending) or 'none'}) are not the approved ones; none was run. "
            "The approved commit is checked out. Next: /restore undo or /app deploy"
        )
    return files


async def _refusal(
    work: SiteWork, facts: AppFacts, database: Database, plan: Plan, deployed: str
) -> str | None:
    proof = await prove_freeze(work, facts, database)
    if not proof.proven:
        await work.tell("broken", broken(proof))
        return f"the freeze does not hold: {'; '.join(proof.why)}"
    live = await work.ask(database.fingerprint(facts.database.database))
    if live != plan.scratch_fingerprint:
        return "the live database is not what the cut-over left there"
    tree = git.parse_work_tree(
        await work.look_ok(git.work_tree_command(work.settings.app_path), "git: read the deployed commit")
    )
    return git.checkout_refusal(tree, deployed)


async def _looked_up(work: SiteWork, error: Exception) -> Telling:
    facts = await work.app_facts()
    rows = [row.migration for row in facts.migration_rows or ()]
    text = (
        f"The migration's end is unknown ({error}). Looked up: {len(rows)} migrations are recorded, the last is "
        f"{rows[-1] if rows else 'none'}; part of the change may be there. The site stays frozen."
    )
    entry = NewEntry(kind=Kind.STEP_UNKNOWN, text=text, data={"step": int(Step.DEPLOY)})
    return Telling(
        entries=[entry], messages=[step_message(Step.DEPLOY, text, Tone.BAD, next_steps=("/restore undo",))]
    )


def _deployed(
    commit: str,
    approved: list[MigrationFile],
    run: ArtisanRun,
    reasons: list[str],
    shrunk: dict[str, list[int]],
    loss: Loss,
) -> Telling:
    if reasons:
        text = f"The corrected migration ran on production and is NOT good: {'; '.join(reasons)}. Undo is offered."
        message = step_message(
            Step.DEPLOY, text, Tone.BAD, next_steps=("/restore undo", "/incident escalate")
        )
        return Telling(entries=[failed_entry(Step.DEPLOY, text)], messages=[message])
    text = f"Commit {commit[:12]} is deployed; {', '.join(f.name for f in approved)} ran as rehearsed ({run.duration_s:.1f} s)."
    data = {
        "commit": commit,
        "migrations": [f.name for f in approved],
        "duration_s": run.duration_s,
        "shrunk": shrunk,
        "values_moved": loss.values_moved,
    }
    entries = [NewEntry(kind=Kind.CORRECTED_DONE, text=text, data=data), done_entry(Step.DEPLOY, text)]
    return Telling(
        entries=entries,
        messages=[step_message(Step.DEPLOY, text, Tone.GOOD, next_steps=("/app check",))],
        void=["propose"],
        void_reason="A corrected commit is deployed.",
    )


async def skip_deploy(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Leave the corrected migration out, by a person's decision. *Changes*: nothing."""
    work = SiteWork(ctx, parts)
    text = f"{work.person} leaves the corrected migration out for now; the code must fit the restored data."
    entry = NewEntry(kind=Kind.STEP_SKIPPED, actor=work.person, text=text, data={"step": int(Step.DEPLOY)})
    await work.tell(
        "skipped",
        Telling(
            entries=[entry],
            messages=[step_message(Step.DEPLOY, text, Tone.WARNING, next_steps=("/app check",))],
        ),
    )
    return {"skipped": True}
