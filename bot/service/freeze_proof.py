"""Proof that nothing writes: from outside, from the application, from the processes, and from the database itself."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from bot.laravel.facts import AppFacts
from bot.laravel.maintenance import maintenance_state_command, parse_maintenance_change
from bot.model.database import Writer
from bot.model.errors import ProbeError
from bot.ports.database import Database
from bot.service.site_work import SiteWork
from bot.service.together import together

DOWN_STATUS = 503


@dataclass(frozen=True, kw_only=True)
class FreezeProof:
    """What was seen. `why` names everything that stands against the proof; empty: proven.

    `except_paths` are answered although the site is down; `cron` are places that start the scheduler each minute.
    """

    http_status: int | None
    is_down: bool | None
    flag: str
    writers: tuple[Writer, ...]
    samples_agree: bool
    seconds_between: float
    why: tuple[str, ...]
    except_paths: tuple[str, ...] = ()
    cron: tuple[str, ...] = ()

    @property
    def proven(self) -> bool:
        """Return whether nothing stands against it."""
        return not self.why


async def prove_freeze(work: SiteWork, facts: AppFacts, database: Database) -> FreezeProof:
    """Return what can be seen of writers now; reads only.

    The two samples are at least the site's interval apart; the other questions are asked within it.
    """
    live = facts.database.database
    pause = work.settings.intervals.freeze_samples
    first = await work.ask(database.sample(live))
    sampled_at = time.monotonic()
    asked, status = await together(
        work.look_ok(
            maintenance_state_command(app_path=work.settings.app_path), "php: read the maintenance state"
        ),
        _status_from_outside(work),
    )
    state = parse_maintenance_change(asked).after
    # By itself: what Backout runs on the host for another question could be taken for a writer.
    found = await work.ask(database.writers(live, work.settings.app_path))
    await asyncio.sleep(max(0.0, pause - (time.monotonic() - sampled_at)))
    agree = first == await work.ask(database.sample(live))
    writers = tuple(w for w in found if w.writes)
    return FreezeProof(
        http_status=status,
        is_down=state.is_down,
        flag=f"{state.driver}: {state.flag_path}" if state.driver == "file" else f"cache store {state.store}",
        writers=writers,
        samples_agree=agree,
        seconds_between=pause,
        why=_against(status, state.is_down, writers, agree, pause),
        except_paths=state.except_paths,
        cron=tuple(w.command for w in found if w.kind == "cron"),
    )


async def _status_from_outside(work: SiteWork) -> int | None:
    path = work.settings.smoke_paths[0] if work.settings.smoke_paths else "/"
    try:
        return (await work.parts.probe.status(work.settings.url + path)).status
    except ProbeError:
        return None


def _against(
    status: int | None, is_down: bool | None, writers: tuple[Writer, ...], agree: bool, pause: float
) -> tuple[str, ...]:
    why = []
    if is_down is not True:
        why.append("the application does not say that it is down")
    if status is None:
        why.append("the web front does not answer at all, so it cannot be seen to be closed")
    elif status != DOWN_STATUS:
        why.append(f"visitors still get HTTP {status} instead of {DOWN_STATUS}")
    why += [_writer_words(w) for w in writers]
    if not agree:
        why.append(f"the database changed within {pause:g} s: someone still writes to it")
    return tuple(why)


def _writer_words(writer: Writer) -> str:
    if writer.session is not None:
        return f"a session of the database server can still write: {writer.command}"
    return f"process {writer.pid} can still write: {writer.command}"
