"""Taking a site down and up, judged by the state and never by the exit status."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from bot.laravel.answer import Answer, parse_answer, script_command
from bot.laravel.facts import AppFacts, MaintenanceState, RuntimeTable, parse_maintenance_state
from bot.laravel.problem import Problem, parse_problem, problem_words
from bot.laravel.versions import Feature, LaravelVersion, supports
from bot.model.errors import FailedError, UnknownOutcomeError
from bot.model.secret import Secret
from bot.ports.host import Command


@dataclass(frozen=True, kw_only=True)
class MaintenanceChange:
    """The state before and after `down` or `up`.

    `secret_is_ours` tells that the bypass secret now in the flag is the one that was sent. `exit_code` is None where
    an exception ended the command: `problem`. Neither is a proof of anything.
    """

    before: MaintenanceState
    after: MaintenanceState
    exit_code: int | None
    secret_is_ours: bool
    problem: Problem | None


@dataclass(frozen=True, kw_only=True)
class DownFlag:
    """What stands in the flag file `storage/framework/down`; the secret itself is left out."""

    retry_s: int | None
    status: int | None
    has_secret: bool
    except_paths: tuple[str, ...]
    redirect: str | None
    has_template: bool


def down_command(
    *,
    app_path: str,
    version: LaravelVersion,
    secret: Secret | None,
    retry: timedelta = timedelta(minutes=5),
    message: str = "Emergency maintenance",
    php: str = "php",
) -> Command:
    """Return the command that takes the site down with the options that its version knows.

    `--message` went with Laravel 8.0: there it fails and the site stays up. Below 8.0 there is no bypass secret, and
    `message` is shown instead. A site that is down already stays down without a gap, and takes the secret over.
    *Changes* the maintenance flag.
    """
    parameters: dict[str, object] = {"--retry": int(retry.total_seconds())}
    if supports(version, Feature.DOWN_BYPASS):
        parameters["--status"] = 503
    else:
        parameters["--message"] = message
        secret = None
    return _change_command(app_path, "down", parameters, secret, php)


def up_command(*, app_path: str, php: str = "php") -> Command:
    """Return the command that takes the site out of maintenance. *Changes* the maintenance flag."""
    return _change_command(app_path, "up", {}, None, php)


def maintenance_state_command(*, app_path: str, secret: Secret | None = None, php: str = "php") -> Command:
    """Return the command that only reads the maintenance state, and whether the bypass secret is still ours."""
    return _change_command(app_path, "state", {}, secret, php)


def parse_maintenance_change(stdout: str) -> MaintenanceChange:
    """Return the state before and after.

    *Raises* FailedError where the application did not start, UnknownOutcomeError where the answer was lost.
    """
    try:
        answer = parse_answer(stdout, "the maintenance command")
    except FailedError as cause:
        raise UnknownOutcomeError(f"{cause}. Look whether the site is down") from cause
    if "refused" in answer:
        raise FailedError(f"the maintenance state was not touched: {answer.text('refused')}")
    if "failed" in answer:
        problem = parse_problem(answer.part("failed"))
        raise FailedError(
            f"the application does not start: {problem_words(problem)}; the state was not touched"
        )
    if "unknown" in answer:
        problem = parse_problem(answer.part("unknown"))
        raise UnknownOutcomeError(
            f"the command ended early: {problem_words(problem)}. Look whether the site is down"
        )
    return _change(answer.part("maintenance"))


def down_refusal(change: MaintenanceChange, *, needs_secret: bool = True) -> str | None:
    """Return why the site does not count as down, or None where it does.

    This is the application's own word; the freeze is proven from outside as well.
    """
    words = f" ({problem_words(change.problem)})" if change.problem else ""
    if change.after.is_down is None:
        return f"it cannot be told whether the site is down: the store of the flag does not answer{words}"
    if not change.after.is_down:
        return f"the site is still up{words}"
    if needs_secret and not change.secret_is_ours:
        return "the site is down, but with another bypass secret than ours: the smoke test could not get in"
    return None


def up_refusal(change: MaintenanceChange) -> str | None:
    """Return why the site does not count as up, or None where it does; `up` has said success while still down."""
    if change.after.is_down is False and not change.after.has_flag_file:
        return None
    words = f" ({problem_words(change.problem)})" if change.problem else ""
    if change.after.has_flag_file:
        return f"the flag file {change.after.flag_path} is still there{words}"
    return f"the site is still down, or its state cannot be told{words}"


def flag_tables(facts: AppFacts) -> tuple[RuntimeTable, ...]:
    """Return the tables in the database being restored that hold the maintenance flag; empty for a flag in a file.

    With the driver `cache` and a store in the database the flag is a row: replacing the database by a copy of before
    would open the site in the middle of the recovery. These tables keep their current rows.
    """
    state = facts.maintenance
    if state.driver != "cache":
        return ()
    return tuple(
        one for one in facts.runtime_tables if one.role == "cache" and one.in_use and one.in_default_database
    )


def flag_hazard(facts: AppFacts) -> str | None:
    """Return in words how a restore or a cleared cache would open the site, or None where the flag is a file."""
    state = facts.maintenance
    if state.driver != "cache":
        return None
    tables = ", ".join(table.table for table in flag_tables(facts))
    if tables:
        return f"the maintenance flag is a row in {tables} of the database being restored: its rows must be carried over"
    return f"the maintenance flag lives in the cache store {state.store!r}: clearing that cache would open the site"


def parse_down_flag(text: str) -> DownFlag:
    """Return what the flag file says. *Raises* FailedError where it is damaged.

    *Source*: `storage/framework/down` of Laravel 8 and 12; older ones hold `message` and `allowed`.
    """
    try:
        fields = Answer(json.loads(text), "the maintenance flag file")
    except json.JSONDecodeError:
        raise FailedError(
            "the maintenance flag file is cut short or damaged; the site is down all the same"
        ) from None
    return DownFlag(
        retry_s=fields.whole("retry") if "retry" in fields else None,
        status=fields.whole("status") if "status" in fields else None,
        has_secret="secret" in fields,
        except_paths=fields.texts("except") if "except" in fields else (),
        redirect=fields.text("redirect") if "redirect" in fields else None,
        has_template="template" in fields,
    )


def excepted_words(paths: Sequence[str]) -> str | None:
    """Return a warning that names the addresses still served while the site is down, or None where there are none."""
    shown = [path for path in paths if path.strip("/") != "up"]
    if not shown:
        return None
    return f"still served while the site is down, and may still write: {', '.join(shown)}"


def _change_command(
    app_path: str, action: str, parameters: dict[str, object], secret: Secret | None, php: str
) -> Command:
    return script_command(
        names=("boot", "maintenance"),
        request={
            "action": action,
            "parameters": parameters,
            "secret": None if secret is None else secret.reveal(),
        },
        app_path=app_path,
        label=f"maintenance:{action}",
        php=php,
        is_secret=secret is not None,
    )


def _change(part: Answer) -> MaintenanceChange:
    found = part.maybe(part.part, "problem")
    return MaintenanceChange(
        before=parse_maintenance_state(part.part("before")),
        after=parse_maintenance_state(part.part("after")),
        exit_code=part.maybe(part.whole, "exit_code"),
        secret_is_ours=part.flag("secret_is_ours"),
        problem=None if found is None else parse_problem(found),
    )
