"""The `backout` command: runs the bot, and speaks to a running one from a shell."""

from __future__ import annotations

import asyncio
import enum
import gc
import json
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import structlog
import typer
from rich.console import Console
from rich.table import Table

from bot.model.errors import BackoutError
from bot.model.secret import Secret
from bot.settings import Settings, load_settings

T = TypeVar("T")

app = typer.Typer(
    help="Gets a Laravel application back after a migration lost data in production.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
timeline_app = typer.Typer(help="Backout's own record.", no_args_is_help=True)
app.add_typer(timeline_app, name="timeline")

SettingsOption = Annotated[
    Path, typer.Option("--settings", envvar="BACKOUT_SETTINGS", help="the settings file")
]
UrlOption = Annotated[str, typer.Option(envvar="BACKOUT_URL", help="address of the running bot")]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON")]
DEFAULT_SETTINGS = Path("backout.toml")
DEFAULT_URL = "http://127.0.0.1:8765"


class ReportForm(enum.StrEnum):
    """The forms of a post-mortem."""

    MD = "md"
    HTML = "html"
    PDF = "pdf"


FAILED = 1
WRONG_USE = 2


def main() -> None:
    """Run the command line; what went wrong is told in words, with exit status 1."""
    try:
        app()
    except BackoutError as error:
        Console(stderr=True).print(str(error), style="red", markup=False, highlight=False)
        sys.exit(FAILED)


@app.command()
def run(settings: SettingsOption = DEFAULT_SETTINGS) -> None:
    """Run the bot with its web console until it is stopped (Ctrl-C or SIGTERM)."""
    _log_plainly()
    asyncio.run(_run(load_settings(settings)))


async def _run(settings: Settings) -> None:
    from bot.wiring import build

    bot = await build(settings)
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    try:
        await bot.start()
        # What is there now stays to the end. Looked through by each full collection, it would hold up everything for a
        # tenth of a second, just when many press at once.
        gc.collect()
        gc.freeze()
        typer.echo(f"Backout is running: {bot.console.url}")
        if settings.slack is not None:
            typer.echo(slack_words(settings))
        if settings.discord is not None:
            typer.echo(discord_words(settings))
        sys.stdout.flush()
        await stop.wait()
    finally:
        await bot.close()


def slack_words(settings: Settings) -> str:
    """Return whether Slack is used, and what it still lacks."""
    from bot.wiring import slack_options

    if settings.slack is None or slack_options(settings) is None:
        return "Slack is in the settings, but SLACK_BOT_TOKEN is not set: Backout runs without Slack."
    if settings.slack.mode == "http":
        return (
            f"Slack: requests are taken on {settings.slack.http_host}:{settings.slack.http_port}/slack/events"
        )
    return "Slack: connecting over Socket Mode"


def discord_words(settings: Settings) -> str:
    """Return whether Discord is used, and what it still lacks."""
    from bot.wiring import discord_options

    if discord_options(settings) is None:
        return "Discord is in the settings, but DISCORD_TOKEN is not set: Backout runs without Discord."
    return "Discord: connecting to its gateway"


def _log_plainly() -> None:
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(),
        ],
    )
    logging.getLogger("asyncssh").setLevel(logging.WARNING)


@app.command()
def token(
    name: Annotated[str, typer.Argument(help="a person of the settings")],
    settings: SettingsOption = DEFAULT_SETTINGS,
) -> None:
    """Make a console token for a person and print it, this once. A running bot learns it at its next start."""
    from bot.tokens import make_token

    typer.echo(make_token(load_settings(settings), name))


@app.command()
def do(
    text: Annotated[str, typer.Argument(help='a slash command, such as "/incident start album"')],
    channel: Annotated[str | None, typer.Option(help="the incident's channel")] = None,
    url: UrlOption = DEFAULT_URL,
    as_json: JsonOption = False,
) -> None:
    """Type a slash command to the running bot. The token comes from BACKOUT_TOKEN."""
    _show(asyncio.run(_command(url, text, channel)), as_json)


@app.command()
def answer(
    decision: Annotated[str, typer.Argument(help="the decision's id")],
    choice: Annotated[str, typer.Argument(help="the key of the answer")],
    typed: Annotated[str | None, typer.Option(help="the word to type along, where one is asked for")] = None,
    url: UrlOption = DEFAULT_URL,
    as_json: JsonOption = False,
) -> None:
    """Answer a decision of the running bot. The token comes from BACKOUT_TOKEN."""
    _show(asyncio.run(_answer(url, decision, choice, typed)), as_json)


