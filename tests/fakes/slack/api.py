"""The Web API over HTTP: every call is written down, checked (token, limits, arguments, scope), done, and answered."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from tests.fakes.common.book import Json
from tests.fakes.common.faults import Faults
from tests.fakes.slack import names
from tests.fakes.slack.limits import Limits
from tests.fakes.slack.method import Args, Method
from tests.fakes.slack.methods import METHODS
from tests.fakes.slack.methods_chat import checked_content
from tests.fakes.slack.methods_files import take_bytes
from tests.fakes.slack.responses import use_response_url
from tests.fakes.slack.world import Call, Refused, World

SECRET_ARGUMENTS = {"token"}
STRUCTURES = {"blocks", "metadata", "view", "files"}
# Sent by the libraries beside the arguments proper; slack_bolt adds team_id to every call.
ALWAYS_ALLOWED = {"token", "pretty", "team_id"}


class Api:
    """The handlers of /api, /upload, /files and /response."""

    def __init__(self, world: World, limits: Limits, faults: Faults) -> None:
        self._world = world
        self._limits = limits
        self._faults = faults

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/api/{method}", self.call),
            web.get("/api/{method}", self.call),
            web.post("/upload/{file}", self.upload),
            web.get("/files/{file}", self.download),
            web.post("/response/{response}", self.respond),
        ]

    async def call(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["method"]
        given = await arguments(request)
        call = Call(method=name, arguments=without_secrets(given), at_s=self._world.clock.now_s())
        self._world.calls.append(call)

        def work(error: str | None, _lost: bool) -> web.Response:
            response, call.answer = self._answer(request, name, given, error)
            self._tell_scopes(request, given, response)
            return response

        response, other = await self._faults.answer(request, name, work)
        call.answer = other or call.answer
        return response

    def _answer(
        self, request: web.Request, name: str, given: Json, error: str | None
    ) -> tuple[web.Response, str]:
        """Return the answer and what the book says of it."""
        method = METHODS.get(name)
        if method is None:
            self._world.violate("unknown_method", name, "Slack, or this stand-in, has no such method")
            return refused("unknown_method"), "unknown_method"
        if error is not None:
            return refused(error), error
        args = Args(method=name, given=given, world=self._world)
        wait_s = self._limits.retry_after_s(args, method)
        if wait_s:
            answer = refused("ratelimited", status=429)
            answer.headers["Retry-After"] = str(wait_s)
            return answer, "429"
        try:
            self._check(request, args, method)
            return web.json_response({"ok": True, **method.handler(self._world, args)}), "ok"
        except Refused as refusal:
            return refused(refusal.error, **refusal.more), refusal.error

    def _check(self, request: web.Request, args: Args, method: Method) -> None:
        self._check_token(request, args, method)
        known = method.required | method.optional | ALWAYS_ALLOWED
        for one in sorted(set(args.given) - known):
            self._world.violate("unknown_argument", args.method, f"{one}={args.given[one]!r}")
        for one in sorted(method.required):
            if args.given.get(one) in (None, ""):
                # An empty topic is a topic.
                if one in args.given and one in ("topic", "purpose", "title"):
                    continue
                raise args.wrong("invalid_arguments", f"{one} is missing")
        args.need_scope(method.scopes)

    def _tell_scopes(self, request: web.Request, given: Json, response: web.Response) -> None:
        """Name the scopes of a good bot's token in a header, as Slack does with each answer."""
        is_good = token_of(request, given) == names.BOT_TOKEN and self._world.token_state == "good"
        if is_good and self._world.scopes is not None:
            response.headers["X-OAuth-Scopes"] = ",".join(sorted(self._world.scopes))

    def _check_token(self, request: web.Request, args: Args, method: Method) -> None:
        given = token_of(request, args.given)
        if not given:
            raise args.wrong("not_authed", "no token")
        wanted, other = names.BOT_TOKEN, names.APP_TOKEN
        if method.token == "app":
            wanted, other = other, wanted
        if given == other:
            raise args.wrong("not_allowed_token_type", "the bot's token and the app's are changed about")
        if given != wanted:
            raise Refused("invalid_auth")
        if method.token == "bot" and self._world.token_state != "good":
            raise Refused(self._world.token_state)

    # ---- beside the methods

    async def upload(self, request: web.Request) -> web.StreamResponse:
        content, file_id = await uploaded(request), request.match_info["file"]

        def take() -> web.Response:
            return web.Response(text=take_bytes(self._world, file_id, content))

        book = {"file": file_id, "bytes": len(content)}
        return await self._beside(
            request, "upload", book, take, lambda error: web.Response(status=500, text=error)
        )

    async def download(self, request: web.Request) -> web.StreamResponse:
        """Only with the bot's token, as Slack's own private addresses."""
        file = self._world.files.get(request.match_info["file"])
        if request.headers.get("Authorization") != f"Bearer {names.BOT_TOKEN}":
            return web.Response(status=403)
        if file is None or file.content is None:
            return web.Response(status=404)
        return web.Response(body=file.content)

    async def respond(self, request: web.Request) -> web.StreamResponse:
        response_id = request.match_info["response"]
        try:
            given = dict(await request.json())
        except (ValueError, TypeError):
            given = {}

        def use() -> web.Response:
            use_response_url(self._world, response_id, given, checked_content)
            return web.Response(text="ok")

        book = {"id": response_id, **given}
        return await self._beside(
            request, "response_url", book, use, lambda error: refused(error, status=404)
        )

    async def _beside(
        self,
        request: web.Request,
        name: str,
        book: Json,
        work: Callable[[], web.Response],
        failed: Callable[[str], web.Response],
    ) -> web.StreamResponse:
        """Do what is no method of the API, under the same faults and in the same book."""
        call = Call(method=name, arguments=book, at_s=self._world.clock.now_s())
        self._world.calls.append(call)

        def answer(error: str | None, _lost: bool) -> web.Response:
            try:
                response = work() if error is None else failed(error)
            except Refused as refusal:
                response, error = failed(refusal.error), refusal.error
            call.answer = error or "ok"
            return response

        response, other = await self._faults.answer(request, name, answer)
        call.answer = other or call.answer
        return response


def token_of(request: web.Request, given: Json) -> str:
    """Return the token of a call, from its header or its arguments; empty where it has none."""
    header = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
    return header or str(given.get("token") or "")


async def arguments(request: web.Request) -> Json:
    """Return the arguments of a call, from the address, a form or JSON."""
    given: dict[str, Any] = dict(request.query)
    if request.method == "GET" or not request.can_read_body:
        return given
    if request.content_type == "application/json":
        body = await request.text()
        try:
            found = json.loads(body or "{}")
        except ValueError:
            found = {}
        return {**given, **(found if isinstance(found, dict) else {})}
    return {**given, **dict(await request.post())}


async def uploaded(request: web.Request) -> bytes:
    """Return the bytes of an upload, sent as they are or as a form with one file."""
    if not request.content_type.startswith("multipart/"):
        return await request.read()
    for value in (await request.post()).values():
        if isinstance(value, web.FileField):
            return value.file.read()
    return b""


def without_secrets(given: Json) -> Json:
    """Return the arguments for the book: structures as such, however they were sent."""
    return {name: _read(name, value) for name, value in given.items() if name not in SECRET_ARGUMENTS}


def _read(name: str, value: Any) -> Any:
    if name in STRUCTURES and isinstance(value, str):
        with contextlib.suppress(ValueError):
            return json.loads(value)
    return value


def refused(error: str, *, status: int = 200, **more: Any) -> web.Response:
    return web.json_response({"ok": False, "error": error, **more}, status=status)
