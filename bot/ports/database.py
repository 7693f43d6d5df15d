"""The port to one database engine: what to ask the row reader on the host, and how to read its answers.

An adapter does no I/O of its own. It gives a `Work`: a verb and a request for the row reader on the host, and the pure
function that reads the answer. The service runs it, as a short read or as a detached job.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

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

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, kw_only=True)
class Work(Generic[T_co]):
    """One question or task for the host. `describe` is what the timeline shows; `read` raises FailedError on damage."""

    verb: str
    request: dict[str, Any]
    describe: str
    read: Callable[[Mapping[str, Any]], T_co]


class Database(Protocol):
    """One engine, as one site's application reaches it.

    A **place** is where a database is, as a text: the live one and scratch ones are files for SQLite and names of
    databases for a server; a safety backup is a file everywhere. Only the adapter makes places; all others hand them on.
    """

    @property
    def engine(self) -> str:
        """Return `sqlite`, `mysql`, `mariadb` or `pgsql`."""

    def scratch_place(self, folder: str, purpose: str, tag: str) -> str:
        """Return the place of a scratch database.

        `purpose` is one lower-case word; the same `tag` (`yyyymmddhhmmss-8 hex digits`) gives the same place again.
        `folder` is where scratch files go; an engine that needs none leaves it out.
        """

    def safety_place(self, folder: str, site: str, tag: str, purpose: str = "safety") -> str:
        """Return the place of a safety backup, a file below `folder`."""

    def exists(self, place: str) -> Work[bool]:
        """Whether a scratch database is there; reads only."""

    def drop(self, place: str) -> Work[bool]:
        """Remove a scratch database, once nobody needs it; one that is gone is no error. *Changes*: only that.

        Never for a place that a cut-over gave aside. A place that is not of Backout's own is refused.
        """

    def facts(self, database: str) -> Work[DatabaseFacts]:
        """Identity, version, tables and row counts; reads only."""

    def rights(self, database: str) -> Work[Rights] | None:
        """What the application's user may do, asked without trying it; reads only. None where no right is needed."""

    def sample(self, database: str) -> Work[str]:
        """A token that changes with every committed write; reads only, cheap."""

    def fingerprint(self, database: str, *, settle: bool = False) -> Work[str]:
        """A hash of the whole content, whatever its layout on disk; reads only.

        `settle` lets the engine first roll back what a killed writer left half done, as its next start would.
        """

    def writers(self, database: str, app_path: str) -> Work[tuple[Writer, ...]]:
        """The processes that could write while the application is down; reads only."""

    def end_sessions(self, database: str, sessions: Sequence[int]) -> Work[dict[str, Any]]:
        """End sessions of the application's own user by the numbers that `writers` gave them. *Changes*: those sessions.

        What they had not committed is rolled back. Only an engine whose writers are told as sessions is asked.
        """

    def copy(self, source: str, target: str) -> Work[CopyMade]:
        """Make a proven copy of a live database. *Changes*: writes `target` only."""

    def load(
        self, backup: str, target: str, like: DatabaseFacts, expect: Mapping[str, int] | None
    ) -> Work[Loaded]:
        """Load a backup into a new scratch database shaped `like` the live one. *Changes*: writes `target` only."""

    def compare(
        self,
        before: str,
        after: str,
        ignore: Sequence[str],
        lists_folder: str | None,
        *,
        before_fingerprint: str | None = None,
    ) -> Work[Loss]:
        """The loss table between two places; reads only (but for the key lists).

        `before_fingerprint` is the content that `before` was proven to have: a server's scratch is no more once it was
        cut over to, and is then compared as it was.
        """

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

    def prepare_swap(
        self, *, scratch: str, live_copy: str, runtime_tables: Sequence[str], lists_folder: str
    ) -> Work[dict[str, Any]]:
        """Carry runtime tables over and raise sequences for a swap. *Changes*: writes `scratch` only."""

    def salvage(
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
        """Put the rows written since into a loaded backup, in the order of foreign keys. *Changes*: writes `scratch` only."""

    def cut_over(
        self,
        *,
        source: str,
        live: str,
        source_fingerprint: str,
        live_fingerprint: str,
        journal_mode: str,
        end_sessions: bool = False,
    ) -> Work[CutoverMade]:
        """Make production's content that of `source`. *Changes*: production's data, in one step or not at all.

        A session that stands in the way is named in the refusal. `end_sessions`: those of the application's own user are
        ended first; only after a person said so. `journal_mode` is that of the live database's facts.
        """

    def orphans(self, database: str, time_limit_s: float) -> Work[dict[str, int]]:
        """Rows whose parent is missing, by foreign key; reads only."""

    @property
    def counts_on(self) -> bool:
        """Return whether the engine's next number is above every number in the column, whoever put it there."""

    def stale_numbers(self, facts: DatabaseFacts, time_limit_s: float) -> Work[tuple[str, ...]]:
        """The tables whose next number was given already, so that the next row would be refused; reads only.

        `facts` are those of the database that is asked. Only for an engine that does not count on by itself.
        """

    def numbers_file(self, safety: str) -> str | None:
        """Return the path, beside a safety backup, of the last number each table ever gave; None where none is kept."""

    def raise_numbers(self, database: str, safety: str) -> Work[dict[str, int]] | None:
        """Have each table of a database, the live one too, give numbers above all that the safety backup's ever gave.

        Returns the counters that had to stand so high, by table. *Changes*: counters, upwards only; done twice it changes
        nothing more. None where the engine remembers the numbers of tables that are gone by itself.
        """

    def checks(
        self, database: str, checks: Sequence[Mapping[str, Any]], time_limit_s: float
    ) -> Work[tuple[CheckResult, ...]]:
        """The site's own checks; reads only, anything else is refused by the engine."""

    def set_aside(
        self, live: str, tables: Sequence[Mapping[str, str]], folder: str, tag: str
    ) -> Work[tuple[SetAside, ...]]:
        """Take rows of Laravel's own tables out of the live database; each is kept in a private file in `folder` first.

        Each of `tables` has `table`, and `key_holds` where only the rows are meant whose `key` holds that text. All of it
        is one transaction, in which nobody else writes these tables. *Changes*: those rows, or nothing.
        """
