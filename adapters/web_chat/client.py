"""Talks to a running bot over its JSON API, from a shell."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp

from bot.model.errors import FailedError, NotStartedError, UnknownOutcomeError
from bot.model.secret import Secret

ANSWER_LIMIT_S = 60.0  # commands are acknowledged at once; only a busy store makes one wait
CONNECT_LIMIT_S = 5.0
SILENCE_LIMIT_S = 60.0  # an event stream says something every 15 seconds
REFUSED = 409
NOT_THERE = 404


class ApiClient:
    """One connection to a running bot, as one person. Use it as `async with ApiClient(url, token) as bot:`.

    Every method raises NotStartedError when the bot was not reached, UnknownOutcomeError when the connection was lost
    before the answer came, and FailedError when the bot turned the call away (token, form, a fault); its message is
    the bot's own.
    """

    def __init__(self, base_url: str, token: Secret) -> None:
        self._base_url = base_url.rstrip("/")
        self._token = token
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self._token.reveal()}"},
            timeout=aiohttp.ClientTimeout(total=ANSWER_LIMIT_S, connect=CONNECT_LIMIT_S),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def command(
        self, text: str, channel: str | None = None, delivery_id: str | None = None
    ) -> dict[str, Any]:
        """Send a slash command; return the reply (`ok` False: refused, nothing was changed).

        The same `delivery_id` again has one effect: after an UnknownOutcomeError, send it with the same one.
        """
        body = {"text": text, "channel": channel, "delivery_id": delivery_id or uuid.uuid4().hex}
        return await self._reply("/api/commands", body)

    async def answer(
        self, decision_id: str, choice: str, typed: str | None = None, delivery_id: str | None = None
    ) -> dict[str, Any]:
        """Vote on a decision; return the reply. `delivery_id` as for `command`."""
        body = {"choice": choice, "typed": typed, "delivery_id": delivery_id or uuid.uuid4().hex}
        return await self._reply(f"/api/decisions/{segment(decision_id)}", body)

    async def incidents(self) -> list[dict[str, Any]]:
        """Return the incidents this person may see, newest first."""
        found: list[dict[str, Any]] = await self._get("/api/incidents")
        return found

    async def incident(self, incident_id: str) -> dict[str, Any] | None:
        """Return one incident as it stands, or None when it is not there or not theirs."""
        found: dict[str, Any] | None = await self._get(f"/api/incidents/{segment(incident_id)}")
        return found

    async def timeline(self, incident_id: str, after: int = 0) -> list[dict[str, Any]]:
        """Return the timeline entries after a sequence number; empty where there is no such incident."""
        path = f"/api/incidents/{segment(incident_id)}/timeline?after={after}"
        return await self._get(path) or []

    async def decisions(self) -> list[dict[str, Any]]:
        """Return the open decisions of all incidents this person may see."""
        found: list[dict[str, Any]] = await self._get("/api/decisions")
        return found

    async def decision(self, decision_id: str) -> dict[str, Any] | None:
        """Return one decision, open or not, or None when it is not there or not theirs."""
        found: dict[str, Any] | None = await self._get(f"/api/decisions/{segment(decision_id)}")
        return found

    async def report(self, incident_id: str, form: str = "md") -> bytes | None:
        """Return the post-mortem as it stands now, `md`, `html` or `pdf`, or None where there is no such incident."""
        status, content = await self._fetch("GET", f"/api/incidents/{segment(incident_id)}/report.{form}")
        return None if status == NOT_THERE else content

    async def changes(self) -> AsyncIterator[str]:
        """Yield the id of an incident each time something of it changed, until the bot closes the stream."""
        timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_LIMIT_S, sock_read=SILENCE_LIMIT_S)
        try:
            async with self._open.get(f"{self._base_url}/api/events", timeout=timeout) as response:
                if not response.ok:
                    raise FailedError(words_of(await response.text()))
                async for line in response.content:
                    if line.startswith(b"data: "):
                        yield json.loads(line.removeprefix(b"data: "))["id"]
        except aiohttp.ClientConnectorError as error:
            raise NotStartedError(self._unreached()) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise UnknownOutcomeError(
                f"The event stream of {self._base_url} was cut. Connect again."
            ) from error

    @property
    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise NotStartedError("The client is not open: use it in an `async with` block.")
        return self._session

    async def _reply(self, path: str, body: dict[str, str | None]) -> dict[str, Any]:
        _status, text = await self._call("POST", path, body)
        reply: dict[str, Any] = json.loads(text)
        return reply

    async def _get(self, path: str) -> Any:
        status, text = await self._call("GET", path)
        return None if status == NOT_THERE else json.loads(text)

    async def _call(
        self, method: str, path: str, body: dict[str, str | None] | None = None
    ) -> tuple[int, str]:
        """Return status and text of the answer; see `_fetch`."""
        status, content = await self._fetch(method, path, body)
        return status, content.decode()

    async def _fetch(
        self, method: str, path: str, body: dict[str, str | None] | None = None
    ) -> tuple[int, bytes]:
        """Return status and content of the answer. 404 to a GET and 409 are answers; every other refusal is raised."""
        try:
            async with self._open.request(method, self._base_url + path, json=body) as response:
                status, content = response.status, await response.read()
        except aiohttp.ClientConnectorError as error:
            raise NotStartedError(self._unreached()) from error
        except aiohttp.InvalidURL as error:
            raise NotStartedError(
                f"{self._base_url!r} is no address of a bot, such as http://127.0.0.1:8765. Nothing was sent."
            ) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise UnknownOutcomeError(
                f"No answer came from {self._base_url}: it is not known whether the bot took it. "
                "Look at the incident, or send it again with the same delivery id."
            ) from error
        if status >= 400 and status != REFUSED and (method, status) != ("GET", NOT_THERE):
            raise FailedError(words_of(content.decode(errors="replace")))
        return status, content

    def _unreached(self) -> str:
        return f"No bot answers on {self._base_url}: nothing was sent. Is it running?"


def segment(value: str) -> str:
    """Return an id as one segment of a path."""
    return quote(value, safe="")


def words_of(text: str) -> str:
    """Return the words of a refusal: the reply's text, or the whole answer where it is no reply."""
    try:
        words = json.loads(text)["text"]
    except (ValueError, KeyError, TypeError):
        return text[:300]
    return str(words)
