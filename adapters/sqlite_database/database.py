"""SQLite, through the row reader on the host: one verb for each question, one parser for each answer."""

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
    TableLoss,
    Writer,
)
from bot.model.errors import FailedError
from bot.ports.database import Work

T = TypeVar("T")
Json = Mapping[str, Any]

BUSY_TIME_LIMIT_S = 20
"""How long a cut-over waits for a reader that holds the file; then it is refused, and nothing was changed."""


class SqliteDatabase:
    """The SQLite engine. Databases are named by their absolute file path on the host."""

    engine = "sqlite"

    def facts(self, database: str) -> Work[DatabaseFacts]:
        """Identity, version, tables and row counts; reads only."""
        return _work(
            "sqlite_facts", {"path": database}, f"read structure and row counts of {database}", _facts
        )

    def sample(self, database: str) -> Work[str]:
        """A token that changes with every committed write; reads only, cheap."""
        return _work("sqlite_sample", {"path": database}, f"sample {database}", lambda a: str(a["sample"]))

    def fingerprint(self, database: str, *, settle: bool = False) -> Work[str]:
        """A hash of the whole content; reads only, but for the roll-back of a killed writer with `settle`."""
        request = {"path": database, "settle": settle}
        return _work(
            "sqlite_fingerprint", request, f"fingerprint {database}", lambda a: str(a["fingerprint"])
        )

    def writers(self, database: str, app_path: str) -> Work[tuple[Writer, ...]]:
        """The processes that could write while the application is down; reads only."""
        request = {"path": database, "app_path": app_path, "ignore_pids": []}
        return _work("sqlite_writers", request, f"list processes that can write to {database}", _writers)

    def copy(self, source: str, target: str) -> Work[CopyMade]:
        """Make a proven copy of a live database. *Changes*: writes `target` only."""
        return _work(
            "sqlite_copy",
            {"source": source, "target": target},
            f"copy {source} to {target} and prove it",
            _copy,
        )

    def load(
        self, backup: str, target: str, like: DatabaseFacts, expect: Mapping[str, int] | None
    ) -> Work[Loaded]:
        """Load a backup into a new scratch file with the live file's page size and encoding."""
        request = {
            "backup": backup,
            "target": target,
            "page_size": like.page_size,
            "encoding": like.encoding,
            "expect": {"tables": dict(expect)} if expect else None,
        }
        return _work("sqlite_load", request, f"load {backup} into scratch {target}", _loaded)

    def compare(self, before: str, after: str, ignore: Sequence[str], lists_folder: str | None) -> Work[Loss]:
        """The loss table between two files; reads only (but for the key lists)."""
        request = {
            "before": before,
            "after": after,
            "ignore_tables": list(ignore),
            "lists_folder": lists_folder,
        }
        return _work("sqlite_compare", request, f"compare {before} with {after}, row by row", _loss)

    def repair(
        self,
        *,
        scratch: str,
        baseline: str,
        live_copy: str,
        decisions: Mapping[str, str],
        mappings: Sequence[Mapping[str, Any]],
        runtime_tables: Sequence[str],
        lists_folder: str,
    ) -> Work[dict[str, Any]]:
        """Put back in scratch what is missing. *Changes*: writes `scratch` only."""
        request = _accounts(scratch, baseline, live_copy, decisions, mappings, runtime_tables)
        request["lists_folder"] = lists_folder
        return _work("sqlite_repair", request, f"put back in scratch {scratch} what is missing", dict)

    def prove(
        self,
        *,
        scratch: str,
        baseline: str,
        live_copy: str,
        decisions: Mapping[str, str],
        mappings: Sequence[Mapping[str, Any]],
        runtime_tables: Sequence[str],
    ) -> Work[Proof]:
        """Account for every row and value of scratch; reads only."""
        request = _accounts(scratch, baseline, live_copy, decisions, mappings, runtime_tables)
        return _work("sqlite_prove", request, f"account for every row of {scratch}", _proof)

    def prepare_swap(
        self, *, scratch: str, live_copy: str, runtime_tables: Sequence[str], lists_folder: str
    ) -> Work[dict[str, Any]]:
        """Carry runtime tables over and raise sequences. *Changes*: writes `scratch` only."""
        request = {
            "scratch": scratch,
            "live_copy": live_copy,
            "runtime_tables": list(runtime_tables),
            "lists_folder": lists_folder,
        }
        return _work("sqlite_swap_prepare", request, f"make {scratch} ready to be swapped in", dict)

    def cut_over(
        self, *, source: str, live: str, source_fingerprint: str, live_fingerprint: str, journal_mode: str
    ) -> Work[CutoverMade]:
        """Make production's content that of `source`, by the backup API in one step."""
        request = {
            "source": source,
            "target": live,
            "expect_source_fingerprint": source_fingerprint,
            "expect_target_fingerprint": live_fingerprint,
            "busy_timeout_s": BUSY_TIME_LIMIT_S,
            "journal_mode": journal_mode,
        }
        return _work("sqlite_cutover", request, f"CUT OVER: write {source} into {live}", _cutover)

    def orphans(self, database: str, time_limit_s: float) -> Work[dict[str, int]]:
        """Rows whose parent is missing, by foreign key; reads only."""
        request = {"path": database, "time_limit_s": time_limit_s}
        return _work("sqlite_orphans", request, f"look for orphans in {database}", _orphans)

    def checks(
        self, database: str, checks: Sequence[Json], time_limit_s: float
    ) -> Work[tuple[CheckResult, ...]]:
        """The site's own checks; reads only."""
        request = {"path": database, "checks": [dict(c) for c in checks], "time_limit_s": time_limit_s}
        return _work("sqlite_check", request, f"run {len(checks)} data checks on {database}", _checks)


