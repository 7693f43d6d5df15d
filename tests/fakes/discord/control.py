"""The verbs of Discord alone, beside those of every platform. See client.py and person.py for what each means."""

from __future__ import annotations

from typing import Any

from tests.fakes.common.book import ControlError, Json
from tests.fakes.common.control import ControlDoor, Verb
from tests.fakes.common.faults import Faults
from tests.fakes.discord import names
from tests.fakes.discord.api import Api
from tests.fakes.discord.control_look import Look
from tests.fakes.discord.control_wait import Waits
from tests.fakes.discord.courier import Courier
from tests.fakes.discord.deeds import Deeds
from tests.fakes.discord.deeds_events import EventDeeds
from tests.fakes.discord.gateway import BAD_TOKEN, Gateway
from tests.fakes.discord.limits import Limits
from tests.fakes.discord.permits import BITS, bits_of
from tests.fakes.discord.schema import Schema
from tests.fakes.discord.things import FIRST_ANSWER_S, Event, Kind, Overwrite, Role
from tests.fakes.discord.wire import channel_json, role_json
from tests.fakes.discord.world import PRIVILEGED, World

TOKEN_STATES = ("good", "revoked")
GUILDS = 1 << 0


class Control(ControlDoor):
    """All verbs."""

    def __init__(
        self,
        *,
        world: World,
        schema: Schema,
        api: Api,
        limits: Limits,
        faults: Faults,
        gateway: Gateway,
        courier: Courier,
        deeds: Deeds,
        event_deeds: EventDeeds,
    ) -> None:
        super().__init__(world, faults, limits, gateway.drop)
        self._world = world
        self._schema = schema
        self._api = api
        self._limits = limits
        self._gateway = gateway
        look = Look(world, gateway, limits)
        events: dict[str, Any] = event_deeds.verbs()
        self.verbs.update(look.verbs())
        self.verbs.update(Waits(world, gateway, look).verbs())
        self.verbs.update(self._server_verbs())
        self.verbs.update(self._gateway_verbs())
        self.verbs.update(self._fault_verbs())
        self.verbs.update(_deed_verbs(deeds, courier))
        self.verbs.update(events)

    # ---- the server

    def _server_verbs(self) -> dict[str, Verb]:
        return {
            "add_person": self._add_person,
            "add_role": self._add_role,
            "add_channel": self._add_channel,
            "set_permissions": self._set_permissions,
            "overwrite": self._overwrite,
            "allow_intents": self._allow_intents,
            "check_answers": self._check_answers,
            "reset": self._reset,
            "schema": self._schema_there,
        }

    async def _reset(self) -> Json:
        self._gateway.drop()
        self._gateway.reset()
        self._faults.reset()
        self._limits.reset()
        self._world.reset()
        self._api.check_answers = False
        return {}

    async def _schema_there(self) -> Json:
        return {"is_there": self._schema.is_there}

    async def _check_answers(self) -> Json:
        self._api.check_answers = True
        return {}

    async def _add_person(self, name: str, roles: list[str]) -> Json:
        found = [self._world.role_named(one).id for one in roles]
        user = self._world.add_user(name)
        self._world.members[user.id].roles += found
        return {"id": user.id}

    async def _add_role(self, name: str, permissions: list[str], mentionable: bool) -> Json:
        role = Role(
            id=self._world.new_id(), name=name, permissions=_bits(permissions), mentionable=mentionable
        )
        self._world.roles[role.id] = role
        self._tell_role(role, "GUILD_ROLE_CREATE")
        return {"id": role.id}

    def _tell_role(self, role: Role, name: str) -> None:
        data = {"guild_id": names.GUILD_ID, "role": role_json(role)}
        self._world.emit(Event(name=name, data=data, intent=GUILDS))

    async def _add_channel(self, name: str, kind: str, parent: str | None, only: list[str]) -> Json:
        """Make a channel or category; `only`: the roles and people that see it, with the bot."""
        wanted = {"text": Kind.TEXT, "category": Kind.CATEGORY}.get(kind)
        if wanted is None:
            raise ControlError("kind is text or category")
        under = self._world.channel_named(parent).id if parent else ""
        channel = self._world.add_channel(name, wanted, parent_id=under)
        if only:
            view = BITS["view_channel"]
            channel.overwrites[names.EVERYONE_ID] = Overwrite(id=names.EVERYONE_ID, kind=0, deny=view)
            for one in [*only, names.BOT_USER_ID]:
                kind_of = 0 if one in self._world.roles else 1
                channel.overwrites[one] = Overwrite(id=one, kind=kind_of, allow=view)
        if self._world.bot_sees(channel):
            data = channel_json(self._world, channel)
            self._world.emit(Event(name="CHANNEL_CREATE", data=data, intent=GUILDS))
        return {"id": channel.id}

    async def _set_permissions(self, role: str, permissions: list[str]) -> Json:
        found = self._world.role_named(role)
        found.permissions = _bits(permissions)
        self._tell_role(found, "GUILD_ROLE_UPDATE")
        return {}

    async def _overwrite(self, channel: str, target: str, allow: list[str], deny: list[str]) -> Json:
        place = self._world.channel_named(channel)
        kind = 1 if target in self._world.users else 0
        place.overwrites[target] = Overwrite(id=target, kind=kind, allow=_bits(allow), deny=_bits(deny))
        data = channel_json(self._world, place)
        self._world.emit(Event(name="CHANNEL_UPDATE", data=data, intent=GUILDS))
        return {}

    async def _allow_intents(self, intents: list[str]) -> Json:
        self._world.allowed_intents = sum(PRIVILEGED[one] for one in intents)
        return {}

    async def _advance(self, seconds: float) -> Json:
        await super()._advance(seconds)
        for one in self._world.interactions.values():
            if self._world.clock.now_s() - one.made_s > FIRST_ANSWER_S:
                one.settled.set()
        return {}

    # ---- the gateway

    def _gateway_verbs(self) -> dict[str, Verb]:
        return {
            "drop_gateway": self._drop_gateway,
            "open_gateway": self._open_gateway,
            "close_gateway": self._close_gateway,
            "ask_to_reconnect": self._ask_to_reconnect,
            "invalidate_session": self._invalidate_session,
            "set_heartbeat": self._set_heartbeat,
        }

    async def _drop_gateway(self) -> Json:
        return {"count": self._gateway.drop()}

    async def _open_gateway(self, is_open: bool) -> Json:
        self._gateway.is_open = is_open
        return {"count": 0 if is_open else self._gateway.drop()}

    async def _close_gateway(self, code: int) -> Json:
        return {"count": await self._gateway.close(code)}

    async def _ask_to_reconnect(self) -> Json:
        return {"count": self._gateway.ask_to_reconnect()}

    async def _invalidate_session(self, resumable: bool) -> Json:
        return {"count": self._gateway.invalidate(resumable=resumable)}

    async def _set_heartbeat(self, interval_ms: int, acks: bool) -> Json:
        self._gateway.heartbeat_ms, self._gateway.acks_heartbeats = interval_ms, acks
        return {}

    # ---- what goes wrong

    def _fault_verbs(self) -> dict[str, Verb]:
        return {
            "limit_next": self._limit_next,
            "limit_invalid": self._limit_invalid,
            "set_token": self._set_token,
        }

    async def _limit_next(self, count: int, operation: str, retry_after_s: float, scope: str) -> Json:
        if scope not in ("user", "global", "shared"):
            raise ControlError("scope is user, global or shared")
        self._limits.order(count, operation, retry_after_s, scope)
        return {}

    async def _limit_invalid(self, count: int) -> Json:
        self._limits.invalid_most = count
        return {}

    async def _set_token(self, state: str) -> Json:
        if state not in TOKEN_STATES:
            raise ControlError(f"state is one of {', '.join(TOKEN_STATES)}")
        self._world.token_state = state
        return {"count": await self._gateway.close(BAD_TOKEN) if state == "revoked" else 0}


def _bits(permissions: list[str]) -> int:
    unknown = [one for one in permissions if one not in BITS]
    if unknown:
        raise ControlError(f"there are no permissions {unknown}; there are {sorted(BITS)}")
    return bits_of(permissions)


def _deed_verbs(deeds: Deeds, courier: Courier) -> dict[str, Verb]:
    return {
        "command": deeds.command,
        "autocomplete": deeds.autocomplete,
        "message_menu": deeds.message_menu,
        "burst": deeds.burst,
        "burst_presses": deeds.burst_presses,
        "press": deeds.press,
        "press_in_direct": deeds.press_in_direct,
        "choose": deeds.choose,
        "submit": deeds.submit,
        "cancel": deeds.cancel,
        "deliver": courier.deliver_as_given,
        "deliver_again": courier.deliver_again,
    }
