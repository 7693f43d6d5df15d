"""Hands letters to a mail server over SMTP with aiosmtplib, step by step: only so is it known how far it came."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import aiosmtplib

from adapters.smtp_mail.letter import letter_bytes
from adapters.smtp_mail.settings import SmtpOptions
from bot.model.errors import CallLaterError, FailedError, UnknownOutcomeError
from bot.ports.mail import Letter

_REFUSED_FOR_GOOD = 500
_ANSWER_LETTERS = 120
_PARTING_S = 2.0


class SmtpMail:
    """One connection for each letter: they are rare, and one that is kept would be cut unseen."""

    def __init__(self, options: SmtpOptions) -> None:
        self._options = options
        self._place = f"{options.host}:{options.port}"

    async def send(self, letter: Letter) -> str:
        """Hand a letter over and return what the server answered. *Changes*: sends one e-mail.

        *Raises* CallLaterError, FailedError; UnknownOutcomeError from the moment in which the text was on its way.
        """
        options = self._options
        content = letter_bytes(
            letter, sender=options.sender, sender_name=options.sender_name, at=datetime.now(UTC)
        )
        async with self._session() as smtp:
            with self._told():
                await smtp.mail(options.sender)
                await smtp.rcpt(letter.address)
            try:
                answer = await smtp.data(content)
            except aiosmtplib.SMTPResponseException:
                raise  # it said no: nothing was taken
            except (aiosmtplib.SMTPException, OSError) as error:
                raise UnknownOutcomeError(
                    f"{self._place} was given the e-mail and did not say whether it took it ({type(error).__name__})"
                ) from error
        return f"by {self._place}: {answer.code} {_plain(answer.message)}".rstrip()

    async def prove(self) -> str:
        """Connect and log in, send nothing, and return in words what was proven."""
        async with self._session() as smtp:
            with self._told():
                await smtp.noop()
        options = self._options
        how = {"tls": " over TLS", "starttls": " over STARTTLS"}.get(options.security, ", unencrypted")
        login = f", login as {options.user}" if options.user else ", no login"
        return f"{self._place} answers{how}{login}"

    @contextlib.asynccontextmanager
    async def _session(self) -> AsyncIterator[aiosmtplib.SMTP]:
        """Give a session that is encrypted and logged in as the settings say, and end it in order."""
        options = self._options
        if options.user is not None and options.password is None:
            raise FailedError("there is a user for the mail server, and BACKOUT_SMTP_PASSWORD is not set")
        # No login here: it is told apart from the connection below.
        smtp = aiosmtplib.SMTP(
            hostname=options.host,
            port=options.port,
            use_tls=options.security == "tls",
            start_tls=options.security == "starttls",
            tls_context=_tls(options),
            timeout=options.time_limit_s,
        )
        try:
            with self._told():
                await smtp.connect()
            if options.user is not None and options.password is not None:
                with self._told(login=True):
                    await smtp.login(options.user, options.password.reveal())
            with self._told():
                yield smtp
        finally:
            # What was sent is sent: how the parting goes says nothing any more.
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                if smtp.is_connected:
                    await smtp.quit(timeout=_PARTING_S)
            smtp.close()

    @contextlib.contextmanager
    def _told(self, *, login: bool = False) -> Iterator[None]:
        """Turn the library's errors into ours. The server's own words are left out of a login's: they may echo it."""
        try:
            yield
        except aiosmtplib.SMTPAuthenticationError as error:
            raise self._refusal(error.code, "it refused the login") from None
        except aiosmtplib.SMTPResponseException as error:
            said = "it refused the login" if login else _plain(error.message)
            raise self._refusal(error.code, said) from error
        except aiosmtplib.SMTPNotSupported:
            raise FailedError(
                f"{self._place} does not offer what the settings ask for ({self._options.security}"
                f"{', a login' if self._options.user else ''})"
            ) from None
        except ssl.SSLError as error:
            raise FailedError(
                f"{self._place} has no certificate that is trusted ({_tls_words(error)})"
            ) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise self._unreached(error) from error

    def _refusal(self, code: int, said: str) -> CallLaterError | FailedError:
        words = f"{self._place}: {code} {said}".rstrip()
        return FailedError(words) if code >= _REFUSED_FOR_GOOD else CallLaterError(words)

    def _unreached(self, error: Exception) -> CallLaterError | FailedError:
        cause = error.__cause__ or error.__context__
        if isinstance(cause, ssl.SSLError):
            return FailedError(f"{self._place} has no certificate that is trusted ({_tls_words(cause)})")
        return CallLaterError(f"{self._place} cannot be reached ({type(error).__name__})")


def _tls(options: SmtpOptions) -> ssl.SSLContext | None:
    if options.security == "none":
        return None
    context = ssl.create_default_context()
    if options.ca_path is not None:
        try:
            context.load_verify_locations(options.ca_path)
        except (OSError, ssl.SSLError) as error:
            raise FailedError(f"ca_file of [smtp], {options.ca_path}, cannot be used: {error}") from error
    return context


def _tls_words(error: ssl.SSLError) -> str:
    return str(getattr(error, "verify_message", "") or error.reason or type(error).__name__)


def _plain(answer: str) -> str:
    """Return the server's words as one short line."""
    line = "".join(c for c in " ".join(answer.split()) if c.isprintable())
    return line[:_ANSWER_LETTERS]
