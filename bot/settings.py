"""The settings file: one TOML file, checked before anything starts."""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from bot.calling_settings import (
    ContactSettings,
    HostingSettings,
    PagerName,
    PagerSettings,
    Seconds,
    SmtpSettings,
)
from bot.model.errors import SettingsError
from bot.model.git_name import is_branch_name, is_remote_name
from bot.model.person import Person
from bot.model.site_check import NEEDED, Preset, SiteCheck
from bot.testing_settings import RUNBOOK_LIST, BrowserSettings, Item, ProbeSettings, WalkSettings

# Minute, hour, day, month, day of the week; what stands in them is judged by who computes the times.
CronLine = Annotated[str, Field(pattern=r"^\S+( +\S+){4}$")]
# A server's database as a hosting panel makes them; a path or a place of Backout's own is none.
CheckSql = str | dict[Literal["sqlite", "mysql", "postgresql"], str]
DatabaseName = Annotated[str, Field(pattern=r"^[^/@`\\]{1,64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StoreSettings(_Strict):
    """Where Backout keeps its own records. `path` is the SQLite file, relative to the settings file."""

    path: Path = Path("backout.db")


class ReportSettings(_Strict):
    """Where post-mortems are written: `folder`, by default `reports` beside the store. `fonts` are files of further fonts for
    the PDF, asked in order for characters that Debian's usual ones lack. Without `pdf` none is written when an incident is
    closed; who asks for one gets it all the same."""

    folder: Path | None = None
    pdf: bool = True
    fonts: tuple[Path, ...] = ()


class WebSettings(_Strict):
    """The console. It listens on loopback unless told otherwise; `allowed_hosts` are accepted Host headers.

    `public_url` is where people open it, behind a proxy; it stands in every call for help. None: it is not told.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8765, ge=0, le=65535)
    allowed_hosts: tuple[str, ...] = ()
    tokens_file: Path = Path("tokens.json")
    public_url: str | None = None

    @field_validator("public_url")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return value.rstrip("/") if value else value


class SlackSettings(_Strict):
    """How Slack is reached. The tokens are not here: they come from the environment alone.

    `mode` is `socket` (Backout calls Slack; no public address) or `http` (Slack calls Backout at http_host:http_port,
    through a proxy with TLS). `report_channel` is the id of the channel that gets every report.
    """

    api_url: str = "https://slack.com/api/"
    mode: Literal["socket", "http"] = "socket"
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=3000, ge=0, le=65535)
    report_channel: str | None = None
    edit_interval: Seconds = 1.5
    retry_interval: Seconds = 5
    call_timeout: Seconds = 15
    ping_interval: Seconds = 10

    @field_validator("api_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return value.rstrip("/") + "/"  # Slack's library puts the method right behind it


class DiscordSettings(_Strict):
    """How Discord is reached. The token is not here: it comes from the environment alone.

    `guild_id` is the server; `category` and `archive_category` are names of categories, made where they are missing;
    `responders_role` is the id of the role that sees every incident's channel, `report_channel` the id of the channel
    that gets every report.
    """

    api_url: str = "https://discord.com/api/v10"
    gateway_url: str = "wss://gateway.discord.gg/"
    guild_id: Annotated[str, Field(pattern=r"^[0-9]{15,20}$")]
    category: Annotated[str, Field(min_length=1, max_length=90)] = "Incidents"
    archive_category: Annotated[str, Field(min_length=1, max_length=90)] = "Archived incidents"
    responders_role: Annotated[str, Field(pattern=r"^[0-9]{15,20}$")] | None = None
    report_channel: Annotated[str, Field(pattern=r"^[0-9]{15,20}$")] | None = None
    edit_interval: Seconds = 1.5
    retry_interval: Seconds = 5
    call_timeout: Seconds = 15

    @field_validator("api_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return value.rstrip("/")

    @field_validator("gateway_url")
    @classmethod
    def _socket_address(cls, value: str) -> str:
        if not value.startswith(("ws://", "wss://")):
            raise ValueError("must start with ws:// or wss://")
        return value


class SshSettings(_Strict):
    """How a host is reached. `known_hosts` holds its key; a host with another key is refused."""

    address: str
    port: int = 22
    user: str
    key: Path | None = None
    known_hosts: Path
    jump: SshSettings | None = None


class MappingSettings(_Strict):
    """How values written in the new shape since the migration are mapped back.

    `join` maps a column of `to_table` to a column of `from_table`; `columns` maps a column of `from_table` to one of
    `to_table`; `derived` lists columns of `from_table` that the corrected migration computes again.
    """

    from_table: str
    to_table: str
    join: dict[str, str]
    columns: dict[str, str] = Field(default_factory=dict)
    derived: tuple[str, ...] = ()


class CheckSettings(_Strict):
    """One read-only question to the database, answered by one whole number.

    Either `sql` and what the number has to be (`expect`, `between`, `equals_sql` or `equals_backup`), or a `preset`. Each
    SQL is one text, or a table with one for each engine: sqlite, mysql, postgresql.
    """

    name: str = ""
    sql: CheckSql | None = None
    backup_sql: CheckSql | None = None
    expect: int | None = None
    between: tuple[int, int] | None = None
    equals_sql: CheckSql | None = None
    equals_backup: bool = False
    preset: Preset | None = None
    table: str = ""
    column: str = ""
    other_table: str = ""
    other_column: str = ""
    migration: str = ""

    @model_validator(mode="after")
    def _one_way(self) -> CheckSettings:
        if (self.sql is None) == (self.preset is None):
            raise ValueError("a check has either sql or a preset")
        given = [
            self.expect is not None,
            self.between is not None,
            self.equals_sql is not None,
            self.equals_backup,
        ]
        if self.preset is not None:
            missing = [word for word in NEEDED[self.preset] if not getattr(self, word)]
            if missing:
                raise ValueError(f"the preset {self.preset.value} needs: {', '.join(missing)}")
            if any(given) or self.backup_sql is not None:
                raise ValueError("a preset says itself what the number has to be")
        elif sum(given) != 1:
            raise ValueError("give one of: expect, between, equals_sql, equals_backup = true")
        elif not self.name:
            raise ValueError("a check with sql needs a name")
        if self.between is not None and self.between[0] > self.between[1]:
            raise ValueError("between has its smaller number first")
        return self

    def check(self) -> SiteCheck:
        """Return it as the model's check."""
        plain = self.model_dump()
        return SiteCheck(
            **plain | {key: by_engine(plain[key]) for key in ("sql", "backup_sql", "equals_sql")}
        )


def by_engine(sql: CheckSql | None) -> dict[str, str]:
    """Return SQL of the settings by engine; '' is any."""
    return {"": sql} if isinstance(sql, str) else {str(engine): text for engine, text in (sql or {}).items()}


class IntervalSettings(_Strict):
    """Every wait that a person can notice, in seconds."""

    freeze_samples: Seconds = 3
    approval_expiry: Seconds = 1800
    page_again: Seconds = 300
    ack_lapses: Seconds = 900
    watch: Seconds = 1800
    watch_step: Seconds = 15
    job_limit: Seconds = 6 * 3600
    remind_actions: Seconds = 7 * 24 * 3600


class GateSettings(_Strict):
    """What `backout gate` asks for before a deployment may migrate: a VERIFIED backup of at most that age, in seconds."""

    backup_age: Seconds = 3600


class ScheduleSettings(_Strict):
    """When something is done by itself: each so many seconds, or at the times of a cron line (UTC); neither: never."""

    every: Seconds | None = None
    cron: CronLine | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.every is not None and self.cron is not None:
            raise ValueError("give `every` or `cron`, not both")
        return self


class BackupHealthSettings(ScheduleSettings):
    """The check of a site's backups. `max_age` is that of the newest VERIFIED one, in seconds.

    `shrunk_below`: a backup smaller than this share of the usual is alarming. `remind`: seconds until an alarm that still
    holds is told again. `call`: the first contact who is among the people is told directly too.
    """

    max_age: Seconds = 26 * 3600
    shrunk_below: Annotated[float, Field(gt=0, lt=1)] = 0.5
    remind: Seconds = 24 * 3600
    call: bool = False


class DrillSettings(ScheduleSettings):
    """When the newest backup is restored into scratch, to prove that it can be done and how long it takes."""


class SiteSettings(_Strict):
    """One production application.

    `users_affected` is a read-only question to the broken database, answered by one whole number: how many users lost something.
    `scratch_databases` (MySQL, MariaDB): empty databases of the hosting panel, for scratch copies alone, where the
    application's user may make none. They are emptied as they are needed.

    `smoke_paths` have to answer 200, `probes` what each of them says. `checklist` is what people look at before reopening;
    it was named `manual_checks`, and still may be.

    `pagers` ring with every call for help about this site, whoever is called. `backup_storage`, `database_name` and
    `database_user` are shown to people, in `/incident contacts` and `/incident commands`, and used for nothing else.
    """

    ssh: SshSettings
    app_path: str
    url: str
    backups: tuple[str, ...]
    deploy_script: str | None = None
    branch: str = "main"
    remote: str = "origin"
    web_root: str | None = None
    approvals: int = Field(default=1, ge=1, le=2)
    size_limit_bytes: int = 1_000_000_000
    mappings: tuple[MappingSettings, ...] = ()
    checks: tuple[CheckSettings, ...] = ()
    users_affected: CheckSql | None = None
    scratch_databases: tuple[DatabaseName, ...] = ()
    smoke_paths: tuple[str, ...] = ("/",)
    probes: tuple[ProbeSettings, ...] = ()
    browser: WalkSettings | None = None
    checklist: tuple[Item, ...] = Field(
        default=RUNBOOK_LIST, validation_alias=AliasChoices("checklist", "manual_checks")
    )
    contacts: tuple[ContactSettings, ...] = ()
    pagers: tuple[PagerName, ...] = ()
    hosting: HostingSettings | None = None
    backup_storage: str | None = None
    database_name: str | None = None
    database_user: str | None = None
    intervals: IntervalSettings = IntervalSettings()
    gate: GateSettings = GateSettings()
    backup_health: BackupHealthSettings = BackupHealthSettings()
    drills: DrillSettings = DrillSettings()
    retry_after_s: int = 300
    archive_on_close: bool = False
    reports_on_host: bool = False

    @field_validator("app_path")
    @classmethod
    def _absolute(cls, value: str) -> str:
        if not value.startswith("/"):
            raise ValueError("must be an absolute path on the host")
        return value.rstrip("/")

    @field_validator("branch")
    @classmethod
    def _a_branch(cls, value: str) -> str:
        if not is_branch_name(value):
            raise ValueError("must be the name of a git branch")
        return value

    @field_validator("remote")
    @classmethod
    def _a_remote(cls, value: str) -> str:
        if not is_remote_name(value):
            raise ValueError(
                "must be the name of a git remote, such as origin; its address stands in the repository"
            )
        return value

    @field_validator("scratch_databases")
    @classmethod
    def _lent_ones(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("names a database twice")
        if any(name.startswith("backout_") for name in value):
            raise ValueError("a name that begins with backout_ is kept for databases that Backout makes")
        return value

    @field_validator("url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return value.rstrip("/")


class PersonSettings(_Strict):
    """One human being; deny by default."""

    name: str
    ids: dict[str, str] = Field(default_factory=dict)
    sites: tuple[str, ...] = ()
    may_respond: bool = False
    may_approve: bool = False

    def person(self) -> Person:
        """Return it as the model's person."""
        return Person(**self.model_dump())


class Settings(_Strict):
    """The whole file. `folder` is the folder of the file: relative paths in it start there."""

    folder: Path
    store: StoreSettings = StoreSettings()
    web: WebSettings = WebSettings()
    reports: ReportSettings = ReportSettings()
    slack: SlackSettings | None = None
    discord: DiscordSettings | None = None
    smtp: SmtpSettings | None = None
    pagers: dict[PagerName, PagerSettings] = Field(default_factory=dict)
    browser: BrowserSettings | None = None
    sites: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$")], SiteSettings]
    people: tuple[PersonSettings, ...]

    def path(self, value: Path) -> Path:
        """Return a path of the settings as an absolute one."""
        return (self.folder / value.expanduser()).resolve()

    def persons(self) -> tuple[Person, ...]:
        """Return the people of the settings."""
        return tuple(p.person() for p in self.people)


FROM_ENVIRONMENT = ("store", "web", "reports", "slack", "discord", "smtp")
"""The parts of which each key may be given as BACKOUT_PART__KEY too; sites and people are in the file alone."""


def load_settings(path: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the checked settings of a TOML file, some keys overridden by the environment; reads only.

    *Raises* SettingsError naming the file, each wrong key and what it should be.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"there is no settings file {path}. Name one with --settings, or write it after deploy/backout.example.toml."
        ) from None
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"the settings file {path} cannot be read: {error}. Nothing was started."
        ) from error
    data = _with_environment(data, environment)
    try:
        settings = Settings(**{**data, "folder": path.resolve().parent})
    except ValidationError as error:
        raise SettingsError(_wrong_keys(path, error)) from error
    _refuse_unknown_sites(path, settings)
    _refuse_sites_twice(path, settings)
    _refuse_people_twice(path, settings)
    _refuse_unknown_contacts(path, settings)
    _refuse_unknown_pagers(path, settings)
    _refuse_walks_without_browser(path, settings)
    return settings


def _with_environment(data: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the data of the file with what the environment says put over it: BACKOUT_SLACK__MODE is `mode` of [slack]."""
    changed = dict(data)
    for name, value in environment.items():
        part, _, key = name.removeprefix("BACKOUT_").lower().partition("__")
        if name.startswith("BACKOUT_") and key and part in FROM_ENVIRONMENT:
            given = tuple(value.split(",")) if key == "allowed_hosts" else value
            before = changed.get(part, {})
            changed[part] = {**before, key: given} if isinstance(before, dict) else before
    return changed


def _wrong_keys(path: Path, error: ValidationError) -> str:
    head = f"the settings file {path} has {error.error_count()} fault(s); nothing was started:"
    faults = error.errors(include_url=False, include_input=False)
    return "\n".join(
        [head, *(f"  {'.'.join(str(part) for part in f['loc'])}: {_fault_words(f)}" for f in faults)]
    )


def _fault_words(fault: Mapping[str, object]) -> str:
    """Return what is wrong with one key, in an operator's words where pydantic's own are a programmer's."""
    said = {"extra_forbidden": "there is no such setting", "missing": "this setting is missing"}
    return said.get(str(fault["type"]), str(fault["msg"]))


def _refuse_people_twice(path: Path, settings: Settings) -> None:
    """One human being listed twice could give two approvals."""
    seen: set[tuple[str, str]] = set()
    for person in settings.people:
        for mark in (("name", person.name), *person.ids.items()):
            if mark in seen:
                raise SettingsError(
                    f"the settings file {path} lists {mark[0]} {mark[1]!r} for two people. Nothing was started."
                )
            seen.add(mark)


def _refuse_unknown_contacts(path: Path, settings: Settings) -> None:
    names = {person.name for person in settings.people}
    for site, known in settings.sites.items():
        for contact in known.contacts:
            if contact.person is not None and contact.person not in names:
                raise SettingsError(
                    f"the settings file {path} names {contact.person!r} as contact of {site}, who is not among the people. "
                    "Nothing was started."
                )


def _refuse_unknown_pagers(path: Path, settings: Settings) -> None:
    known = ", ".join(settings.pagers) or "none"
    for site, its in settings.sites.items():
        named = [(f"sites.{site}", its.pagers), *((f"{c.name} of {site}", c.pagers) for c in its.contacts)]
        for place, pagers in named:
            for pager in pagers:
                if pager not in settings.pagers:
                    raise SettingsError(
                        f"the settings file {path} names the pager {pager!r} for {place}, and there is no [pagers.{pager}]; "
                        f"there are: {known}. Nothing was started."
                    )


def _refuse_walks_without_browser(path: Path, settings: Settings) -> None:
    for site, its in settings.sites.items():
        if its.browser is not None and settings.browser is None:
            raise SettingsError(
                f"the settings file {path} has [sites.{site}.browser], and no [browser] that names the program. Nothing was started."
            )


def _refuse_unknown_sites(path: Path, settings: Settings) -> None:
    for person in settings.people:
        for site in person.sites:
            if site not in settings.sites:
                known = ", ".join(settings.sites)
                raise SettingsError(
                    f"the settings file {path} lists the site {site} for {person.name}, but knows only: {known}."
                )


def _refuse_sites_twice(path: Path, settings: Settings) -> None:
    """One production under two names could be changed by two incidents at once."""
    seen: dict[tuple[str, int, str], str] = {}
    for name, site in settings.sites.items():
        place = (site.ssh.address.lower(), site.ssh.port, site.app_path)
        if (other := seen.setdefault(place, name)) != name:
            raise SettingsError(
                f"the settings file {path} has {site.app_path} on {site.ssh.address} as {other} and as {name}: two incidents could "
                "change it at once. Nothing was started."
            )


def token_hash(token: str) -> str:
    """Return the SHA-256 of a console token, which is all that is kept of it."""
    return hashlib.sha256(token.encode()).hexdigest()
