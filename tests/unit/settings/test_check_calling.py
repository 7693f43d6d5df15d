"""`backout check` of the ways beside chat: logged in and reached on real servers, and nobody is rung."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.check import check_calling
from bot.settings import Settings
from bot.wiring import mail_of, pagers_of
from tests.servers.certificates import loopback_certificate
from tests.servers.mail_server import PASSWORD, USER, mail_server
from tests.servers.pager_service import ROUTING_KEY, pager_service
from tests.unit.service.office import PEOPLE, settings_of

CONTACT = {"name": "Dora", "email": "dora@example.org", "pagers": ["night"]}


def with_calling(folder: Path, **parts: object) -> Settings:
    plain = settings_of(folder).model_dump()
    shop = {
        **plain["sites"]["shop"],
        "contacts": [CONTACT] if "pagers" in parts else [{**CONTACT, "pagers": []}],
    }
    return Settings.model_validate(
        {**plain, "people": PEOPLE, "sites": {**plain["sites"], "shop": shop}, **parts}
    )


async def test_what_works_is_told_and_nobody_is_rung(tmp_path: Path) -> None:
    """A login at the mail server, an answer of the pager; no e-mail, no signal."""
    certificate, context = loopback_certificate(tmp_path)
    async with mail_server(context, str(certificate)) as mail, pager_service() as pagers:
        settings = with_calling(
            tmp_path,
            smtp={
                "host": "127.0.0.1",
                "port": mail.port,
                "user": USER,
                "sender": "b@example.org",
                "ca_file": certificate,
            },
            pagers={
                "night": {"form": "pagerduty", "url": f"{pagers.base}/v2/enqueue"},
                "day": {"form": "opsgenie", "url": f"{pagers.base}/v2/alerts"},
            },
        )
        secrets = {"BACKOUT_SMTP_PASSWORD": PASSWORD, "BACKOUT_PAGER_NIGHT": ROUTING_KEY}
        lines = await check_calling(settings, mail_of(settings, secrets), pagers_of(settings, secrets))
        assert (mail.raw, pagers.requests) == ([], [])
        assert mail.logins == [USER]
    said = "\n".join(f"{good} {line}" for line, good in lines)
    assert "True e-mail (smtp): 127.0.0.1" in said
    assert "over STARTTLS, login as backout" in said
    assert "True pager night (pagerduty): 127.0.0.1 answers HTTP" in said
    assert "False pager day: BACKOUT_PAGER_DAY is not set" in said
    assert "False pager day: no site and no contact names it" in said
    assert PASSWORD not in said
    assert ROUTING_KEY not in said


async def test_what_does_not_work_is_told(tmp_path: Path) -> None:
    """A wrong password, nobody there, and an address for which there is no mail server."""
    certificate, context = loopback_certificate(tmp_path)
    async with mail_server(context, str(certificate)) as mail:
        settings = with_calling(
            tmp_path,
            smtp={
                "host": "127.0.0.1",
                "port": mail.port,
                "user": USER,
                "sender": "b@example.org",
                "ca_file": certificate,
            },
            pagers={"night": {"form": "json", "url": "http://127.0.0.1:9/hook"}},
        )
        wrong = {"BACKOUT_SMTP_PASSWORD": "wrong one"}
        lines = await check_calling(settings, mail_of(settings, wrong), pagers_of(settings, wrong))
    assert [good for _, good in lines] == [False, False]
    assert "535 it refused the login" in lines[0][0]
    assert "wrong one" not in lines[0][0]
    assert "cannot be reached" in lines[1][0]
    alone = with_calling(tmp_path)
    ((line, good),) = await check_calling(alone, None, {})
    assert (good, "there is no [smtp], so none is sent to Dora of shop" in line) == (True, True)


@pytest.mark.parametrize("contacts", [[{"name": "Egon"}], []])
async def test_where_nothing_is_set_up_nothing_is_said(
    tmp_path: Path, contacts: list[dict[str, str]]
) -> None:
    """Chat alone is a choice, and no fault."""
    plain = settings_of(tmp_path).model_dump()
    shop = {**plain["sites"]["shop"], "contacts": contacts}
    settings = Settings.model_validate({**plain, "sites": {**plain["sites"], "shop": shop}})
    assert await check_calling(settings, None, {}) == []
