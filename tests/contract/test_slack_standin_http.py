"""The stand-in's signed requests, as they arrive at a server that is nobody's library: form, headers, repeats."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from tests.contract.slack_fixtures import ada, general, slack, slack_address
from tests.fakes.slack.client import Person, Slack
from tests.fakes.slack.exchange import read_answer

__all__ = ["ada", "general", "slack", "slack_address"]


class Careless:
    """A server that answers everything with `status`, whatever the signature, and keeps what came."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.came: list[tuple[dict[str, str], bytes]] = []
        self.arrived: asyncio.Queue[None] = asyncio.Queue()

    async def take(self, request: web.Request) -> web.Response:
        self.came.append((dict(request.headers), await request.read()))
        self.arrived.put_nowait(None)
        return web.Response(status=self.status, headers=self.headers)


@pytest.fixture
async def careless(slack: Slack) -> AsyncIterator[Careless]:
    server, app = Careless(), web.Application()
    app.router.add_post("/events", server.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await slack.deliver_over_http(f"http://127.0.0.1:{runner.addresses[0][1]}/events")
    yield server
    await runner.cleanup()


async def test_a_command_is_a_signed_form(
    slack: Slack, ada: Person, general: str, careless: Careless
) -> None:
    """The signature holds over the bytes that were sent."""
    await ada.command(general, "/incident start")
    [(headers, body)] = careless.came
    signed = b"v0:" + headers["X-Slack-Request-Timestamp"].encode() + b":" + body
    digest = hmac.new(slack.signing_secret.encode(), signed, hashlib.sha256).hexdigest()
    assert headers["X-Slack-Signature"] == f"v0={digest}"
    assert parse_qs(body.decode())["command"] == ["/incident"]


async def test_an_interaction_is_a_payload_in_a_form(ada: Person, careless: Careless) -> None:
    """A shortcut comes as JSON in the field `payload`."""
    await ada.shortcut("declare")
    payload = json.loads(parse_qs(careless.came[0][1].decode())["payload"][0])
    assert (payload["type"], payload["user"]["id"]) == ("shortcut", ada.id)


@pytest.mark.parametrize(("signature", "age_s"), [("bad", 0.0), ("none", 0.0), ("good", 301.0)])
async def test_who_takes_a_forged_request_is_found_out(
    slack: Slack, ada: Person, general: str, careless: Careless, signature: Any, age_s: float
) -> None:
    """A 200 to a false, missing or old signature is a violation."""
    await slack.sign_next(signature, age_s=age_s)
    await ada.command(general, "/incident start")
    assert [one.rule for one in await slack.violations()] == ["forged_request_accepted"]


async def test_an_event_that_fails_is_sent_three_times_more(
    slack: Slack, ada: Person, general: str, careless: Careless
) -> None:
    """The repeats are numbered and say why; the body stays the same."""
    careless.status = 500
    await slack.set_retries(0.0, 0.05, 0.05)
    delivery = await ada.mention(general, "status")
    assert (delivery.error, delivery.status) == ("http_service_error", 500)
    for _ in range(4):
        await asyncio.wait_for(careless.arrived.get(), 5)
    numbers = [headers.get("X-Slack-Retry-Num") for headers, _ in careless.came]
    reasons = {headers.get("X-Slack-Retry-Reason") for headers, _ in careless.came[1:]}
    assert (numbers, reasons) == ([None, "1", "2", "3"], {"http_error"})
    assert len({body for _, body in careless.came}) == 1


async def test_an_app_can_ask_for_no_repeat(
    slack: Slack, ada: Person, general: str, careless: Careless
) -> None:
    """X-Slack-No-Retry ends it."""
    careless.status, careless.headers = 500, {"X-Slack-No-Retry": "1"}
    await slack.set_retries(0.0)
    await ada.mention(general, "status")
    await asyncio.sleep(0.2)
    assert len(careless.came) == 1


async def test_a_command_that_fails_is_not_sent_again(
    slack: Slack, ada: Person, general: str, careless: Careless
) -> None:
    """Only events are repeated; the person is told and may type again."""
    careless.status = 500
    await slack.set_retries(0.0)
    assert (await ada.command(general, "/incident start")).error == "http_service_error"
    await asyncio.sleep(0.2)
    assert len(careless.came) == 1


async def test_the_same_request_can_be_sent_again(
    slack: Slack, ada: Person, general: str, careless: Careless
) -> None:
    """With the headers of a repeat, for a command too."""
    delivery = await ada.command(general, "/incident start")
    await slack.deliver_again(delivery, retry_num=2, retry_reason="http_timeout")
    headers, body = careless.came[1]
    assert (headers["X-Slack-Retry-Num"], headers["X-Slack-Retry-Reason"]) == ("2", "http_timeout")
    assert body == careless.came[0][1]


@pytest.mark.parametrize(
    ("came", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", None),
        (b"HTTP/1.1 200 OK\r\nContent-Le", None),
        (b"HTTP/1.1 200 OK\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n", b"ok"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n", None),
    ],
)
def test_an_answer_is_read_when_it_is_whole(came: bytes, body: bytes | None) -> None:
    """By its length or in chunks; half an answer is none."""
    answer = read_answer(came, took_ms=1.0)
    assert (answer.body if answer else None) == body


async def test_nobody_is_at_the_address(slack: Slack, ada: Person, general: str) -> None:
    """The person reads dispatch_failed, and it is no violation: the bot is not there."""
    await slack.deliver_over_http("http://127.0.0.1:9/slack/events")
    assert (await ada.command(general, "/incident start")).error == "dispatch_failed"
    assert await slack.violations() == []
