"""The JSON API: every call names its person first, asks the service, and answers in words. See deploy/api.md."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from urllib.parse import quote

import structlog
from aiohttp import web

from adapters.web_chat.events import Hub
from adapters.web_chat.guard import Caller, Guard, Refusal
from adapters.web_chat.requests import (
    MalformedError,
    after_of,
    body_fields,
    delivery_of,
    own_id_of,
    query_text,
    wait_of,
    wants_ack,
)
from adapters.web_chat.taken import Taken
from bot.model.codec import to_json
from bot.model.errors import BackoutError
from bot.model.message import IncomingCommand, Reply
from bot.ports.chat import Inbox, Window

log = structlog.get_logger(__name__)

PersonHandler = Callable[[web.Request, Caller], Awaitable[web.StreamResponse]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

NOT_THERE = "There is no such incident, decision or report, or it is not yours to see."
REPORT_TYPES = {"md": "text/markdown", "html": "text/html", "pdf": "application/pdf"}


class Api:
    """The handlers of `/api`. `keep_alive_s` is the longest silence on an event stream, in seconds."""

    def __init__(
        self, *, inbox: Inbox, window: Window, hub: Hub, guard: Guard, keep_alive_s: float = 15.0
    ) -> None:
        self._inbox = inbox
        self._window = window
        self._hub = hub
        self._guard = guard
        self._keep_alive_s = keep_alive_s
        self._taken = Taken()

    async def close(self, limit_s: float) -> None:
        """Let what was acknowledged come to its end, for some seconds at most."""
        await self._taken.close(limit_s)

    def routes(self) -> list[web.RouteDef]:
        """Return all routes, each behind the check of the token."""
        incident = "/api/incidents/{incident_id}"
        decision = "/api/decisions/{decision_id}"
        return [
            web.get("/api/person", self._for_person(self._person)),
            web.get("/api/incidents", self._for_person(self._incidents)),
            web.get(incident, self._for_person(self._incident)),
            web.get(f"{incident}/timeline", self._for_person(self._timeline)),
            web.get(f"{incident}/report.{{form:md|html|pdf}}", self._for_person(self._report)),
            web.get("/api/decisions", self._for_person(self._decisions)),
            web.get(decision, self._for_person(self._decision)),
            web.post(decision, self._for_person(self._answer)),
            web.post("/api/commands", self._for_person(self._command)),
            web.get("/api/replies/{delivery_id}", self._for_person(self._reply)),
            web.get("/api/completions", self._for_person(self._completions)),
            web.get("/api/events", self._for_person(self._events), allow_head=False),
        ]

    def _for_person(self, handler: PersonHandler) -> Handler:
        async def checked(request: web.Request) -> web.StreamResponse:
            caller = self._guard.caller_of(request)
            if isinstance(caller, Refusal):
                return refused(caller.status, caller.text)
            return await handler(request, caller)

        return checked

    async def _person(self, _request: web.Request, caller: Caller) -> web.StreamResponse:
        return answer({"person": caller.person})

    async def _incidents(self, _request: web.Request, caller: Caller) -> web.StreamResponse:
        return answer(await self._window.incidents(caller.person))

    async def _incident(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        return found(await self._window.incident(caller.person, request.match_info["incident_id"]))

    async def _timeline(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        incident_id = request.match_info["incident_id"]
        return found(await self._window.timeline(caller.person, incident_id, after_of(request)))

    async def _report(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        form = request.match_info["form"]
        content = await self._window.report(caller.person, request.match_info["incident_id"], form)
        if content is None:
            return refused(404, NOT_THERE)
        charset = None if form == "pdf" else "utf-8"
        return web.Response(body=content, content_type=REPORT_TYPES[form], charset=charset)

    async def _decisions(self, _request: web.Request, caller: Caller) -> web.StreamResponse:
        return answer(await self._window.decisions(caller.person))

    async def _decision(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        return found(await self._window.decision(caller.person, request.match_info["decision_id"]))

    async def _completions(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        text, channel = query_text(request, "text"), query_text(request, "channel")
        return answer(await self._window.completions(caller.person, text, channel))

    async def _command(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        given = await body_fields(request, required={"text"}, optional={"channel", "delivery_id"})
        own_id = own_id_of(given)
        command = IncomingCommand(
            platform="web",
            account=caller.account,
            channel=given.get("channel", ""),
            text=given["text"],
            delivery_id=delivery_of(own_id, caller.account),
        )
        return await self._serve(request, caller, own_id, lambda: self._inbox.command(command))

    async def _answer(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        given = await body_fields(request, required={"choice"}, optional={"typed", "delivery_id"})
        own_id = own_id_of(given)
        answering = {
            "platform": "web",
            "account": caller.account,
            "decision_id": request.match_info["decision_id"],
            "choice": given["choice"],
            "delivery_id": delivery_of(own_id, caller.account),
        }
        typed = given.get("typed")
        return await self._serve(
            request, caller, own_id, lambda: self._inbox.answer(**answering, typed=typed)
        )

    async def _serve(
        self, request: web.Request, caller: Caller, own_id: str, work: Callable[[], Awaitable[Reply]]
    ) -> web.StreamResponse:
        """Carry it out and answer with the reply; where the caller prefers, acknowledge it and carry it out meanwhile."""
        if not wants_ack(request):
            return reply_response(await work())
        if not self._taken.take(delivery_of(own_id, caller.account), work):
            return refused(503, "Too much is under way. Nothing was done; send it again in a moment.")
        return acknowledged(own_id)

    async def _reply(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        own_id = request.match_info["delivery_id"]
        delivery_id = delivery_of(own_id, caller.account)
        if not self._taken.is_known(delivery_id):
            return refused(404, "No such delivery was acknowledged to you since this Backout was started.")
        reply = await self._taken.reply(delivery_id, wait_of(request))
        return acknowledged(own_id) if reply is None else reply_response(reply)

    async def _events(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        # Subscribed before the first byte goes out: what changes after the page was told "connected" is not missed.
        with self._hub.subscription() as changes:
            stream = web.StreamResponse(
                headers={"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
            )
            await stream.prepare(request)
            try:
                await stream.write(b": connected\n\n")
                while (ids := await changes.take(self._keep_alive_s)) is not None:
                    visible = await self._visible(caller.person, ids)
                    await stream.write("".join(map(event, visible)).encode() or b": keep-alive\n\n")
            except ConnectionResetError:
                log.debug("page_closed", person=caller.person)
            except BackoutError as error:
                # The status line is out already: the stream ends, and the page connects again.
                log.warning("event_stream_ended", person=caller.person, error=str(error))
            return stream

    async def _visible(self, person: str, ids: list[str]) -> list[str]:
        """Return those of the changed incidents that the person may see."""
        if not ids:
            return []
        own = {incident["id"] for incident in await self._window.incidents(person)}
        return [incident_id for incident_id in ids if incident_id in own]


def event(incident_id: str) -> str:
    """Return one server-sent event that says that an incident changed."""
    return f"event: incident\ndata: {json.dumps({'id': incident_id})}\n\n"


def answer(data: object, status: int = 200) -> web.Response:
    """Return data as a JSON response that no cache keeps."""
    return web.json_response(data, status=status, headers={"Cache-Control": "no-store"})


def found(data: object | None) -> web.Response:
    """Return data as JSON, or 404 where there is none."""
    return refused(404, NOT_THERE) if data is None else answer(data)


def refused(status: int, text: str) -> web.Response:
    """Return a refusal in the same shape as a reply, so that a caller shows both in the same way."""
    response = answer(to_json(Reply(text=text, ok=False)), status)
    if status == web.HTTPUnauthorized.status_code:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def acknowledged(own_id: str) -> web.Response:
    """Return the acknowledgement of a delivery: it was received, and its reply can be asked for."""
    path = f"/api/replies/{quote(own_id, safe='')}"
    text = f"Received. The reply: GET {path}?wait=30"
    response = answer({**to_json(Reply(text=text)), "delivery_id": own_id}, 202)
    response.headers.update({"Location": path, "Preference-Applied": "respond-async"})
    return response


def reply_response(reply: Reply) -> web.Response:
    """Return what the service answered: 200 when it was done, 409 when it was refused and nothing changed."""
    return answer(to_json(reply), 200 if reply.ok else 409)


@web.middleware
async def plain_words(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into a status and words; this is the outer door of the API."""
    try:
        return await handler(request)
    except MalformedError as error:
        return refused(400, f"Malformed request: {error}. Nothing was done.")
    except web.HTTPException as error:
        if error.status == web.HTTPRequestEntityTooLarge.status_code:
            return refused(413, "The request is too large (64 kB at most). Nothing was done.")
        return refused(error.status, f"{error.reason}: {request.method} {request.path}")
    except BackoutError as error:
        return refused(503, str(error))
    except Exception as error:  # the outer door: logged with traceback, told without it
        log.exception("web_request_failed", method=request.method, path=request.path)
        return refused(
            500,
            f"An internal fault in Backout ({type(error).__name__}; the log has the details). "
            "Look at the incident before you repeat this.",
        )
