"""`backout gate` as a program: whatever goes wrong before it could be told ends in words and its third exit status."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path

from bot.model.errors import BackoutError
from bot.runbook.gate import ACCEPTABLE, GateResult, not_told
from bot.settings import Settings, load_settings

Gate = Callable[[Settings, str, Sequence[str], timedelta], Awaitable[GateResult]]


async def told_gate(
    gate_of: Gate, settings: Path, site: str | None, accept: Sequence[str], limit_s: float
) -> GateResult:
    """Return what the gate says. *Changes*: scratch on the host. Raises nothing that a person or a host did wrong."""
    _stop_at_sigterm()
    if site is None:
        return not_told("?", "name the site: backout gate SITE")
    if wrong := [one for one in accept if one not in ACCEPTABLE]:
        return not_told(site, f"--accept knows {', '.join(ACCEPTABLE)}, not {', '.join(wrong)}")
    try:
        known = load_settings(settings)
        if site not in known.sites:
            return not_told(site, f"there is no such site in {settings}; there are: {', '.join(known.sites)}")
        return await gate_of(known, site, accept, timedelta(seconds=limit_s))
    except BackoutError as error:
        return not_told(site, str(error))
    except Exception as error:  # an outer door: a deployment script must not take a fault for a refusal
        logging.getLogger(__name__).exception("a fault in the gate")
        return not_told(
            site, f"an internal fault in Backout ({type(error).__name__}). Production was not changed"
        )


def _stop_at_sigterm() -> None:
    """Have a script that is ended stop what it began on the host, as Ctrl-C does."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def gate_words(result: GateResult) -> str:
    """Return the one line, and below it each warning and each further refusal on a line of its own."""
    lines = [f"  warning: {text}" for text in result.warnings]
    lines += [f"  accepted by hand: {text}" for text in result.accepted]
    lines += [f"  also: {text}" for text in result.refusals[1:]]
    return "\n".join([result.why, *lines])
