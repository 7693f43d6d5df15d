"""An error inside the application, told without a single value of its data."""

from __future__ import annotations

from dataclasses import dataclass

from bot.laravel.answer import Answer


@dataclass(frozen=True, kw_only=True)
class Problem:
    """An exception of the application: classes, codes and place; never its message, which may hold rows.

    `sqlstate` and `driver_code` are those of the database where it was one ('42S22', '1054'); `where` is
    `file:line`, of the application's own code if any was on the way. `reason` holds names only (a table, a column, a
    class), None where nothing could be told safely.
    """

    error_class: str
    cause_class: str | None
    sqlstate: str | None
    driver_code: str | None
    where: str | None
    reason: str | None


def parse_problem(part: Answer) -> Problem:
    """Return the problem from its part of an answer."""
    return Problem(
        error_class=part.text("class"),
        cause_class=_maybe_text(part, "cause"),
        sqlstate=_maybe_text(part, "sqlstate"),
        driver_code=_maybe_text(part, "driver_code"),
        where=_maybe_text(part, "where"),
        reason=_maybe_text(part, "reason"),
    )


def problem_words(problem: Problem) -> str:
    """Return the problem in one line for a person."""
    name = problem.error_class.rpartition("\\")[2]
    code = f" (SQLSTATE {problem.sqlstate})" if problem.sqlstate else ""
    reason = f": {problem.reason}" if problem.reason else ""
    place = f" at {problem.where}" if problem.where else ""
    return f"{name}{code}{reason}{place}"


def _maybe_text(part: Answer, key: str) -> str | None:
    return part.text(key) if key in part else None
