"""The procedure's command sheet with one site's real values, for hands that must work without Backout.

A line that does harm where it is pasted without thinking stands behind a `#`, with the reason. No password is in any.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.model.incident import Incident
from bot.runbook.page import one_line

UNKNOWN = "not known yet"


@dataclass(frozen=True, kw_only=True)
class SheetSite:
    """What the settings say of the site. `database` and `user` None: not known, then a word to put in stands there."""

    name: str
    address: str
    ssh_user: str
    port: int
    app_path: str
    backups: Sequence[str]
    branch: str
    remote: str
    retry_after_s: int
    database: str | None
    user: str | None


@dataclass(frozen=True, kw_only=True)
class Section:
    """One part of the sheet: its heading, what Backout itself does for it, and the lines by hand."""

    title: str
    backout: str
    lines: tuple[str, ...]


def quick_reference(site: SheetSite, state: Incident) -> tuple[Section, ...]:
    """Return the sheet as far as the values are known; before the assessment there are fewer."""
    engine = _engine(state)
    names = _Names.of(site, state)
    connect = f"ssh -p {site.port} {_word(f'{site.ssh_user}@{site.address}')}"
    return (
        Section(title="Get there", backout="/incident status", lines=(connect, f"cd {_word(site.app_path)}")),
        Section(
            title="Assessment",
            backout="/incident assess",
            lines=("php artisan migrate:status", *_counts(state)),
        ),
        Section(
            title="Maintenance mode",
            backout="/app freeze, /app reopen",
            lines=(
                f"php artisan down --retry={site.retry_after_s}",
                "# workers and cron jobs write on: stop them too",
                "php artisan up",
            ),
        ),
        Section(title="Back up the present state", backout="/backups create", lines=_BACK_UP[engine](names)),
        Section(
            title="Restore from the backup",
            backout=f"/restore plan, then /restore confirm {site.name}",
            lines=_RESTORE[engine](names),
        ),
        Section(
            title="Roll the migration back", backout="/restore plan (on a copy)", lines=_roll_back(state)
        ),
        Section(title="Deploy the fix", backout="/app deploy", lines=_deploy(site, state)),
        Section(
            title="Verify",
            backout="/app check, /app logs",
            lines=(
                *_counts(state),
                "tail -n 400 storage/logs/laravel.log",
                "tail -f storage/logs/laravel.log",
            ),
        ),
    )


def sheet_text(sections: Sequence[Section], site: str, incident_id: str, at: datetime) -> str:
    """Return the sheet as the text of a file; read as shell it does nothing that stands behind a `#`."""
    head = (
        f"# Commands for {one_line(site)}, incident {incident_id}, {at:%Y-%m-%d %H:%M} UTC",
        "# For hands, where Backout cannot be asked. It proves each of these first, and can undo; by hand nothing does.",
        "# No password is in here: the programs ask for it. It stands in .env of the application (DB_*).",
    )
    parts = ("\n".join((_heading(section), *section.lines)) for section in sections)
    return "\n\n".join(("\n".join(head), *parts)) + "\n"


def _heading(section: Section) -> str:
    return one_line(f"# == {section.title} (Backout: {section.backout})")


@dataclass(frozen=True, kw_only=True)
class _Names:
    """The site's names, each ready for a shell line."""

    database: str
    user: str
    folder: str
    backup: str
    path: str
    unpack: str
    archive: bool

    @classmethod
    def of(cls, site: SheetSite, state: Incident) -> _Names:
        path = str((state.recommended or {}).get("path") or "")
        folder = site.backups[0] if site.backups else "~/backups"
        return cls(
            database=_word(site.database) if site.database else "DATABASE",
            user=_word(site.user) if site.user else "DB_USERNAME",
            folder=_word(folder),
            backup=_word(path) if path else f"{_word(folder)}/BACKUP",
            path=path or f"{folder}/BACKUP",
            unpack=_unpacker(path),
            archive=path.endswith((".dump", ".backup", ".pgdump")),
        )

    @property
    def now(self) -> str:
        """Return the path of a new backup without its ending, the time in it."""
        return f"{self.folder}/pre-restore-$(date +%Y%m%d-%H%M%S)"


def _unpacker(path: str) -> str:
    """Return the program that writes the unpacked file to standard output."""
    known = {".gz": "gzip -dc", ".zst": "zstd -dc", ".bz2": "bzip2 -dc", ".xz": "xz -dc", ".zip": "unzip -p"}
    return next((program for ending, program in known.items() if path.endswith(ending)), "cat")


def _word(text: str) -> str:
    """Return a value as one word of a shell line; a line break in it cannot begin a line of its own."""
    quoted = shlex.quote(text)
    return quoted if "\n" not in quoted and "\r" not in quoted else shlex.quote(one_line(text))


def _engine(state: Incident) -> str:
    said = str((state.assessment or {}).get("engine") or "")
    if said in ("mysql", "mariadb"):
        return "mysql"
    return "postgresql" if said in ("pgsql", "postgresql") else ("sqlite" if said == "sqlite" else UNKNOWN)


