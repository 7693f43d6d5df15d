"""Reading what `migrate` and `migrate:rollback` print; for the person, since only the rows decide."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import Final

from bot.model.errors import FailedError


class Said(enum.Enum):
    """What the command says of one migration."""

    STARTED = "started"  # begun, and no end was printed: it failed there or is still at it
    MIGRATED = "migrated"
    ROLLED_BACK = "rolled back"
    FAILED = "failed"
    NOT_FOUND = (
        "not found"  # the file is missing, or is not the one of --path: nothing was done, exit status 0
    )


@dataclass(frozen=True, kw_only=True)
class MigrationLine:
    """One migration in the output; `duration_ms` is None where none was printed."""

    migration: str
    said: Said
    duration_ms: float | None


@dataclass(frozen=True, kw_only=True)
class MigrateOutput:
    """The migrations in order, and whether it said that there was nothing to do, that it was cancelled or that it failed.

    What it says of a failure is left out: it is SQL with users' data.
    """

    migrations: tuple[MigrationLine, ...]
    nothing_to_do: bool
    cancelled: bool
    failed: bool


_NOTHING: Final = re.compile(r"(?:INFO  )?Nothing to (?:migrate|rollback)\.")
_CANCELLED: Final = re.compile(r"(?:WARN  |> )?Command cancell?ed[!.]", re.IGNORECASE)
_HEADING: Final = re.compile(r"INFO  (Running|Rolling back) migrations\.|INFO  Preparing database\.")
_PREPARING: Final = re.compile(r"Migration table created successfully\.|Creating migration table \.+ .* DONE")
_OLD: Final = re.compile(
    r"(Migrating|Migrated|Rolling back|Rolled back|Migration not found): +(\S+)(?: +\(([\d,.]+)(ms|s)\))?"
)
_NEW: Final = re.compile(r"(\S+) \.+ (?:(.+) (DONE|FAIL)|(Migration not found))|(\S+)(?: \.+)?")
_QUESTION: Final = re.compile(
    r"\*+|\* +Application In Production!? +\*|Do you really wish to run this command\? .*|(?:WARN|ALERT)?  ?APPLICATION IN PRODUCTION\.?",
    re.IGNORECASE,
)
_FAILURE: Final = re.compile(r"In \S+ line \d+:|[\w\\]+(?:Exception|Error)")
_MIGRATION_NAME: Final = re.compile(r"\d{4}_\d\d_\d\d_\d{6}_\w+|\w+")
_UNIT_MS: Final = {"ms": 1.0, "s": 1000.0, "m": 60_000.0, "h": 3_600_000.0}


def parse_migrate_output(stdout: str) -> MigrateOutput:
    """Return what the command said. *Raises* FailedError at a line that no known version prints.

    *Source*: Laravel 8.83.26 and 12.67.
    """
    lines: list[MigrationLine] = []
    nothing = cancelled = failed = False
    done = Said.MIGRATED
    for line in (raw.strip() for raw in stdout.replace("\r", "").split("\n")):
        heading = _HEADING.fullmatch(line)
        if heading:
            done = Said.ROLLED_BACK if heading.group(1) == "Rolling back" else Said.MIGRATED
        elif _NOTHING.fullmatch(line):
            nothing = True
        elif _CANCELLED.fullmatch(line):
            cancelled = True
        elif _FAILURE.fullmatch(line):
            failed = True
            break
        elif line and not _QUESTION.fullmatch(line) and not _PREPARING.fullmatch(line):
            _add(lines, _line(line, done))
    return MigrateOutput(migrations=tuple(lines), nothing_to_do=nothing, cancelled=cancelled, failed=failed)


def parse_pretend_output(stdout: str) -> dict[str, tuple[str, ...]]:
    """Return the SQL that `--pretend` printed, by migration (8: by its class), in order; its values may be users' data.

    It is a hint: the PHP of the migration ran for real, and its SELECTs found nothing. *Raises* FailedError where no
    migration is named before the SQL.
    """
    found: dict[str, list[str]] = {}
    current: str | None = None
    for line in (raw.strip() for raw in stdout.replace("\r", "").split("\n")):
        old = re.fullmatch(r"(\w*\d{6}_\w+|[A-Z]\w*): (.+)", line)
        new = re.fullmatch(r"(\d{4}_\w+)(?: \.+)?", line)
        if not line or any(known.fullmatch(line) for known in (_HEADING, _NOTHING, _OLD)):
            continue
        if old:
            found.setdefault(old.group(1), []).append(old.group(2))
            current = old.group(1)
        elif line.startswith("⇂ ") and current is not None:
            found[current].append(line.removeprefix("⇂ "))
        elif new:
            current = new.group(1)
            found.setdefault(current, [])
        elif current is not None and found[current]:
            found[current][-1] += f"\n{line}"
        else:
            raise _damaged(line)
    return {name: tuple(statements) for name, statements in found.items()}


def _line(line: str, done: Said) -> MigrationLine:
    old = _OLD.fullmatch(line)
    if old:
        said = {
            "Migrating": Said.STARTED,
            "Rolling back": Said.STARTED,
            "Migrated": Said.MIGRATED,
            "Rolled back": Said.ROLLED_BACK,
            "Migration not found": Said.NOT_FOUND,
        }[old.group(1)]
        duration = _duration_ms(f"{old.group(3)}{old.group(4)}") if old.group(3) else None
        return MigrationLine(migration=old.group(2), said=said, duration_ms=duration)
    return _new_line(line, done)


def _new_line(line: str, done: Said) -> MigrationLine:
    found = _NEW.fullmatch(line)
    name = found and (found.group(1) or found.group(5))
    if found is None or name is None or not _MIGRATION_NAME.fullmatch(name):
        raise _damaged(line)
    if found.group(4):
        return MigrationLine(migration=name, said=Said.NOT_FOUND, duration_ms=None)
    if found.group(3) is None:
        return MigrationLine(migration=name, said=Said.STARTED, duration_ms=None)
    said = done if found.group(3) == "DONE" else Said.FAILED
    return MigrationLine(migration=name, said=said, duration_ms=_duration_ms(found.group(2)))


def _add(lines: list[MigrationLine], line: MigrationLine) -> None:
    """Add a line, or put it in the place of the line that told the start of the same migration."""
    if lines and lines[-1].migration == line.migration and lines[-1].said is Said.STARTED:
        lines.pop()
    lines.append(line)


def _duration_ms(text: str) -> float:
    """Return the milliseconds of '21,975.32ms', '38s' or '1m 5s'."""
    parts = re.findall(r"([\d,]+(?:\.\d+)?)(ms|s|m|h)\b", text)
    if not parts:
        raise _damaged(text)
    return sum(float(number.replace(",", "")) * _UNIT_MS[unit] for number, unit in parts)


def _damaged(line: str) -> FailedError:
    return FailedError(
        f"the output of migrate is cut short or of an unknown kind at {line[:60]!r}; the rows decide"
    )
