"""The console's JSON API over real HTTP: what it answers, to whom, and how it says no."""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from adapters.web_chat.client import ApiClient
from adapters.web_chat.console import WebConsole
from bot.model.errors import FailedError, NotStartedError, StoreUnavailableError, UnknownOutcomeError
from bot.model.message import Message, StoredMessage
from bot.model.secret import Secret
from bot.ports.chat import Delivery
from tests.fakes.inbox import FakeBot

TOKENS = {hashlib.sha256(f"tok-{name}".encode()).hexdigest(): name for name in ("ada", "eve", "nobody")}
ADA = {"Authorization": "Bearer tok-ada"}
EVE = {"Authorization": "Bearer tok-eve"}
READS = [
    "/api/person",
    "/api/incidents",
    "/api/incidents/INC-7",
    "/api/incidents/INC-7/timeline",
    "/api/incidents/INC-7/report.md",
    "/api/incidents/INC-7/report.html",
    "/api/incidents/INC-7/report.pdf",
    "/api/decisions",
    "/api/decisions/dec-approve",
    "/api/completions?text=/inc",
    "/api/events",
]
OF_ALBUM = [path for path in READS if "INC-7" in path or "dec-approve" in path]


@pytest_asyncio.fixture
async def bot() -> FakeBot:
    return FakeBot()


@pytest_asyncio.fixture
async def console(bot: FakeBot) -> AsyncIterator[WebConsole]:
    served = WebConsole(inbox=bot, window=bot, tokens=TOKENS, port=0, keep_alive_s=0.2)
    await served.start()
    yield served
    await served.close()


@pytest_asyncio.fixture
async def http(console: WebConsole) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(console.url) as session:
        yield session


async def call(
    http: aiohttp.ClientSession, method: str, path: str, **options: Any
) -> tuple[int, dict[str, Any]]:
    options.setdefault("headers", ADA)
    async with http.request(method, path, **options) as response:
        return response.status, json.loads(await response.text())


@pytest.mark.parametrize("path", READS)
async def test_nothing_is_read_without_a_known_token(http: aiohttp.ClientSession, path: str) -> None:
    """Every read answers 401 to no token, a wrong one, another scheme, and a token in the address."""
    wrong = [{}, {"Authorization": "Bearer tok-adb"}, {"Authorization": "Basic tok-ada"}]
    statuses = [(await call(http, "GET", path, headers=headers))[0] for headers in wrong]
    in_address, _ = await call(http, "GET", path.split("?", maxsplit=1)[0] + "?token=tok-ada", headers={})
    assert [*statuses, in_address] == [401, 401, 401, 401]


async def test_nothing_is_changed_without_a_known_token(http: aiohttp.ClientSession, bot: FakeBot) -> None:
    """A command and an answer without a token get 401 and have no effect."""
    first, _ = await call(http, "POST", "/api/commands", headers={}, json={"text": "/incident note x"})
    second, _ = await call(http, "POST", "/api/decisions/dec-approve", headers={}, json={"choice": "reject"})
    assert (first, second, bot.commands, bot.answers) == (401, 401, [], [])


async def test_the_hash_of_a_token_is_no_token(http: aiohttp.ClientSession) -> None:
    """Whoever reads the settings cannot sign in with what stands there."""
    status, _ = await call(
        http, "GET", "/api/person", headers={"Authorization": f"Bearer {next(iter(TOKENS))}"}
    )
    assert status == 401


async def test_an_account_without_a_person_is_turned_away(http: aiohttp.ClientSession) -> None:
    """A token whose account no person has gets 403 and the name of the account."""
    status, reply = await call(http, "GET", "/api/incidents", headers={"Authorization": "Bearer tok-nobody"})
    assert status == 403
    assert "nobody" in reply["text"]


