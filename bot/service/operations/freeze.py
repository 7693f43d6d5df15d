"""Step 2: stop the application and prove that nothing writes any more."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from bot.laravel.facts import AppFacts
from bot.laravel.maintenance import (
    down_command,
    down_refusal,
    excepted_words,
    flag_hazard,
    parse_maintenance_change,
)
from bot.model.database import Writer
from bot.model.decision import Choice
from bot.model.errors import FailedError
from bot.model.event import Kind, NewEntry
from bot.model.message import Message, Tone
from bot.model.secret import Secret
from bot.model.step import Step
from bot.ports.host import Command
from bot.service.desk import Question
from bot.service.engine import OperationContext
from bot.service.freeze_proof import FreezeProof, prove_freeze
from bot.service.parts import Parts
from bot.service.site_work import Folders, SiteWork, Telling, done_entry, failed_entry, step_message


async def freeze(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Put the application into maintenance and prove the standstill. *Changes*: the maintenance flag."""
    work = SiteWork(ctx, parts)
    await work.began(Step.FREEZE, "Putting the application into maintenance mode.")
    await ctx.take_site()
    facts, folders = await work.facts_and_folders()
    before = (await work.incident()).down_since
    await _take_down(work, facts, folders)
    down_at = (
        before.isoformat() if before else await work.once("down_at", str, lambda: _now(parts), soon=True)
    )
    await work.tell("down", _down(down_at), soon=True)
    proof = await prove_freeze(work, facts, work.database(facts))
    await work.tell("frozen", frozen(proof, down_at, facts))
    return {"proven": proof.proven}


def _down(down_at: str) -> Telling:
    why = "the standstill is being proven"
    entry = NewEntry(
        kind=Kind.FROZEN,
        text="The maintenance mode is on.",
        data={"proven": False, "down_at": down_at, "why": why},
    )
    return Telling(
        entries=[entry],
        messages=[step_message(Step.FREEZE, f"The maintenance mode is on; {why}.", Tone.WORKING)],
    )


async def _now(parts: Parts) -> str:
    return parts.clock.now().isoformat()


async def _take_down(work: SiteWork, facts: AppFacts, folders: Folders) -> None:
    command = down_command(
        app_path=work.settings.app_path,
        version=facts.laravel,
        secret=Secret(secrets.token_urlsafe(24)),
        retry=timedelta(seconds=work.settings.retry_after_s),
    )
    describe = f"php artisan down --retry={work.settings.retry_after_s} --status=503 (bypass secret by standard input)"
    output = await work.job("down", command, describe, root=folders.change_jobs, allow=(0, 1))
    if reason := down_refusal(parse_maintenance_change(output), needs_secret=False):
        raise FailedError(
            f"{work.site_name} was not frozen: {reason}. Production's data were not touched. Next: /app freeze"
        )


def frozen(proof: FreezeProof, down_at: str, facts: AppFacts) -> Telling:
    """Return what a freeze tells: the proof, or what stands against it and what can be done."""
    data = {
        "proven": proof.proven,
        "down_at": down_at,
        "http_status": proof.http_status,
        "flag": proof.flag,
        "writers": [asdict(w) for w in proof.writers],
        "samples_agree": proof.samples_agree,
        "seconds_between": proof.seconds_between,
        "why": "; ".join(proof.why),
    }
    facts_shown: tuple[tuple[str, str], ...] = (
        ("visitors get", f"HTTP {proof.http_status}" if proof.http_status else "no answer"),
        ("maintenance flag", proof.flag),
        ("programs and sessions that could write", ", ".join(w.command for w in proof.writers) or "none"),
        (
            "database",
            f"{'did not change' if proof.samples_agree else 'CHANGED'} within {proof.seconds_between:g} s",
        ),
    )
    notes = [n for n in (flag_hazard(facts), excepted_words(proof.except_paths)) if n]
    notes += [
        f"{place} runs artisan schedule:run; tasks marked evenInMaintenanceMode go on" for place in proof.cron
    ]
    facts_shown += tuple(("note", note) for note in notes)
    if proof.proven:
        text = "Frozen, and proven: nothing writes any more."
        message = step_message(
            Step.FREEZE, text, Tone.GOOD, facts=facts_shown, next_steps=("/backups create", "/backups list")
        )
        return Telling(
            entries=[NewEntry(kind=Kind.FROZEN, text=text, data=data), done_entry(Step.FREEZE, text)],
            messages=[message],
            void=["assessed", "writers", "freeze", *_OF_AN_OPEN_SITE],
            void_reason="The application is frozen.",
        )
    text = "The freeze is NOT proven: " + "; ".join(proof.why) + ". The cut-over stays refused."
    message = step_message(Step.FREEZE, text, Tone.BAD, facts=facts_shown)
    return Telling(
        entries=[NewEntry(kind=Kind.FROZEN, text=text, data=data), failed_entry(Step.FREEZE, text)],
        messages=[message],
        questions=[_writers_question(proof)],
        void=_OF_AN_OPEN_SITE,
        void_reason="The application was taken down again.",
    )


