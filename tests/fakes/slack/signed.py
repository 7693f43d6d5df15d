"""Signed HTTP: the same deliveries as requests to the bot's own address, with Slack's signature, old or false on order."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from urllib.parse import urlencode

import aiohttp

from tests.fakes.slack import names
from tests.fakes.slack.outcome import ACK_S, Outcome
from tests.fakes.slack.world import ControlError, Json, World

SIGNATURES = ("good", "bad", "none")
# Slack's advice to apps: what is older than five minutes is a replay.
OLD_S = 5 * 60


@dataclass(frozen=True, kw_only=True)
class Signing:
    """How one request is signed."""

    signature: str = "good"
    age_s: float = 0.0

    @property
    def is_forged(self) -> bool:
        return self.signature != "good" or self.age_s > OLD_S


class SignedSender:
    """Sends to the address of the bot, and measures."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._session: aiohttp.ClientSession | None = None
        self.reset()

    def reset(self) -> None:
        """Forget the address, and sign well again."""
        self._next: list[Signing] = []
        self.url = ""

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def sign_next(self, signature: str, age_s: float, times: int) -> None:
        """Sign the next requests so."""
        if signature not in SIGNATURES:
            raise ControlError(f"signature is one of {', '.join(SIGNATURES)}")
        self._next += [Signing(signature=signature, age_s=age_s)] * times

    async def send(self, kind: str, payload: Json, *, retry: tuple[int, str] | None = None) -> Outcome:
        """Send one delivery and wait for its answer, three seconds at most."""
        signing = self._next.pop(0) if self._next else Signing()
        body, content_type = body_of(kind, payload)
        headers = {**headers_of(body, signing), "Content-Type": content_type}
        if retry is not None:
            headers.update({"X-Slack-Retry-Num": str(retry[0]), "X-Slack-Retry-Reason": retry[1]})
        outcome = await self._post(body, headers)
        if signing.is_forged and 200 <= outcome.status < 300:
            self._world.violate(
                "forged_request_accepted", kind, f"signature {signing.signature}, {signing.age_s:.0f} s old"
            )
        return outcome

    async def _post(self, body: bytes, headers: dict[str, str]) -> Outcome:
        if self._session is None:
            # One for each request that may be under way: a burst of commands is not to wait in a queue of ours.
            connector = aiohttp.TCPConnector(limit=0)
            self._session = aiohttp.ClientSession(connector=connector)
        start_s = time.perf_counter()
        try:
            async with asyncio.timeout(ACK_S):
                async with self._session.post(self.url, data=body, headers=headers) as response:
                    text = await response.text()
        except TimeoutError:
            return Outcome(reason="timeout")
        except aiohttp.ClientError:
            return Outcome(reason="nobody")
        ack_ms = (time.perf_counter() - start_s) * 1000
        no_retry = response.headers.get("X-Slack-No-Retry") == "1"
        if not 200 <= response.status < 300:
            return Outcome(reason="http_error", status=response.status, no_retry=no_retry)
        return Outcome(ack_ms=ack_ms, status=response.status, body=answer_of(text, response.content_type))

    async def verify_url(self) -> Json:
        """Send `url_verification`, as Slack does when the address is entered."""
        challenge = self._world.new_id("challenge")
        body = json.dumps({"token": "t", "challenge": challenge, "type": "url_verification"}).encode()
        headers = {**headers_of(body, Signing()), "Content-Type": "application/json"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.url, data=body, headers=headers) as response,
        ):
            text = await response.text()
        return {
            "status": response.status,
            "body": text,
            "ok": response.status == 200 and challenge in text,
        }


def body_of(kind: str, payload: Json) -> tuple[bytes, str]:
    """Return a request's body and its type: a form for commands and interactions, JSON for events."""
    if kind == "events_api":
        return json.dumps(payload).encode(), "application/json"
    form = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
    return urlencode(form).encode(), "application/x-www-form-urlencoded"


def headers_of(body: bytes, signing: Signing) -> dict[str, str]:
    """Return signature and time stamp. Source: docs.slack.dev, verifying requests from Slack (v0)."""
    stamp = str(int(time.time() - signing.age_s))
    headers = {"X-Slack-Request-Timestamp": stamp, "User-Agent": "Slackbot 1.0 (stand-in)"}
    if signing.signature != "none":
        key = names.SIGNING_SECRET if signing.signature == "good" else f"not {names.SIGNING_SECRET}"
        digest = hmac.new(key.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256)
        headers["X-Slack-Signature"] = f"v0={digest.hexdigest()}"
    return headers


def answer_of(text: str, content_type: str) -> Json | None:
    """Return what an ack says: JSON, or plain text for a command."""
    if not text:
        return None
    if content_type == "application/json":
        try:
            found = json.loads(text)
        except ValueError:
            return {"text": text}
        return found if isinstance(found, dict) and found else None
    return {"text": text}
