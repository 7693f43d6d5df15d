"""The example settings: they load, and every key that there is stands in them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from bot.calling_settings import ContactSettings, HostingSettings, PagerSettings, SmtpSettings
from bot.settings import (
    BackupHealthSettings,
    CheckSettings,
    DiscordSettings,
    DrillSettings,
    GateSettings,
    IntervalSettings,
    MappingSettings,
    PersonSettings,
    SiteSettings,
    SlackSettings,
    SshSettings,
    StoreSettings,
    WebSettings,
    load_settings,
)
from bot.testing_settings import BrowserSettings, ProbeSettings, WalkSettings, WalkStepSettings

EXAMPLE = Path(__file__).resolve().parents[3] / "deploy" / "backout.example.toml"


def keys(model: type[BaseModel]) -> set[str]:
    return set(model.model_fields)


def test_the_example_loads() -> None:
    """A copy of the example is a valid settings file, with two persons who may approve."""
    settings = load_settings(EXAMPLE)
    assert set(settings.sites) == {"shop"}
    assert [person.may_approve for person in settings.people] == [True, True]


def test_the_example_holds_every_key_of_the_settings() -> None:
    """No key has to be looked up in the source: those of each part stand in the example, and no other."""
    data: dict[str, Any] = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))
    shop = data["sites"]["shop"]
    parts: list[tuple[type[BaseModel], dict[str, Any]]] = [
        (StoreSettings, data["store"]),
        (WebSettings, data["web"]),
        (SlackSettings, data["slack"]),
        (DiscordSettings, data["discord"]),
        (PersonSettings, data["people"][0]),
        (SiteSettings, shop),
        (SshSettings, shop["ssh"]),
        (MappingSettings, shop["mappings"][0]),
        (CheckSettings, {key: value for check in shop["checks"] for key, value in check.items()}),
        (ContactSettings, shop["contacts"][0]),
        (IntervalSettings, shop["intervals"]),
        (GateSettings, shop["gate"]),
        (HostingSettings, shop["hosting"]),
        (BrowserSettings, data["browser"]),
        (ProbeSettings, {key: value for probe in shop["probes"] for key, value in probe.items()}),
        (WalkSettings, shop["browser"]),
        (WalkStepSettings, {key: value for step in shop["browser"]["steps"] for key, value in step.items()}),
        (SmtpSettings, data["smtp"]),
        (PagerSettings, data["pagers"]["night-shift"]),
        # `every` and `cron` exclude each other: the example has one of them in a comment.
        (DrillSettings, {**shop["drills"], "every": None}),
        (BackupHealthSettings, {**shop["backup_health"], "cron": None}),
    ]
    assert {
        model.__name__: keys(model) ^ set(part) for model, part in parts if keys(model) != set(part)
    } == {}


def test_what_the_example_calls_a_default_is_one() -> None:
    """Ports, intervals, limits and names in the example that say "default" are those of the program."""
    example = load_settings(EXAMPLE)
    shop = example.sites["shop"]
    assert (example.web.host, example.web.port) == (WebSettings().host, WebSettings().port)
    assert example.slack == SlackSettings(report_channel="C0123456789")
    assert example.discord == DiscordSettings(
        guild_id="123456789012345678",
        responders_role="123456789012345679",
        report_channel="123456789012345680",
    )
    assert shop.intervals == IntervalSettings()
    assert example.smtp is not None
    usual = SmtpSettings(host="h", sender="a@b.example")
    for name in ("security", "sender_name", "time_limit", "real_port"):
        assert getattr(example.smtp, name) == getattr(usual, name)
    pager = example.pagers["night-shift"]
    assert (pager.real_url, pager.time_limit) == (PagerSettings(form="pagerduty").real_url, 15)
    (contact,) = shop.contacts
    assert (contact.calls, contact.page_again) == (2, IntervalSettings().page_again)
    for name in ("branch", "remote", "approvals", "size_limit_bytes", "retry_after_s"):
        assert getattr(shop, name) == SiteSettings.model_fields[name].default
