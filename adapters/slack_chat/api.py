"""One call of Slack's Web API, and what its failure means: nothing was done, it was refused, or nobody knows.

Slack's library repeats a call whose connection was cut. That would show a message twice, so it is switched off here;
whoever called looks first, and then repeats. A 429 is obeyed for the whole method, as Slack counts by method (by method
and channel for chat.postMessage). *Source*: docs.slack.dev, "Rate limits"; slack_sdk 3.48, http_retry.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.model.errors import ChatClosedError, ChatLaterError, FailedError, UnknownOutcomeError
from bot.model.secret import Secret

log = structlog.get_logger(__name__)

CONNECT_LIMIT_S = 5.0
DEFAULT_WAIT_S = 30.0  # a 429 without Retry-After: not documented, but a proxy may send one
PAGE = 200

# What a person must repair before Slack takes anything from this app again.
CLOSED = frozenset(
    {
        "invalid_auth",
        "not_authed",
        "account_inactive",
        "token_revoked",
        "token_expired",
        "org_login_required",
        "ekm_access_denied",
        "team_access_not_granted",
        "two_factor_setup_required",
    }
)
# "It's possible some aspect of the operation succeeded before the error was raised", says Slack of these.
UNKNOWN = frozenset({"internal_error", "fatal_error", "service_unavailable", "team_added_to_org"})
LATER = frozenset({"ratelimited", "rate_limited", "request_timeout", "accesslimited"})


class SlackRefusedError(FailedError):
    """Slack said no. `error` is its own word for it, such as `name_taken`."""

    def __init__(self, message: str, error: str) -> None:
        super().__init__(message)
        self.error = error


class SlackApi:
    """Calls with the bot's token, over one session. A test or a proxy may stand at `url` in place of Slack."""

    def __init__(self, url: str, token: Secret, timeout_s: float) -> None:
        self._url = url
        self._token = token
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None
        self._client: AsyncWebClient | None = None
        self._blocked_until: dict[str, float] = {}
        self._own_user: str | None = None

    def client(self) -> AsyncWebClient:
        """Return Slack's client; made at the first use, as it needs a running loop."""
        if self._client is None:
            limit = aiohttp.ClientTimeout(total=self._timeout_s, connect=CONNECT_LIMIT_S)
            self._session = aiohttp.ClientSession(timeout=limit)
            # No retry handlers: the library's own would repeat a message of which nobody knows whether it arrived.
            self._client = AsyncWebClient(
                self._token.reveal(), base_url=self._url, session=self._session, retry_handlers=[]
            )
        return self._client

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()

    async def read(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Return the answer to a call that changes nothing. *Raises* as `change`, but ChatLaterError where that is unknown."""
        try:
            return await self._called(method, arguments)
        except UnknownOutcomeError as error:
            raise ChatLaterError(str(error)) from error

    async def change(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Return the answer to a call that changes something.

        *Raises* SlackRefusedError; ChatLaterError (not done, with the wait that Slack asks for); ChatClosedError (not
        done, a person must repair it); UnknownOutcomeError (it may have been done: look).
        """
        return await self._called(method, arguments)

    async def pages(self, method: str, key: str, **arguments: Any) -> AsyncIterator[dict[str, Any]]:
        """Yield each item of a list that Slack gives in pages; reads only."""
        cursor: str | None = None
        while True:
            answer = await self.read(method, **arguments, limit=PAGE, cursor=cursor)
            for item in answer.get(key) or ():
                yield item
            cursor = (answer.get("response_metadata") or {}).get("next_cursor") or None
            if cursor is None:
                return

    async def own_user(self) -> str:
        """Return the bot's own user id, asked for once."""
        if self._own_user is None:
            self._own_user = str((await self.read("auth.test"))["user_id"])
        return self._own_user

    async def granted_scopes(self) -> frozenset[str] | None:
        """Return the scopes of the token, as Slack tells them in a header; None where it does not. Reads only."""
        try:
            answer = await self.client().api_call("auth.test")
        except (SlackClientError, aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ChatLaterError(f"Slack is not reached ({_words(error)}).") from error
        headers = {name.lower(): value for name, value in answer.headers.items()}
        told = headers.get("x-oauth-scopes")
        return None if told is None else frozenset(scope.strip() for scope in str(told).split(","))

    async def upload(self, url: str, content: bytes) -> None:
        """Send a file's bytes to the address that Slack gave; nobody sees them before the upload is completed."""
        self.client()
        if self._session is None:
            raise ChatLaterError("the connection to Slack is closed")
        try:
            async with self._session.request("POST", url, data=content) as response:
                if response.status != 200:
                    raise ChatLaterError(f"Slack did not take the file's bytes ({response.status})")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ChatLaterError(f"Slack did not take the file's bytes ({_words(error)})") from error

    async def _called(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        bucket = _bucket(method, arguments)
        wait_s = self._blocked_until.get(bucket, 0.0) - time.monotonic()
        if wait_s > 0:
            raise ChatLaterError(f"Slack asked to wait with {method}.", wait_s)
        try:
            answer = await self.client().api_call(method, data=_form(arguments))
        except SlackApiError as error:
            raise self._meaning(error, method, bucket) from error
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise ChatLaterError(f"Slack is not reached ({_words(error)}).") from error
        except (aiohttp.ClientError, SlackClientError, TimeoutError, OSError, ValueError) as error:
            raise UnknownOutcomeError(f"the answer to {method} was lost ({_words(error)})") from error
        return dict(answer.data) if isinstance(answer.data, dict) else {}

    def _meaning(self, error: SlackApiError, method: str, bucket: str) -> Exception:
        """Return what an answer that is no `ok` means."""
        status = getattr(error.response, "status_code", 0)
        data = error.response.data if hasattr(error.response, "data") else {}
        word = str(data.get("error") or "") if isinstance(data, dict) else ""
        if status == 429 or word in LATER:
            wait_s = _retry_after(error)
            self._blocked_until[bucket] = time.monotonic() + wait_s
            return ChatLaterError(f"Slack asks to wait {wait_s:.0f} s with {method}.", wait_s)
        if word in CLOSED:
            return ChatClosedError(
                f"it answers {word}. Install the app again, or give Backout its new token, and restart Backout."
            )
        if status >= 500 or word in UNKNOWN or not word:
            return UnknownOutcomeError(f"Slack answered {method} with {word or status}")
        return SlackRefusedError(_refusal(method, word, data), word)


def _bucket(method: str, arguments: dict[str, Any]) -> str:
    return f"{method} {arguments.get('channel')}" if method == "chat.postMessage" else method


def _form(arguments: dict[str, Any]) -> dict[str, str]:
    """Return arguments as form fields, which every method takes; lists and objects as JSON."""
    given: dict[str, str] = {}
    for name, value in arguments.items():
        if isinstance(value, bool):
            given[name] = "true" if value else "false"
        elif isinstance(value, (dict, list)):
            given[name] = json.dumps(value, ensure_ascii=False)
        elif value is not None:
            given[name] = str(value)
    return given


def _retry_after(error: SlackApiError) -> float:
    given = getattr(error.response, "headers", {}).get("Retry-After", "")
    return float(given) if str(given).isdigit() else DEFAULT_WAIT_S


def _refusal(method: str, word: str, data: Any) -> str:
    if word == "missing_scope":
        needed = data.get("needed") if isinstance(data, dict) else None
        return f"Slack says missing_scope to {method}: the app lacks {needed or 'a scope'}. Install it again from the manifest."
    return f"Slack says {word} to {method}."


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


async def patient(work: Any, limit_s: float) -> dict[str, Any]:
    """Return the answer of a call (`work()` makes it), waiting as Slack asks as long as that stays within the limit."""
    until = time.monotonic() + limit_s
    while True:
        try:
            answer: dict[str, Any] = await work()
        except ChatLaterError as error:
            wait_s = error.after_s if error.after_s is not None else 1.0
            if time.monotonic() + wait_s > until:
                raise
            await asyncio.sleep(wait_s)
        else:
            return answer
