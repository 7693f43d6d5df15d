"""How fast a command is answered, 200 at once, while a host hangs: `python -m tests.bench.ack [COUNT]`.

A real bot on a real production whose sshd is stopped by SIGSTOP in the middle of an assessment. The bound is for the
acknowledgement (`Prefer: respond-async`, as the console's page sends it): 100 ms at p99, while the store writes what
the others asked for. The whole reply, with the command's own transaction, is measured beside it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
import time
import uuid
from pathlib import Path

import aiohttp

from tests.site import production
from tests.site.bot_settings import RESPONDER, write_settings
from tests.site.running_bot import RunningBot
from tests.site.servers import children_of, free_port

BOUND_MS = 100


ACK = {"Prefer": "respond-async"}


async def replied_ms(session: aiohttp.ClientSession, text: str, channel: str) -> float:
    """Return how many milliseconds one command took to its reply."""
    body = {"text": text, "channel": channel, "delivery_id": uuid.uuid4().hex}
    began = time.perf_counter()
    async with session.post("/api/commands", json=body) as response:
        await response.read()
        if response.status not in (200, 409):
            raise RuntimeError(f"{text}: {response.status}")
    return (time.perf_counter() - began) * 1000


async def acknowledged_ms(session: aiohttp.ClientSession, text: str, channel: str) -> tuple[float, float]:
    """Return how many milliseconds one command took to its acknowledgement, and to the reply that was asked for then."""
    delivery = uuid.uuid4().hex
    body = {"text": text, "channel": channel, "delivery_id": delivery}
    began = time.perf_counter()
    async with session.post("/api/commands", json=body, headers=ACK) as response:
        await response.read()
        if response.status != 202:
            raise RuntimeError(f"{text}: {response.status}")
    acknowledged = time.perf_counter() - began
    async with session.get(f"/api/replies/{delivery}?wait=30") as response:
        await response.read()
        if response.status not in (200, 409):
            raise RuntimeError(f"{text}: {response.status}")
    return acknowledged * 1000, (time.perf_counter() - began) * 1000


async def measure(url: str, token: str, channel: str, count: int) -> dict[str, list[float]]:
    """Return the milliseconds of notes and of status questions, one after another and all at once."""
    connector = aiohttp.TCPConnector(limit=0)
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(url, headers=headers, connector=connector) as session:
        await replied_ms(session, "/incident status", channel)
        kinds = {"note": "/incident note measured", "status": "/incident status", "help": "help"}
        found = {}
        for name, text in kinds.items():
            both = await asyncio.gather(*(acknowledged_ms(session, text, channel) for _ in range(count)))
            found[f"{name}, {count} at once: ACKNOWLEDGED"] = [first for first, _ in both]
            found[f"{name}, {count} at once: reply after that"] = [second for _, second in both]
            found[f"{name}, one by one"] = [await replied_ms(session, text, channel) for _ in range(20)]
            together = (replied_ms(session, text, channel) for _ in range(count))
            found[f"{name}, {count} at once"] = list(await asyncio.gather(*together))
        return found


def at(values: list[float], share: float) -> float:
    """Return the value below which this share of all values lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def main() -> None:
    """Build, break, measure, print, and clean up."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as folder:
        site = production.build(Path(folder) / "production", photos=2_000)
        settings = write_settings(site, Path(folder) / "bot", port=free_port())
        bot = RunningBot(settings, int(settings.read_text().split("port = ")[1].split()[0]))
        token = bot.token(RESPONDER)
        bot.start()
        stopped = [
            pid
            for process in site.pids
            if process.name == "sshd"
            for pid in (process.pid, *children_of(process.pid))
        ]
        try:
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)
            started = bot.as_person(token).command("/incident start album the host hangs")
            found = asyncio.run(measure(bot.url, token, started["incident_id"], count))
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
            bot.stop()
            production.stop(site.folder)
    print(f"{'host hanging; milliseconds':<42}{'p50':>8}{'p99':>8}{'bound':>8}")
    for name, values in found.items():
        print(f"{name:<42}{at(values, 0.5):>8.1f}{at(values, 0.99):>8.1f}{BOUND_MS:>8}")


if __name__ == "__main__":
    main()
