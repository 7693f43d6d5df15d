"""The composition root: the one place that sees every adapter."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from adapters.apscheduler_alarms.alarms import ApschedulerAlarms
from adapters.discord_chat.settings import DiscordOptions
from adapters.host_reader_pack import pack_reader
from adapters.http_probe.probe import HttpProbe
from adapters.mysql_database.database import MysqlDatabase
from adapters.postgresql_database.database import PostgresqlDatabase
from adapters.slack_chat.settings import SlackOptions
from adapters.smtp_mail.settings import SmtpOptions
from adapters.sql_store.store import SqlStore
from adapters.sqlite_database.database import SqliteDatabase
from adapters.ssh_host.hosts import SshHosts
from adapters.ssh_host.settings import HostSettings
from adapters.web_chat.console import WebConsole
from adapters.webhook_pager.settings import PagerOptions
from bot.calling_settings import SMTP_PASSWORD, pager_variable
from bot.model.database import Access
from bot.model.errors import NotStartedError
from bot.model.secret import Secret
from bot.ports.browser import Browser
from bot.ports.chat import Chat, Inbox, Window
from bot.ports.database import Database
from bot.ports.host import Hosts
from bot.ports.mail import Mail
from bot.ports.pager import Pager
from bot.ports.store import IncidentRow, Store
from bot.runbook.gate import GateResult
from bot.service.dispatch import Dispatcher
from bot.service.engine import Engine
from bot.service.gate_run import refused_by_incident, run_gate
from bot.service.operations.kinds import aborts, after_end, handlers
from bot.service.outbox import Outbox
from bot.service.parts import Parts
from bot.service.status import StatusBoard
from bot.service.timers import Timers
from bot.service.views import Views
from bot.settings import Settings, SshSettings
from bot.tokens import read_tokens
from commands.catalog import completions, forms, read, subcommands

T = TypeVar("T")


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """Return the present time, aware UTC."""
        return datetime.now(UTC)


class Bot:
    """One running bot: everything wired, started and closed in order."""

    def __init__(
        self,
        *,
        parts: Parts,
        engine: Engine,
        timers: Timers,
        outbox: Outbox,
        board: StatusBoard,
        console: WebConsole,
        chats: Sequence[Chat] = (),
        alarms: ApschedulerAlarms,
    ) -> None:
        self.parts = parts
        self.console = console
        self._engine = engine
        self._timers = timers
        self._outbox = outbox
        self._board = board
        self._chats = chats
        self._alarms = alarms

    async def start(self) -> None:
        """Begin to work: what was running when the last process ended goes on at once."""
        await self._engine.start(sole=True)
        if self._chats:
            self._board.start()  # The console shows what is so by itself; only channels need a message for it.
        self._outbox.start()
        await self._timers.start()
        await self.console.start()
        for chat in self._chats:
            await chat.start()

    async def close(self) -> None:
        """Stop in order; operations stay running in the store, jobs on the hosts."""
        await self.console.close()
        self._alarms.close()
        await self._board.close()
        await self._outbox.close()
        for chat in self._chats:
            await chat.close()
        await self._engine.close()
        await self.parts.hosts.close()
        await self.parts.store.close()


def store_url(settings: Settings) -> str:
    """Return the address of Backout's own database."""
    return f"sqlite:///{settings.path(settings.store.path)}"


def hosts_of(settings: Settings) -> SshHosts:
    """Return the hosts of all sites. *Changes*: writes the packed row reader beside Backout's records."""
    folder = settings.path(settings.store.path).parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    reader = folder / "reader.pyz"
    sha256 = pack_reader(reader)
    return SshHosts(
        {name: host_settings(settings, site.ssh) for name, site in settings.sites.items()}, reader, sha256
    )


def host_settings(settings: Settings, ssh: SshSettings) -> HostSettings:
    """Return the SSH adapter's settings of one host."""
    return HostSettings(
        address=ssh.address,
        user=ssh.user,
        port=ssh.port,
        known_hosts_path=settings.path(ssh.known_hosts),
        key_path=settings.path(ssh.key) if ssh.key else None,
        jump=host_settings(settings, ssh.jump) if ssh.jump else None,
    )


