"""The HTTP API: every call is written down, checked (token, limits, description, rules), done, and answered."""

from __future__ import annotations

import json
import re
import time
from typing import Any
from urllib.parse import unquote

from aiohttp import BodyPartReader, web

from tests.fakes.common.book import Json
from tests.fakes.common.faults import Faults
from tests.fakes.discord import names
from tests.fakes.discord.ask import Ask, Refused, Route
from tests.fakes.discord.limits import Limits, Verdict, json_response
from tests.fakes.discord.routes import ROUTES
from tests.fakes.discord.schema import Schema
from tests.fakes.discord.things import Attachment, Call
from tests.fakes.discord.world import World

PREFIX = "/api/v10"
FILE_BYTES = 10 * 1024 * 1024
FILES = 10
INDEX = re.compile(r"files\[(\d+)\]")


class Api:
    """The handlers of /api and /attachments. `check_answers`: hold the stand-in's own answers to the description too."""

    def __init__(self, world: World, limits: Limits, faults: Faults, schema: Schema) -> None:
        self._world = world
        self._limits = limits
        self._faults = faults
        self._schema = schema
        self.check_answers = False

    def routes(self) -> list[web.RouteDef]:
        return [
            web.route("*", "/api/{rest:.*}", self.call),
            web.get("/attachments/{id}/{name}", self.download),
        ]

    async def call(self, request: web.Request) -> web.StreamResponse:
        at_s, came_perf_s = self._world.clock.now_s(), time.perf_counter()
        found = find(request)
        if found is None:
            return self._unknown_route(request)
        route, path = found
        body, files = await read_body(self._world, request)
        ask = Ask(
            operation=route.operation,
            path=path,
            query=dict(request.query),
            body=body,
            files=files,
            came_perf_s=came_perf_s,
            world=self._world,
        )
        call = Call(
            operation=route.operation,
            method=request.method,
            path=request.path.removeprefix(PREFIX),
            body=body,
            files=[one.name for one in files.values()],
            at_s=at_s,
        )
        self._world.calls.append(call)

        def work(code: int | None, lost: bool) -> web.Response:
            response, call.answer = self._answer(request, route, ask, code, lost=lost)
            return response

        response, other = await self._faults.answer(request, route.operation, work)
        call.answer = other or call.answer
        return response

    def _unknown_route(self, request: web.Request) -> web.Response:
        self._world.violate(
            "unknown_route",
            f"{request.method} {request.path}",
            "Discord, or this stand-in, has no such route",
        )
        return json_response({"message": "404: Not Found", "code": 0}, 404)

    def _answer(
        self, request: web.Request, route: Route, ask: Ask, code: int | None, *, lost: bool
    ) -> tuple[web.Response, str]:
        """Return the answer and what the book says of it."""
        refusal = self._token_refusal(request, route)
        if refusal is not None:
            self._limits.note_status(401)
            return refusal, "401"
        verdict = self._limits.judge(route, ask)
        if verdict.wait_s:
            self._limits.note_status(429, verdict.scope)
            return self._limits.refusal(verdict), "429"
        try:
            self._check(ask, code)
            return self._done(route, ask, verdict, lost=lost)
        except Refused as refused:
            self._limits.note_status(refused.status)
            response = json_response(refused.body, refused.status, verdict.headers)
            return response, f"{refused.status} {refused.code}"

    def _done(self, route: Route, ask: Ask, verdict: Verdict, *, lost: bool) -> tuple[web.Response, str]:
        answer = route.handler(ask)
        if lost and route.operation == "create_interaction_response":
            self._world.interactions[ask.path["interaction_id"]].answer_lost = True
        if answer is None:
            return web.Response(status=204, headers=verdict.headers), "204"
        status = route.status
        if self.check_answers and self._schema.is_there:
            for one in self._schema.faults_of_answer(route.operation, status, answer):
                self._world.violate("stand_in_fault", route.operation, f"its own answer: {one}")
        return json_response(answer, status, verdict.headers), str(status)

    def _token_refusal(self, request: web.Request, route: Route) -> web.Response | None:
        """Discord looks at a token wherever one is sent, but asks for it only where the address is no secret."""
        given = request.headers.get("Authorization", "")
        if route.by_token and not given:
            return None
        if given == f"Bot {names.BOT_TOKEN}" and self._world.token_state == "good":
            return None
        if not given:
            self._world.violate("no_token", route.operation, "the header Authorization is missing")
        return json_response({"message": "401: Unauthorized", "code": 0}, 401)

    def _check(self, ask: Ask, code: int | None) -> None:
        """Refuse with the code that a test ordered, or what the body has wrong."""
        if code:
            raise Refused(code)
        if isinstance(ask.body, Unreadable):
            raise ask.wrong("invalid_json", str(ask.body), 50109)
        if len(ask.files) > FILES:
            raise ask.wrong("too_many_files", f"{len(ask.files)} files, {FILES} are allowed")
        if any(len(one.content) > FILE_BYTES for one in ask.files.values()):
            raise Refused(40005)
        if not self._schema.is_there or not self._schema.knows(ask.operation):
            return
        faults = self._schema.faults_of_body(ask.operation, ask.body) if ask.body is not None else []
        if faults:
            raise ask.wrong("schema", [("body", one) for one in faults])

    async def download(self, request: web.Request) -> web.StreamResponse:
        """A file of a message, as from Discord's own servers for them."""
        wanted = request.match_info["id"]
        for channel in self._world.channels.values():
            for message in channel.messages.values():
                for one in message.attachments:
                    if one.id == wanted:
                        return web.Response(body=one.content, content_type=one.content_type)
        return web.Response(status=404)


