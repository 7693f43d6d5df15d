"""Mail server, pagers and contacts in the settings: wrong ones are told apart, and no secret is asked for in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.calling_settings import PagerSettings, SmtpSettings, pager_variable
from bot.model.errors import SettingsError
from bot.settings import load_settings
from bot.wiring import mail_of, pagers_of
from tests.unit.settings.test_settings import GOOD

SMTP = '[smtp]\nhost = "smtp.example.org"\nsender = "b@example.org"\n'
PAGER = '[pagers.night-shift]\nform = "pagerduty"\n'


def loaded(folder: Path, more: str, **environment: str):  # type: ignore[no-untyped-def]
    path = folder / "backout.toml"
    path.write_text(GOOD + more)
    return load_settings(path, environment)


def test_the_usual_ports_and_addresses_are_known() -> None:
    """Nothing has to be looked up that everybody has the same."""
    usual = {"host": "h", "sender": "a@b.example"}
    assert [SmtpSettings(**usual, security=s).real_port for s in ("starttls", "tls", "none")] == [
        587,
        465,
        25,
    ]
    assert PagerSettings(form="pagerduty").real_url == "https://events.pagerduty.com/v2/enqueue"
    assert PagerSettings(form="opsgenie").real_url == "https://api.opsgenie.com/v2/alerts"


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (SMTP.replace('"b@example.org"', '"B <b@example.org>"'), "smtp.sender"),
        (SMTP.replace('"b@example.org"', '"b@example.org\\nBcc: eve@example.org"'), "smtp.sender"),
        (SMTP + 'security = "none"\nuser = "u"\n', "unencrypted"),
        (SMTP + 'password = "hunter2"\n', "smtp.password: there is no such setting"),
        (PAGER + 'key = "hunter2"\n', "there is no such setting"),
        (PAGER + 'url = "http://pager.example/hook"\n', "unencrypted"),
        (PAGER + 'url = "https://pager.example/hook?token=hunter2"\n', "end with the path"),
        (PAGER + 'url = "https://me:hunter2@pager.example/"\n', "no login"),
        (PAGER + 'url = "pager.example"\n', "https://"),
        ('[pagers.night-shift]\nform = "json"\n', "needs the url"),
        ('[pagers.night-shift]\nform = "sms"\n', "pagers.night-shift.form"),
        ('[pagers.Night]\nform = "pagerduty"\n', "pagers.Night"),
        ('[[sites.shop.contacts]]\nname = "D"\nemail = "nobody"\n', "contacts.0.email"),
        ('[[sites.shop.contacts]]\nname = "D"\ncalls = 0\n', "contacts.0.calls"),
        ('[sites.shop.hosting]\nticket_url = "support"\n', "http"),
        ('[[sites.shop.contacts]]\nname = "D"\npagers = ["day"]\n' + PAGER, "there are: night-shift"),
    ],
)
def test_a_fault_is_told_by_its_key_and_never_by_its_value(tmp_path: Path, part: str, words: str) -> None:
    """What is wrong is found by the name of the setting; a secret that was put there is not printed."""
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, part)
    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_each_pager_has_its_own_variable() -> None:
    """The name in capitals, with _ for -: no two names give the same."""
    assert pager_variable("night-shift") == "BACKOUT_PAGER_NIGHT_SHIFT"


def test_secrets_come_from_the_environment_alone(tmp_path: Path) -> None:
    """A pager whose key is not set cannot be used; a password is never a key of the file, nor BACKOUT_SMTP__PASSWORD."""
    settings = loaded(tmp_path, SMTP + PAGER + '[pagers.hook]\nform = "json"\nurl = "https://h.example/x"\n')
    assert set(pagers_of(settings, {})) == {"hook"}
    assert set(pagers_of(settings, {"BACKOUT_PAGER_NIGHT_SHIFT": "k"})) == {"hook", "night-shift"}
    assert mail_of(settings, {}) is not None
    with pytest.raises(SettingsError, match="there is no such setting"):
        loaded(tmp_path, SMTP, BACKOUT_SMTP__PASSWORD="hunter2")
    assert loaded(tmp_path, SMTP, BACKOUT_SMTP__HOST="other.example").smtp.host == "other.example"