def database_for(
    driver: str, access: Access, workspace: str, scratch_databases: Sequence[str] = ()
) -> Database | None:
    """Return the adapter of an engine by Laravel's name of its driver, None where there is none."""
    if driver == "sqlite":
        return SqliteDatabase()
    if driver in ("mysql", "mariadb"):
        return MysqlDatabase(driver, access, workspace, scratch_databases)
    return PostgresqlDatabase(driver, access, workspace) if driver == "pgsql" else None


def slack_of(
    settings: Settings, inbox: Inbox, window: Window, environment: Mapping[str, str] = os.environ
) -> list[Chat]:
    """Return Slack, where the settings have it and the environment its bot token; nothing else."""
    options = slack_options(settings, environment)
    if options is None:
        return []
    from adapters.slack_chat.chat import SlackChat

    return [SlackChat(options=options, inbox=inbox, window=window, commands=tuple(subcommands()))]


def slack_options(settings: Settings, environment: Mapping[str, str] = os.environ) -> SlackOptions | None:
    """Return how Slack is reached, None where it is not set up."""
    known = settings.slack
    token = environment.get("SLACK_BOT_TOKEN")
    if known is None or not token:
        return None
    app_token, signing_secret = (environment.get(n) for n in ("SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"))
    return SlackOptions(
        api_url=known.api_url,
        http_host=known.http_host,
        http_port=known.http_port,
        bot_token=Secret(token),
        over_http=known.mode == "http",
        app_token=Secret(app_token) if app_token else None,
        signing_secret=Secret(signing_secret) if signing_secret else None,
        report_channel=known.report_channel,
        edit_interval_s=known.edit_interval,
        retry_interval_s=known.retry_interval,
        call_timeout_s=known.call_timeout,
        ping_interval_s=known.ping_interval,
    )


def discord_of(
    settings: Settings, inbox: Inbox, window: Window, environment: Mapping[str, str] = os.environ
) -> list[Chat]:
    """Return Discord, where the settings have it and the environment its token; nothing else."""
    options = discord_options(settings, environment)
    if options is None:
        return []
    from adapters.discord_chat.chat import DiscordChat

    return [DiscordChat(options=options, inbox=inbox, window=window, forms=forms())]


def discord_options(settings: Settings, environment: Mapping[str, str] = os.environ) -> DiscordOptions | None:
    """Return how Discord is reached, None where it is not set up."""
    known = settings.discord
    token = environment.get("DISCORD_TOKEN")
    if known is None or not token:
        return None
    return DiscordOptions(
        api_url=known.api_url,
        gateway_url=known.gateway_url,
        guild_id=known.guild_id,
        token=Secret(token),
        category=known.category,
        archive_category=known.archive_category,
        responders_role=known.responders_role,
        report_channel=known.report_channel,
        edit_interval_s=known.edit_interval,
        retry_interval_s=known.retry_interval,
        call_timeout_s=known.call_timeout,
    )


def mail_of(settings: Settings, environment: Mapping[str, str] = os.environ) -> Mail | None:
    """Return the mail server, where the settings have one; whether its password is there is told when it is used."""
    known = settings.smtp
    if known is None:
        return None
    from adapters.smtp_mail.mail import SmtpMail

    password = environment.get(SMTP_PASSWORD)
    return SmtpMail(
        SmtpOptions(
            host=known.host,
            port=known.real_port,
            security=known.security,
            user=known.user,
            password=Secret(password) if password else None,
            sender=known.sender,
            sender_name=known.sender_name,
            ca_path=settings.path(known.ca_file) if known.ca_file else None,
            time_limit_s=known.time_limit,
        )
    )


def pagers_of(settings: Settings, environment: Mapping[str, str] = os.environ) -> dict[str, Pager]:
    """Return the paging services that can be used: those whose key is in the environment, or that need none."""
    if not settings.pagers:
        return {}
    from adapters.webhook_pager.pager import WebhookPager

    found: dict[str, Pager] = {}
    for name, known in settings.pagers.items():
        key = environment.get(pager_variable(name))
        if not key and known.form != "json":
            continue
        found[name] = WebhookPager(
            PagerOptions(
                name=name,
                form=known.form,
                url=known.real_url,
                key=Secret(key) if key else None,
                ca_path=settings.path(known.ca_file) if known.ca_file else None,
                time_limit_s=known.time_limit,
            )
        )
    return found