_OF_AN_OPEN_SITE = ("watch", "close")
"""What is asked while a site is open: whether to freeze it again, and whether that is the end."""


def _writers_question(proof: FreezeProof) -> Question:
    choices = [Choice(key="again", label="Prove again", style="primary", starts="freeze")]
    if proof.writers:
        args = {"writers": [[w.pid, w.command] for w in proof.writers]}
        choices.append(
            Choice(
                key="stop", label=_stop_words(proof.writers), style="danger", starts="stop_writers", args=args
            )
        )
    choices.append(Choice(key="go_on", label="Go on reading and rehearsing", rejects=True))
    return Question(
        purpose="writers",
        question="Something may still write. What now?",
        body="\n".join(f"- {reason}" for reason in proof.why)
        + "\nUntil this is settled nothing is cut over.",
        choices=tuple(choices),
        step=Step.FREEZE,
        tone=Tone.BAD,
    )


def _stop_words(writers: tuple[Writer, ...]) -> str:
    sessions = [w for w in writers if w.session is not None]
    if not sessions:
        return "Stop these processes"
    return "End these sessions" if len(sessions) == len(writers) else "Stop these processes and sessions"


async def stop_writers(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """End the writers that a person was shown, and prove again. *Changes*: those processes, by SIGTERM, and sessions."""
    work = SiteWork(ctx, parts)
    await work.began(Step.FREEZE, "Stopping the processes that can write.")
    await ctx.take_site()
    facts = await work.app_facts()
    database = work.database(facts)
    folders = await work.folders()
    shown = {(int(pid), str(command)) for pid, command in ctx.args["writers"]}
    now = await work.ask(database.writers(facts.database.database, work.settings.app_path))
    same = [w for w in now if (w.pid, w.command) in shown]
    pids = [str(w.pid) for w in same if w.session is None]
    sessions = [w.session for w in same if w.session is not None]
    if sessions:
        ended = database.end_sessions(facts.database.database, sessions)
        await work.work("sessions", ended, root=folders.change_jobs)
    if pids:
        command = Command(argv=["kill", "-TERM", *pids])
        await work.job(
            "kill", command, f"kill -TERM {' '.join(pids)}", root=folders.change_jobs, allow=(0, 1)
        )
    state = await work.incident()
    proof = await prove_freeze(work, facts, database)
    down_at = state.down_since or parts.clock.now()
    await work.tell("frozen", frozen(proof, down_at.isoformat(), facts))
    return {"stopped": pids, "sessions_ended": sessions, "proven": proof.proven}


def broken(proof: FreezeProof) -> Telling:
    """Return what is told when a freeze that was proven does not hold any more."""
    text = "; ".join(proof.why)
    return Telling(
        entries=[NewEntry(kind=Kind.FREEZE_BROKEN, text=text, data={"why": text})],
        messages=[
            Message(
                slot="step-2", title="2. Freeze", tone=Tone.BAD, step=2, body=f"The freeze is broken: {text}."
            )
        ],
        questions=[_writers_question(proof)],
    )