@app.command()
def report(
    incident: Annotated[str, typer.Argument(help="the incident's id, such as inc-shop-1")],
    form: Annotated[ReportForm, typer.Option(help="Markdown, one HTML file, or PDF")] = ReportForm.MD,
    output: Annotated[Path | None, typer.Option(help="a new file to write; default: printed")] = None,
    url: UrlOption = DEFAULT_URL,
) -> None:
    """Print an incident's post-mortem as it stands now, or write it to a new file. The token comes from BACKOUT_TOKEN."""
    if form is ReportForm.PDF and output is None and sys.stdout.isatty():
        typer.echo(
            "A PDF is no text for a terminal: name a file with --output. Nothing was written.", err=True
        )
        raise typer.Exit(WRONG_USE)
    content = asyncio.run(_report(url, incident, form))
    if content is None:
        typer.echo(f"There is no incident {incident}, or it is not yours to see.", err=True)
        raise typer.Exit(FAILED)
    if output is None:
        sys.stdout.buffer.write(content)
        return
    try:
        with output.open("xb") as file:
            file.write(content)
    except OSError as error:
        typer.echo(f"{output} was not written: {error.strerror}.", err=True)
        raise typer.Exit(FAILED) from None


async def _report(url: str, incident: str, form: ReportForm) -> bytes | None:
    from adapters.web_chat.client import ApiClient

    async with ApiClient(url, _token()) as bot:
        return await bot.report(incident, form.value)


async def _command(url: str, text: str, channel: str | None) -> dict[str, Any]:
    from adapters.web_chat.client import ApiClient

    async with ApiClient(url, _token()) as bot:
        return await bot.command(text, channel)


async def _answer(url: str, decision: str, choice: str, typed: str | None) -> dict[str, Any]:
    from adapters.web_chat.client import ApiClient

    async with ApiClient(url, _token()) as bot:
        return await bot.answer(decision, choice, typed)


def _token() -> Secret:
    value = os.environ.get("BACKOUT_TOKEN")
    if not value:
        typer.echo(
            "Set BACKOUT_TOKEN to your console token (made by: backout token NAME). Nothing was sent.",
            err=True,
        )
        raise typer.Exit(WRONG_USE)
    return Secret(value)


def _show(reply: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(reply, indent=1, ensure_ascii=False))
    else:
        console = Console(highlight=False)
        console.print(reply["text"], markup=False, style=None if reply["ok"] else "red")
        for label, value in reply.get("facts") or ():
            console.print(f"  {label}: {value}", markup=False)
        if reply.get("table"):
            table = Table(*reply["table"]["columns"], box=None, pad_edge=False)
            for row in reply["table"]["rows"]:
                table.add_row(*[str(cell).replace("[", r"\[") for cell in row])
            console.print(table)
        for line in reply.get("suggestions") or ():
            console.print(f"  next: {line}", markup=False)
    if not reply["ok"]:
        raise typer.Exit(FAILED)


@app.command()
def inspect(
    file: Annotated[Path, typer.Argument(help="a dump or a SQLite file; plain, gzip, zstd, bzip2 or zip")],
    before: Annotated[str | None, typer.Option(help="a migration that the backup must not hold")] = None,
    migrations_table: Annotated[
        str, typer.Option(help="the name of Laravel's list of migrations, with the site's prefix")
    ] = "migrations",
    as_json: JsonOption = False,
) -> None:
    """Judge one backup, without a site. Exit status 0 VERIFIED, 1 REFUSED, 2 COULD NOT VERIFY."""
    from adapters.host_reader.answers import Refusal
    from adapters.host_reader.inspect import inspect_file
    from bot.dumps.render import render_inspection
    from bot.dumps.verdict import exit_status

    try:
        result = inspect_file(str(file), before, migrations_table)
    except Refusal as error:
        typer.echo(error.message, err=True)
        raise typer.Exit(WRONG_USE) from None
    typer.echo(json.dumps(result, indent=1) if as_json else render_inspection(result))
    raise typer.Exit(exit_status(result["verdict"]))