@pytest.mark.parametrize("path", OF_ALBUM)
async def test_what_belongs_to_other_sites_is_not_there(http: aiohttp.ClientSession, path: str) -> None:
    """A person who is not listed for the site gets the same 404 as for an id that does not exist."""
    status, reply = await call(http, "GET", path, headers=EVE)
    unknown, other = await call(http, "GET", "/api/incidents/INC-999", headers=EVE)
    assert (status, reply) == (unknown, other) == (404, reply)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
@pytest.mark.parametrize("path", ["/", "/static/console.js", "/api/person"])
async def test_another_name_in_host_is_refused(http: aiohttp.ClientSession, host: str, path: str) -> None:
    """A page that points its own name at this machine (DNS rebinding) reads nothing, not even with a token."""
    status, reply = await call(http, "GET", path, headers=ADA | {"Host": host})
    assert (status, reply["ok"]) == (403, False)


@pytest.mark.parametrize("host", ["localhost", "localhost:99", "[::1]:99"])
async def test_the_names_of_this_machine_are_answered(http: aiohttp.ClientSession, host: str) -> None:
    """Loopback names are answered on any port, as through a tunnel."""
    status, _ = await call(http, "GET", "/api/person", headers=ADA | {"Host": host})
    assert status == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1"])
async def test_pages_of_other_origins_are_refused(http: aiohttp.ClientSession, origin: str) -> None:
    """An Origin that is not this very address gets 403, and nothing allows it by CORS."""
    async with http.options("/api/commands", headers={"Origin": origin}) as preflight:
        allowed = [name for name in preflight.headers if name.lower().startswith("access-control")]
    status, _ = await call(http, "GET", "/api/person", headers=ADA | {"Origin": origin})
    assert (status, allowed) == (403, [])


async def test_the_own_origin_is_answered(http: aiohttp.ClientSession, console: WebConsole) -> None:
    """The console's own page may call."""
    status, reply = await call(http, "GET", "/api/person", headers=ADA | {"Origin": console.url.rstrip("/")})
    assert (status, reply) == (200, {"person": "Ada Byron"})


@pytest.mark.parametrize(
    "path", ["/", "/static/console.css", "/api/incidents", "/api/nothing", "/api/events"]
)
async def test_every_answer_forbids_what_the_page_never_does(http: aiohttp.ClientSession, path: str) -> None:
    """Security headers stand on pages, data, errors and the stream alike."""
    async with http.get(path, headers=ADA) as response:
        headers = response.headers
        policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert "Server" not in headers


@pytest.mark.parametrize("path", ["/static/../console.py", "/static/%2e%2e/console.py", "/static/api.py"])
async def test_only_the_pages_own_files_are_served(http: aiohttp.ClientSession, path: str) -> None:
    """No path leads out of the folder of static files."""
    status, _ = await call(http, "GET", path)
    assert status == 404


async def test_a_command_reaches_the_service_and_its_reply_comes_back(
    http: aiohttp.ClientSession, bot: FakeBot
) -> None:
    """The reply has the documented fields; account, channel and text arrive as they were sent."""
    status, reply = await call(
        http, "POST", "/api/commands", json={"text": "/incident note hi", "channel": "inc-7-album"}
    )
    assert status == 200
    assert reply == {
        "text": "Noted.",
        "ok": True,
        "incident_id": "INC-7",
        "operation_id": None,
        "decision_id": None,
        "table": None,
        "facts": [],
        "suggestions": [],
    }
    sent = bot.commands[0]
    assert (sent.platform, sent.account, sent.channel, sent.text) == (
        "web",
        "ada",
        "inc-7-album",
        "/incident note hi",
    )


async def test_a_refused_command_is_409_with_the_reason(http: aiohttp.ClientSession) -> None:
    """A refusal has the reply's shape, with what to type instead."""
    status, reply = await call(http, "POST", "/api/commands", json={"text": "/restor plan"})
    assert (status, reply["ok"], reply["suggestions"]) == (409, False, ["/restore plan", "/restore status"])


