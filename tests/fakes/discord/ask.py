"""One call of the HTTP API on its way to its handler: what was given, and how it is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.common.book import Json
from tests.fakes.discord.permits import BITS
from tests.fakes.discord.rules import Fault, errors_json
from tests.fakes.discord.things import Attachment, Channel, Member, Message, Role
from tests.fakes.discord.world import World

# Discord's own codes and words for what is refused. Source: the page "Opcodes and Status Codes".
REFUSALS = {
    10003: (404, "Unknown Channel"),
    10004: (404, "Unknown Guild"),
    10007: (404, "Unknown Member"),
    10008: (404, "Unknown Message"),
    10009: (404, "Unknown permission overwrite"),
    10011: (404, "Unknown Role"),
    10013: (404, "Unknown User"),
    10014: (404, "Unknown Emoji"),
    10015: (404, "Unknown Webhook"),
    10062: (404, "Unknown interaction"),
    10063: (404, "Unknown application command"),
    30003: (400, "Maximum number of pins reached for the channel (250)"),
    30013: (400, "Maximum number of guild channels reached (500)"),
    40005: (413, "Request entity too large"),
    40060: (400, "Interaction has already been acknowledged."),
    50001: (403, "Missing Access"),
    50005: (403, "Cannot edit a message authored by another user"),
    50006: (400, "Cannot send an empty message"),
    50007: (403, "Cannot send messages to this user"),
    50008: (400, "Cannot send messages in a non-text channel"),
    50013: (403, "Missing Permissions"),
    50019: (400, "A message can only be pinned in the channel it was sent in"),
    50021: (403, "Cannot execute action on a system message"),
    50024: (400, "Cannot execute action on this channel type"),
    50027: (401, "Invalid Webhook Token"),
    50035: (400, "Invalid Form Body"),
    50083: (400, "Thread is archived"),
    50109: (400, "The request body contains invalid JSON."),
    160004: (400, "A thread has already been created for this message"),
    160005: (403, "This thread is locked"),
}


class Refused(Exception):  # noqa: N818 - an answer of Discord's, not a fault of ours
    """Discord answers with a status, a code and its words; `more` stands beside them."""

    def __init__(self, code: int, message: str = "", *, status: int = 0, **more: Any) -> None:
        known_status, known_message = REFUSALS.get(code, (400, ""))
        super().__init__(f"{code} {message or known_message}")
        self.code = code
        self.status = status or known_status
        self.body = {"message": message or known_message, "code": code, **more}


@dataclass(frozen=True, kw_only=True)
class Ask:
    """A call: what stood in its path, query and body, the files that came with it, and when its head was read."""

    operation: str
    path: dict[str, str]
    query: dict[str, str]
    body: Any
    world: World
    came_perf_s: float
    files: dict[int, Attachment] = field(default_factory=dict)

    # ---- refusing

    def wrong(self, rule: str, faults: list[Fault] | str, code: int = 50035) -> Refused:
        """Write down what a good bot would never send, and return the refusal of it."""
        listed = [("body", faults)] if isinstance(faults, str) else faults
        self.world.violate(rule, self.operation, "; ".join(f"{at}: {what}" for at, what in listed))
        return Refused(code, errors=errors_json(listed)) if code == 50035 else Refused(code)

    def _unknown(self, kind: str, given: str, code: int) -> Refused:
        """Refuse an id: of what is gone without a word more; of what never was it is the bot's mistake."""
        if given not in self.world.gone:
            self.world.violate("unknown_id", self.operation, f"{given} never was the id of a {kind}")
        return Refused(code)

    # ---- what the path names

    def channel(self, name: str = "channel_id") -> Channel:
        """Return the channel that is named in the path, if the bot can see it."""
        return self.channel_of(self.path[name])

    def channel_of(self, channel_id: str) -> Channel:
        found = self.world.channels.get(channel_id)
        if found is None:
            raise self._unknown("channel", channel_id, 10003)
        if not self.world.bot_sees(found):
            raise Refused(50001)
        self.world.permissions_used.add("view_channel")
        return found

    def text_channel(self) -> Channel:
        """Return the channel of the path, if messages can stand in it."""
        found = self.channel()
        if found.kind == 4:
            raise self.wrong("no_text_channel", f"{found.name} is a category", 50008)
        return found

    def thread(self) -> Channel:
        found = self.channel()
        if not found.is_thread:
            raise self.wrong("no_thread", f"{found.name} is no thread", 50024)
        return found

    def message(self, channel: Channel, name: str = "message_id") -> Message:
        """Return a message of the channel; ephemeral ones are known to their own token only."""
        given = self.path[name]
        found = channel.messages.get(given)
        if found is None or found.seen_by:
            if found is not None:
                self.world.violate("ephemeral_by_channel", self.operation, f"{given} is ephemeral")
            raise Refused(10008) if found else self._unknown("message", given, 10008)
        return found

    def member(self, name: str = "user_id") -> Member:
        given = self.path[name]
        if given in self.world.members:
            return self.world.members[given]
        if given not in self.world.users:
            raise self._unknown("user", given, 10013)
        raise Refused(10007)

    def role(self, name: str = "role_id") -> Role:
        given = self.path[name]
        if given not in self.world.roles:
            raise self._unknown("role", given, 10011)
        return self.world.roles[given]

    # ---- rights

    def need(self, *permissions: str, channel: Channel | None = None) -> None:
        """Refuse the call unless the bot has all of these, in the channel or in the server."""
        held = self.world.permissions(self.world.bot.id, channel)
        self.world.permissions_used.update(permissions)
        for one in permissions:
            if not held & BITS[one]:
                raise Refused(50013)

    # ---- the body

    def number(self, name: str, default: int, *, least: int, most: int) -> int:
        """Return a number of the query within its bounds."""
        given = self.query.get(name)
        if given is None:
            return default
        if not given.isdigit() or not least <= int(given) <= most:
            raise self.wrong("invalid_query", [(name, f"{given!r}: {least} to {most} is allowed")])
        return int(given)

    def keys(self) -> Json:
        """Return the body where it is an object."""
        if self.body is None:
            return {}
        if not isinstance(self.body, dict):
            raise self.wrong("invalid_body", "an object is wanted")
        return self.body


Handler = Callable[[Ask], Any]


@dataclass(frozen=True, kw_only=True)
class Route:
    """An operation of the API. `by_token`: the address itself is the secret, no bot token is asked for."""

    operation: str
    method: str
    path: str
    handler: Handler
    status: int = 200
    by_token: bool = False

    @property
    def steps(self) -> list[str]:
        return self.path.strip("/").split("/")

    def match(self, method: str, steps: list[str]) -> dict[str, str] | None:
        """Return what the path names, None where it is another route's."""
        wanted = self.steps
        if method != self.method or len(wanted) != len(steps):
            return None
        found = {}
        for name, given in zip(wanted, steps, strict=True):
            if name.startswith("{"):
                found[name.strip("{}")] = given
            elif name != given:
                return None
        return found


def route(line: str, operation: str, handler: Handler, status: int = 200, *, by_token: bool = False) -> Route:
    """Return a route, written as `GET /users/@me`."""
    method, path = line.split()
    return Route(
        operation=operation, method=method, path=path, handler=handler, status=status, by_token=by_token
    )
