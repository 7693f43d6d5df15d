"""Which of Laravel's caches must be cleared after a recovery, which must not, and why."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from bot.laravel.facts import AppFacts
from bot.laravel.guarded import Target, guarded_artisan_command
from bot.ports.host import Command


class CacheClear(enum.Enum):
    """An artisan command that clears one cache or tells workers to start anew."""

    CONFIG = "config:clear"
    ROUTES = "route:clear"
    EVENTS = "event:clear"
    VIEWS = "view:clear"
    DATA = "cache:clear"
    WORKERS = "queue:restart"


@dataclass(frozen=True, kw_only=True)
class CacheDecision:
    """One cache, whether to clear it, and the reason in words."""

    clear: CacheClear
    needed: bool
    reason: str


def cache_decisions(
    facts: AppFacts, changed_paths: Sequence[str], *, database_replaced: bool, answers_errors: bool = False
) -> tuple[CacheDecision, ...]:
    """Return for each cache whether to clear it, in the order in which to do it.

    `changed_paths` are files of the application that differ from the deployed code, relative to it; `database_replaced`
    tells that the data went back or were changed beneath the application. With `answers_errors` visitors get errors: what
    is made anew from the code without a loss is cleared too, the configuration only where that is safe (HAZARDS V2).
    """
    decisions = _by_need(facts, changed_paths, database_replaced=database_replaced)
    if not answers_errors:
        return decisions
    return tuple(_on_errors(facts, decision) for decision in decisions)


def _on_errors(facts: AppFacts, decision: CacheDecision) -> CacheDecision:
    """Return the decision on one cache where the application answers with errors."""
    cached = {
        CacheClear.CONFIG: facts.config_cached and stale_config_reason(facts) is None,
        CacheClear.ROUTES: facts.routes_cached,
        CacheClear.EVENTS: facts.events_cached,
        CacheClear.VIEWS: True,
    }
    if decision.needed or not cached.get(decision.clear, False):
        return decision
    reason = "visitors get errors: it is made anew from the code"
    if decision.clear is CacheClear.CONFIG:
        reason = "visitors get errors; .env names the same database and login, so clearing it is safe"
    return _decision(decision.clear, needed=True, reason=reason)


def _by_need(
    facts: AppFacts, changed_paths: Sequence[str], *, database_replaced: bool
) -> tuple[CacheDecision, ...]:
    return (
        _config(facts, changed_paths),
        _compiled(
            CacheClear.ROUTES, facts.routes_cached, changed_paths, ("routes/", "app/Providers/", "bootstrap/")
        ),
        _compiled(
            CacheClear.EVENTS,
            facts.events_cached,
            changed_paths,
            ("app/Listeners/", "app/Providers/", "bootstrap/"),
        ),
        _views(changed_paths),
        _data(facts, database_replaced=database_replaced),
        _workers(changed_paths, database_replaced=database_replaced),
    )


def stale_config_reason(facts: AppFacts) -> str | None:
    """Return in words how the cached configuration and `.env` disagree on the database or its login, None where they agree.

    After `config:clear` the application would work on the database that `.env` names.
    """
    if not facts.config_cached:
        return None
    if facts.env_file.other_login:
        return f"the cached configuration has another {', '.join(facts.env_file.other_login)} than .env"
    if facts.env_file.connection not in (None, facts.database.connection):
        return (
            f"the cached configuration uses the connection {facts.database.connection}, .env says "
            f"{facts.env_file.connection}"
        )
    named = facts.env_file.url_database or facts.env_file.database
    if named is None:
        return None
    if _same_database(facts, named):
        return None
    return f"the cached configuration uses the database {facts.database.database}, .env says {named}"


def clear_command(*, app_path: str, target: Target, clear: CacheClear, php: str = "php") -> Command:
    """Return the command that clears one cache, where the application is connected to the expected database.

    *Changes* that cache. The path is known to be the right site by its database.
    """
    return guarded_artisan_command(
        app_path=app_path,
        target=target,
        artisan=clear.value,
        parameters={},
        counts_tables=False,
        php=php,
        timeout=timedelta(minutes=2),
    )


MADE_ANEW: Final[Mapping[CacheClear, str]] = {
    CacheClear.CONFIG: "config:cache",
    CacheClear.ROUTES: "route:cache",
    CacheClear.EVENTS: "event:cache",
}
"""Caches that are cleared only where they were there, and with what each is made again: together what `optimize` does, and
no more than was there before."""


def make_command(*, app_path: str, target: Target, clear: CacheClear, php: str = "php") -> Command:
    """Return the command that makes one of `MADE_ANEW` again from the code; as `clear_command`. *Changes* that cache."""
    return guarded_artisan_command(
        app_path=app_path,
        target=target,
        artisan=MADE_ANEW[clear],
        parameters={},
        counts_tables=False,
        php=php,
        timeout=timedelta(minutes=2),
    )


def _config(facts: AppFacts, changed: Sequence[str]) -> CacheDecision:
    stale = stale_config_reason(facts)
    if not facts.config_cached:
        return _decision(CacheClear.CONFIG, needed=False, reason="the configuration is not cached")
    if stale is not None:
        return _decision(
            CacheClear.CONFIG, needed=False, reason=f"clearing it would switch the database: {stale}"
        )
    if _touches(changed, ("config/", ".env")):
        return _decision(CacheClear.CONFIG, needed=True, reason="configuration files changed")
    return _decision(CacheClear.CONFIG, needed=False, reason="no configuration file changed")


def _compiled(
    clear: CacheClear, cached: bool, changed: Sequence[str], places: tuple[str, ...]
) -> CacheDecision:
    name = clear.value.partition(":")[0] + "s"
    if not cached:
        return _decision(clear, needed=False, reason=f"the {name} are not cached")
    if _touches(changed, places):
        return _decision(clear, needed=True, reason=f"the {name} are cached and their code changed")
    return _decision(clear, needed=False, reason=f"no code of the {name} changed")


def _views(changed: Sequence[str]) -> CacheDecision:
    if _touches(changed, ("resources/views/",)):
        return _decision(
            CacheClear.VIEWS, needed=True, reason="views changed, and a checkout may date them back"
        )
    return _decision(CacheClear.VIEWS, needed=False, reason="no view changed")


def _data(facts: AppFacts, *, database_replaced: bool) -> CacheDecision:
    """Return whether cached data may go; never while they hold the flag, locks or rate limits of a site that is down."""
    state = facts.maintenance
    if (
        state.driver == "cache"
        and state.is_down is not False
        and state.store in (None, "", facts.cache_store)
    ):
        return _decision(
            CacheClear.DATA,
            needed=False,
            reason="the maintenance flag lives in it: clearing would open the site",
        )
    if not database_replaced:
        return _decision(CacheClear.DATA, needed=False, reason="the data did not change")
    if facts.cache_driver in ("array", "null", ""):
        return _decision(
            CacheClear.DATA, needed=False, reason=f"the driver {facts.cache_driver or 'none'} keeps nothing"
        )
    if facts.cache_driver == "database":
        return _database_cache(facts)
    return _decision(
        CacheClear.DATA,
        needed=True,
        reason="cached copies of the old data may be served; locks and rate limits in it go too",
    )


def _database_cache(facts: AppFacts) -> CacheDecision:
    """Return whether a cache in the database may go; without its table `cache:clear` fails with exit status 1."""
    tables = [one for one in facts.runtime_tables if one.role == "cache" and one.in_use]
    if any(one.exists is False for one in tables):
        return _decision(
            CacheClear.DATA, needed=False, reason="the cache's table is missing: clearing it would fail"
        )
    if facts.maintenance.is_down is not False:
        return _decision(
            CacheClear.DATA,
            needed=False,
            reason="locks live in the database; clear it after `up`, when nothing is held any more",
        )
    return _decision(CacheClear.DATA, needed=True, reason="cached copies of the old data may be served")


def _workers(changed: Sequence[str], *, database_replaced: bool) -> CacheDecision:
    if _touches(changed, ("",)):
        return _decision(CacheClear.WORKERS, needed=True, reason="queue workers still run the old code")
    if database_replaced:
        return _decision(
            CacheClear.WORKERS, needed=True, reason="queue workers hold connections to the old database"
        )
    return _decision(CacheClear.WORKERS, needed=False, reason="neither code nor database changed")


def _same_database(facts: AppFacts, named: str) -> bool:
    """Return True where `.env` leads to the database in use; for a SQLite file its links are followed."""
    if facts.database.driver == "sqlite" and facts.env_file.real_path is not None:
        return facts.env_file.real_path == facts.database.database
    return named == facts.database.database


def _touches(paths: Sequence[str], places: tuple[str, ...]) -> bool:
    return any(path.startswith(place) for path in paths for place in places)


def _decision(clear: CacheClear, *, needed: bool, reason: str) -> CacheDecision:
    return CacheDecision(clear=clear, needed=needed, reason=reason)
