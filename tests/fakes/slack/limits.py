"""Slack's rate limits: a bucket for each method, one for each channel that is posted to, and the wait after a 429."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tests.fakes.slack.method import Args, Method
from tests.fakes.slack.world import World

# chat.postMessage: one a second for each channel, "short bursts" allowed; how short is not said.
POST_A_SECOND = 1.0
POST_BURST = 4
# Slack's clock and ours are not read at the same moment.
EARLY_S = 0.05


@dataclass(kw_only=True)
class Bucket:
    """So many calls at once, refilled with time."""

    capacity: float
    a_second: float
    left: float
    at_s: float

    def take(self, now_s: float) -> float:
        """Take one; returns the seconds until there is one again, 0 if there was."""
        self.left = min(self.capacity, self.left + (now_s - self.at_s) * self.a_second)
        self.at_s = now_s
        if self.left >= 1:
            self.left -= 1
            return 0.0
        return (1 - self.left) / self.a_second


class Limits:
    """Who may call when. `mode` off: only what a test orders."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.reset()

    def reset(self) -> None:
        """Forget every call and every order."""
        self.mode = "off"
        self._buckets: dict[str, Bucket] = {}
        self._blocked_until_s: dict[str, float] = {}
        self._ordered: list[tuple[str, int]] = []

    def order(self, count: int, method: str, retry_after_s: int) -> None:
        """Answer the next calls with 429, whatever the mode."""
        self._ordered += [(method, retry_after_s)] * count

    def set_mode(self, mode: str) -> None:
        self.mode = mode
        self._buckets.clear()

    def retry_after_s(self, args: Args, method: Method) -> int:
        """Return 0 where the call may pass, or the Retry-After of its 429. A call before its time is a violation."""
        key, now_s = bucket_key(args), self._world.clock.now_s()
        until_s = self._blocked_until_s.get(key, 0.0)
        if now_s < until_s - EARLY_S:
            self._world.violate(
                "called_before_retry_after", args.method, f"{key}: {until_s - now_s:.2f} s too early"
            )
            return max(1, math.ceil(until_s - now_s))
        wait_s = self._wait_s(key, args, method, now_s)
        if wait_s:
            self._blocked_until_s[key] = now_s + wait_s
        return wait_s

    def _wait_s(self, key: str, args: Args, method: Method, now_s: float) -> int:
        for number, (name, wait_s) in enumerate(self._ordered):
            if name in ("*", args.method):
                del self._ordered[number]
                return wait_s
        if self.mode != "documented" or (not method.tier and args.method != "chat.postMessage"):
            return 0
        bucket = self._buckets.setdefault(key, _fresh(args.method, method, now_s))
        wait = bucket.take(now_s)
        return max(1, math.ceil(wait)) if wait else 0


def _fresh(name: str, method: Method, now_s: float) -> Bucket:
    if name == "chat.postMessage":
        return Bucket(capacity=POST_BURST, a_second=POST_A_SECOND, left=POST_BURST, at_s=now_s)
    return Bucket(capacity=method.tier, a_second=method.tier / 60, left=method.tier, at_s=now_s)


def bucket_key(args: Args) -> str:
    """Return what is counted together: a method, for chat.postMessage a method and its channel."""
    if args.method == "chat.postMessage":
        return f"{args.method} {args.text('channel')}"
    return args.method
