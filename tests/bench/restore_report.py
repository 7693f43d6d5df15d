"""How the restore bench is told: one line for each job, all runs in it, and the file RESULTS.md."""

from __future__ import annotations

import os
import platform
import statistics
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).parent / "RESULTS.md"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One job: seconds of the plain way and of ours, run by run.

    With `faster` the figure is plain / ours and the bound its least; without it is ours / plain, or the seconds
    themselves where there is no plain way, and the bound its most.
    """

    what: str
    plain: list[float]
    ours: list[float]
    bound: float
    faster: bool
    note: str = ""

    @property
    def figures(self) -> list[float]:
        """Return the figure of each run."""
        if not self.plain:
            return self.ours
        pairs = zip(self.plain, self.ours, strict=True)
        return [plain / ours if self.faster else ours / plain for plain, ours in pairs]

    @property
    def holds(self) -> bool:
        """Return whether the middle run keeps the bound."""
        middle = statistics.median(self.figures)
        return middle >= self.bound if self.faster else middle <= self.bound

    def row(self) -> str:
        """Return it as a row of the table."""
        sign = "≥" if self.faster else "≤"
        cells = [
            self.what,
            _listed(self.plain) or "–",
            _listed(self.ours, 3 if not self.plain else 2),
            _listed(self.figures) if self.plain else "–",
            f"{sign} {self.bound:g}",
            "yes" if self.holds else "**no**",
            self.note,
        ]
        return "| " + " | ".join(cells) + " |"


def _listed(values: list[float], digits: int = 2) -> str:
    return " · ".join(f"{value:.{digits}f}" for value in values)


def table(measured: list[Measured]) -> str:
    """Return the whole table."""
    head = "| job | plain way, s | Backout, s | figure of each run | bound | kept | beside it |\n|---|---|---|---|---|---|---|"
    return "\n".join([head, *(each.row() for each in measured)])


def machine() -> str:
    """Return what the machine is, and how busy it was at the end."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    return (
        f"{os.cpu_count()} × {cpu}, {pages / 2**30:.0f} GB of memory, Linux {platform.release()}, "
        f"Python {platform.python_version()}; load averages at the end {load}"
    )


def tell(line: str) -> None:
    """Print a line at once, with the time: a run takes minutes."""
    print(f"{datetime.now(UTC):%H:%M:%S} {line}", flush=True)


def document(measured: list[Measured], command: str, programs: str, settings: list[str]) -> str:
    """Return the text of RESULTS.md."""
    day = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"""# Restore: what was measured

`{command}`, {day}. Both sides of a row in the same run, one after the other; every run is shown, the middle one counts.

Machine: {machine()}. Servers and clients: {programs}.

Settings of the servers, the same for both sides of a row; all others are the program's own:
{"; ".join(settings)}. Before each side all that the server had still to write is written.

{table(measured)}

How to run it again: `python -m tests.bench.restore` (1 GB and 5,000,000 rows on MariaDB, 700 MB on PostgreSQL; some 15 GB
of disk below `--folder` and half an hour); `--rows 500000` for a try, `--only mariadb` or `postgresql` or `manifest` for a
part, `--pool-mb 128` for MariaDB's own buffer pool (the plain way then takes several times as long), `--keep` to keep the
data.

The plain ways: `mariadb bench < dump.sql`; `psql -X -q -1 -v ON_ERROR_STOP=1 -f dump.sql`; one `UPDATE … JOIN`;
`cat dump.sql | python3 -c '…'` that counts lines.
"""
