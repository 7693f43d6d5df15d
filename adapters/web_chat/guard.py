"""Who may talk to the console: the names it answers to, the pages it answers, the tokens it knows. Denies by default."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import hdrs, web

from bot.ports.chat import Window

# Names that can only mean this machine. A page of another site that points its own name at 127.0.0.1 (DNS rebinding)
# sends that name in Host, and is refused.
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")

# No inline script or style, nothing from elsewhere, never in a frame. `trusted-types` makes the browser itself refuse
# text that would become markup; the one exception is the report, shown in a frame in which no script can run.
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types backout-report"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a request is turned away: the HTTP status and the words for the person."""

    status: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who asks: the web account behind the token, and the name of the person behind the account."""

    account: str
    person: str


class Guard:
    """Checks every request before anything else sees it.

    `tokens` maps the SHA-256 of a token (64 hex digits) to a web account, so that no token lies in the settings or in
    memory. `allowed_hosts` are the names the console answers to, with or without a port.
    """

    def __init__(self, *, allowed_hosts: tuple[str, ...], tokens: Mapping[str, str], window: Window) -> None:
        self._hosts = frozenset(name.lower() for name in allowed_hosts)
        self._tokens = tokens
        self._window = window

    def refusal_of(self, request: web.Request) -> Refusal | None:
        """Return why this request may not come in at all (its Host or Origin), or None when it may."""
        host = request.headers.get(hdrs.HOST, "").lower()
        if not {host, name_of(host)} & self._hosts:
            return Refusal(
                status=403,
                text="The console does not answer to this name. Use the address it printed at start, "
                "or add the name to the console's allowed hosts in the settings.",
            )
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is not None and origin.lower() not in (f"http://{host}", f"https://{host}"):
            return Refusal(status=403, text="The console does not answer pages of other sites.")
        return None

    def caller_of(self, request: web.Request) -> Caller | Refusal:
        """Return who asks, by the token in the Authorization header, or why they are turned away."""
        account = self._account_of(request)
        if account is None:
            return Refusal(
                status=401, text="This token is not known. `backout token NAME` makes one for a person."
            )
        person = self._window.person_of("web", account)
        if person is None:
            return Refusal(
                status=403, text=f"No person in the settings has the web account {account}: nothing was done."
            )
        return Caller(account=account, person=person)

    def _account_of(self, request: web.Request) -> str | None:
        """Return the account of the request's token, or None.

        Every known hash is compared, each in constant time: how long it takes says nothing about how near a guess was.
        The token lives in this function only, which calls nothing that can fail: no traceback can show it.
        """
        scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        given = hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).hexdigest()
        found = None
        for known, account in self._tokens.items():
            if hmac.compare_digest(given.encode(), known.lower().encode()):
                found = account
        return found


def name_of(host: str) -> str:
    """Return the name in a Host header without its port: `[::1]:8080` gives `[::1]`."""
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host
