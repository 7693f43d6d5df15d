"""The mail adapter against a real mail server on loopback: STARTTLS, login, and every way in which a letter may end."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.smtp_mail.mail import SmtpMail
from adapters.smtp_mail.settings import SmtpOptions
from bot.model.errors import BackoutError, CallLaterError, FailedError, UnknownOutcomeError
from bot.model.secret import Secret
from bot.ports.mail import Letter
from tests.servers.certificates import loopback_certificate
from tests.servers.mail_server import PASSWORD, USER, MailServer, mail_server

LETTER = Letter(
    name="Dora", address="dora@example.org", subject="You are needed", body="one\n.two\nthree\n", key="ring.1"
)
Tls = tuple[Path, ssl.SSLContext]


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return loopback_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def server(tls: Tls) -> AsyncIterator[MailServer]:
    async with mail_server(tls[1], str(tls[0])) as running:
        yield running


def options(server: MailServer, **changes: object) -> SmtpOptions:
    usual = SmtpOptions(
        host="127.0.0.1",
        port=server.port,
        security="starttls",
        user=USER,
        password=Secret(PASSWORD),
        sender="backout@example.org",
        sender_name="Backout",
        ca_path=Path(server.certificate),
        time_limit_s=5,
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


async def test_a_letter_arrives_over_starttls_after_a_login(server: MailServer) -> None:
    """The server's own answer is returned; a line that is a dot begins no end of the letter."""
    said = await SmtpMail(options(server)).send(LETTER)
    (letter,) = server.letters
    assert said.endswith("250 2.0.0 queued as 4711")
    assert server.logins == [USER]
    assert (letter["To"], letter["From"]) == ("Dora <dora@example.org>", "Backout <backout@example.org>")
    assert letter.get_content().splitlines() == ["one", ".two", "three"]
    assert (letter["Message-ID"], letter["Auto-Submitted"]) == (
        "<backout.ring.1@example.org>",
        "auto-generated",
    )


async def test_tls_from_the_first_byte(tls: Tls) -> None:
    """The other usual way, on a port of its own."""
    async with mail_server(tls[1], str(tls[0]), tls="tls") as server:
        await SmtpMail(options(server, security="tls")).send(LETTER)
        assert len(server.raw) == 1


async def test_a_server_that_nobody_trusts_gets_nothing(server: MailServer) -> None:
    """Without its certificate in the settings nothing is sent, neither login nor letter."""
    with pytest.raises(FailedError, match="certificate"):
        await SmtpMail(options(server, ca_path=None)).send(LETTER)
    assert (server.logins, server.raw) == ([], [])


async def test_a_password_never_goes_where_no_encryption_is(tls: Tls) -> None:
    """A server that does not offer STARTTLS is told nothing."""
    async with mail_server(tls[1], str(tls[0]), tls="none") as server:
        with pytest.raises(BackoutError):
            await SmtpMail(options(server)).send(LETTER)
        assert (server.logins, server.raw) == ([], [])


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("451 try again later", CallLaterError),
        ("554 no such thing here", FailedError),
        ("drop", UnknownOutcomeError),
        ("hang", UnknownOutcomeError),
    ],
)
async def test_what_became_of_the_text(server: MailServer, fault: str, error: type[BackoutError]) -> None:
    """A no for now, a no for good, and no answer: only the last one means that nobody knows."""
    server.fault = fault
    with pytest.raises(error) as caught:
        await SmtpMail(options(server, time_limit_s=0.5 if fault == "hang" else 5)).send(LETTER)
    assert type(caught.value) is error
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(("said", "error"), [("450 busy", CallLaterError), ("550 nobody here", FailedError)])
async def test_a_recipient_is_refused(server: MailServer, said: str, error: type[BackoutError]) -> None:
    """The server's words are told, so that an address can be mended."""
    server.at_rcpt = said
    with pytest.raises(error, match=said):
        await SmtpMail(options(server)).send(LETTER)


async def test_a_wrong_password_is_told_without_it(server: MailServer) -> None:
    """What the server says of a login is left out: it may hold what was sent."""
    with pytest.raises(FailedError, match="535 it refused the login") as caught:
        await SmtpMail(options(server, password=Secret("wrong one"))).send(LETTER)
    assert "wrong one" not in str(caught.value)
    with pytest.raises(FailedError, match="BACKOUT_SMTP_PASSWORD"):
        await SmtpMail(options(server, password=None)).send(LETTER)


async def test_nobody_is_there(server: MailServer) -> None:
    """A server that is away is tried again."""
    with pytest.raises(CallLaterError, match="cannot be reached"):
        await SmtpMail(options(server, port=9)).send(LETTER)


async def test_the_proof_sends_nothing(server: MailServer) -> None:
    """`backout check` logs in and goes."""
    assert "login as backout" in await SmtpMail(options(server)).prove()
    assert (server.logins, server.raw) == ([USER], [])


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("Dóra Łukasz, DBA", "Ünïcode: データが失われた"),
        ('Dora "the" <dba>', "x" * 900),
        ("D\r\nBcc: eve@example.org", "Hi\r\nBcc: eve@example.org\r\n\r\nbody"),
        ("Dora\u202e", "é" * 400),
    ],
)
async def test_names_and_subjects_of_every_kind(server: MailServer, name: str, subject: str) -> None:
    """No line break becomes a header, nothing is lost of letters beyond ASCII, and no line is too long."""
    await SmtpMail(options(server)).send(replace(LETTER, name=name, subject=subject))
    (raw,), (letter,) = server.raw, server.letters
    assert "Bcc" not in letter
    assert letter["To"].addresses[0].addr_spec == "dora@example.org"
    assert letter["To"].addresses[0].display_name == " ".join(name.replace("\u202e", "").split())
    assert str(letter["Subject"]).startswith(" ".join(subject.split())[:100])
    assert len(str(letter["Subject"])) <= 150
    assert raw.isascii()
    assert max(len(line) for line in raw.splitlines()) <= 998
    assert letter.get_content().splitlines() == ["one", ".two", "three"]
