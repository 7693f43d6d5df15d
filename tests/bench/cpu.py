"""CPU seconds of both sides of a job: on a busy machine they tell more than the clock does."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
# *Source*: proc(5), /proc/PID/stat: utime, stime, cutime, cstime are fields 14 to 17, the third stands behind the name.
_FIRST, _PARENT = 11, 1
# A session's process ends a moment after its client; only then its seconds are with the server's own.
_REAPED_S = 0.3


def spent_s(server: int) -> float:
    """Return what a server has used so far with all its processes, and this program with its clients that have ended."""
    time.sleep(_REAPED_S)
    found = dict(filter(None, map(_stat, Path("/proc").iterdir())))
    own = [ticks for pid, (parent, ticks) in found.items() if server in (pid, parent)]
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(own) / _TICKS + sum(each.ru_utime + each.ru_stime for each in used)


def _stat(folder: Path) -> tuple[int, tuple[int, int]] | None:
    if not folder.name.isdigit():
        return None
    try:
        fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None  # It has ended meanwhile.
    return int(folder.name), (int(fields[_PARENT]), sum(map(int, fields[_FIRST : _FIRST + 4])))


def told(plain: list[float], ours: list[float]) -> str:
    """Return the seconds of both sides in words."""
    sides = (" · ".join(f"{each:.1f}" for each in side) for side in (plain, ours))
    return "CPU seconds of all processes: plain {}, Backout {}".format(*sides)
