"""Errors after the restore: each remedy in its order with what was found, and a button for it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, cast

import pytest

from bot.laravel.caches import CacheClear, cache_decisions
from bot.laravel.facts import AppFacts
from bot.laravel.log_records import LogCounts, LogLook
from bot.laravel.storage import storage_command, storage_troubles
from bot.ports.host import Completed
from bot.runbook.purposes import guard_of
from bot.service.operations.error_remedies import ask_for_remedy, look_for_causes
from bot.service.operations.kinds import KINDS
from bot.service.site_work import SiteWork
from tests.unit.laravel.test_answer_and_facts import recorded_facts


class Work:
    """A host whose look at the folders says one thing."""

    def __init__(self, said: str, exit_status: int = 0) -> None:
        self.settings = type("Settings", (), {"app_path": "/srv/app"})()
        self._said = said
        self._exit_status = exit_status

    async def look(self, command: object, describe: str) -> Completed:
        return Completed(
            command="", exit_status=self._exit_status, stdout=self._said, stderr="", duration_s=0
        )


def log(**kinds: int) -> LogLook:
    counts = LogCounts(levels={"ERROR": sum(kinds.values())}, classes={}, fingerprints=kinds)
    return LogLook(
        counts=counts, places=(), states={}, first="", last="", read_bytes=1, foreign_bytes=0, more=False
    )


async def causes(
    facts: AppFacts, said: str = "", look: LogLook | None = None, status: int = 0
) -> dict[str, str]:
    decisions = cache_decisions(facts, [], database_replaced=True, answers_errors=True)
    work = cast("SiteWork", Work(said, status))
    return dict(await look_for_causes(work, facts, decisions, look, "fpm: off"))


async def test_the_order_is_caches_configuration_storage_log() -> None:
    """Caches come first, as they cost nothing; the routes are cleared where they are cached."""
    found = await causes(recorded_facts(routes_cached=True), look=log(QueryException=4, TypeError=9))
    assert list(found) == [
        "1. caches to clear",
        "2. configuration",
        "3. storage",
        "4. newest errors in the log",
        "5. PHP's OPcache",
    ]
    assert "route:clear (visitors get errors" in found["1. caches to clear"]
    assert "config:clear" not in found["1. caches to clear"]
    assert found["3. storage"] == "its folders are there and may be written"
    assert found["4. newest errors in the log"] == "9 × TypeError; 4 × QueryException"


async def test_a_configuration_that_would_switch_is_left_and_told() -> None:
    """V2: another database or login in `.env` than in the cached configuration is told, and never cleared by a button."""
    stale = recorded_facts(config_cached=True, env_file={"other_login": ["DB_HOST", "DB_PASSWORD"]})
    found = await causes(stale)
    assert "config:clear is left: clearing it would switch the database" in found["1. caches to clear"]
    assert found["2. configuration"].startswith(
        "the cached configuration has another DB_HOST, DB_PASSWORD than .env"
    )


async def test_what_cannot_be_looked_at_is_not_called_good() -> None:
    """A look that fails is told as that."""
    assert (await causes(recorded_facts(), status=3))["3. storage"] == "its folders could not be looked at"


@pytest.mark.parametrize(
    ("facts", "clear", "expected"),
    [
        ({"config_cached": True}, CacheClear.CONFIG, True),
        ({"config_cached": True, "env_file": {"other_login": ["DB_USERNAME"]}}, CacheClear.CONFIG, False),
        (
            {"config_cached": True, "env_file": {"database": "/other", "real_path": None}},
            CacheClear.CONFIG,
            False,
        ),
        ({}, CacheClear.CONFIG, False),
        ({"routes_cached": True}, CacheClear.ROUTES, True),
        ({}, CacheClear.ROUTES, False),
        ({"events_cached": True}, CacheClear.EVENTS, True),
        ({}, CacheClear.VIEWS, True),
    ],
)
def test_on_errors_more_is_cleared_where_it_is_safe(
    facts: dict[str, Any], clear: CacheClear, expected: bool
) -> None:
    """What is made anew from the code is cleared without a change; the configuration only where `.env` agrees."""
    decisions = cache_decisions(recorded_facts(**facts), [], database_replaced=True, answers_errors=True)
    assert next(one.needed for one in decisions if one.clear is clear) is expected


def test_each_remedy_is_a_button_that_starts_work() -> None:
    """Every choice starts a kind of operation that there is, and the one for caches clears more than without errors."""
    asked = ask_for_remedy(["/ answers HTTP 500"], (("1. caches to clear", "none"),))
    assert [c.key for c in asked.choices] == ["caches", "again", "undo", "dba"]
    assert all(c.starts in KINDS for c in asked.choices)
    assert guard_of(asked.choices[0].starts) is not None
    assert asked.choices[0].args == {"answers_errors": True}
    assert asked.facts == (("1. caches to clear", "none"),)


def test_folders_that_are_missing_or_locked_are_found(tmp_path: Path) -> None:
    """The look at a real application's folders names what is missing, and nothing where all is well."""
    for name in ("framework/cache", "framework/sessions", "framework/views", "logs"):
        (tmp_path / "storage" / name).mkdir(parents=True)
    (tmp_path / "bootstrap/cache").mkdir(parents=True)
    assert storage_troubles(looked_at(tmp_path)) == ()
    (tmp_path / "storage/framework/views").rmdir()
    (tmp_path / "storage/logs/laravel.log").touch()
    assert storage_troubles(looked_at(tmp_path)) == (
        "storage/framework/views is missing: make it, writable for the web server",
    )
    assert storage_troubles("locked storage/logs\nforeign storage/logs 2 www-data\nnonsense\n") == (
        "storage/logs may not be written by Backout's user; see whether the web server's may",
        "2 files in storage/logs belong to others than www-data, the owner of storage: chown them",
    )


def looked_at(folder: Path) -> str:
    command = storage_command(str(folder))
    return subprocess.run(list(command.argv), capture_output=True, text=True, check=True).stdout