_NOT_OVER = (
    "# Into a database beside production, never over it: the first statement of a dump drops a live table.",
)
_LAST_RESORT = "# last resort, with the DBA, site down, the backup above whole; there is no way back:"


def _mysql_backup(names: _Names) -> tuple[str, ...]:
    options = (
        "--single-transaction --quick --skip-lock-tables --no-tablespaces --routines --triggers --events --hex-blob"
        " --default-character-set=utf8mb4"
    )
    return (
        f"mysqldump {options} -u {names.user} -p {names.database} > {names.now}.sql",
        f"tail -n 1 {names.folder}/pre-restore-*.sql   # must say: Dump completed",
    )


def _mysql_restore(names: _Names) -> tuple[str, ...]:
    return (
        *_NOT_OVER,
        f"mysql -u {names.user} -p -e 'CREATE DATABASE backout_by_hand'",
        f"{names.unpack} {names.backup} | mysql -u {names.user} -p backout_by_hand",
        _LAST_RESORT,
        f"# {names.unpack} {names.backup} | mysql -u {names.user} -p {names.database}",
    )


def _postgresql_backup(names: _Names) -> tuple[str, ...]:
    return (
        f"pg_dump -Fc --no-owner --no-acl -U {names.user} -d {names.database} -f {names.now}.dump",
        f"pg_restore -l {names.folder}/pre-restore-*.dump | tail -n 3   # must list tables",
    )


def _postgresql_restore(names: _Names) -> tuple[str, ...]:
    load = f"{names.unpack} {names.backup} | psql -X -q -1 -v ON_ERROR_STOP=1 -U {names.user} -d"
    if names.archive:
        load = f"{names.unpack} {names.backup} | pg_restore --no-owner --no-acl --exit-on-error -U {names.user} -d"
    return (
        *_NOT_OVER,
        f"createdb -U {names.user} backout_by_hand",
        f"{load} backout_by_hand",
        "# never onto the broken database: on PostgreSQL that restores nothing and says that all is well.",
    )


def _sqlite_backup(names: _Names) -> tuple[str, ...]:
    return (
        f'(cd {names.folder} && sqlite3 {names.database} ".backup pre-restore-$(date +%Y%m%d-%H%M%S).sqlite")',
        "# never cp: it loses what is in the -wal file",
        f"sqlite3 {names.folder}/pre-restore-*.sqlite 'PRAGMA quick_check'   # must say: ok",
    )


def _sqlite_restore(names: _Names) -> tuple[str, ...]:
    return (
        f"sqlite3 {names.backup} 'PRAGMA quick_check'   # must say: ok; a dump is loaded first: sqlite3 new.sqlite < dump",
        _LAST_RESORT,
        f"# sqlite3 {names.database} {_word(f'.restore {json.dumps(names.path)}')}   # never cp over a live file",
    )


def _not_known(_: _Names) -> tuple[str, ...]:
    return ("# the engine is not known yet: /incident assess, then ask for this sheet again",)


_BACK_UP = {
    "mysql": _mysql_backup,
    "postgresql": _postgresql_backup,
    "sqlite": _sqlite_backup,
    UNKNOWN: _not_known,
}
_RESTORE = {
    "mysql": _mysql_restore,
    "postgresql": _postgresql_restore,
    "sqlite": _sqlite_restore,
    UNKNOWN: _not_known,
}


def _counts(state: Incident) -> tuple[str, ...]:
    """Return how the rows of the tables that lost most are counted; without a loss table, of no table."""
    tables = ((state.assessment or {}).get("loss") or {}).get("tables") or ()
    worst = sorted(
        tables, key=lambda t: -(t.get("missing", 0) + sum(c.get("values_lost", 0) for c in t["columns"]))
    )
    shown = [str(table["table"]) for table in worst[:3] if table.get("status") != "dropped"]
    return tuple(
        f"php artisan tinker --execute={_word(f'echo DB::table({_php(name)})->count();')}" for name in shown
    )


def _php(name: str) -> str:
    """Return a text as PHP's plain string."""
    return "'" + name.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _roll_back(state: Incident) -> tuple[str, ...]:
    bad = str((state.assessment or {}).get("bad_migration") or "")
    if not bad:
        return ("# which migration did it is not known yet: /incident assess",)
    path = _word(f"database/migrations/{bad}.php")
    return (
        "php artisan migrate:status",
        f"# only while {one_line(bad)} is the last that ran; after a whole restore never: it would take the last good one.",
        f"# php artisan migrate:rollback --step=1 --force --path={path}",
    )


def _deploy(site: SheetSite, state: Incident) -> tuple[str, ...]:
    branch = f"{site.remote}/{site.branch}"
    proposal = state.proposal or {}
    commit = str(proposal.get("commit") or branch)
    paths = [str(path) for path in proposal.get("migrations") or ()]
    run = [f"php artisan migrate --force --path={_word(path)}" for path in paths]
    pending = "# all that is pending runs, not only the corrected one; look at migrate:status first"
    return (
        f"git fetch {_word(site.remote)}",
        f"git log --oneline HEAD..{_word(branch)}",
        f"git checkout --detach {_word(commit)}",
        *(run or (pending, "php artisan migrate --force")),
    )
