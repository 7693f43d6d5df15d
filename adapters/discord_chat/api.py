"""One call of Discord's HTTP API, and what its failure means: nothing was done, it was refused, or nobody knows.

discord.py repeats a call by itself where Discord answers 5xx, and a message of which nobody knows whether it arrived
would stand there twice. So what changes something goes through here: once, and whoever called looks before a repetition.
*Source*: docs.discord.com, "Rate Limits", "Opcodes and Status Codes"; discord.py 2.7, http.py and webhook/async_.py.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
import structlog

from adapters.discord_chat.rates import Rates, retry_after_s
from bot.model.errors import ChatClosedError, ChatLaterError, FailedError, UnknownOutcomeError
from bot.model.secret import Secret

log = structlog.get_logger(__name__)

CONNECT_LIMIT_S = 5.0
PATIENCE_S = 6.0
"""As long as that a call waits by itself where Discord asks for it; longer waits are for the one who called."""
AGENT = "DiscordBot (backout, 0.1)"
# The parts of an address that have buckets of their own ("major parameters").
MAJOR = ("channel", "guild", "token")

MISSING_ACCESS, UNKNOWN_CHANNEL, UNKNOWN_MESSAGE = 50001, 10003, 10008
MISSING_PERMISSIONS = 50013
CLOSED_WORDS = "Give Backout its present token (DISCORD_TOKEN), and restart it."


class DiscordRefusedError(FailedError):
    """Discord said no. `code` is its own number for it, such as 50013; 0 where it gave none."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class DiscordApi:
    """Calls with the bot's token, over one session. A test or a proxy may stand at `url` in place of Discord."""

    def __init__(self, url: str, token: Secret, timeout_s: float) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None
        self._rates = Rates()
        self._own: dict[str, Any] | None = None

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()

    async def read(self, path: str, query: Mapping[str, str] | None = None, **ids: str) -> Any:
        """Return the answer to a question. *Raises* as `change`, but ChatLaterError where that is unknown."""
        try:
            return await self._called("GET", path, ids, query=query)
        except UnknownOutcomeError as error:
            raise ChatLaterError(str(error)) from error

    async def change(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        file: tuple[str, bytes] | None = None,
        patience_s: float = PATIENCE_S,
        **ids: str,
    ) -> Any:
        """Return the answer to a call that changes something; `path` has the names of `ids` in braces.

        *Raises* DiscordRefusedError; ChatLaterError (not done, with the wait that Discord asks for); ChatClosedError
        (not done, a person must repair it); UnknownOutcomeError (it may have been done: look).
        """
        return await self._called(method, path, ids, body=body, file=file, patience_s=patience_s)

    async def own_id(self) -> str:
        """Return the bot's own user id, asked for once."""
        if self._own is None:
            self._own = dict(await self.read("/users/@me"))
        return str(self._own["id"])

    def _opened(self) -> aiohttp.ClientSession:
        """Return the session; made at the first use, as it needs a running loop."""
        if self._session is None:
            limit = aiohttp.ClientTimeout(total=self._timeout_s, connect=CONNECT_LIMIT_S)
            # As many connections as there are calls: two hundred first answers at once wait for one another nowhere.
            self._session = aiohttp.ClientSession(
                timeout=limit,
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": AGENT},
            )
        return self._session

    async def _called(
        self,
        method: str,
        path: str,
        ids: Mapping[str, str],
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        file: tuple[str, bytes] | None = None,
        patience_s: float = PATIENCE_S,
    ) -> Any:
        route, major = f"{method} {path}", "/".join(ids[name] for name in MAJOR if name in ids)
        await self._wait(route, major, patience_s, by_token="token" in ids)
        self._rates.take(route, major)
        address = self._url + path.format(**ids)
        headers = {} if "token" in ids else {"Authorization": f"Bot {self._token.reveal()}"}
        try:
            async with self._opened().request(
                method, address, params=query, headers=headers, **_sent(body, file)
            ) as response:
                status, told = response.status, response.headers
                text = await response.text()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise ChatLaterError(f"Discord is not reached ({_words(error)}).") from error
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise UnknownOutcomeError(f"the answer to {route} was lost ({_words(error)})") from error
        self._rates.note(route, major, told, time.monotonic())
        answer = _parsed(text)
        if 200 <= status < 300:
            return answer
        raise self._meaning(status, told, answer, route, major)

    async def _wait(self, route: str, major: str, patience_s: float, *, by_token: bool) -> None:
        """Wait until a call may be made. *Raises* ChatLaterError where that takes longer than there is patience."""
        until = time.monotonic() + patience_s
        while (wait_s := self._rates.wait_s(route, major, time.monotonic(), by_token=by_token)) > 0:
            if time.monotonic() + wait_s > until:
                raise ChatLaterError(f"Discord asks to wait {wait_s:.0f} s with {route}.", wait_s)
            await asyncio.sleep(wait_s)

    def _meaning(
        self, status: int, headers: Mapping[str, str], answer: Any, route: str, major: str
    ) -> Exception:
        """Return what an answer means that is no success."""
        told = answer if isinstance(answer, dict) else {}
        code = told.get("code")
        code = code if isinstance(code, int) else 0
        if status == 429:
            wait_s = retry_after_s(headers, answer)
            everywhere = bool(told.get("global")) or headers.get("X-RateLimit-Scope") == "global"
            self._rates.block(route, major, everywhere=everywhere, wait_s=wait_s, now=time.monotonic())
            return ChatLaterError(f"Discord asks to wait {wait_s:.0f} s with {route}.", wait_s)
        if status == 401:
            return ChatClosedError(f"it does not take Backout's token any more (401). {CLOSED_WORDS}")
        if status >= 500:
            return UnknownOutcomeError(f"Discord answered {route} with {status}")
        return DiscordRefusedError(_refusal(route, status, code, told), code)


def _sent(body: Mapping[str, Any] | None, file: tuple[str, bytes] | None) -> dict[str, Any]:
    """Return a body as aiohttp takes it: JSON, or a form with the file where there is one."""
    if file is None:
        return {} if body is None else {"json": body}
    form = aiohttp.FormData(quote_fields=False)
    form.add_field(
        "payload_json", json.dumps(body or {}, ensure_ascii=False), content_type="application/json"
    )
    form.add_field("files[0]", file[1], filename=file[0], content_type="application/octet-stream")
    return {"data": form}


def _parsed(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return None


def _refusal(route: str, status: int, code: int, told: Mapping[str, Any]) -> str:
    words = str(told.get("message") or f"HTTP {status}").rstrip(".")
    if code == MISSING_PERMISSIONS:
        words += ". Backout's role lacks a permission: invite it again with all of them (README), or give its role back what was taken"
    if told.get("errors"):
        words += f" ({json.dumps(told['errors'], ensure_ascii=False)[:300]})"
    return f"Discord says {code or status} to {route}: {words}."


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
