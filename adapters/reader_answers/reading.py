"""Reading the row reader's answers: one pure function for each, the same for every engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from bot.model.codec import from_json
from bot.model.database import (
    CheckResult,
    ColumnLoss,
    CopyMade,
    CutoverMade,
    DatabaseFacts,
    Loaded,
    Loss,
    Proof,
    Rights,
    SetAside,
    TableLoss,
    Writer,
)
from bot.model.errors import FailedError
from bot.ports.database import Work

T = TypeVar("T")
Json = Mapping[str, Any]


def reader_work(verb: str, request: dict[str, Any], describe: str, read: Callable[[Json], T]) -> Work[T]:
    """Return one question or task for the reader. Its `read` raises FailedError for an answer that is not as it must be."""

    def guarded(answer: Json) -> T:
        try:
            return read(answer)
        except (KeyError, TypeError, ValueError, AttributeError, ValidationError) as error:
            raise FailedError(
                f"the host's answer to {verb} is damaged ({type(error).__name__}). Ask again; nothing was taken from it."
            ) from error

    return Work(verb=verb, request=request, describe=describe, read=guarded)


def account_request(
    *,
    scratch: str,
    baseline: str,
    live_copy: str,
    decisions: Mapping[str, str],
    mappings: Sequence[Json],
    runtime_tables: Sequence[str],
) -> dict[str, Any]:
    """Return what repair, salvage and their proof are asked with: the three places, and what was decided."""
    return {
        "scratch": scratch,
        "baseline": baseline,
        "live_copy": live_copy,
        "decisions": dict(decisions),
        "mappings": [dict(m) for m in mappings],
        "runtime_tables": list(runtime_tables),
    }


# What a database has beside its tables and indexes, by the names that a manifest has for it too.
_OBJECTS = ("triggers", "views", "routines", "events")


def read_facts(answer: Json) -> DatabaseFacts:
    """Return a database's facts. A file is identified by device and inode, a server's database by server and name."""
    file = answer["file"]
    migrations = answer["migrations"]
    return DatabaseFacts(
        engine=str(answer.get("engine") or "sqlite"),
        version=str(answer["version"] if "version" in answer else answer["sqlite_version"]),
        path=file["real_path"],
        identity=f"{file['device']}:{file['inode']}",
        size_bytes=file["size_bytes"],
        free_bytes=answer["free_bytes"],
        journal_mode=answer["journal_mode"],
        page_size=answer["page_size"],
        encoding=answer["encoding"],
        rows={name: table["rows"] for name, table in answer["tables"].items()},
        nulls={name: table["nulls"] for name, table in answer["tables"].items()},
        migrations=None if migrations is None else tuple((m["migration"], m["batch"]) for m in migrations),
        owner=str(file["owner"]),
        mode=str(file["mode"]),
        cascading_children=_cascades(answer["tables"]),
        keys={name: tuple(table.get("key") or ()) for name, table in answer["tables"].items()},
        objects={kind: len(answer[kind]) for kind in _OBJECTS if kind in answer},
    )


def read_rights(answer: Json) -> Rights:
    """Return what the application's user may do."""
    return Rights(
        may_make_scratch=bool(answer["create"]),
        missing=tuple(str(name) for name in answer["missing_live"]),
    )


def _cascades(tables: Json) -> dict[str, tuple[str, ...]]:
    children: dict[str, list[str]] = {}
    for name, table in tables.items():
        for key in table["foreign_keys"]:
            if str(key["on_delete"]).upper() == "CASCADE":
                children.setdefault(str(key["parent"]), []).append(name)
    return {parent: tuple(names) for parent, names in children.items()}


def read_writers(answer: Json) -> tuple[Writer, ...]:
    """Return the processes and sessions that could write, and the places that start one."""
    cron = [Writer(pid=0, command=str(place), kind="cron", writes=False) for place in answer["cron"]]
    processes = [
        Writer(
            pid=p["pid"],
            command=" ".join(p["command"]),
            kind=p["kind"],
            writes=p["writer"],
            session=int(p.get("session", p["pid"])) if p["kind"] == "session" else None,
        )
        for p in answer["processes"]
    ]
    return (*processes, *cron)


