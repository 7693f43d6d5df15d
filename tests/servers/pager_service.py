"""A paging service on loopback that takes PagerDuty's Events API v2 and Opsgenie's Alert API as they are documented.

A body with a field that is not documented, of a wrong type or over its limit is refused, as is a wrong key; alerts are
kept by their key, so that what rings, what was acknowledged and what is over can be seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from jsonschema import Draft202012Validator

ROUTING_KEY = "0123456789abcdef0123456789abcdef"
GENIE_KEY = "eb243592-faa2-4ba2-a551-1afdf565c889"
BEARER = "json-token-of-the-test"

_TEXT = {"type": "string", "minLength": 1}
_LINK = {
    "type": "object",
    "properties": {"href": _TEXT, "text": {"type": "string"}},
    "required": ["href"],
    "additionalProperties": False,
}
# After PagerDuty's own OpenAPI description of the Events API v2, and the limits of its field table.
PAGERDUTY = {
    "type": "object",
    "properties": {
        "routing_key": {"type": "string", "minLength": 32, "maxLength": 32},
        "event_action": {"enum": ["trigger", "acknowledge", "resolve"]},
        "dedup_key": {"type": "string", "minLength": 1, "maxLength": 255},
        "payload": {
            "type": "object",
            "properties": {
                "summary": {"type": "string", "minLength": 1, "maxLength": 1024},
                "source": _TEXT,
                "severity": {"enum": ["critical", "error", "warning", "info"]},
                "timestamp": {"type": "string", "format": "date-time"},
                "component": _TEXT,
                "group": _TEXT,
                "class": _TEXT,
                "custom_details": {"type": "object"},
            },
            "required": ["summary", "source", "severity"],
            "additionalProperties": False,
        },
        "client": _TEXT,
        "client_url": _TEXT,
        "links": {"type": "array", "items": _LINK},
        "images": {"type": "array"},
    },
    "required": ["routing_key", "event_action", "dedup_key"],
    "additionalProperties": False,
    "if": {"properties": {"event_action": {"const": "trigger"}}},
    "then": {"required": ["payload"]},
}
# After the tables of Opsgenie's documentation of "Create Alert".
OPSGENIE = {
    "type": "object",
    "properties": {
        "message": {"type": "string", "minLength": 1, "maxLength": 130},
        "alias": {"type": "string", "maxLength": 512},
        "description": {"type": "string", "maxLength": 15_000},
        "responders": {"type": "array"},
        "visibleTo": {"type": "array"},
        "actions": {"type": "array"},
        "tags": {"type": "array", "maxItems": 20, "items": {"type": "string", "maxLength": 50}},
        "details": {"type": "object", "additionalProperties": {"type": "string"}},
        "entity": {"type": "string", "maxLength": 512},
        "source": {"type": "string", "maxLength": 100},
        "priority": {"enum": ["P1", "P2", "P3", "P4", "P5"]},
        "user": {"type": "string", "maxLength": 100},
        "note": {"type": "string", "maxLength": 25_000},
    },
    "required": ["message"],
    "additionalProperties": False,
}
OPSGENIE_ACTION = {
    "type": "object",
    "properties": {name: OPSGENIE["properties"][name] for name in ("user", "source", "note")},  # type: ignore[index]
    "additionalProperties": False,
}


@dataclass
class PagerService:
    """What came in. `faults` are what goes wrong, one for each request: a status, `drop` (taken, and the line cut) or
    `hang`. `alerts` by key: `triggered`, `acknowledged` or `resolved`; `rung` counts what would have rung a telephone."""

    base: str = ""
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    faults: list[int | str] = field(default_factory=list)
    alerts: dict[str, str] = field(default_factory=dict)
    rung: list[str] = field(default_factory=list)

    def _take(self, key: str, action: str) -> None:
        """Change an alert as both services do: an open one of the same key is not rung again."""
        if action == "trigger":
            if self.alerts.get(key) not in ("triggered", "acknowledged"):
                self.alerts[key] = "triggered"
                self.rung.append(key)
        elif key in self.alerts and self.alerts[key] != "resolved":
            self.alerts[key] = "acknowledged" if action == "acknowledge" else "resolved"

    async def _fault(self, request: web.Request) -> web.Response | None:
        """Go wrong before anything is taken, where that is ordered."""
        if not self.faults or self.faults[0] == "drop":
            return None
        fault = self.faults.pop(0)
        if fault == "hang":
            await asyncio.sleep(60)
        headers = {"Retry-After": "1"} if fault == 429 else {}
        return web.json_response({"status": "throttled"}, status=int(fault), headers=headers)

    def _answer(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        if self.faults and self.faults[0] == "drop":
            self.faults.pop(0)
            assert request.transport is not None
            request.transport.abort()  # type: ignore[attr-defined]
        return web.json_response(body, status=202)

    def _valid(self, body: Any, schema: dict[str, Any]) -> bool:
        found = [
            f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(body)
        ]
        self.violations += found
        return not found

    async def pagerduty(self, request: web.Request) -> web.Response:
        """Take an event as `POST /v2/enqueue` does."""
        if (gone := await self._fault(request)) is not None:
            return gone
        body = await request.json()
        self.requests.append((request.path_qs, body))
        if not self._valid(body, PAGERDUTY) or body["routing_key"] != ROUTING_KEY:
            refusal = {
                "status": "invalid event",
                "message": "Event object is invalid",
                "errors": [f"bad {body}"],
            }
            return web.json_response(refusal, status=400)
        if body["event_action"] == "trigger":
            assert datetime.fromisoformat(body["payload"]["timestamp"]).tzinfo is not None
        self._take(body["dedup_key"], body["event_action"])
        done = {"status": "success", "message": "Event processed", "dedup_key": body["dedup_key"]}
        return self._answer(request, done)

    async def opsgenie(self, request: web.Request) -> web.Response:
        """Take a new alert as `POST /v2/alerts` does, or what is done to one by its alias."""
        if (gone := await self._fault(request)) is not None:
            return gone
        body = await request.json()
        self.requests.append((request.path_qs, body))
        if request.headers.get("Authorization") != f"GenieKey {GENIE_KEY}":
            return web.json_response({"message": "Key format is not valid!", "took": 0.0}, status=422)
        action = request.match_info.get("action")
        if not self._valid(body, OPSGENIE if action is None else OPSGENIE_ACTION):
            return web.json_response({"message": "Request body is not processable."}, status=422)
        if action is None:
            self._take(body["alias"], "trigger")
        else:
            assert request.query["identifierType"] == "alias"
            self._take(request.match_info["alias"], {"close": "resolve"}.get(action, action))
        return self._answer(request, {"result": "Request will be processed", "took": 0.1, "requestId": "r-1"})

    async def plain(self, request: web.Request) -> web.Response:
        """Take a form of our own."""
        if (gone := await self._fault(request)) is not None:
            return gone
        body = await request.json()
        self.requests.append(
            (request.path_qs, {**body, "authorization": request.headers.get("Authorization")})
        )
        assert request.headers["Idempotency-Key"] == body["id"]
        self._take(body["key"], body["action"])
        return self._answer(request, {"status": "ok"})


@asynccontextmanager
async def pager_service() -> AsyncIterator[PagerService]:
    """Give a running paging service; what it found wrong with a body is in `violations`."""
    state = PagerService()
    app = web.Application()
    # One POST each; aiohttp's own name for it is a word that the site of the tests uses otherwise.
    app.router.add_route("POST", "/v2/enqueue", state.pagerduty)
    app.router.add_route("POST", "/v2/alerts", state.opsgenie)
    app.router.add_route("POST", "/v2/alerts/{alias}/{action:acknowledge|close}", state.opsgenie)
    app.router.add_route("POST", "/hook", state.plain)
    server = TestServer(app, shutdown_timeout=0.1)
    await server.start_server()
    state.base = str(server.make_url("/")).rstrip("/")
    try:
        yield state
    finally:
        await server.close()