async def test_a_delivery_sent_again_has_one_effect(http: aiohttp.ClientSession, bot: FakeBot) -> None:
    """Twenty sendings of one delivery id, at once, are one command; another person's same id is another."""
    body = {"text": "/incident note once", "delivery_id": "d-1"}
    await asyncio.gather(*(call(http, "POST", "/api/commands", json=body) for _ in range(20)))
    await call(http, "POST", "/api/commands", json=body, headers=EVE)
    assert [one.account for one in bot.commands] == ["ada", "eve"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b'"text"',
        b"{}",
        b'{"text": 7}',
        b'{"text": null}',
        b'{"text": "/x", "channel": {}}',
        b'{"text": "/x", "extra": "y"}',
        b'{"text": "\xff"}',
        b"[" * 50_000,
        json.dumps({"text": "x" * 8_001}).encode(),
        json.dumps({"text": "/x", "delivery_id": "d" * 201}).encode(),
    ],
)
async def test_a_malformed_command_is_400_and_has_no_effect(
    http: aiohttp.ClientSession, bot: FakeBot, body: bytes
) -> None:
    """Whatever is not the documented form is refused in words."""
    headers = ADA | {"Content-Type": "application/json"}
    status, reply = await call(http, "POST", "/api/commands", data=body, headers=headers)
    assert (status, reply["ok"], bot.commands) == (400, False, [])
    assert reply["text"].startswith("Malformed request: ")


async def test_a_form_is_not_taken(http: aiohttp.ClientSession, bot: FakeBot) -> None:
    """A body that a page of another site could send without asking is refused."""
    status, _ = await call(
        http,
        "POST",
        "/api/commands",
        data=b'{"text": "/incident list"}',
        headers=ADA | {"Content-Type": "text/plain"},
    )
    assert (status, bot.commands) == (400, [])


async def test_a_body_over_64_kb_is_413(http: aiohttp.ClientSession, bot: FakeBot) -> None:
    """Too large a body is refused before it is read to its end."""
    status, _ = await call(http, "POST", "/api/commands", json={"text": "x" * 70_000})
    assert (status, bot.commands) == (413, [])


@pytest.mark.parametrize("after", ["-1", "x", "1.5", "9" * 40, "²"])
async def test_a_malformed_after_is_400(http: aiohttp.ClientSession, after: str) -> None:
    """The timeline is asked for from a whole number on, or not at all."""
    status, _ = await call(http, "GET", "/api/incidents/INC-7/timeline", params={"after": after})
    assert status == 400


async def test_the_timeline_goes_on_after_a_number(http: aiohttp.ClientSession) -> None:
    """`after=14` gives the entries from 15 on."""
    _, entries = await call(http, "GET", "/api/incidents/INC-7/timeline?after=14")
    assert [entry["sequence"] for entry in entries] == [15, 16]


async def test_an_answer_needs_the_typed_word_and_counts_once(
    http: aiohttp.ClientSession, bot: FakeBot
) -> None:
    """Without the site's name the vote is refused; with it, it is taken, and a repeat changes nothing."""
    path = "/api/decisions/dec-approve"
    without, _ = await call(http, "POST", path, json={"choice": "approve"})
    body = {"choice": "approve", "typed": "album", "delivery_id": "press-1"}
    replies = [await call(http, "POST", path, json=body) for _ in range(2)]
    assert without == 409
    assert [status for status, _ in replies] == [200, 200]
    assert bot.answers == [("Ada Byron", "approve", "album")]


async def test_the_report_comes_as_markdown_html_and_pdf(http: aiohttp.ClientSession) -> None:
    """Each form has its content type; HTML of the API cannot run a script even when opened by itself."""
    async with http.get("/api/incidents/INC-7/report.html", headers=ADA) as response:
        kind, policy = response.content_type, response.headers["Content-Security-Policy"]
    async with http.get("/api/incidents/INC-7/report.md", headers=ADA) as response:
        text = await response.text()
    assert (kind, "script-src 'self'" in policy) == ("text/html", True)
    async with http.get("/api/incidents/INC-7/report.pdf", headers=ADA) as response:
        paper, content = response.content_type, await response.read()
    assert text.startswith("# Migration Incident")
    assert (paper, content[:5]) == ("application/pdf", b"%PDF-")