def _rows(tables: Json) -> dict[str, int]:
    return {name: value if isinstance(value, int) else int(value["rows"]) for name, value in tables.items()}


def read_copy(answer: Json) -> CopyMade:
    """Return what a proven copy is."""
    return CopyMade(
        path=answer["target"],
        size_bytes=answer["size_bytes"],
        sha256=answer["sha256"],
        fingerprint=answer["fingerprint"],
        rows=_rows(answer["tables"]),
        database=str(answer.get("database") or answer["target"]),
        way=str(answer.get("way") or ""),
    )


def read_loaded(answer: Json) -> Loaded:
    """Return what a loaded backup holds."""
    violations = answer["foreign_key_violations"]
    return Loaded(
        path=answer["target"],
        rows=_rows(answer["tables"]),
        foreign_key_violations=sum(violations.values()) if isinstance(violations, dict) else int(violations),
        fingerprint=answer["fingerprint"],
        migrations=tuple(_name(m) for m in answer["migrations"] or ()),
        way=str(answer.get("way") or ""),
    )


def _name(row: Any) -> str:
    return str(row["migration"]) if isinstance(row, dict) else str(row)


def read_loss(answer: Json) -> Loss:
    """Return the loss table."""
    totals = answer["totals"]
    return Loss(
        verdict=answer["loss"],
        tables=tuple(_table_loss(name, table) for name, table in answer["tables"].items()),
        rows_lost=totals["rows_lost"],
        values_lost=totals["values_lost"],
        values_moved=totals["values_moved"],
        rows_missing=totals["rows_missing"],
        rows_new=totals["rows_new"],
        rows_changed=totals["rows_changed"],
        tables_shrunk=tuple(totals["tables_shrunk"]),
        columns_rewritten=tuple(totals["columns_rewritten"]),
        values_nulled=totals["values_nulled"],
        columns_moved_unproven=tuple(totals["columns_moved_unproven"]),
    )


def _table_loss(name: str, table: Json) -> TableLoss:
    columns = tuple(
        from_json(ColumnLoss, {"column": c, **facts}) for c, facts in table.get("columns", {}).items()
    )
    plain = {key: value for key, value in table.items() if key != "columns"}
    return from_json(TableLoss, {**plain, "table": name, "columns": columns})


def read_proof(answer: Json) -> Proof:
    """Return the account of every row and value; what is no total stands in `details`."""
    totals = answer["totals"]
    details = {
        key: value for key, value in answer.items() if key not in ("ok", "totals", "proven", "reasons")
    }
    return from_json(
        Proof, {**totals, "proven": answer["proven"], "reasons": tuple(answer["reasons"]), "details": details}
    )


def read_cutover(answer: Json) -> CutoverMade:
    """Return what a cut-over did."""
    return CutoverMade(
        fingerprint=answer["fingerprint"],
        duration_s=answer["duration_s"],
        already=bool(answer.get("already", False)),
        notes=tuple(str(note) for note in answer.get("notes") or ()),
    )


def read_orphans(answer: Json) -> dict[str, int]:
    """Return the rows without their parent by foreign key. *Raises* FailedError where one could not be counted in time."""
    keys = answer["foreign_keys"]
    uncounted = [k for k in keys if k["violations"] is None]
    if uncounted:
        raise FailedError(
            f"orphans of {uncounted[0]['table']} could not be counted in time. Nothing was changed. Try again."
        )
    return {f"{k['table']}({', '.join(k['columns'])}) -> {k['parent']}": int(k["violations"]) for k in keys}


def read_checks(answer: Json) -> tuple[CheckResult, ...]:
    """Return the results of the site's own checks."""
    return tuple(from_json(CheckResult, c) for c in answer["checks"])


def read_set_aside(answer: Json) -> tuple[SetAside, ...]:
    """Return what was taken out of each table, and where it is kept."""
    first, *others = answer["tables"]
    return tuple(from_json(SetAside, one) for one in (first, *others))
