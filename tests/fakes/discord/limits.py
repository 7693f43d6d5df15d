"""Discord's rate limits: buckets and their headers, 50 calls a second, the wait after a 429, the ban for invalid calls.

How large a bucket is, Discord does not document: a bot is to read the headers. The sizes here are those that were seen.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import deque
from dataclasses import dataclass

from aiohttp import web

from tests.fakes.discord.ask import Ask, Route
from tests.fakes.discord.world import World

# Discord's clock and ours are not read at the same moment.
EARLY_S = 0.05
GLOBAL_A_SECOND = 50
INVALID_CALLS, INVALID_WINDOW_S = 10_000, 600.0
# So many calls in so many seconds, for each channel, server or webhook.
SIZES = {
    "create_message": (5, 5.0),
    "update_message": (5, 5.0),
    "delete_message": (5, 1.0),
    "list_messages": (10, 10.0),
    "create_guild_channel": (10, 15.0),
    "create_dm": (10, 10.0),
    "create_thread": (5, 10.0),
    "create_thread_from_message": (5, 10.0),
    "create_pin": (5, 5.0),
    "deprecated_create_pin": (5, 5.0),
    "add_my_message_reaction": (1, 0.25),
    "delete_my_message_reaction": (1, 0.25),
    "execute_webhook": (5, 2.0),
}
OTHERS = (10, 5.0)
# Limits within a route, of which no header tells: a channel's name and topic, a message that is older than an hour.
RENAMES, RENAMES_WINDOW_S = 2, 600.0
OLD_EDITS, OLD_EDITS_WINDOW_S, OLD_S = 30, 3600.0, 3600.0
MAJOR = ("channel_id", "guild_id", "webhook_id", "webhook_token")
VIA = "1.1 google"


@dataclass(kw_only=True)
class Bucket:
    """So many calls until the window ends; it begins with the first."""

    size: int
    window_s: float
    left: int
    ends_s: float

    def take(self, now_s: float) -> float:
        """Take one; returns the seconds until there is one again, 0 if there was."""
        if now_s >= self.ends_s:
            self.left, self.ends_s = self.size, now_s + self.window_s
        if self.left:
            self.left -= 1
            return 0.0
        return self.ends_s - now_s


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a call met. `wait_s` 0: it may pass. `headers` go with its answer in any case."""

    headers: dict[str, str]
    wait_s: float = 0.0
    scope: str = "user"
    code: int = 0
    banned: bool = False


