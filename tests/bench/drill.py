"""How long a drill takes against the size of the site: `python -m tests.bench.drill [PHOTOS…]`.

For each number of photos (2,000, 10,000 and 50,000 where none is given) a production on SQLite is built, a bot makes two
drills of it, and the same backup is loaded by `sqlite3 FILE < BACKUP` in the same run, which proves nothing. Printed are the
seconds as the drill itself recorded them (finding and reading the backup, loading, proving), the rows a second, and the ratio
of the loads. There is no bound: what a drill is for is to know this figure of a site.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.site import production
from tests.site.production import Production
from tests.site.scenario import Scene, fresh_scene

SIZES = (2_000, 10_000, 50_000)
DRILLS = 2
LIMIT_S = 3600


def recorded(scene: Scene) -> list[dict[str, Any]]:
    """Return the drills of the site as its logbook has them, oldest first."""
    path = scene.bot.settings.parent / "records" / "backout.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
        rows = store.execute("select data from entries where kind = 'drilled' order by sequence").fetchall()
    return [json.loads(data) for (data,) in rows]


def drilled(scene: Scene, number: int) -> dict[str, Any]:
    """Make one drill and return its record. *Raises* SystemExit where it is not good."""
    reply = scene.api().command("/backups drill album")
    if not reply["ok"]:
        raise SystemExit(f"no drill: {reply['text']}")
    deadline = time.monotonic() + LIMIT_S
    while len(found := recorded(scene)) < number:
        if time.monotonic() > deadline:
            raise SystemExit("the drill did not end")
        time.sleep(0.1)
    if found[-1]["verdict"] != "good":
        raise SystemExit(f"the drill failed: {found[-1]['reasons']}")
    return found[-1]


def loaded_plainly_s(folder: Path, backup: Path) -> float:
    """Return how many seconds `sqlite3 FILE < BACKUP` takes."""
    target = folder / "plain.sqlite"
    began = time.perf_counter()
    with backup.open("rb") as dump:
        subprocess.run(["sqlite3", str(target)], stdin=dump, check=True)
    seconds = time.perf_counter() - began
    target.unlink()
    return seconds


def measure(site: Production, folder: Path) -> None:
    """Make the drills of one site, and print."""
    with fresh_scene(site, folder / "bot") as scene:
        for number in range(1, DRILLS + 1):
            drill = drilled(scene, number)
            backup = drill["backup"]
            plain_s = loaded_plainly_s(folder, Path(backup["path"]))
            print(
                f"{site.photos:>7,} photos  {backup['rows']:>9,} rows  {backup['size_bytes'] / 1e6:7.1f} MB   find {drill['search_s']:6.1f} s   "
                f"load {drill['load_s']:6.1f} s   prove {drill['proof_s']:6.1f} s   in all {drill['total_s']:6.1f} s   "
                f"{backup['rows'] / drill['total_s']:>9,.0f} rows/s   sqlite3 alone {plain_s:6.1f} s   "
                f"ratio of the loads {drill['load_s'] / plain_s:5.2f}",
                flush=True,
            )


def main() -> None:
    """Build each site, measure, remove it."""
    for photos in [int(size) for size in sys.argv[1:]] or SIZES:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            site = production.build(folder / "production", photos=photos)
            try:
                measure(site, folder)
            finally:
                production.stop(site.folder)


if __name__ == "__main__":
    main()
