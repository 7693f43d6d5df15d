"""Discord's rate limits as its answers tell them: who may be called when. Nothing here sends.

*Source*: docs.discord.com, "Rate Limits": buckets by route and by channel or server, X-RateLimit-* headers, 429 with
Retry-After and scope. How large a bucket is, Discord does not document; the headers say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

DEFAULT_WAIT_S = 30.0  # a 429 without any word of how long: not documented, but a proxy may send one
EVERYWHERE = "everywhere"


@dataclass
class _Bucket:
    left: int
    until: float


class Rates:
    """What is known of each bucket. Times are of a clock that only goes forward, in seconds."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._buckets: dict[tuple[str, str], _Bucket] = {}
        self._blocked: dict[tuple[str, str], float] = {}

    def wait_s(self, route: str, major: str, now: float, *, by_token: bool = False) -> float:
        """Return how long a call has to wait, 0 for not at all; answers to interactions (`by_token`) have no global limit."""
        key = self._key(route, major)
        bucket = self._buckets.get(key)
        empty_until = bucket.until if bucket is not None and bucket.left <= 0 else 0.0
        everywhere_until = 0.0 if by_token else self._blocked.get((EVERYWHERE, ""), 0.0)
        blocked_until = max(self._blocked.get(key, 0.0), everywhere_until)
        return max(0.0, empty_until - now, blocked_until - now)

    def take(self, route: str, major: str) -> None:
        """Count a call that is about to be made."""
        bucket = self._buckets.get(self._key(route, major))
        if bucket is not None:
            bucket.left -= 1

    def note(self, route: str, major: str, headers: Mapping[str, str], now: float) -> None:
        """Learn from an answer's headers."""
        if name := headers.get("X-RateLimit-Bucket"):
            self._names[route] = name
        left, after = headers.get("X-RateLimit-Remaining"), _number(headers.get("X-RateLimit-Reset-After"))
        if left is None or not left.isdigit() or after is None:
            return
        key, until = self._key(route, major), now + after
        known = self._buckets.get(key)
        # Answers overtake one another: within one window the smallest number is the newest.
        same = known is not None and now < known.until and abs(known.until - until) < 0.5
        self._buckets[key] = _Bucket(min(int(left), known.left) if known and same else int(left), until)
        self._forget(now)

    def block(self, route: str, major: str, *, everywhere: bool, wait_s: float, now: float) -> None:
        """Take note of a 429."""
        key = (EVERYWHERE, "") if everywhere else self._key(route, major)
        self._blocked[key] = max(self._blocked.get(key, 0.0), now + wait_s)

    def _key(self, route: str, major: str) -> tuple[str, str]:
        return self._names.get(route, route), major

    def _forget(self, now: float) -> None:
        """Forget what has passed, so that thousands of channels leave nothing behind."""
        if len(self._buckets) > 1000:
            self._buckets = {key: one for key, one in self._buckets.items() if one.until > now}
        if len(self._blocked) > 1000:
            self._blocked = {key: until for key, until in self._blocked.items() if until > now}


def retry_after_s(headers: Mapping[str, str], body: object) -> float:
    """Return how long a 429 asks to wait; the body's number is finer than the header's."""
    told = body.get("retry_after") if isinstance(body, dict) else None
    if isinstance(told, (int, float)):
        return float(told)
    header = _number(headers.get("Retry-After"))
    return DEFAULT_WAIT_S if header is None else header


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None
