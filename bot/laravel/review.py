"""A reading of a migration's source, to help the person who approves it; the rehearsal is the proof."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bot.laravel.findings.copies import copies
from bot.laravel.findings.dangers import dangers, rebuilds
from bot.laravel.findings.finding import Finding, Ground, Severity, stop, version_numbers
from bot.laravel.findings.locks import locking
from bot.laravel.findings.repeat import repeatability
from bot.laravel.findings.undo import undoing
from bot.laravel.reading.acts import MigrationSource
from bot.laravel.reading.migration import read_migration
from bot.laravel.versions import LaravelVersion

_ENGINES = {"pgsql": "postgresql", "mysql": "mysql", "mariadb": "mariadb", "sqlite": "sqlite"}


def review_migration(
    source: str,
    *,
    driver: str,
    version: LaravelVersion,
    engine: str = "",
    engine_version: str = "",
    rows: Mapping[str, int] | None = None,
    cascading_children: Mapping[str, Sequence[str]] | None = None,
) -> tuple[Finding, ...]:
    """Return what the source shows: checks for a repeated run, copies before drops, a real `down`, locks, and dangers.

    `engine` and `engine_version` are the server's own ('mariadb', '10.11.19'); without them the driver's name counts.
    `rows` counts the live tables. `cascading_children` names for each table those whose foreign keys cascade on its
    deletion. None: not known. The findings that stop come first, then by line.
    """
    try:
        seen = read_migration(source, driver)
    except RecursionError:
        return (stop("too_deep", 1, "the file is nested too deeply to be read; look at it by hand"),)
    ground = Ground(
        driver=driver,
        engine=_ENGINES.get(engine or driver, engine or driver),
        engine_version=version_numbers(engine_version),
        laravel=version,
        rows=rows,
        children=cascading_children,
    )
    findings = [*_broken(seen)]
    if seen.up is not None and not findings:
        findings += repeatability(seen.up)
        findings += copies(seen.up)
        findings += undoing(seen, ground)
        findings += rebuilds(seen, ground)
        findings += locking(seen, ground)
        findings += dangers(seen, ground)
    order = list(Severity)
    return tuple(
        sorted(dict.fromkeys(findings), key=lambda one: (order.index(one.severity), one.line, one.code))
    )


def _broken(seen: MigrationSource) -> Iterator[Finding]:
    if seen.error_line is not None:
        yield stop("syntax", seen.error_line, "PHP could not read the file from here on")
    elif seen.up is None:
        yield stop("no_up", 1, "there is no up() method: this is no migration")
