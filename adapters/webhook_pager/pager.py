"""Signals a paging service over HTTP with aiohttp."""

from __future__ import annotations

import json
import ssl
from urllib.parse import urlsplit

import aiohttp

from adapters.webhook_pager.forms import Request, request_of
from adapters.webhook_pager.settings import PagerOptions
from bot.model.errors import CallLaterError, FailedError, UnknownOutcomeError
from bot.ports.pager import Signal

_ANSWER_BYTES = 4096
_ANSWER_LETTERS = 120
_TOO_MANY, _BROKEN, _REDIRECT = 429, 500, 300


class WebhookPager:
    """One short session for each signal. Redirects are not followed: the key would go along."""

    def __init__(self, options: PagerOptions) -> None:
        self._options = options
        parts = urlsplit(options.url)
        # Of the address only the host is ever told: a path may be as good as a key.
        self._place = parts.hostname or "the pager"
        self._origin = f"{parts.scheme}://{parts.netloc}/"

    async def send(self, signal: Signal) -> str:
        """Send a signal and return in words what the service answered. *Changes*: the alert of that key.

        *Raises* CallLaterError (unreachable, 429 or 5xx), FailedError (any other refusal), UnknownOutcomeError (no answer).
        """
        request = request_of(signal, self._options)
        status, said, wait_s = await self._asked(request)
        words = f"{self._place}: HTTP {status} {self._masked(said)[:_ANSWER_LETTERS]}".rstrip()
        if status < _REDIRECT:
            return f"by {words}"
        if status == _TOO_MANY or status >= _BROKEN:
            raise CallLaterError(words, after_s=wait_s)
        raise FailedError(words)

    async def prove(self) -> str:
        """Reach the service without a signal, and return in words what was proven; the key is not sent."""
        try:
            async with self._session() as session, session.get(self._origin, allow_redirects=False) as answer:
                return f"{self._place} answers HTTP {answer.status} (no page was sent)"
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise self._unreached(error) from error

    async def _asked(self, request: Request) -> tuple[int, str, float | None]:
        """Return status, the service's own words, and how many seconds it asks to wait."""
        try:
            async with (
                self._session() as session,
                session.request(
                    "POST", request.url, json=request.body, headers=request.headers, allow_redirects=False
                ) as answer,
            ):
                body = await answer.content.read(_ANSWER_BYTES)
                return answer.status, _said(body), _seconds(answer.headers.get("Retry-After"))
        except (aiohttp.ClientConnectorError, ValueError) as error:
            raise self._unreached(error) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise UnknownOutcomeError(f"{self._place} gave no answer ({type(error).__name__})") from error

    def _session(self) -> aiohttp.ClientSession:
        limit = aiohttp.ClientTimeout(total=self._options.time_limit_s)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls()),
            timeout=limit,
            headers={"User-Agent": "Backout"},
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    def _tls(self) -> ssl.SSLContext | bool:
        if self._options.ca_path is None:
            return True
        context = ssl.create_default_context()
        try:
            context.load_verify_locations(self._options.ca_path)
        except (OSError, ssl.SSLError) as error:
            raise FailedError(
                f"ca_file of the pager {self._options.name}, {self._options.ca_path}, cannot be used: {error}"
            ) from error
        return context

    def _unreached(self, error: Exception) -> CallLaterError | FailedError:
        if isinstance(error, aiohttp.ClientSSLError):
            return FailedError(f"{self._place} has no certificate that is trusted")
        return CallLaterError(f"{self._place} cannot be reached ({type(error).__name__})")

    def _masked(self, text: str) -> str:
        """Return a text without the key: a service may say what it was sent."""
        key = self._options.key
        return text.replace(key.reveal(), "***") if key is not None and key.reveal() else text


def _said(body: bytes) -> str:
    """Return what the service says of the signal, as one line; nothing where it is no JSON of that kind."""
    try:
        told = json.loads(body)
    except ValueError:
        return ""
    if not isinstance(told, dict):
        return ""
    errors = told.get("errors")
    parts = [
        told.get("message") or told.get("result") or told.get("status"),
        *(errors if isinstance(errors, list) else ()),
    ]
    line = "".join(c for c in " ".join(str(part) for part in parts if part) if c.isprintable())
    return " ".join(line.split())


def _seconds(header: str | None) -> float | None:
    """Return the seconds of a Retry-After header; a date there is not read."""
    return float(header) if header is not None and header.isdecimal() else None