class Limits:
    """Who may call when. `mode` off: only what a test orders, and no headers."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.reset()

    def reset(self) -> None:
        """Forget every call and every order."""
        self.mode = "off"
        self._buckets: dict[str, Bucket] = {}
        self._blocked_until_s: dict[str, float] = {}
        self._ordered: list[tuple[str, float, str]] = []
        self._calls: deque[float] = deque()
        self._windows: dict[str, deque[float]] = {}
        self.invalid: deque[float] = deque()
        self.invalid_most = INVALID_CALLS

    def order(self, count: int, operation: str, retry_after_s: float, scope: str) -> None:
        """Answer the next calls with 429, whatever the mode."""
        self._ordered += [(operation, retry_after_s, scope)] * count

    def set_mode(self, mode: str) -> None:
        self.mode = mode
        self._buckets.clear()
        self._calls.clear()

    def note_status(self, status: int, scope: str = "user") -> None:
        """Count what Discord calls invalid: 401, 403, and 429 but for those of a shared bucket."""
        if status in (401, 403) or (status == 429 and scope != "shared"):
            self.invalid.append(self._world.clock.now_s())

    def judge(self, route: Route, ask: Ask) -> Verdict:
        """Return whether a call may pass. One before its Retry-After is over is a violation."""
        now_s, key = self._world.clock.now_s(), bucket_key(route, ask)
        while self.invalid and self.invalid[0] < now_s - INVALID_WINDOW_S:
            self.invalid.popleft()
        if len(self.invalid) >= self.invalid_most:
            self._world.violate("banned", route.operation, f"{len(self.invalid)} invalid calls in 10 minutes")
            return Verdict(headers={}, wait_s=INVALID_WINDOW_S, banned=True)
        early = self._early(route, key, now_s)
        if early:
            return early
        verdict = self._new(route, ask, key, now_s)
        if verdict.wait_s:
            blocked = "global" if verdict.scope == "global" else key
            self._blocked_until_s[blocked] = now_s + verdict.wait_s
        return verdict

    def _early(self, route: Route, key: str, now_s: float) -> Verdict | None:
        for blocked, scope in ((key, "user"), ("global", "global")):
            left_s = self._blocked_until_s.get(blocked, 0.0) - now_s
            if left_s > EARLY_S and not (scope == "global" and route.by_token):
                self._world.violate(
                    "called_before_retry_after", route.operation, f"{blocked}: {left_s:.2f} s too early"
                )
                return Verdict(headers=self._headers(key, now_s), wait_s=left_s, scope=scope)
        return None

    def _new(self, route: Route, ask: Ask, key: str, now_s: float) -> Verdict:
        for number, (operation, wait_s, scope) in enumerate(self._ordered):
            if operation in ("*", route.operation):
                del self._ordered[number]
                return Verdict(headers=self._headers(key, now_s), wait_s=wait_s, scope=scope)
        # Answers to interactions have no bucket and do not count towards the 50 a second.
        if self.mode != "documented" or route.operation == "create_interaction_response":
            return Verdict(headers={})
        if not route.by_token and (wait_s := self._over_global(now_s)):
            return Verdict(headers={}, wait_s=wait_s, scope="global")
        wait_s, code = self._within_route(route, ask, now_s)
        if wait_s:
            return Verdict(headers=self._headers(key, now_s), wait_s=wait_s, code=code)
        size, window_s = SIZES.get(route.operation, OTHERS)
        bucket = self._buckets.setdefault(key, Bucket(size=size, window_s=window_s, left=size, ends_s=0.0))
        wait_s = bucket.take(now_s)
        return Verdict(headers=self._headers(key, now_s), wait_s=wait_s)

    def _over_global(self, now_s: float) -> float:
        while self._calls and self._calls[0] <= now_s - 1:
            self._calls.popleft()
        if len(self._calls) >= GLOBAL_A_SECOND:
            return self._calls[0] + 1 - now_s
        self._calls.append(now_s)
        return 0.0

    def _within_route(self, route: Route, ask: Ask, now_s: float) -> tuple[float, int]:
        body = ask.body if isinstance(ask.body, dict) else {}
        if route.operation == "update_channel":
            channel = ask.world.channels.get(ask.path["channel_id"])
            if channel and not channel.is_thread and {"name", "topic"} & set(body):
                return self._window(f"rename {channel.id}", RENAMES, RENAMES_WINDOW_S, now_s), 0
        if route.operation == "update_message":
            channel = ask.world.channels.get(ask.path["channel_id"])
            message = channel.messages.get(ask.path["message_id"]) if channel else None
            if message and now_s - message.made_s > OLD_S:
                return self._window(f"old {message.channel_id}", OLD_EDITS, OLD_EDITS_WINDOW_S, now_s), 30046
        return 0.0, 0

    def _window(self, key: str, most: int, window_s: float, now_s: float) -> float:
        times = self._windows.setdefault(key, deque())
        while times and times[0] <= now_s - window_s:
            times.popleft()
        if len(times) >= most:
            return times[0] + window_s - now_s
        times.append(now_s)
        return 0.0

    def _headers(self, key: str, now_s: float) -> dict[str, str]:
        bucket = self._buckets.get(key)
        if bucket is None:
            return {}
        after_s = max(0.0, bucket.ends_s - now_s)
        return {
            "X-RateLimit-Limit": str(bucket.size),
            "X-RateLimit-Remaining": str(bucket.left),
            "X-RateLimit-Reset": f"{bucket.ends_s:.3f}",
            "X-RateLimit-Reset-After": f"{after_s:.3f}",
            "X-RateLimit-Bucket": hashlib.md5(key.split(maxsplit=1)[0].encode()).hexdigest(),
        }

    def refusal(self, verdict: Verdict) -> web.Response:
        """Return the 429, as Discord or what stands before it writes it."""
        if verdict.banned:
            headers = {"Retry-After": str(math.ceil(verdict.wait_s))}
            return web.Response(
                status=429, text="error code: 1015", content_type="text/plain", headers=headers
            )
        headers = {
            **verdict.headers,
            "Retry-After": str(max(1, math.ceil(verdict.wait_s))),
            "X-RateLimit-Scope": verdict.scope,
            "Via": VIA,
        }
        if verdict.scope == "global":
            headers["X-RateLimit-Global"] = "true"
        body = {
            "message": "You are being rate limited.",
            "retry_after": round(verdict.wait_s, 3),
            "global": verdict.scope == "global",
        }
        if verdict.code == 30046:
            body["message"] = (
                "Maximum number of edits to messages older than 1 hour reached. Try again later."
            )
        if verdict.code:
            body["code"] = verdict.code
        return json_response(body, 429, headers)


def bucket_key(route: Route, ask: Ask) -> str:
    """Return what is counted together: an operation in one channel, server or webhook."""
    majors = [ask.path[one] for one in MAJOR if one in ask.path]
    return " ".join([route.operation, *majors])


def json_response(body: object, status: int, headers: dict[str, str] | None = None) -> web.Response:
    """Return JSON as Discord sends it: the content type has no charset, and a library looks at the exact words."""
    response = web.Response(status=status, body=json.dumps(body).encode(), headers=headers)
    response.headers["Content-Type"] = "application/json"
    return response