def _work(verb: str, request: dict[str, Any], describe: str, read: Callable[[Json], T]) -> Work[T]:
    def guarded(answer: Json) -> T:
        try:
            return read(answer)
        except (KeyError, TypeError, ValueError, AttributeError, ValidationError) as error:
            raise FailedError(
                f"the host's answer to {verb} is damaged ({type(error).__name__}). Ask again; nothing was taken from it."
            ) from error

    return Work(verb=verb, request=request, describe=describe, read=guarded)


def _accounts(
    scratch: str,
    baseline: str,
    live_copy: str,
    decisions: Mapping[str, str],
    mappings: Sequence[Json],
    runtime_tables: Sequence[str],
) -> dict[str, Any]:
    return {
        "scratch": scratch,
        "baseline": baseline,
        "live_copy": live_copy,
        "decisions": dict(decisions),
        "mappings": [dict(m) for m in mappings],
        "runtime_tables": list(runtime_tables),
    }


def _facts(answer: Json) -> DatabaseFacts:
    file = answer["file"]
    migrations = answer["migrations"]
    return DatabaseFacts(
        engine="sqlite",
        version=answer["sqlite_version"],
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
    )


def _cascades(tables: Json) -> dict[str, tuple[str, ...]]:
    children: dict[str, list[str]] = {}
    for name, table in tables.items():
        for key in table["foreign_keys"]:
            if str(key["on_delete"]).upper() == "CASCADE":
                children.setdefault(str(key["parent"]), []).append(name)
    return {parent: tuple(names) for parent, names in children.items()}


def _writers(answer: Json) -> tuple[Writer, ...]:
    cron = [Writer(pid=0, command=str(place), kind="cron", writes=False) for place in answer["cron"]]
    processes = [
        Writer(pid=p["pid"], command=" ".join(p["command"]), kind=p["kind"], writes=p["writer"])
        for p in answer["processes"]
    ]
    return (*processes, *cron)


def _rows(tables: Json) -> dict[str, int]:
    return {name: value if isinstance(value, int) else int(value["rows"]) for name, value in tables.items()}


def _copy(answer: Json) -> CopyMade:
    return CopyMade(
        path=answer["target"],
        size_bytes=answer["size_bytes"],
        sha256=answer["sha256"],
        fingerprint=answer["fingerprint"],
        rows=_rows(answer["tables"]),
    )


def _loaded(answer: Json) -> Loaded:
    violations = answer["foreign_key_violations"]
    return Loaded(
        path=answer["target"],
        rows=_rows(answer["tables"]),
        foreign_key_violations=sum(violations.values()) if isinstance(violations, dict) else int(violations),
        fingerprint=answer["fingerprint"],
        migrations=tuple(_name(m) for m in answer["migrations"] or ()),
    )


def _name(row: Any) -> str:
    return str(row["migration"]) if isinstance(row, dict) else str(row)


def _loss(answer: Json) -> Loss:
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


def _proof(answer: Json) -> Proof:
    totals = answer["totals"]
    details = {
        key: value for key, value in answer.items() if key not in ("ok", "totals", "proven", "reasons")
    }
    return from_json(
        Proof, {**totals, "proven": answer["proven"], "reasons": tuple(answer["reasons"]), "details": details}
    )


def _cutover(answer: Json) -> CutoverMade:
    return CutoverMade(
        fingerprint=answer["fingerprint"],
        duration_s=answer["duration_s"],
        already=bool(answer.get("already", False)),
    )


def _orphans(answer: Json) -> dict[str, int]:
    keys = answer["foreign_keys"]
    uncounted = [k for k in keys if k["violations"] is None]
    if uncounted:
        raise FailedError(
            f"orphans of {uncounted[0]['table']} could not be counted in time. Nothing was changed. Try again."
        )
    return {f"{k['table']}({', '.join(k['columns'])}) -> {k['parent']}": int(k["violations"]) for k in keys}


def _checks(answer: Json) -> tuple[CheckResult, ...]:
    return tuple(from_json(CheckResult, c) for c in answer["checks"])