async def test_the_stream_tells_what_changed_and_only_to_those_who_may_see(
    http: aiohttp.ClientSession, bot: FakeBot
) -> None:
    """Ada hears of album and shop, Eve of the shop only; silence is filled with comments; Last-Event-ID does no harm."""
    async with (
        http.get("/api/events", headers=ADA | {"Last-Event-ID": "7"}) as ada,
        http.get("/api/events", headers=EVE) as eve,
    ):
        bot.touch("INC-7")
        bot.touch("INC-6")
        heard = [await lines_until(stream, b"INC-6") for stream in (ada, eve)]
        silence = await lines_until(eve, b"keep-alive")
    assert [b"INC-7" in text for text in heard] == [True, False]
    assert b"event: incident\ndata: " in heard[1]
    assert b"INC" not in silence


async def lines_until(response: aiohttp.ClientResponse, word: bytes) -> bytes:
    text = b""
    async with asyncio.timeout(5):
        while word not in text:
            text += await response.content.readline()
    return text


async def test_deliver_tells_the_pages_and_keeps_the_messages_id(
    console: WebConsole, http: aiohttp.ClientSession
) -> None:
    """The page reads messages from the store, so the platform's own id of a message is the outbox id."""
    now = datetime.now(UTC)
    stored = StoredMessage(
        id="out-1",
        incident_id="INC-7",
        channel="c",
        revision=1,
        created_at=now,
        updated_at=now,
        message=Message(slot="s", title="t"),
    )
    async with http.get("/api/events", headers=ADA) as stream:
        external = await console.deliver(Delivery(message=stored))
        heard = await lines_until(stream, b"INC-7")
    assert (console.platform, external, b"INC-7" in heard) == ("web", "out-1", True)
    assert await console.deliver(Delivery(message=stored, external_id="kept")) == "kept"


async def test_a_fault_of_the_change_feed_ends_the_streams_and_heals(
    http: aiohttp.ClientSession, bot: FakeBot
) -> None:
    """Pages connect again after a fault, read everything anew, and then hear of changes as before."""
    async with http.get("/api/events", headers=ADA) as stream:
        bot.touch("lost")
        async with asyncio.timeout(5):
            await stream.content.read()
    async with http.get("/api/events", headers=ADA) as again:
        bot.touch("INC-7")
        assert b"INC-7" in await lines_until(again, b"INC-7")


async def test_a_store_that_goes_away_ends_the_stream_cleanly(
    http: aiohttp.ClientSession, bot: FakeBot
) -> None:
    """The open stream comes to a proper end, so that the page connects again and is told why."""
    async with http.get("/api/events", headers=ADA) as stream:
        bot.broken = StoreUnavailableError("The store went away.")
        bot.touch("INC-7")
        async with asyncio.timeout(5):
            assert b"HTTP" not in await stream.content.read()


async def test_a_store_that_is_away_is_503_in_its_own_words(
    http: aiohttp.ClientSession, bot: FakeBot
) -> None:
    """An expected failure keeps its message."""
    bot.broken = StoreUnavailableError("The store cannot be written: disk full.")
    status, reply = await call(http, "GET", "/api/incidents")
    assert (status, reply["text"]) == (503, "The store cannot be written: disk full.")


async def test_a_fault_is_logged_with_traceback_and_without_the_token(
    http: aiohttp.ClientSession, bot: FakeBot, capsys: pytest.CaptureFixture[str]
) -> None:
    """The caller gets the kind of the fault, the log gets the rest; neither holds the token."""
    bot.broken = ZeroDivisionError("tables: 0")
    status, reply = await call(http, "GET", "/api/incidents")
    logged = "".join(capsys.readouterr())
    assert (status, "ZeroDivisionError" in reply["text"], "tables: 0" in reply["text"]) == (500, True, False)
    assert "person_of" in logged
    assert "tok-ada" not in logged


