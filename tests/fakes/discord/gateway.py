"""The gateway: sessions that outlive their connections, with every event numbered and kept for a RESUME.

Source: the pages "Gateway" and "Opcodes and Status Codes" of Discord's API documentation.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from tests.fakes.common.book import Json
from tests.fakes.discord import names, wire
from tests.fakes.discord.link import Link
from tests.fakes.discord.routes_people import gateway_url, matches
from tests.fakes.discord.things import Event
from tests.fakes.discord.world import PRIVILEGED, World

DISPATCH, HEARTBEAT, IDENTIFY, PRESENCE, VOICE = range(5)
RESUME, RECONNECT, MEMBERS, INVALID, HELLO, ACK = 6, 7, 8, 9, 10, 11
MESSAGE_BYTES, SENDS, SENDS_WINDOW_S = 4096, 120, 60.0
# How long a lost session can be taken up again is not documented.
RESUMABLE_S = 300.0
KEPT_EVENTS = 10_000
ALL_INTENTS = (1 << 26) - 1
UNKNOWN_OP, DECODE, NOT_AUTHED, BAD_TOKEN, AUTHED_TWICE = 4001, 4002, 4003, 4004, 4005
BAD_SEQ, RATE, TIMED_OUT, BAD_VERSION, BAD_INTENTS, DISALLOWED = 4007, 4008, 4009, 4012, 4013, 4014


@dataclass(kw_only=True)
class Session:
    """What IDENTIFY began. Its events go on being numbered while no connection is there."""

    id: str
    intents: int
    link: Link | None = None
    seq: int = 0
    kept: deque[tuple[int, Json]] = field(default_factory=lambda: deque(maxlen=KEPT_EVENTS))
    lost_s: float = 0.0

    def numbered(self, name: str, data: Json) -> Json:
        self.seq += 1
        packet = {"op": DISPATCH, "t": name, "s": self.seq, "d": data}
        self.kept.append((self.seq, packet))
        return packet


class Gateway:
    """All sessions and their connections."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.links: set[Link] = set()
        self.reset()

    def reset(self) -> None:
        """Forget every session."""
        self.sessions: dict[str, Session] = {}
        self.heartbeat_ms = 41_250
        self.acks_heartbeats = True
        self.is_open = True
        self.identified = 0
        self.resumed = 0

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/gateway", self.connect), web.get("/gateway/", self.connect)]

    # ---- towards the bot

    def live(self) -> list[Session]:
        return [one for one in self.sessions.values() if one.link is not None]

    def tell(self, event: Event, on_sent: Callable[[], None] | None = None) -> bool:
        """Send an event to every session that asked for it; kept for those whose connection is lost.

        Returns whether a connection was there to send it over.
        """
        sent = False
        for session in list(self.sessions.values()):
            if event.intent and not session.intents & event.intent:
                continue
            hidden = event.bare is not None and not session.intents & PRIVILEGED["message_content"]
            packet = session.numbered(event.name, event.bare if hidden and event.bare else event.data)
            if session.link is not None:
                session.link.put(packet, on_sent)
                sent = True
        return sent

    def drop(self) -> int:
        """Cut every connection without a word; returns how many there were."""
        links = list(self.links)
        for one in links:
            self._lose(one)
            one.cut()
        return len(links)

    async def close(self, code: int) -> int:
        """Close every connection with a code; returns how many there were."""
        links = list(self.links)
        for one in links:
            await one.close(code)
        return len(links)

    def ask_to_reconnect(self) -> int:
        """Send op 7 on every connection; returns on how many."""
        for one in self.links:
            one.put({"op": RECONNECT, "d": None})
        return len(self.links)

    def invalidate(self, *, resumable: bool) -> int:
        """Send op 9 on every connection; returns on how many. The session is over unless it may be resumed."""
        for one in self.links:
            one.put({"op": INVALID, "d": resumable})
        if not resumable:
            for session in self.live():
                self._end(session)
        return len(self.links)

    def _end(self, session: Session) -> None:
        if session.link is not None:
            session.link.session_id = ""
        self.sessions.pop(session.id, None)

    # ---- a connection

    async def connect(self, request: web.Request) -> web.StreamResponse:
        if self._world.down or not self.is_open:
            return web.Response(status=503)
        socket = web.WebSocketResponse(max_msg_size=1 << 20, timeout=1.0)
        await socket.prepare(request)
        link = Link(socket, request.transport, compressed=request.query.get("compress") == "zlib-stream")
        if self._complaint(request):
            await link.close(BAD_VERSION)
            return socket
        self.links.add(link)
        link.put({"op": HELLO, "d": {"heartbeat_interval": self.heartbeat_ms, "_trace": []}})
        try:
            await self._listen(socket, link)
        finally:
            self._lose(link)
            await link.end()
        return socket

    def _complaint(self, request: web.Request) -> str:
        query = request.query
        odd = ""
        if query.get("v") != "10":
            odd = f"version {query.get('v')!r} of the gateway"
        elif query.get("encoding", "json") != "json" or query.get("compress", "zlib-stream") != "zlib-stream":
            odd = f"encoding {query.get('encoding')}, compression {query.get('compress')}"
        if odd:
            self._world.violate("not_supported_here", "gateway", odd)
        return odd

    def _lose(self, link: Link) -> None:
        self.links.discard(link)
        session = self.sessions.get(link.session_id)
        if session is not None and session.link is link:
            session.link, session.lost_s = None, self._world.clock.now_s()
            if link.closed_by_bot in (1000, 1001):
                self.sessions.pop(session.id)

    async def _listen(self, socket: web.WebSocketResponse, link: Link) -> None:
        sends: deque[float] = deque()
        while True:
            limit_s = self.heartbeat_ms / 1000 * 1.5
            try:
                message = await asyncio.wait_for(socket.receive(), limit_s)
            except TimeoutError:
                await link.close(TIMED_OUT)
                return
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                link.closed_by_bot = message.data if message.type == WSMsgType.CLOSE else None
                return
            sends.append(time.monotonic())
            while sends[0] < sends[-1] - SENDS_WINDOW_S:
                sends.popleft()
            code = self._fault_of(message.data, len(sends)) or self._take(link, json.loads(message.data))
            if code:
                await link.close(code)
                return

    def _fault_of(self, data: str | bytes, sends: int) -> int:
        size = len(data if isinstance(data, bytes) else data.encode())
        if sends > SENDS:
            self._world.violate("gateway_rate", "gateway", f"{sends} sends within a minute")
            return RATE
        if size > MESSAGE_BYTES:
            self._world.violate("gateway_size", "gateway", f"{size} bytes, {MESSAGE_BYTES} are allowed")
            return DECODE
        try:
            packet = json.loads(data)
        except ValueError:
            packet = None
        if not isinstance(packet, dict) or not isinstance(packet.get("op"), int):
            self._world.violate("gateway_message", "gateway", f"no packet: {data[:200]!r}")
            return DECODE
        return 0

    def _take(self, link: Link, packet: Json) -> int:
        """Do what a packet asks for; returns the code to close with, 0 to go on."""
        op, data = packet["op"], packet.get("d")
        if op == HEARTBEAT:
            if self.acks_heartbeats:
                link.put({"op": ACK})
            return 0
        if op == IDENTIFY:
            return self._identify(link, data)
        if op == RESUME:
            return self._resume(link, data)
        if not link.session_id:
            self._world.violate("gateway_message", "gateway", f"op {op} before IDENTIFY")
            return NOT_AUTHED
        if op == MEMBERS:
            self._send_members(link, data)
        elif op == VOICE:
            self._world.violate("not_supported_here", "gateway", "voice is not held by the stand-in")
        elif op != PRESENCE:
            self._world.violate("gateway_message", "gateway", f"there is no op {op}")
            return UNKNOWN_OP
        return 0

    def _token_fault(self, link: Link, data: Any) -> int:
        if link.session_id:
            self._world.violate("gateway_message", "gateway", "IDENTIFY or RESUME twice on a connection")
            return AUTHED_TWICE
        if not isinstance(data, dict) or data.get("token") != names.BOT_TOKEN:
            return BAD_TOKEN
        return 0 if self._world.token_state == "good" else BAD_TOKEN

    def _identify(self, link: Link, data: Any) -> int:
        code = self._token_fault(link, data)
        if code:
            return code
        intents = data.get("intents")
        if not isinstance(intents, int) or intents & ~ALL_INTENTS or "properties" not in data:
            self._world.violate("gateway_message", "gateway", f"intents {intents!r} are none")
            return BAD_INTENTS
        if intents & sum(PRIVILEGED.values()) & ~self._world.allowed_intents:
            return DISALLOWED
        session = Session(id=self._world.new_id(), intents=intents, link=link)
        link.session_id = session.id
        self.sessions[session.id] = session
        self.identified += 1
        self._greet(session, link)
        return 0

    def _greet(self, session: Session, link: Link) -> None:
        here = [{"id": names.GUILD_ID, "unavailable": True}] if self._world.guild_there else []
        ready: Json = {
            "v": 10,
            "user": wire.my_user_json(self._world),
            "guilds": here,
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": gateway_url(self._world),
            "application": {"id": names.APP_ID, "flags": wire.application_json(self._world)["flags"]},
            "private_channels": [],
            "relationships": [],
        }
        link.put(session.numbered("READY", ready))
        if here and session.intents & 1:
            members = bool(session.intents & PRIVILEGED["members"])
            whole = wire.guild_create_json(self._world, members=members)
            link.put(session.numbered("GUILD_CREATE", whole))

    def _resume(self, link: Link, data: Any) -> int:
        """Take a lost session up again: what was missed comes first, RESUMED after it."""
        code = self._token_fault(link, data)
        if code:
            return code
        session = self.sessions.get(str(data.get("session_id")))
        seq = data.get("seq")
        if session is None or (session.link is None and self._is_too_old(session)):
            link.put({"op": INVALID, "d": False})
            return 0
        if not isinstance(seq, int) or seq > session.seq:
            self._world.violate(
                "gateway_message", "gateway", f"RESUME from {seq!r}, the last was {session.seq}"
            )
            return BAD_SEQ
        if session.link is not None and session.link is not link:
            session.link.session_id = ""
            session.link.cut()
        session.link, link.session_id = link, session.id
        for number, packet in session.kept:
            if number > seq:
                link.put(packet)
        self.resumed += 1
        link.put(session.numbered("RESUMED", {"_trace": []}))
        return 0

    def _is_too_old(self, session: Session) -> bool:
        return self._world.clock.now_s() - session.lost_s > RESUMABLE_S

    def _send_members(self, link: Link, data: Any) -> None:
        """Answer op 8 with the members asked for, in one chunk."""
        world = self._world
        wanted, ids = data.get("query"), data.get("user_ids")
        session = self.sessions[link.session_id]
        if wanted == "" and not session.intents & PRIVILEGED["members"]:
            world.violate("gateway_message", "gateway", "all members, without the intent for members")
        ids = [str(ids)] if isinstance(ids, int | str) else [str(one) for one in ids or []]
        found = [
            one
            for one in world.members.values()
            if (one.user_id in ids if ids else matches(world, one, str(wanted or "")))
        ]
        chunk: Json = {
            "guild_id": names.GUILD_ID,
            "members": [wire.member_json(world, one) for one in found],
            "chunk_index": 0,
            "chunk_count": 1,
            "not_found": [one for one in ids if one not in world.members],
        }
        if data.get("nonce"):
            chunk["nonce"] = data["nonce"]
        link.put(session.numbered("GUILD_MEMBERS_CHUNK", chunk))
