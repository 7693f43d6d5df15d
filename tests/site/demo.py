"""The demo: builds a production, starts the bot, and plays the incident when asked to.

python -m tests.site.demo --folder FOLDER [--database ENGINE] [--play] [--compare] [--photos 50000] [--fault NAME]
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.site import by_hand, faults, production
from tests.site.bot_settings import APPROVER, RESPONDER, write_settings
from tests.site.chat_stage import ChatStage
from tests.site.discord_play import discord_stage
from tests.site.engines.catalog import ENGINES
from tests.site.play import Player, PlayStoppedError, play
from tests.site.production import Production
from tests.site.running_bot import RunningBot
from tests.site.servers import free_port
from tests.site.slack_play import slack_stage

REPOSITORY = Path(__file__).resolve().parents[2]


def main() -> int:
    """Run the demo; exit status 0 only when the oracle agrees (with --play)."""
    args = _arguments()
    folder = args.folder.resolve()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    if folder.exists():
        if any(folder.iterdir()) and not (folder / "production" / "production.json").exists():
            print(f"{folder} holds something else than a demo; nothing was done. Name another --folder.")
            return 2
        _stop_old(folder)
        shutil.rmtree(folder)
    print(f"Building a production on {args.database} with {args.photos:,} photos below {folder}")
    site = production.build(folder / "production", photos=args.photos, database=args.database)
    compared = _by_hand(site) if args.compare else None
    site = production.load(site.folder)  # the server's socket stands elsewhere after the comparison's copy
    if args.slack or args.discord:
        with slack_stage() if args.slack else discord_stage() as stage:
            return _run(site, folder, args, compared, stage)
    return _run(site, folder, args, compared, None)


def _run(
    site: Production,
    folder: Path,
    args: argparse.Namespace,
    compared: dict[str, Any] | None,
    stage: ChatStage | None,
) -> int:
    """Start the bot, in a chat too where there is a stage, and play or wait."""
    settings = write_settings(
        site,
        folder / "bot",
        port=args.port or free_port(),
        first_photo=_a_photo(site),
        platforms=stage.settings() if stage else "",
        accounts={stage.name: stage.accounts()} if stage else None,
        approvals=2 if stage else 1,
        pdf=True,
    )
    bot = RunningBot(settings, _port(settings))
    bot.environment = stage.environment() if stage else {}
    tokens = {name: bot.token(name) for name in (RESPONDER, APPROVER)}
    seconds = bot.start()
    print(f"The bot started in {seconds:.1f} s. Console: {bot.url}")
    for name, token in tokens.items():
        print(f"  token of {name}: {token}")
    try:
        if args.play or args.compare:
            return _play(bot, tokens[RESPONDER], site, args.fault, compared, stage)
        return _wait(bot)
    finally:
        bot.stop()
        production.stop(site.folder)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=REPOSITORY / ".demo")
    parser.add_argument("--photos", type=int, default=50_000)
    parser.add_argument("--database", choices=sorted(ENGINES), default="sqlite")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--play", action="store_true", help="play the incident through the JSON API")
    chat = parser.add_mutually_exclusive_group()
    chat.add_argument("--slack", action="store_true", help="act in Slack, on the stand-in of it")
    chat.add_argument("--discord", action="store_true", help="act in Discord, on the stand-in of it")
    parser.add_argument("--compare", action="store_true", help="play the runbook by hand on a copy first")
    parser.add_argument(
        "--fault",
        choices=sorted(faults.FAULTS),
        help="put in one fault; the play must end with another exit status than 0",
    )
    return parser.parse_args()


def _stop_old(folder: Path) -> None:
    if (folder / "production" / "production.json").exists():
        production.stop(folder / "production")


def _port(settings: Path) -> int:
    return int(tomllib.loads(settings.read_text())["web"]["port"])


def _a_photo(site: Production) -> int:
    with closing(production.session(site)) as live:
        return live.number("select min(id) from photos")


def _by_hand(site: Production) -> dict[str, Any]:
    print("Playing the runbook by hand, word for word, on a copy of this production")
    return by_hand.play_by_hand(site.folder)


def _play(
    bot: RunningBot,
    token: str,
    site: Production,
    fault: str | None,
    compared: dict[str, Any] | None,
    stage: ChatStage | None,
) -> int:
    began = time.monotonic()
    hook: Callable[[str], None] = faults.hook(fault, site) if fault else lambda _: None
    player = Player(bot.as_person(token), print)
    if stage is not None:
        stage.wait_for_bot()
        player.hands, player.second = stage.hands(RESPONDER), stage.hands(APPROVER)
    stopped = ""
    try:
        play(player, commits=site.corrected_commits, before=hook)
    except PlayStoppedError as error:
        stopped = str(error)
    agreed, verdict = _judged(site, "corrected", online=True)
    print(f"\n{verdict}")
    if stopped:
        print(f"the play stopped: {stopped}")
    state = player.state()
    _totals(state)
    if compared is not None:
        _side_by_side(compared, agreed, site)
    recovered = agreed and not stopped
    print(f"took {time.monotonic() - began:.0f} s")
    print(f"recovered: {'yes' if recovered else 'no'}")
    print(f"report: {_report(bot, player)}")
    faults.clean_up(site)
    if stage is not None:
        name = stage.name.title()
        print(f"\nWhat {name} shows:\n{stage.shown(player.incident)}")
        print(f"rules of {name} broken: {stage.violations() or 'none'}")
    return 0 if recovered else 1


def _judged(site: Production, final: str, *, online: bool) -> tuple[bool, str]:
    """Return whether the oracle, run as a program apart, agrees, and its last line."""
    command = [
        sys.executable,
        "-m",
        "tests.site.oracle",
        str(site.folder),
        "--final",
        final,
        *(["--online"] if online else []),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=False)
    lines = (done.stdout or done.stderr).strip().splitlines()
    return done.returncode == 0, lines[-1] if lines else "oracle: said nothing"


def _totals(state: dict[str, Any]) -> None:
    totals = (state.get("rehearsal") or {}).get("totals") or {}
    for label, key in (
        ("rows lost", "rows_lost"),
        ("rows kept", "rows_kept"),
        ("rows restored", "rows_restored"),
        ("values restored", "values_restored"),
        ("values mapped", "values_mapped"),
        ("values lost", "values_lost"),
        ("unaccounted", "unaccounted"),
    ):
        print(f"{label}: {totals.get(key, 'unknown')}")


def _side_by_side(compared: dict[str, Any], agreed: bool, site: Production) -> None:
    after = by_hand.Truth(site).now()
    print(f"\n{'':<34}{'before':>10}{'by hand':>10}{'Backout':>10}")
    for name, values in compared["really"].items():
        print(f"{name:<34}{values['before']:>10,}{values['after']:>10,}{after[name]['after']:>10,}")
    print(
        f"{'own checks all green':<34}{'':>10}{'yes' if compared['all_checks_green'] else 'no':>10}{'yes' if agreed else 'no':>10}"
    )


def _report(bot: RunningBot, player: Player) -> str:
    entries = player.api.get(f"/api/incidents/{player.incident}/timeline")
    written = [
        e
        for e in (entries["entries"] if isinstance(entries, dict) else entries)
        if e["kind"] == "report.written"
    ]
    return (
        str(written[-1]["data"]["path"])
        if written
        else f"{bot.url}/api/incidents/{player.incident}/report.md"
    )


def _wait(bot: RunningBot) -> int:
    print("Open the console, enter a token, and type: /incident start album captions are gone")
    print("Ctrl-C ends the demo.")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
