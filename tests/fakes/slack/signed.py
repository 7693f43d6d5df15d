"""Signed HTTP: the same deliveries as requests to the bot's own address, with Slack's signature, old or false on order."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from urllib.parse import urlencode

from tests.fakes.common.book import ControlError, Json
from tests.fakes.slack import names
from tests.fakes.slack.exchange import Exchange, request_bytes
from tests.fakes.slack.outcome import ACK_S, Outcome
from tests.fakes.slack.world import World

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


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request written out, and the connection that waits for it; None: nobody is there."""

    written: bytes
    signing: Signing
    exchange: Exchange | None


class SignedSender:
    """Sends to the address of the bot, and measures."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.reset()

    def reset(self) -> None:
        """Forget the address, and sign well again."""
        self._next: list[Signing] = []
        self.url = ""

    def sign_next(self, signature: str, age_s: float, times: int) -> None:
        """Sign the next requests so."""
        if signature not in SIGNATURES:
            raise ControlError(f"signature is one of {', '.join(SIGNATURES)}")
        self._next += [Signing(signature=signature, age_s=age_s)] * times

    async def request(self, kind: str, payload: Json, retry: tuple[int, str] | None = None) -> Request:
        """Make a request ready to be sent: signed, written out, its connection open."""
        signing = self._next.pop(0) if self._next else Signing()
        body, content_type = body_of(kind, payload)
        headers = {**headers_of(body, signing), "Content-Type": content_type}
        if retry is not None:
            headers.update({"X-Slack-Retry-Num": str(retry[0]), "X-Slack-Retry-Reason": retry[1]})
        try:
            exchange = await asyncio.wait_for(Exchange.open(self.url), ACK_S)
        except (OSError, TimeoutError):
            exchange = None
        return Request(written=request_bytes(self.url, body, headers), signing=signing, exchange=exchange)

    async def send(self, kind: str, request: Request) -> Outcome:
        """Send one request and wait for its answer, three seconds at most."""
        outcome = await self._post(request)
        signing = request.signing
        if signing.is_forged and 200 <= outcome.status < 300:
            self._world.violate(
                "forged_request_accepted", kind, f"signature {signing.signature}, {signing.age_s:.0f} s old"
            )
        return outcome

    async def _post(self, request: Request) -> Outcome:
        if request.exchange is None:
            return Outcome(reason="nobody")
        try:
            async with asyncio.timeout(ACK_S):
                answer = await request.exchange.post(request.written)
        except TimeoutError:
            return Outcome(reason="timeout")
        except ConnectionError:
            return Outcome(reason="nobody")
        no_retry = answer.headers.get("x-slack-no-retry") == "1"
        if not 200 <= answer.status < 300:
            return Outcome(reason="http_error", status=answer.status, no_retry=no_retry)
        body = answer_of(answer.body.decode(errors="replace"), answer.content_type)
        return Outcome(ack_ms=answer.took_ms, status=answer.status, body=body)

    async def verify_url(self) -> Json:
        """Send `url_verification`, as Slack does when the address is entered.

        Raises:
            ControlError: nobody answers there.
        """
        challenge = self._world.new_id("challenge")
        payload = {"token": "t", "challenge": challenge, "type": "url_verification"}
        request = await self.request("events_api", payload)
        if request.exchange is None:
            raise ControlError(f"nobody is at {self.url}")
        answer = await request.exchange.post(request.written)
        text = answer.body.decode(errors="replace")
        return {"status": answer.status, "body": text, "ok": answer.status == 200 and challenge in text}


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
