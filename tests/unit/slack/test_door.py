"""The door of signed HTTP: what is Slack's is acknowledged before Bolt sees it, what is not is refused, nothing is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.authorization import AuthorizeResult

from adapters.chat_common.hands import CAME_AT, Hands
from adapters.slack_chat.connection import HttpConnection
from adapters.slack_chat.door import PATH, Door
from tests.fakes.slack.names import SIGNING_SECRET
from tests.fakes.slack.signed import Signing, body_of, headers_of
from tests.site.servers import free_port

LATER_S = 3.0
COMMAND = {"command": "/incident", "text": "note", "user_id": "U1", "team_id": "T1", "trigger_id": "1"}
EVENT = {"type": "event_callback", "team_id": "T1", "event_id": "E1", "event": {"type": "app_mention"}}
SUBMISSION = {
    "type": "view_submission",
    "team": {"id": "T1"},
    "view": {"type": "modal", "callback_id": "form"},
}


class Busy(Hands):
    """Hands for which no moment is quiet before a test says so."""

    def __init__(self) -> None:
        super().__init__("slack")
        self.may_begin = asyncio.Event()

    async def quiet(self, since: float) -> None:
        assert since <= time.monotonic()
        await self.may_begin.wait()


async def anyone(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
    return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id)


@dataclass(kw_only=True)
class Scene:
    """A door that listens, with what has come through Bolt behind it."""

    hands: Busy
    connection: HttpConnection
    url: str
    session: aiohttp.ClientSession
    heard: asyncio.Queue[dict[str, Any]]

    async def post(
        self, kind: str, payload: dict[str, Any], signing: Signing | None = None
    ) -> tuple[int, str]:
        body, content_type = body_of(kind, payload)
        headers = {**headers_of(body, signing or Signing()), "Content-Type": content_type}
        async with self.session.post(self.url, data=body, headers=headers) as answer:
            return answer.status, await answer.text()

    async def next_heard(self) -> dict[str, Any]:
        async with asyncio.timeout(LATER_S):
            return await self.heard.get()


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    app = AsyncApp(signing_secret="", authorize=anyone)

    async def hear(ack: AsyncAck, body: dict[str, Any]) -> None:
        heard.put_nowait({**body, "came_at": CAME_AT.get()})
        await ack()

    async def correct(ack: AsyncAck) -> None:
        await ack(response_action="errors", errors={"site": "not that one"})

    app.command("/incident")(hear)
    app.event("app_mention")(hear)
    app.view("form")(correct)
    hands, port = Busy(), free_port()
    connection = HttpConnection(Door(app, SIGNING_SECRET, hands, ("/incident",)), "127.0.0.1", port)
    await connection.start()
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{port}{PATH}"
        yield Scene(hands=hands, connection=connection, url=url, session=session, heard=heard)
    hands.may_begin.set()
    await connection.close()


@pytest.mark.parametrize(("kind", "payload"), [("slash_commands", COMMAND), ("events_api", EVENT)])
async def test_an_ack_waits_for_nothing_behind_it(scene: Scene, kind: str, payload: dict[str, Any]) -> None:
    """The signature is enough for it; Bolt has it once nothing more comes in, with the time at which it came."""
    before = time.monotonic()
    assert await scene.post(kind, payload) == (200, "")
    after = time.monotonic()
    assert scene.heard.empty()
    scene.hands.may_begin.set()
    heard = await scene.next_heard()
    assert before <= heard.pop("came_at") <= after
    assert heard == payload


async def test_what_wants_words_has_them_at_once(scene: Scene) -> None:
    """A form's faults and the address's own proof stand in the answer, however much comes in."""
    status, text = await scene.post("view_submission", SUBMISSION)
    assert (status, "not that one" in text) == (200, True)
    status, text = await scene.post("events_api", {"type": "url_verification", "challenge": "abc"})
    assert (status, "abc" in text) == (200, True)


async def test_a_command_may_hold_any_word(scene: Scene) -> None:
    """Also the name of the field in which Slack sends clicks."""
    command = {**COMMAND, "text": "note the payload=1&command=/x was lost"}
    scene.hands.may_begin.set()
    assert await scene.post("slash_commands", command) == (200, "")
    assert (await scene.next_heard())["text"] == command["text"]


@pytest.mark.parametrize(
    "signing", [Signing(signature="bad"), Signing(signature="none"), Signing(age_s=301), Signing(age_s=-400)]
)
async def test_what_is_not_slack_s_is_refused(scene: Scene, signing: Signing) -> None:
    """A false signature, none, or one of another time: 401, and nothing comes in."""
    scene.hands.may_begin.set()
    for kind, payload in (
        ("slash_commands", COMMAND),
        ("events_api", EVENT),
        ("view_submission", SUBMISSION),
    ):
        assert await scene.post(kind, payload, signing) == (401, "")
    assert await scene.post("slash_commands", {**COMMAND, "text": "good"}) == (200, "")
    assert (await scene.next_heard())["text"] == "good"


async def test_what_cannot_be_read_is_refused(scene: Scene) -> None:
    """A time that is no number, a signature not in ASCII, a body that is no text or no JSON, an unknown command or path: no 200, no fault."""
    body, _ = body_of("slash_commands", COMMAND)
    for raw, more in (
        (body, {"X-Slack-Request-Timestamp": "soon"}),
        (body, {"X-Slack-Signature": "v0=é"}),
        (b"\xff\xfe", {}),
        (b"{", {"Content-Type": "application/json"}),
        (b"[]", {"Content-Type": "application/json"}),
        (b"payload=%7B", {"Content-Type": "application/x-www-form-urlencoded"}),
    ):
        headers = {**headers_of(raw, Signing()), **more}
        async with scene.session.post(scene.url, data=raw, headers=headers) as answer:
            assert answer.status in (400, 401)
    assert (await scene.post("slash_commands", {**COMMAND, "command": "/other"}))[0] == 404
    async with scene.session.get(scene.url) as answer:
        assert answer.status == 405
    async with scene.session.post(f"{scene.url}/more") as answer:
        assert answer.status == 404


async def test_slack_may_prove_the_certificate(scene: Scene) -> None:
    """The request for it is not signed, and nothing comes of it."""
    assert await scene.post("slash_commands", {"ssl_check": "1"}, Signing(signature="none")) == (200, "")
    smuggled = {"ssl_check": "1", **COMMAND}
    assert await scene.post("slash_commands", smuggled, Signing(signature="none")) == (200, "")
    scene.hands.may_begin.set()
    await asyncio.sleep(0.05)
    assert scene.heard.empty()


async def test_what_was_acknowledged_is_handed_over_at_the_end(scene: Scene) -> None:
    """A stop loses nothing that waits still, in its order."""
    for number in range(3):
        assert await scene.post("slash_commands", {**COMMAND, "text": str(number)}) == (200, "")
    assert scene.heard.empty()
    await scene.connection.close()
    assert [(await scene.next_heard())["text"] for _ in range(3)] == ["0", "1", "2"]


async def test_what_waited_at_the_door_waits_no_second_time() -> None:
    """The pause before the work counts from when it came in; what came in by a socket waits here."""
    hands = Hands("slack")
    began: dict[str, float] = {}

    def work(name: str) -> Any:
        async def run() -> None:
            began[name] = time.monotonic()

        return run

    async def at_the_door() -> None:
        CAME_AT.set(time.monotonic() - 1)
        hands.take("waited", work("waited"))

    hands.heard()
    await asyncio.create_task(at_the_door())
    hands.take("fresh", work("fresh"))
    await hands.close(LATER_S)
    assert list(began) == ["waited", "fresh"]
    assert began["fresh"] - began["waited"] >= 0.04
