"""One method of the Web API: its arguments, scopes and tier beside the function that carries it out."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.common.book import Json
from tests.fakes.slack.world import Channel, Refused, World

Handler = Callable[[World, "Args"], Json]

# A scope that depends on the kind of conversation: `history` is channels:history, groups:history or im:history.
PREFIXES = {"public": "channels", "private": "groups", "im": "im"}
TRUE = {"1", "true", "True", True}


@dataclass(frozen=True, kw_only=True)
class Method:
    """What Slack documents of one method.

    `scopes`: any one of them is enough. `by_kind`: the scope's second half, the first follows from the conversation.
    `tier`: calls a minute, 0 for the special ones. `token`: bot or app.
    """

    handler: Handler
    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    scopes: Sequence[str] = ()
    by_kind: str = ""
    tier: int = 50
    token: str = "bot"


def method(
    handler: Handler,
    required: str = "",
    optional: str = "",
    *,
    scopes: Sequence[str] = (),
    by_kind: str = "",
    tier: int = 50,
    token: str = "bot",
) -> Method:
    """Write down a method; the arguments are words with spaces between."""
    return Method(
        handler=handler,
        required=frozenset(required.split()),
        optional=frozenset(optional.split()),
        scopes=scopes,
        by_kind=by_kind,
        tier=tier,
        token=token,
    )


@dataclass(frozen=True, kw_only=True)
class Args:
    """The arguments of one call, as they came: strings from a form, values from JSON."""

    method: str
    given: Mapping[str, Any]
    world: World = field(repr=False)

    def text(self, name: str, default: str = "") -> str:
        value = self.given.get(name)
        return default if value is None else str(value)

    def flag(self, name: str, *, default: bool = False) -> bool:
        value = self.given.get(name)
        return default if value is None or isinstance(value, (dict, list)) else value in TRUE

    def number(self, name: str, default: int) -> int:
        value = self.given.get(name)
        try:
            return default if value in (None, "") else int(str(value))
        except ValueError:
            raise self.wrong("invalid_arguments", f"{name} is no number: {value!r}") from None

    def structure(self, name: str, error: str) -> Any:
        """Return what JSON says, whether it came as text in a form or as a value; None where it is not given."""
        value = self.given.get(name)
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            return json.loads(value)
        except ValueError:
            raise self.wrong(error, f"{name} is no JSON") from None

    def words(self, name: str) -> list[str]:
        """Return a list that may come as `a,b` or as JSON."""
        value = self.given.get(name)
        if isinstance(value, list):
            return [str(one) for one in value]
        return [one.strip() for one in str(value or "").split(",") if one.strip()]

    def wrong(self, error: str, text: str, **more: Any) -> Refused:
        """Write down a violation, and return the refusal to raise: for a call no bot may ever make."""
        self.world.violate(error, self.method, text)
        return Refused(error, **more)

    # ---- conversations

    def channel(self, name: str = "channel") -> Channel:
        """Return the conversation that is named by id, or refuse as Slack does."""
        given = self.text(name)
        if given[:1] in ("U", "W"):
            raise self.wrong(
                "channel_not_found", f"{name}={given}: a person's id is no conversation's id here"
            )
        found = self.world.channels.get(given)
        if found is None:
            if given not in self.world.gone_channels:
                self.world.violate(
                    "channel_not_found", self.method, f"{name}={given} never was a conversation"
                )
            raise Refused("channel_not_found")
        self.need_scope_for(found)
        if found.kind == "private" and not self.is_member(found):
            raise Refused("channel_not_found")
        return found

    def is_member(self, channel: Channel) -> bool:
        return self.world.bot.id in channel.members

    def joined_channel(self, name: str = "channel", *, archived: str = "is_archived") -> Channel:
        """Return a conversation in which the bot is a member and that is not archived (`archived`: its error)."""
        found = self.channel(name)
        if not self.is_member(found):
            raise Refused("not_in_channel")
        if found.archived and archived:
            raise Refused(archived)
        return found

    # ---- scopes

    def need_scope_for(self, channel: Channel) -> None:
        """Refuse where the method's scope for this kind of conversation was not granted."""
        half = METHODS_BY_KIND.get(self.method)
        if half:
            self.need_scope(scopes_for(channel.kind, half))

    def need_scope(self, alternatives: Collection[str]) -> None:
        """Refuse with missing_scope unless one of these was granted; remember which was used."""
        if not alternatives:
            return
        granted = self.world.scopes
        usable = [one for one in alternatives if granted is None or one in granted]
        if not usable:
            raise Refused(
                "missing_scope", needed=",".join(alternatives), provided=",".join(sorted(granted or ()))
            )
        self.world.scopes_used.add(usable[0])


# Filled by `methods.py`: which methods take their scope from the kind of conversation.
METHODS_BY_KIND: dict[str, str] = {}


def scopes_for(kind: str, half: str) -> list[str]:
    """Return the scopes of which one is needed, the widest first: `manage` for a public channel is channels:manage."""
    if half == "manage":
        return {"public": ["channels:manage"], "private": ["groups:write"]}.get(kind, ["im:write"])
    if half == "invite":
        wide = scopes_for(kind, "manage")
        return [*wide, "channels:write.invites" if kind == "public" else "groups:write.invites"]
    if half == "topic":
        wide = scopes_for(kind, "manage")
        return [*wide, "channels:write.topic" if kind == "public" else "groups:write.topic"]
    return [f"{PREFIXES[kind]}:{half}"]


def page(args: Args, items: Sequence[Any], default: int, most: int) -> tuple[list[Any], str]:
    """Return one page of a list and the cursor of the next; Slack may give fewer than asked for, and does here.

    Raises:
        Refused: invalid_cursor, invalid_limit.
    """
    limit = args.number("limit", default)
    if not 1 <= limit <= most:
        raise args.wrong("invalid_limit", f"limit={limit}, 1 to {most} are allowed")
    cursor = args.text("cursor")
    if cursor and not (cursor.startswith("next:") and cursor[5:].isdigit()):
        raise args.wrong("invalid_cursor", f"cursor={cursor}")
    start = int(cursor[5:]) if cursor else 0
    end = start + min(limit, PAGE_MOST)
    return list(items[start:end]), f"next:{end}" if end < len(items) else ""


# Slack recommends 200 and promises nothing: a bot that does not follow the cursor is found out.
PAGE_MOST = 200