class Unreadable(str):
    """A body that is no JSON: the reason."""

    __slots__ = ()


def find(request: web.Request) -> tuple[Route, dict[str, str]] | None:
    """Return the route of a request: the one with the most words of its own, where several fit."""
    raw = request.rel_url.raw_path
    if not raw.startswith(PREFIX + "/"):
        return None
    steps = [unquote(one) for one in raw.removeprefix(PREFIX).strip("/").split("/")]
    fits = [(one, path) for one in ROUTES if (path := one.match(request.method, steps)) is not None]
    return min(fits, key=lambda pair: len(pair[1]), default=None)


async def read_body(world: World, request: web.Request) -> tuple[Any, dict[int, Attachment]]:
    """Return the JSON of a call, None where it had none, and its files by their numbers."""
    if request.content_type == "multipart/form-data":
        return await read_form(world, request)
    given = await request.read()
    return (parsed(given), {}) if given else (None, {})


def parsed(given: bytes | str) -> Any:
    try:
        return json.loads(given)
    except ValueError as error:
        return Unreadable(f"the body is no JSON: {error}")


async def read_form(world: World, request: web.Request) -> tuple[Any, dict[int, Attachment]]:
    """Read payload_json and files[n]; a file's description stands in the attachments of the JSON."""
    body: Any = {}
    files: dict[int, Attachment] = {}
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            continue
        name = str(part.name or "")
        if name == "payload_json":
            body = parsed(await part.text())
        elif found := INDEX.fullmatch(name):
            files[int(found[1])] = Attachment(
                id=world.new_id(),
                name=str(part.filename or "file"),
                content=bytes(await part.read(decode=False)),
                content_type=str(part.headers.get("Content-Type", "application/octet-stream")).split(";")[0],
            )
        else:
            world.violate("unknown_part", request.path, f"{name} is neither payload_json nor files[n]")
    describe(body, files)
    return body, files


def describe(body: Any, files: dict[int, Attachment]) -> None:
    """Give each file the name and description that the JSON says of it."""
    place: Any = body.get("data") if isinstance(body, dict) and isinstance(body.get("data"), dict) else body
    listed: list[Json] = (place.get("attachments") or []) if isinstance(place, dict) else []
    for one in listed:
        file = files.get(int(one["id"])) if str(one.get("id", "")).isdigit() else None
        if file is not None:
            file.name = str(one.get("filename") or file.name)
            file.description = one.get("description")
