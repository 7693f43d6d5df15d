"""A mail server on loopback, with STARTTLS and logins, that can go wrong by order."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = "backout", "hunter2 and more"
ANSWER = "250 2.0.0 queued as 4711"


@dataclass
class MailServer:
    """What came in: `raw` was taken, `texts` counts all that came. `fault` is what goes wrong next: a text is answered to the e-mail's text in place of 250; `drop`
    cuts the line when the text is there, `hang` never answers it; `at_rcpt` is answered to the recipient."""

    port: int = 0
    certificate: str = ""
    raw: list[bytes] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    texts: int = 0
    fault: str | None = None
    at_rcpt: str | None = None

    @property
    def letters(self) -> list[EmailMessage]:
        """Return the e-mails that were taken, read again."""
        return [message_from_bytes(content, policy=default) for content in self.raw]  # type: ignore[misc]

    # -- what aiosmtpd calls

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.at_rcpt is not None:
            return self.at_rcpt
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        fault = self.fault
        self.texts += 1
        if fault == "hang":
            await asyncio.sleep(60)
        if fault in (None, "drop"):
            self.raw.append(bytes(envelope.content or b""))
        if fault == "drop":
            assert server.transport is not None
            server.transport.abort()
        return fault if fault not in (None, "drop") else ANSWER

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, how: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append(data.login.decode())
        right = (data.login.decode(), data.password.decode()) == (USER, PASSWORD)
        return AuthResult(success=right, handled=False)


@asynccontextmanager
async def mail_server(
    context: ssl.SSLContext, certificate: str, *, tls: str = "starttls"
) -> AsyncIterator[MailServer]:
    """Give a running mail server: `starttls` and a login are a must, or TLS from the first byte (`tls`), or `none`."""
    state = MailServer(certificate=certificate)
    loop = asyncio.get_running_loop()
    running: list[SMTP] = []

    def connected() -> SMTP:
        asks = {"starttls": {"tls_context": context, "require_starttls": True}}.get(tls, {})
        login: dict[str, Any] = (
            {} if tls == "none" else {"auth_required": True, "authenticator": state.authenticate}
        )
        with warnings.catch_warnings():
            # It knows nothing of the TLS below it, and warns of logins without STARTTLS.
            warnings.simplefilter("ignore", UserWarning)
            one = SMTP(
                state, hostname="mail.test", loop=loop, auth_require_tls=tls == "starttls", **asks, **login
            )
        running.append(one)
        return one

    server = await loop.create_server(connected, "127.0.0.1", 0, ssl=context if tls == "tls" else None)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        for one in running:
            if one.transport is not None:
                one.transport.abort()
            if one._handler_coroutine is not None:
                one._handler_coroutine.cancel()
        await asyncio.sleep(0)
        await server.wait_closed()
