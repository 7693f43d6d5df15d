"""Socket Mode: connections, hello, envelopes and their acks, pings, and the ways in which a connection ends."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import WSMessage, WSMsgType, web

from tests.fakes.common.book import Json
from tests.fakes.slack import names
from tests.fakes.slack.outcome import ACK_S, Outcome
from tests.fakes.slack.world import World

PING_EVERY_S = 10.0
# Slack goes on for some seconds after it has said that a connection will end.
GOES_ON_S = 1.0


@dataclass(kw_only=True, eq=False)
class Connection:
    """One WebSocket of the bot. `ending`: Slack has said that it will close it; nothing new is sent over it.

    `asked_to_go`: Slack has said that the bot should have another one.
    """

    socket: web.WebSocketResponse
    request: web.Request
    number: int
    ending: bool = False
    asked_to_go: bool = False
    waiting: set[str] = field(default_factory=set)


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """What is sent, written out."""

    id: str
    text: str


@dataclass(kw_only=True)
class Sent:
    """An envelope that is on its way."""

    at_s: float
    done: asyncio.Future[Outcome]
    late: Callable[[float], None]
    acked: bool = False

    def expire(self) -> None:
        """Wait no longer."""
        if not self.done.done():
            self.done.set_result(Outcome(reason="timeout"))


class Sockets:
    """All connections of the bot, and the envelopes that wait for their ack."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.connections: list[Connection] = []
        self._sent: dict[str, Sent] = {}
        self._turn = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/socket/{ticket}", self.serve, allow_head=False)]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection until it ends."""
        ticket = request.match_info["ticket"]
        if self._world.down:
            return web.Response(status=503)
        if ticket not in self._world.tickets:
            self._world.violate("socket_ticket", "socket", f"{ticket} was used before or never given out")
            return web.Response(status=404)
        self._world.tickets.discard(ticket)
        socket = web.WebSocketResponse(heartbeat=PING_EVERY_S)
        await socket.prepare(request)
        self._turn += 1
        connection = Connection(socket=socket, request=request, number=self._turn)
        self.connections.append(connection)
        self._count()
        try:
            await socket.send_json(self._hello(connection))
            async for message in socket:
                self._read(connection, message)
        finally:
            self._end(connection)
        return socket

    def _hello(self, connection: Connection) -> Json:
        return {
            "type": "hello",
            "num_connections": len(self.connections),
            "connection_info": {"app_id": names.APP_ID},
            "debug_info": {
                "host": f"stand-in-{connection.number}",
                "build_number": 1,
                "approximate_connection_time": 18060,
            },
        }

    def _count(self) -> None:
        """Tell how many connections there are, and how many of them the bot was not asked to change."""
        self._world.sockets_open = len(self.connections)
        self._world.sockets_to_stay = sum(not one.asked_to_go for one in self.connections)

    def _end(self, connection: Connection) -> None:
        if connection in self.connections:
            self.connections.remove(connection)
        self._count()
        for envelope_id in list(connection.waiting):
            sent = self._sent[envelope_id]
            if not sent.done.done():
                sent.done.set_result(Outcome(reason="closed"))

    def _read(self, connection: Connection, message: WSMessage) -> None:
        """Take an ack: the first one counts, a second or an unknown one is a violation."""
        now_s = time.perf_counter()
        if message.type != WSMsgType.TEXT:
            return
        try:
            given = json.loads(message.data)
            envelope_id = str(given["envelope_id"])
        except (ValueError, KeyError, TypeError):
            self._world.violate("socket_message", "socket", f"this is no ack: {message.data[:200]}")
            return
        sent = self._sent.get(envelope_id)
        if sent is None:
            self._world.violate("unknown_envelope", "socket", f"{envelope_id} was never sent")
            return
        if sent.acked:
            self._world.violate("acked_twice", "socket", f"{envelope_id} was acked before")
            return
        sent.acked = True
        connection.waiting.discard(envelope_id)
        ack_ms = (now_s - sent.at_s) * 1000
        if not sent.done.done():
            sent.done.set_result(Outcome(ack_ms=ack_ms, body=given.get("payload") or None))
        else:
            sent.late(ack_ms)

    # ---- sending

    def next_connection(self) -> Connection | None:
        """Return the connection whose turn it is; one that is ending only if there is no other."""
        good = [one for one in self.connections if not one.ending] or self.connections
        if not good:
            return None
        self._turn += 1
        return good[self._turn % len(good)]

    def envelope(self, kind: str, payload: Json, retry: tuple[int, str] | None = None) -> Envelope:
        """Make one envelope ready to be sent."""
        envelope: Json = {
            "envelope_id": self._world.new_id("envelope-"),
            "type": kind,
            "payload": payload,
            "accepts_response_payload": kind != "events_api",
        }
        if kind == "events_api":
            envelope.update(retry_attempt=0, retry_reason="")
        if retry is not None:
            envelope.update(retry_attempt=retry[0], retry_reason=retry[1])
        return Envelope(id=str(envelope["envelope_id"]), text=json.dumps(envelope))

    async def send(self, envelope: Envelope, late: Callable[[float], None]) -> Outcome:
        """Send one envelope and wait for its ack, three seconds at most; `late` is told of one that comes after."""
        connection = self.next_connection()
        if connection is None:
            return Outcome(reason="nobody")
        loop = asyncio.get_running_loop()
        sent = Sent(at_s=time.perf_counter(), done=loop.create_future(), late=late)
        self._sent[envelope.id] = sent
        connection.waiting.add(envelope.id)
        end = loop.call_later(ACK_S, sent.expire)
        try:
            await connection.socket.send_str(envelope.text)
            return await sent.done
        except (ConnectionError, RuntimeError):
            return Outcome(reason="closed")
        finally:
            end.cancel()

    # ---- ending

    def drop(self) -> int:
        """Cut every connection without a word."""
        dropped = list(self.connections)
        for one in dropped:
            if one.request.transport is not None:
                one.request.transport.abort()
            self._end(one)
        return len(dropped)

    async def disconnect(self, reason: str) -> int:
        """Say `disconnect` on every connection; but for a warning, close it a moment later."""
        ending = list(self.connections)
        for one in ending:
            one.asked_to_go, one.ending = True, reason != "warning"
            debug = {"host": f"stand-in-{one.number}"}
            await one.socket.send_json({"type": "disconnect", "reason": reason, "debug_info": debug})
            if reason != "warning":
                task = asyncio.create_task(self._close_soon(one), name=f"close socket {one.number}")
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        self._count()
        return len(ending)

    async def _close_soon(self, connection: Connection) -> None:
        await asyncio.sleep(GOES_ON_S)
        await connection.socket.close()
