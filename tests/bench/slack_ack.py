"""How fast Slack gets its acks, 200 commands at once, while a host hangs: `python -m tests.bench.slack_ack [COUNT [RUNS]]`.

A real bot on a real production whose sshd is stopped by SIGSTOP in the middle of an assessment; slack_bolt over a real
WebSocket (`--http`: over signed requests) to the stand-in of Slack, a process of its own in which the time is taken, from
the first byte sent to the ack read. The bound is 100 ms at p99. Then everything that was typed is waited for.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.ack import at
from tests.site import production
from tests.site.bot_settings import RESPONDER, write_settings
from tests.site.chat_stage import ChatStage
from tests.site.running_bot import RunningBot
from tests.site.servers import children_of, free_port
from tests.site.slack_play import Stage, slack_stage

BOUND_MS = 100
INCIDENT = "inc-album-1"
KINDS = {"note": "/incident note measured", "status": "/incident status", "app status": "/app status"}


def bot_of(stage: Stage, site: production.Production, folder: Path, http_port: int | None) -> RunningBot:
    """Return a bot that speaks Slack, not started yet."""
    port = free_port()
    more = "" if http_port is None else f'mode = "http"\nhttp_port = {http_port}\n'
    accounts = {"slack": stage.accounts()}
    settings = write_settings(site, folder, port=port, platforms=stage.settings() + more, accounts=accounts)
    bot = RunningBot(settings, port)
    bot.environment = {**stage.environment(), "SLACK_SIGNING_SECRET": stage.slack.signing_secret}
    return bot


def answered_s(stage: ChatStage, began: float, wanted: int) -> float:
    """Return after how many seconds so many answers had been whispered."""
    while time.monotonic() - began < 120:
        if stage.answers() >= wanted:
            return time.monotonic() - began
        time.sleep(0.1)
    return float("nan")


@contextmanager
def hanging(site: production.Production) -> Iterator[None]:
    """Let the host take connections and never say a word, until the block is left."""
    sshd = [process for process in site.pids if process.name == "sshd"]
    stopped = [pid for process in sshd for pid in (process.pid, *children_of(process.pid))]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


def measure(stage: ChatStage, count: int, runs: int) -> None:
    """Measure and print each kind of command, run by run."""
    print(
        f"{'host hanging; milliseconds to the ack':<40}{'p50':>8}{'p99':>8}{'worst':>8}{'bound':>8}{'answers after':>15}"
    )
    for name, text in KINDS.items():
        for run in range(1, runs + 1):
            before = stage.answers()
            began = time.monotonic()
            acks = stage.burst(text, INCIDENT, count)
            given = [ack for ack in acks if ack is not None]
            late = count - len(given)
            # What asks the host waits for it; the others are answered, which is the store's own time.
            after = "" if name == "app status" else f"{answered_s(stage, began, before + count):.1f} s"
            label = f"{name}, {count} at once, run {run}" + (f", {late} WITHOUT ACK" if late else "")
            print(
                f"{label:<40}{at(given, 0.5):>8.1f}{at(given, 0.99):>8.1f}{max(given):>8.1f}{BOUND_MS:>8}{after:>15}"
            )
            time.sleep(1)


def main() -> None:
    """Build, break, measure, print, and clean up."""
    words = [word for word in sys.argv[1:] if word != "--http"]
    count, runs = int(words[0]) if words else 200, int(words[1]) if len(words) > 1 else 3
    http_port = free_port() if "--http" in sys.argv else None
    with tempfile.TemporaryDirectory() as folder, slack_stage() as stage:
        site = production.build(Path(folder) / "production", photos=2_000)
        bot = bot_of(stage, site, Path(folder) / "bot", http_port)
        bot.token(RESPONDER)
        bot.start()
        try:
            if http_port is None:
                stage.run(stage.slack.wait_for_socket())
            else:
                stage.run(stage.slack.deliver_over_http(f"http://127.0.0.1:{http_port}/slack/events"))
            with hanging(site):
                stage.hands(RESPONDER).command("/incident start album the host hangs", "")
                measure(stage, count, runs)
                print(f"rules of Slack broken: {stage.violations()}")
        finally:
            bot.stop()
            production.stop(site.folder)


if __name__ == "__main__":
    main()
