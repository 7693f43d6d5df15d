"""How fast Discord gets its first answers, 200 commands at once, while a host hangs: `python -m tests.bench.discord_ack [COUNT [RUNS]]`.

As `tests.bench.slack_ack`: a real bot on a real production whose sshd is stopped; discord.py over a real gateway to the
stand-in of Discord, a process of its own in which the time is taken, from the event written to the answer's head read. A first
answer is an HTTP call of its own here, where Slack takes a line on the socket.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.bench.slack_ack import hanging, measure
from tests.site import production
from tests.site.bot_settings import RESPONDER, write_settings
from tests.site.discord_play import discord_stage
from tests.site.running_bot import RunningBot
from tests.site.servers import free_port


def main() -> None:
    """Build, break, measure, print, and clean up."""
    words = sys.argv[1:]
    count, runs = int(words[0]) if words else 200, int(words[1]) if len(words) > 1 else 3
    with tempfile.TemporaryDirectory() as folder, discord_stage() as stage:
        site = production.build(Path(folder) / "production", photos=2_000)
        port = free_port()
        accounts = {"discord": stage.accounts()}
        settings = write_settings(
            site, Path(folder) / "bot", port=port, platforms=stage.settings(), accounts=accounts
        )
        bot = RunningBot(settings, port)
        bot.environment = stage.environment()
        bot.token(RESPONDER)
        bot.start()
        try:
            stage.wait_for_bot()
            with hanging(site):
                stage.hands(RESPONDER).command("/incident start album the host hangs", "")
                measure(stage, count, runs)
                print(f"rules of Discord broken: {stage.violations()}")
        finally:
            bot.stop()
            production.stop(site.folder)


if __name__ == "__main__":
    main()
