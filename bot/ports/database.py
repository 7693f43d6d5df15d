"""The port to one database engine: what to ask the row reader on the host, and how to read its answers.

An adapter does no I/O of its own. It gives a `Work`: a verb and a request for the row reader on the host, and the pure
function that reads the answer. The service runs it, as a short read or as a detached job.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from bot.model.database import CheckResult, CopyMade, CutoverMade, DatabaseFacts, Loaded, Loss, Proof, Writer

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, kw_only=True)
class Work(Generic[T_co]):
    """One question or task for the host. `describe` is what the timeline shows; `read` raises FailedError on damage."""

    verb: str
    request: dict[str, Any]
    describe: str
    read: Callable[[Mapping[str, Any]], T_co]


class Database(Protocol):
    """One engine. Paths name databases as the engine does: a file for SQLite, a database name elsewhere."""

    @property
    def engine(self) -> str:
        """Return `sqlite`, `mysql`, `mariadb` or `pgsql`."""

    def facts(self, database: str) -> Work[DatabaseFacts]:
        """Identity, version, tables and row counts; reads only."""

    def sample(self, database: str) -> Work[str]:
        """A token that changes with every committed write; reads only, cheap."""

    def fingerprint(self, database: str, *, settle: bool = False) -> Work[str]:
        """A hash of the whole content, whatever its layout on disk; reads only.

        `settle` lets the engine first roll back what a killed writer left half done, as its next start would.
        """

    def writers(self, database: str, app_path: str) -> Work[tuple[Writer, ...]]:
        """The processes that could write while the application is down; reads only."""

    def copy(self, source: str, target: str) -> Work[CopyMade]:
        """Make a proven copy of a live database. *Changes*: writes `target` only."""

    def load(
        self, backup: str, target: str, like: DatabaseFacts, expect: Mapping[str, int] | None
    ) -> Work[Loaded]:
        """Load a backup into a new scratch database shaped `like` the live one. *Changes*: writes `target` only."""

    def compare(self, before: str, after: str, ignore: Sequence[str], lists_folder: str | None) -> Work[Loss]:
        """The loss table between two databases; reads only (but for the key lists)."""

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

    def cut_over(
        self, *, source: str, live: str, source_fingerprint: str, live_fingerprint: str, journal_mode: str
    ) -> Work[CutoverMade]:
        """Make production's content that of `source`. *Changes*: production's data, in one step or not at all."""

    def orphans(self, database: str, time_limit_s: float) -> Work[dict[str, int]]:
        """Rows whose parent is missing, by foreign key; reads only."""

    def checks(
        self, database: str, checks: Sequence[Mapping[str, Any]], time_limit_s: float
    ) -> Work[tuple[CheckResult, ...]]:
        """The site's own checks; reads only, anything else is refused by the engine."""
