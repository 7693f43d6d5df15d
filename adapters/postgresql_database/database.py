"""PostgreSQL, through the row reader on the host and the host's own clients."""

from __future__ import annotations

from adapters.reader_answers.reading import Json, read_checks, reader_work
from adapters.server_database.database import ServerDatabase
from bot.model.database import DatabaseFacts
from bot.ports.database import Work

_STALE = """SELECT count(*) FROM (
    SELECT pg_get_serial_sequence({table}, {column}) AS seq,
        (SELECT {key}::text FROM {name} ORDER BY {key} DESC LIMIT 1) AS top) x
LEFT JOIN pg_sequence s ON s.seqrelid = x.seq::regclass
WHERE CASE WHEN x.seq IS NOT NULL AND x.top ~ '^[0-9]{{1,18}}$'
    THEN x.top::bigint > coalesce(pg_sequence_last_value(x.seq::regclass), s.seqstart - 1) END"""
"""1 where a sequence stands below the highest number in its column, as after rows that were put in with ids of their own.

*Source*: PostgreSQL 15 manual, 9.17 and 53.47; tried on 15."""


class PostgresqlDatabase(ServerDatabase):
    """Laravel's driver `pgsql`; safety backups are in pg_dump's custom format."""

    verbs = "pgsql"
    dump_suffix = ".dump"

    @property
    def counts_on(self) -> bool:
        """Return False: a sequence does not know of numbers that were put in by hand."""
        return False

    def stale_numbers(self, facts: DatabaseFacts, time_limit_s: float) -> Work[tuple[str, ...]]:
        """The tables whose next number was given already; reads only."""
        checks = [
            {"name": table, "sql": _stale(name, key[0]), "expect": 0}
            for table, key in facts.keys.items()
            if len(key) == 1
            for name in _sql_names(table)
        ]
        request = {**self._of(facts.path), "checks": checks, "time_limit_s": time_limit_s}
        return reader_work(
            self._verb("check"), request, f"look at the next numbers of {len(checks)} tables", _read_stale
        )


def _stale(name: str, column: str) -> str:
    return _STALE.format(table=_text(name), column=_text(column), key=_quoted(column), name=name)


def _sql_names(table: str) -> list[str]:
    """Return what a table's plain name may stand for: one in the path, or `schema.table` outside it.

    Of these at most one is there under each reading; asking for the others fails, and gives no number.
    """
    dots = [place for place, sign in enumerate(table) if sign == "." and 0 < place < len(table) - 1]
    return [_quoted(table), *(f"{_quoted(table[:dot])}.{_quoted(table[dot + 1 :])}" for dot in dots)]


def _quoted(name: str) -> str:
    """Return a name as PostgreSQL reads it, whatever signs it holds."""
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    """Return a text as PostgreSQL reads it, whatever its settings are."""
    return "E'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _read_stale(answer: Json) -> tuple[str, ...]:
    """Return the tables in question; one that could not be asked (its key is no number) has no number to give."""
    return tuple(dict.fromkeys(check.name for check in read_checks(answer) if check.value))