async def test_a_taken_port_is_told_in_words(console: WebConsole, bot: FakeBot) -> None:
    """A second console on the same port is not started, and says which port it is."""
    port = int(console.url.rstrip("/").rpartition(":")[2])
    second = WebConsole(inbox=bot, window=bot, tokens=TOKENS, port=port)
    with pytest.raises(NotStartedError, match=f"cannot listen on 127.0.0.1:{port}"):
        await second.start()


async def test_closing_ends_open_streams_at_once(bot: FakeBot) -> None:
    """A page that listens does not hold up the end of the bot."""
    console = WebConsole(inbox=bot, window=bot, tokens=TOKENS, port=0)
    await console.start()
    async with aiohttp.ClientSession(console.url) as http, http.get("/api/events", headers=ADA) as stream:
        async with asyncio.timeout(1.5):
            await console.close()
        assert b"connected" in await stream.content.read()


# ---- the client of `backout do` and `backout answer`


async def test_the_client_does_what_a_person_does(console: WebConsole, bot: FakeBot) -> None:
    """Commands, refusals, decisions, the timeline and the report come back as data."""
    async with ApiClient(console.url, Secret("tok-ada")) as client:
        noted = await client.command("/incident note hi", channel="inc-7-album")
        refused = await client.command("/restor")
        voted = await client.answer("dec-approve", "approve", typed="album")
        incident, decision = await client.incident("INC-7"), await client.decision("dec-approve")
        still_open, entries = await client.decisions(), await client.timeline("INC-7", after=15)
        report = await client.report("INC-7")
    assert (noted["ok"], refused["ok"], voted["ok"]) == (True, False, True)
    assert incident is not None
    assert decision is not None
    assert (incident["id"], decision["answer"]) == ("INC-7", "approve")
    assert (still_open, len(entries), (report or b"")[:3]) == ([], 1, b"# M")


async def test_the_client_has_no_trouble_with_odd_ids(console: WebConsole) -> None:
    """An id with slashes, spaces or a question mark is one segment of the path, and is not there."""
    async with ApiClient(console.url, Secret("tok-ada")) as client:
        assert await client.incident("../a b?c#d%2f") is None
        assert await client.timeline("nothing") == []
        assert await client.report("nothing", "html") is None


async def test_the_client_hears_of_changes(console: WebConsole, bot: FakeBot) -> None:
    """`changes` yields incident ids as they come."""
    async with ApiClient(console.url, Secret("tok-ada")) as client:
        changes = client.changes()
        first = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0.1)
        bot.touch("INC-7")
        assert await asyncio.wait_for(first, 5) == "INC-7"
        await changes.aclose()


async def test_the_client_raises_the_bots_words_for_a_wrong_token(console: WebConsole) -> None:
    """A token that is not known is a failure with the remedy in it."""
    async with ApiClient(console.url, Secret("wrong")) as client:
        with pytest.raises(FailedError, match="backout token NAME"):
            await client.incidents()
        with pytest.raises(FailedError, match="backout token NAME"):
            await anext(client.changes())