def browser_of(settings: Settings) -> Browser | None:
    """Return the browser on this machine, where the settings name one; whether it is there is told when it is used.

    *Changes*: what the browsers of killed bots left on this machine is removed.
    """
    known = settings.browser
    if known is None:
        return None
    from adapters.chromium_browser.browser import ChromiumBrowser
    from adapters.chromium_browser.process import BrowserOptions, sweep

    sweep()  # what the browser of a killed bot left: the cookie of a bypass may be in it
    return ChromiumBrowser(
        BrowserOptions(
            program=settings.path(known.program), sandbox=known.sandbox, start_limit_s=known.start_limit
        )
    )


def as_it_is(port: T) -> T:
    """Return a port unchanged."""
    return port


async def gate_of(settings: Settings, site: str, accept: Sequence[str], limit: timedelta) -> GateResult:
    """Return what the gate says of a site, by a bot that lives as long as that takes and keeps nothing.

    *Changes*: scratch on the host. Where the records of a running Backout are at hand, its open incidents are looked at.
    """
    refusal = refused_by_incident(site, await _open_incidents(settings, site))
    if refusal is not None:
        return refusal
    store = await SqlStore.open("sqlite://")
    hosts = await asyncio.to_thread(hosts_of, settings)
    parts = Parts(
        settings=settings,
        store=store,
        hosts=hosts,
        database_for=database_for,
        probe=HttpProbe(),
        clock=SystemClock(),
        wake=lambda: None,
    )
    engine = Engine(store, "gate", handlers(parts), aborts(parts), poll=timedelta(seconds=0.5))
    await engine.start(sole=True)
    try:
        return await run_gate(parts, engine, site, accept, limit)
    finally:
        await engine.close()
        await hosts.close()
        await store.close()


async def _open_incidents(settings: Settings, site: str) -> list[IncidentRow]:
    """Return the site's open incident by the records beside these settings; none where there are no records here."""
    try:
        store = await SqlStore.open(store_url(settings), read_only=True)
    except NotStartedError:
        return []
    try:
        return await store.read(lambda tx: tx.incidents(site=site, open_only=True))
    finally:
        await store.close()


async def build(
    settings: Settings,
    *,
    around_store: Callable[[Store], Store] = as_it_is,
    around_hosts: Callable[[Hosts], Hosts] = as_it_is,
) -> Bot:
    """Return a bot, wired and not yet started. *Changes*: opens (and migrates) Backout's own database.

    `around_store` and `around_hosts` may put a decorator around a port (one that measures, or one that fails).
    *Raises* NotStartedError when another process uses that database.
    """
    hosts = around_hosts(await asyncio.to_thread(hosts_of, settings))
    store = around_store(await SqlStore.open(store_url(settings)))
    wakers: list[Engine] = []

    def wake() -> None:
        for engine in wakers:
            engine.wake()

    parts = Parts(
        settings=settings,
        store=store,
        hosts=hosts,
        database_for=database_for,
        probe=HttpProbe(),
        clock=SystemClock(),
        wake=wake,
        mail=mail_of(settings),
        pagers=pagers_of(settings),
        browser=await asyncio.to_thread(browser_of, settings),
    )
    owner = f"{os.getpid()}-{secrets.token_hex(4)}"
    engine = Engine(
        store,
        owner,
        handlers(parts),
        aborts(parts),
        at_end=after_end(parts),
        lease=timedelta(seconds=20),
        poll=timedelta(seconds=0.5),
    )
    wakers.append(engine)
    views = Views(parts, completions)
    inbox = Dispatcher(parts, read)
    console = WebConsole(
        inbox=inbox,
        window=views,
        tokens=read_tokens(settings),
        host=settings.web.host,
        port=settings.web.port,
        allowed_hosts=settings.web.allowed_hosts,
    )
    alarms = ApschedulerAlarms()
    chats = [*slack_of(settings, inbox, views), *discord_of(settings, inbox, views)]
    return Bot(
        parts=parts,
        engine=engine,
        timers=Timers(parts, alarms),
        outbox=Outbox(parts, [console, *chats]),
        board=StatusBoard(parts),
        console=console,
        chats=chats,
        alarms=alarms,
    )
