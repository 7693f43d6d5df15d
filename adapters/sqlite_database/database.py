"""SQLite, through the row reader on the host: one verb for each question, one parser for each answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.reader_answers.reading import (
    Json,
    account_request,
    read_checks,
    read_copy,
    read_cutover,
    read_facts,
    read_loaded,
    read_loss,
    read_orphans,
    read_proof,
    read_set_aside,
    read_writers,
    reader_work,
)
from bot.model.database import (
    CheckResult,
    CopyMade,
    CutoverMade,
    DatabaseFacts,
    Loaded,
    Loss,
    Proof,
    Rights,
    SetAside,
    Writer,
)
from bot.model.errors import FailedError
from bot.ports.database import Work

BUSY_TIME_LIMIT_S = 20
"""How long a cut-over waits for a reader that holds the file; then it is refused, and nothing was changed."""


class SqliteDatabase:
    """The SQLite engine. Databases are named by their absolute file path on the host."""

    engine = "sqlite"

    def scratch_place(self, folder: str, purpose: str, tag: str) -> str:
        """Return the file of a scratch database in its folder."""
        return f"{folder}/{purpose}-{tag}.sqlite"

    def safety_place(self, folder: str, site: str, tag: str, purpose: str = "safety") -> str:
        """Return the file of a safety backup in its folder."""
        return f"{folder}/{site}-{purpose}-{tag}.sqlite"

    def exists(self, place: str) -> Work[bool]:
        """Whether a scratch file is there; reads only. One that is not is the refusal `not_found`."""
        return reader_work("sqlite_sample", {"path": place}, f"look for {place}", lambda a: bool(a["sample"]))

    def drop(self, place: str) -> Work[bool]:
        """Remove a scratch file; one that is gone is no error. *Changes*: only that file and what lies beside it."""
        return reader_work("sqlite_drop", {"path": place}, f"remove {place}", lambda a: a["dropped"] is True)

    def facts(self, database: str) -> Work[DatabaseFacts]:
        """Identity, version, tables and row counts; reads only."""
        return reader_work(
            "sqlite_facts", {"path": database}, f"read structure and row counts of {database}", read_facts
        )

    def rights(self, database: str) -> Work[Rights] | None:  # noqa: ARG002 - the port's; a file needs none
        """Return None: who may write the file may do all."""
        return None

    def sample(self, database: str) -> Work[str]:
        """A token that changes with every committed write; reads only, cheap."""
        return reader_work(
            "sqlite_sample", {"path": database}, f"sample {database}", lambda a: str(a["sample"])
        )

    def fingerprint(self, database: str, *, settle: bool = False) -> Work[str]:
        """A hash of the whole content; reads only, but for the roll-back of a killed writer with `settle`."""
        request = {"path": database, "settle": settle}
        return reader_work(
            "sqlite_fingerprint", request, f"fingerprint {database}", lambda a: str(a["fingerprint"])
        )

    def writers(self, database: str, app_path: str) -> Work[tuple[Writer, ...]]:
        """The processes that could write while the application is down; reads only."""
        request = {"path": database, "app_path": app_path, "ignore_pids": []}
        return reader_work(
            "sqlite_writers", request, f"list processes that can write to {database}", read_writers
        )

    def end_sessions(self, database: str, sessions: Sequence[int]) -> Work[dict[str, Any]]:
        """A file has no sessions. *Raises* FailedError; nothing is asked and nothing changes."""
        raise FailedError(
            f"{database} is a file: it has no sessions ({len(sessions)} were named). Nothing was changed."
        )

    def copy(self, source: str, target: str) -> Work[CopyMade]:
        """Make a proven copy of a live database. *Changes*: writes `target` only."""
        return reader_work(
            "sqlite_copy",
            {"source": source, "target": target},
            f"copy {source} to {target} and prove it",
            read_copy,
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
        return reader_work("sqlite_load", request, f"load {backup} into scratch {target}", read_loaded)

    def compare(
        self,
        before: str,
        after: str,
        ignore: Sequence[str],
        lists_folder: str | None,
        *,
        before_fingerprint: str | None = None,  # noqa: ARG002 - the port's; a file stays where it is
    ) -> Work[Loss]:
        """The loss table between two files; reads only (but for the key lists)."""
        request = {
            "before": before,
            "after": after,
            "ignore_tables": list(ignore),
            "lists_folder": lists_folder,
        }
        return reader_work("sqlite_compare", request, f"compare {before} with {after}, row by row", read_loss)

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
        request = account_request(
            scratch=scratch,
            baseline=baseline,
            live_copy=live_copy,
            decisions=decisions,
            mappings=mappings,
            runtime_tables=runtime_tables,
        )
        request["lists_folder"] = lists_folder
        return reader_work("sqlite_repair", request, f"put back in scratch {scratch} what is missing", dict)

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
        request = account_request(
            scratch=scratch,
            baseline=baseline,
            live_copy=live_copy,
            decisions=decisions,
            mappings=mappings,
            runtime_tables=runtime_tables,
        )
        return reader_work("sqlite_prove", request, f"account for every row of {scratch}", read_proof)

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
        return reader_work("sqlite_swap_prepare", request, f"make {scratch} ready to be swapped in", dict)

    def salvage(
        self,
        *,
        scratch: str,
        baseline: str,
        live_copy: str,
        decisions: Mapping[str, str],
        mappings: Sequence[Json],
        runtime_tables: Sequence[str],
        lists_folder: str,
    ) -> Work[dict[str, Any]]:
        """Put the rows written since into a loaded backup. *Changes*: writes `scratch` only."""
        request = account_request(
            scratch=scratch,
            baseline=baseline,
            live_copy=live_copy,
            decisions=decisions,
            mappings=mappings,
            runtime_tables=runtime_tables,
        )
        request["lists_folder"] = lists_folder
        return reader_work("sqlite_salvage", request, f"put the rows written since into {scratch}", dict)

    def cut_over(
        self,
        *,
        source: str,
        live: str,
        source_fingerprint: str,
        live_fingerprint: str,
        journal_mode: str,
        end_sessions: bool = False,  # noqa: ARG002 - the port's; a file has no sessions
    ) -> Work[CutoverMade]:
        """Make production's content that of `source`, by the backup API in one step.

        A file has no sessions: whoever holds it is waited for, and `end_sessions` changes nothing.
        """
        request = {
            "source": source,
            "target": live,
            "expect_source_fingerprint": source_fingerprint,
            "expect_target_fingerprint": live_fingerprint,
            "busy_timeout_s": BUSY_TIME_LIMIT_S,
            "journal_mode": journal_mode,
        }
        return reader_work("sqlite_cutover", request, f"CUT OVER: write {source} into {live}", read_cutover)

    def orphans(self, database: str, time_limit_s: float) -> Work[dict[str, int]]:
        """Rows whose parent is missing, by foreign key; reads only."""
        request = {"path": database, "time_limit_s": time_limit_s}
        return reader_work("sqlite_orphans", request, f"look for orphans in {database}", read_orphans)

    @property
    def counts_on(self) -> bool:
        """Return True: SQLite counts on from the highest number by itself."""
        return True

    def stale_numbers(self, facts: DatabaseFacts, time_limit_s: float) -> Work[tuple[str, ...]]:  # noqa: ARG002 - the port's
        """There is none to ask for. *Raises* FailedError; nothing is asked."""
        raise FailedError(f"{facts.path} counts on by itself: it has no stale numbers. Nothing was asked.")

    def numbers_file(self, safety: str) -> None:  # noqa: ARG002 - the port's
        """Return None: a new table of a known name counts on by itself."""
        return

    def raise_numbers(self, database: str, safety: str) -> None:  # noqa: ARG002 - the port's
        """Return None: sqlite_sequence keeps the numbers of a table that is gone, and a new one of its name counts on."""
        return

    def checks(
        self, database: str, checks: Sequence[Json], time_limit_s: float
    ) -> Work[tuple[CheckResult, ...]]:
        """The site's own checks; reads only."""
        request = {"path": database, "checks": [dict(c) for c in checks], "time_limit_s": time_limit_s}
        return reader_work(
            "sqlite_check", request, f"run {len(checks)} data checks on {database}", read_checks
        )

    def set_aside(
        self, live: str, tables: Sequence[Mapping[str, str]], folder: str, tag: str
    ) -> Work[tuple[SetAside, ...]]:
        """Take rows of Laravel's own tables out of live, kept in files first. *Changes*: those rows, or nothing."""
        request = {"path": live, "tables": [dict(one) for one in tables], "folder": folder, "tag": tag}
        named = ", ".join(one["table"] for one in tables)
        return reader_work(
            "sqlite_set_aside",
            request,
            f"keep rows of {named} in {folder}, and take them out",
            read_set_aside,
        )