@timeline_app.command("verify")
def timeline_verify(settings: SettingsOption = DEFAULT_SETTINGS) -> None:
    """Check every timeline for edits, deletions and reorders; reads only. Exit status 1 when one is found."""
    faults = asyncio.run(_verify(load_settings(settings)))
    for fault in faults:
        typer.echo(fault)
    typer.echo("Every timeline is whole." if not faults else f"{len(faults)} fault(s) found.")
    raise typer.Exit(FAILED if faults else 0)


async def _verify(settings: Settings) -> list[str]:
    from adapters.sql_store.store import SqlStore
    from adapters.sql_store.verify import verify_timelines
    from bot.wiring import store_url

    store = await SqlStore.open(store_url(settings), read_only=True)
    try:
        return await verify_timelines(store)
    finally:
        await store.close()


@app.command()
def manifest(
    url: Annotated[
        str | None, typer.Option(help="Backout's public address, for signed HTTP in place of Socket Mode")
    ] = None,
) -> None:
    """Print Slack's app manifest, made from the commands that there are."""
    from adapters.slack_chat.manifest import manifest_yaml
    from commands.catalog import subcommands

    typer.echo(manifest_yaml(subcommands(), url), nl=False)


@app.command()
def check(settings: SettingsOption = DEFAULT_SETTINGS) -> None:
    """Tell in plain words what each site still lacks, by connecting to it; reads only. Exit status 1 when one lacks something."""
    from adapters.http_probe.probe import HttpProbe
    from bot.check import check_browser, check_calling, check_sites
    from bot.wiring import browser_of, database_for, hosts_of, mail_of, pagers_of

    known = load_settings(settings)
    results = asyncio.run(_checked(check_sites(known, hosts_of(known), database_for, HttpProbe())))
    results += asyncio.run(_checked(check_calling(known, mail_of(known), pagers_of(known))))
    results += asyncio.run(_checked(check_browser(known, browser_of(known))))
    results += asyncio.run(_checked_slack(known))
    results += asyncio.run(_checked_discord(known))
    for line, good in results:
        typer.echo(f"{'ok  ' if good else 'MISS'} {line}")
    raise typer.Exit(0 if all(good for _, good in results) else FAILED)


@app.command()
def gate(
    site: Annotated[str | None, typer.Argument(help="a site of the settings")] = None,
    settings: SettingsOption = DEFAULT_SETTINGS,
    site_option: Annotated[str | None, typer.Option("--site", help="the same, for a script")] = None,
    accept: Annotated[
        list[str] | None,
        typer.Option(help="let this pass and say so: review, loss or down; may be given more than once"),
    ] = None,
    limit_s: Annotated[float, typer.Option("--limit", help="seconds until it counts as not told")] = 3600,
    as_json: JsonOption = False,
) -> None:
    """Say whether a site's pending migrations may run: fresh backup, review, rehearsal on a copy. Changes scratch only.

    Exit status 0 PASS, 1 REFUSED, 2 COULD NOT TELL; one line why.
    """
    from bot.gating import gate_words, told_gate
    from bot.wiring import gate_of

    result = asyncio.run(told_gate(gate_of, settings, site or site_option, accept or (), limit_s))
    typer.echo(json.dumps(result.as_json(), indent=1, ensure_ascii=False) if as_json else gate_words(result))
    raise typer.Exit(result.outcome.exit_status)


async def _checked_slack(settings: Settings) -> list[tuple[str, bool]]:
    """Return what Slack still lacks; nothing where it is not in the settings."""
    from adapters.slack_chat.check import check_slack
    from bot.wiring import slack_options

    if settings.slack is None:
        return []
    options = slack_options(settings)
    if options is None:
        return [("Slack: SLACK_BOT_TOKEN is not set, so Backout runs without Slack", False)]
    people = [(person.name, person.ids["slack"]) for person in settings.people if "slack" in person.ids]
    return await check_slack(options, people)


async def _checked_discord(settings: Settings) -> list[tuple[str, bool]]:
    """Return what Discord still lacks; nothing where it is not in the settings."""
    from adapters.discord_chat.check import check_discord
    from bot.wiring import discord_options

    if settings.discord is None:
        return []
    options = discord_options(settings)
    if options is None:
        return [("Discord: DISCORD_TOKEN is not set, so Backout runs without Discord", False)]
    people = [(person.name, person.ids["discord"]) for person in settings.people if "discord" in person.ids]
    return await check_discord(options, people)


async def _checked(work: Coroutine[Any, Any, T]) -> T:
    return await work


if __name__ == "__main__":
    main()
