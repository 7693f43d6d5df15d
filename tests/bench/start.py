"""How fast the bot starts, and how much memory it holds: `python -m tests.bench.start [INCIDENTS]`.

Bounds: 3 s from the command to the console's first answer; 150 MB at rest, 300 MB with 200 incidents open. The
incidents are written into the store with forty entries each, on as many sites.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

from adapters.sql_store.store import SqlStore
from bot.model.event import Kind, NewEntry
from bot.ports.store import Transaction
from tests.site.running_bot import RunningBot
from tests.site.servers import free_port

ENTRIES_EACH = 40
REST_S = 3.0
_SITE = """
[sites.site{n}]
app_path = "/srv/site{n}"
url = "http://127.0.0.1:9"
backups = ["/backups"]
ssh = {{ address = "127.0.0.1", port = 9, user = "deploy", known_hosts = "known_hosts" }}
"""


def write_settings(folder: Path, port: int, sites: int) -> Path:
    """Write settings with so many sites, and return their path."""
    names = ", ".join(f'"site{n}"' for n in range(sites))
    head = (
        f"""[web]\nport = {port}\n[[people]]\nname = "Anna"\nids = {{ web = "anna" }}\nsites = [{names}]\n"""
    )
    path = folder / "backout.toml"
    path.write_text(head + "".join(_SITE.format(n=n) for n in range(sites)))
    return path


async def open_incidents(path: Path, count: int) -> None:
    """Write so many open incidents into the store."""
    store = await SqlStore.open(f"sqlite:///{path}")

    def body_of(number: int) -> object:
        name = f"inc-site{number}-1"
        opened = NewEntry(
            kind=Kind.INCIDENT_OPENED, text="lost", data={"site": f"site{number}", "title": "lost"}
        )
        notes = [NewEntry(kind=Kind.NOTE, text=f"note {n} " * 20) for n in range(ENTRIES_EACH - 1)]

        async def body(tx: Transaction) -> None:
            await tx.open_incident(incident_id=name, site=f"site{number}", channel=name, title="lost")
            await tx.append(name, [opened, *notes])

        return body

    for number in range(count):
        await store.transact(body_of(number))  # type: ignore[arg-type]  # a body, made for its number
    await store.close()


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process in megabytes. *Source*: proc(5), VmRSS in kB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1000


def measured(incidents: int) -> tuple[float, float, float]:
    """Return the median start seconds of three, and megabytes at rest and after each incident was looked at."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        bot = RunningBot(write_settings(folder, port, max(1, incidents)), port)
        token = bot.token("Anna")
        asyncio.run(open_incidents(folder / "backout.db", incidents))
        seconds = []
        for _ in range(3):
            seconds.append(bot.start())
            time.sleep(REST_S)
            rest = resident_mb(bot.pid)
            bot.as_person(token).get("/api/incidents")
            looked = resident_mb(bot.pid)
            bot.stop()
        return statistics.median(seconds), rest, looked


def main() -> None:
    """Measure an empty bot and one with many incidents, and print a table."""
    many = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    print(f"{'open incidents':<16}{'start s':>9}{'rest MB':>9}{'looked at MB':>14}{'bounds':>20}")
    for count, bound in ((0, "3 s, 150 MB"), (many, "3 s, 300 MB")):
        seconds, rest, looked = measured(count)
        print(f"{count:<16}{seconds:>9.2f}{rest:>9.1f}{looked:>14.1f}{bound:>20}")


if __name__ == "__main__":
    main()
