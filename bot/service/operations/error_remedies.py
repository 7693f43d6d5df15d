"""The application answers with errors after the restore: what to look at, in order, and the remedies as buttons."""

from __future__ import annotations

from collections.abc import Sequence

from bot.laravel.caches import CacheDecision, stale_config_reason
from bot.laravel.facts import AppFacts
from bot.laravel.log_records import LogLook
from bot.laravel.opcache import NOT_KNOWN, opcache_command, opcache_words, parse_opcache
from bot.laravel.problem import problem_words
from bot.laravel.storage import storage_command, storage_troubles
from bot.model.decision import Choice
from bot.model.errors import FailedError
from bot.model.message import Tone
from bot.model.step import Step
from bot.service.desk import Question
from bot.service.site_work import SiteWork

APP_ERRORS = "app-errors"
KINDS_SHOWN = 3

Remedies = tuple[tuple[str, str], ...]
"""What was looked at, in the order in which to try it, and what was found."""


async def look_for_causes(
    work: SiteWork, facts: AppFacts, caches: Sequence[CacheDecision], log: LogLook | None, opcache: str
) -> Remedies:
    """Return what may be behind the errors, the cheapest remedy first. Reads only."""
    looked = await work.look(storage_command(work.settings.app_path), "look at the folders it writes to")
    storage = "; ".join(storage_troubles(looked.stdout)) or "its folders are there and may be written"
    needed = [f"{one.clear.value} ({one.reason})" for one in caches if one.needed]
    left = [
        f"{one.clear.value} is left: {one.reason}" for one in caches if "switch the database" in one.reason
    ]
    return (
        ("1. caches to clear", "; ".join(needed + left) or "none"),
        ("2. configuration", _configuration(facts)),
        ("3. storage", storage if looked.exit_status == 0 else "its folders could not be looked at"),
        ("4. newest errors in the log", newest_kinds(log)),
        ("5. PHP's OPcache", opcache),
    )


async def opcache_seen(work: SiteWork) -> str:
    """Return whether the web server's PHP may go on with code from before a change, in words. Reads only."""
    try:
        looked = await work.look_ok(opcache_command(work.settings.app_path), "php: look at its OPcache")
        return opcache_words(parse_opcache(looked))
    except FailedError:
        return NOT_KNOWN


def newest_kinds(log: LogLook | None) -> str:
    """Return the kinds of the errors that the log gained during the visit, the most frequent first: class and line of code."""
    counts = log.counts.fingerprints if log is not None else {}
    kinds = sorted(counts, key=lambda kind: -counts[kind])[:KINDS_SHOWN]
    return "; ".join(f"{counts[kind]:,} × {kind}" for kind in kinds) or "no new one"


def _configuration(facts: AppFacts) -> str:
    if facts.boot_problem is not None:
        return f"the application does not start: {problem_words(facts.boot_problem)}"
    if not facts.env_file.readable:
        return f"{facts.env_file.path} cannot be read"
    stale = stale_config_reason(facts)
    if stale is not None:
        return f"{stale}. Which of them is right must be decided before the configuration is cleared"
    if facts.database.problem is not None:
        return f"the database does not answer: {problem_words(facts.database.problem)}"
    return "it starts, and its database answers"


def ask_for_remedy(reasons: Sequence[str], causes: Remedies) -> Question:
    """Return the question what to try first, with what was found about each remedy."""
    return Question(
        purpose=APP_ERRORS,
        question="The application does not work after the restore. What first?",
        body=f"{'; '.join(reasons)}. Visitors still see the maintenance page. After each remedy, and after what you mend by "
        "hand, it is tested again with /app check.",
        choices=(
            Choice(
                key="caches",
                label="Clear the caches that are safe to clear",
                style="primary",
                starts="caches",
                args={"answers_errors": True},
            ),
            Choice(key="again", label="Test it again", starts="check"),
            Choice(key="undo", label="See what an undo would take away", starts="propose_undo"),
            Choice(
                key="dba",
                label="Call the DBA",
                starts="escalate",
                args={"reason": "the application answers with errors after the restore"},
            ),
        ),
        step=Step.TEST_APP,
        facts=causes,
        tone=Tone.BAD,
    )