async def test_the_client_tells_not_reached_from_not_known() -> None:
    """Where nothing listens, nothing was sent; where the line is cut after sending, the outcome is unknown."""

    async def cut(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        await writer.wait_closed()

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    async with ApiClient(nobody, Secret("t")) as client:
        with pytest.raises(NotStartedError, match="nothing was sent"):
            await client.command("/incident list")
    async with ApiClient(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", Secret("t")) as client:
        with pytest.raises(UnknownOutcomeError, match="same delivery id"):
            await client.command("/incident list")
    server.close()
    await server.wait_closed()


ASYNC = {**ADA, "Prefer": "wait=5, Respond-Async"}


async def test_an_acknowledgement_does_not_wait_for_the_work(
    http: aiohttp.ClientSession, bot: FakeBot
) -> None:
    """Asked for, a command is acknowledged while the store hangs; its reply is asked for then, and comes when it is there."""
    bot.hold = asyncio.Event()
    body = {"text": "/incident note x", "delivery_id": "a/1"}
    async with http.post("/api/commands", json=body, headers=ASYNC) as response:
        told = json.loads(await response.text())
        assert (response.status, told["ok"], told["delivery_id"]) == (202, True, "a/1")
        assert response.headers["Preference-Applied"] == "respond-async"
        where = response.headers["Location"]
    assert where == "/api/replies/a%2F1"
    assert (await call(http, "GET", where))[0] == 202
    waiting = asyncio.create_task(call(http, "GET", f"{where}?wait=20"))
    await asyncio.sleep(0.05)
    bot.hold.set()
    status, reply = await waiting
    assert (status, reply["text"]) == (200, "Noted.")
    assert (await call(http, "GET", where))[0] == 200


async def test_an_answer_is_acknowledged_in_the_same_way(http: aiohttp.ClientSession, bot: FakeBot) -> None:
    """A press on a button is acknowledged too, and a refusal is read as one."""
    body = {"choice": "nothing-like-it", "delivery_id": "p-1"}
    status, _ = await call(http, "POST", "/api/decisions/dec-approve", json=body, headers=ASYNC)
    assert status == 202
    status, reply = await call(http, "GET", "/api/replies/p-1?wait=5")
    assert (status, reply["ok"]) == (409, False)
    assert bot.answers == []


async def test_an_acknowledged_delivery_has_one_effect(http: aiohttp.ClientSession, bot: FakeBot) -> None:
    """The same delivery sent five times at once is carried out once, and each is acknowledged."""
    body = {"text": "/incident note once", "delivery_id": "n-1"}
    sent = (call(http, "POST", "/api/commands", json=body, headers=ASYNC) for _ in range(5))
    assert [status for status, _ in await asyncio.gather(*sent)] == [202] * 5
    assert (await call(http, "GET", "/api/replies/n-1?wait=5"))[0] == 200
    assert [command.text for command in bot.commands] == ["/incident note once"]


async def test_one_persons_reply_is_not_anothers(http: aiohttp.ClientSession) -> None:
    """A reply is given to who sent the delivery; to others, and of deliveries never sent, there is none."""
    body = {"text": "/incident list", "delivery_id": "l-1"}
    await call(http, "POST", "/api/commands", json=body, headers=ASYNC)
    assert (await call(http, "GET", "/api/replies/l-1?wait=5", headers=EVE))[0] == 404
    assert (await call(http, "GET", "/api/replies/never"))[0] == 404
    assert (await call(http, "GET", "/api/replies/l-1?wait=soon"))[0] == 400


async def test_a_fault_behind_an_acknowledgement_is_told_and_can_be_sent_again(
    http: aiohttp.ClientSession, bot: FakeBot
) -> None:
    """What could not be carried out says so at its reply, and the same delivery sent again is carried out."""
    body = {"text": "/incident note later", "delivery_id": "f-1"}
    bot.fault = StoreUnavailableError("the disk is full")
    assert (await call(http, "POST", "/api/commands", json=body, headers=ASYNC))[0] == 202
    assert (await call(http, "GET", "/api/replies/f-1?wait=5"))[0] == 503
    bot.fault = None
    assert (await call(http, "POST", "/api/commands", json=body, headers=ASYNC))[0] == 202
    assert (await call(http, "GET", "/api/replies/f-1?wait=5"))[0] == 200


async def test_the_console_lets_what_it_acknowledged_come_to_its_end(
    console: WebConsole, http: aiohttp.ClientSession, bot: FakeBot
) -> None:
    """Closing waits a moment for what was acknowledged a moment before."""
    bot.hold = asyncio.Event()
    body = {"text": "/incident note last words", "delivery_id": "c-1"}
    assert (await call(http, "POST", "/api/commands", json=body, headers=ASYNC))[0] == 202
    asyncio.get_running_loop().call_later(0.1, bot.hold.set)
    await console.close()
    assert [command.text for command in bot.commands] == ["/incident note last words"]
