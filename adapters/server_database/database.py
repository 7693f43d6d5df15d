"""A database server, through the row reader on the host: requests that are the same for every server engine."""

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
    read_rights,
    read_set_aside,
    read_writers,
    reader_work,
)
from bot.model.database import (
    Access,
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

LOCK_WAIT_S = 5
"""How long a cut-over waits for a session that holds a table; then it is refused with that session named, and nothing
was changed. While it waits, readers wait behind it."""


class ServerDatabase:
    """One site's database on a server. Each request carries how the reader finds the credentials, never themselves.

    `verbs` is the first part of the engine's verbs, `dump_suffix` the end of its safety backups' names. `workspace` is
    Backout's own folder for the site on the host; it may begin with `~/`. `scratch_databases` are those that a hosting
    panel lends; the reader takes them where the user may make none.
    """

    verbs = ""
    dump_suffix = ""

    def __init__(
        self, engine: str, access: Access, workspace: str, scratch_databases: Sequence[str] = ()
    ) -> None:
        self.engine = engine
        self._shared: dict[str, Any] = {
            "access": {"argv": list(access.argv), "stdin": access.stdin, "env": dict(access.env)},
            "workspace": workspace,
        }
        if scratch_databases:
            self._shared["scratch_databases"] = list(scratch_databases)

    def scratch_place(self, folder: str, purpose: str, tag: str) -> str:  # noqa: ARG002 - a server's scratch is no file
        """Return the name of a scratch database; the reader writes and removes no name that begins otherwise."""
        return f"backout_{purpose}_{tag.replace('-', '_')}"

    def safety_place(self, folder: str, site: str, tag: str, purpose: str = "safety") -> str:
        """Return the file of a safety backup in its folder."""
        return f"{folder}/{site}-{purpose}-{tag}{self.dump_suffix}"

    def exists(self, place: str) -> Work[bool]:
        """Whether a scratch database is there; reads only."""
        return reader_work(
            self._verb("exists"), self._of(place), f"look for {place}", lambda a: a["exists"] is True
        )

    def drop(self, place: str) -> Work[bool]:
        """Remove a scratch database; one that is gone is no error. *Changes*: only that."""
        return reader_work(
            self._verb("drop"), self._of(place), f"remove {place}", lambda a: a["dropped"] is True
        )

    def facts(self, database: str) -> Work[DatabaseFacts]:
        """Identity, version, tables and row counts; reads only."""
        return reader_work(
            self._verb("facts"),
            self._of(database),
            f"read structure and row counts of {database}",
            read_facts,
        )

    def rights(self, database: str) -> Work[Rights] | None:
        """What the application's user may do, asked without trying it; reads only."""
        return reader_work(
            self._verb("rights"), self._of(database), f"read the rights on {database}", read_rights
        )

    def sample(self, database: str) -> Work[str]:
        """A token that changes with every committed write; reads only, cheap."""
        return reader_work(
            self._verb("sample"), self._of(database), f"sample {database}", lambda a: str(a["sample"])
        )

    def fingerprint(self, database: str, *, settle: bool = False) -> Work[str]:  # noqa: ARG002 - see below
        """A hash of the whole content; reads only. A server settles by itself what a killed writer left."""
        return reader_work(
            self._verb("fingerprint"),
            self._of(database),
            f"fingerprint {database}",
            lambda a: str(a["fingerprint"]),
        )

    def writers(self, database: str, app_path: str) -> Work[tuple[Writer, ...]]:
        """The processes and sessions that could write while the application is down; reads only."""
        request = {**self._of(database), "app_path": app_path, "ignore_pids": []}
        return reader_work(
            self._verb("writers"),
            request,
            f"list processes and sessions that can write to {database}",
            read_writers,
        )

    def end_sessions(self, database: str, sessions: Sequence[int]) -> Work[dict[str, Any]]:
        """End sessions of the application's own user by their numbers. *Changes*: those sessions."""
        request = {**self._of(database), "sessions": list(sessions)}
        return reader_work(
            self._verb("sessions_end"), request, f"end {len(sessions)} sessions on {database}", dict
        )

    def copy(self, source: str, target: str) -> Work[CopyMade]:
        """Make a proven copy: a dump of a database, or a scratch database of either. *Changes*: writes `target` only."""
        request = {**self._shared, "source": source, "target": target}
        return reader_work(self._verb("copy"), request, f"copy {source} to {target} and prove it", read_copy)

    def load(
        self, backup: str, target: str, like: DatabaseFacts, expect: Mapping[str, int] | None
    ) -> Work[Loaded]:
        """Load a backup into a new scratch database with the live one's character set and settings."""
        request = {
            **self._shared,
            "backup": backup,
            "target": target,
            "like": like.path,
            "expect": {"tables": dict(expect)} if expect else None,
        }
        return reader_work(self._verb("load"), request, f"load {backup} into scratch {target}", read_loaded)

    def compare(
        self,
        before: str,
        after: str,
        ignore: Sequence[str],
        lists_folder: str | None,
        *,
        before_fingerprint: str | None = None,
    ) -> Work[Loss]:
        """The loss table between two places; reads only (but for the key lists)."""
        request = {
            **self._shared,
            "before": before,
            "before_fingerprint": before_fingerprint,
            "after": after,
            "ignore_tables": list(ignore),
            "lists_folder": lists_folder,
        }
        return reader_work(
            self._verb("compare"), request, f"compare {before} with {after}, row by row", read_loss
        )

    def repair(
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
        """Put back in scratch what is missing. *Changes*: writes `scratch` only."""
        request = {
            **self._shared,
            **account_request(
                scratch=scratch,
                baseline=baseline,
                live_copy=live_copy,
                decisions=decisions,
                mappings=mappings,
                runtime_tables=runtime_tables,
            ),
            "lists_folder": lists_folder,
        }
        return reader_work(
            self._verb("repair"), request, f"put back in scratch {scratch} what is missing", dict
        )

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
        request = {
            **self._shared,
            **account_request(
                scratch=scratch,
                baseline=baseline,
                live_copy=live_copy,
                decisions=decisions,
                mappings=mappings,
                runtime_tables=runtime_tables,
            ),
            "lists_folder": lists_folder,
        }
        return reader_work(self._verb("salvage"), request, f"put the rows written since into {scratch}", dict)

    def prove(
        self,
        *,
        scratch: str,
        baseline: str,
        live_copy: str,
        decisions: Mapping[str, str],
        mappings: Sequence[Json],
        runtime_tables: Sequence[str],
    ) -> Work[Proof]:
        """Account for every row and value of scratch; reads only."""
        request = {
            **self._shared,
            **account_request(
                scratch=scratch,
                baseline=baseline,
                live_copy=live_copy,
                decisions=decisions,
                mappings=mappings,
                runtime_tables=runtime_tables,
            ),
        }
        return reader_work(self._verb("prove"), request, f"account for every row of {scratch}", read_proof)

    def prepare_swap(
        self, *, scratch: str, live_copy: str, runtime_tables: Sequence[str], lists_folder: str
    ) -> Work[dict[str, Any]]:
        """Carry runtime tables over and raise sequences. *Changes*: writes `scratch` only."""
        request = {
            **self._shared,
            "scratch": scratch,
            "live_copy": live_copy,
            "runtime_tables": list(runtime_tables),
            "lists_folder": lists_folder,
        }
        return reader_work(
            self._verb("swap_prepare"), request, f"make {scratch} ready to be swapped in", dict
        )

    def cut_over(
        self,
        *,
        source: str,
        live: str,
        source_fingerprint: str,
        live_fingerprint: str,
        journal_mode: str,  # noqa: ARG002 - the port's; SQLite's alone
        end_sessions: bool = False,
    ) -> Work[CutoverMade]:
        """Make production's content that of `source`, by renaming, in one step; from a safety backup it is the undo."""
        request = {
            **self._shared,
            "source": source,
            "target": live,
            "expect_source_fingerprint": source_fingerprint,
            "expect_target_fingerprint": live_fingerprint,
            "busy_timeout_s": LOCK_WAIT_S,
            "end_sessions": end_sessions,
        }
        return reader_work(
            self._verb("cutover"), request, f"CUT OVER: put {source} in the place of {live}", read_cutover
        )

    def orphans(self, database: str, time_limit_s: float) -> Work[dict[str, int]]:
        """Rows whose parent is missing, by foreign key; reads only."""
        request = {**self._of(database), "time_limit_s": time_limit_s}
        return reader_work(self._verb("orphans"), request, f"look for orphans in {database}", read_orphans)

    @property
    def counts_on(self) -> bool:
        """Return True: an AUTO_INCREMENT counts on from the highest number by itself."""
        return True

    def stale_numbers(self, facts: DatabaseFacts, time_limit_s: float) -> Work[tuple[str, ...]]:  # noqa: ARG002 - the port's
        """There is none to ask for. *Raises* FailedError; nothing is asked."""
        raise FailedError(f"{facts.path} counts on by itself: it has no stale numbers. Nothing was asked.")

    def numbers_file(self, safety: str) -> str:
        """Return the path of the file with the last number that each table ever gave, beside a safety backup."""
        return f"{safety}.numbers.json"

    def raise_numbers(self, database: str, safety: str) -> Work[dict[str, int]] | None:
        """Have each table give numbers above all that the safety backup's database gave. *Changes*: counters only."""
        request = {**self._of(database), "safety": safety}
        return reader_work(
            self._verb("raise_numbers"),
            request,
            f"raise the next numbers of {database} above all that were given before",
            lambda a: {str(name): int(number) for name, number in a["given"].items()},
        )

    def checks(
        self, database: str, checks: Sequence[Json], time_limit_s: float
    ) -> Work[tuple[CheckResult, ...]]:
        """The site's own checks; reads only."""
        request = {**self._of(database), "checks": [dict(c) for c in checks], "time_limit_s": time_limit_s}
        return reader_work(
            self._verb("check"), request, f"run {len(checks)} data checks on {database}", read_checks
        )

    def set_aside(
        self, live: str, tables: Sequence[Mapping[str, str]], folder: str, tag: str
    ) -> Work[tuple[SetAside, ...]]:
        """Take rows of Laravel's own tables out of live, kept in files first. *Changes*: those rows, or nothing."""
        request = {**self._of(live), "tables": [dict(one) for one in tables], "folder": folder, "tag": tag}
        named = ", ".join(one["table"] for one in tables)
        return reader_work(
            self._verb("set_aside"),
            request,
            f"keep rows of {named} in {folder}, and take them out",
            read_set_aside,
        )

    def _verb(self, name: str) -> str:
        return f"{self.verbs}_{name}"

    def _of(self, database: str) -> dict[str, Any]:
        return {**self._shared, "database": database}
