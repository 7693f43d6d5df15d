"""The verbs of Slack alone, beside those of every platform. See client.py and person.py for what each means."""

from __future__ import annotations

from dataclasses import asdict

from tests.fakes.common.book import ControlError, Json
from tests.fakes.common.control import ControlDoor, Verb
from tests.fakes.common.faults import Faults
from tests.fakes.slack.control_look import Look
from tests.fakes.slack.courier import Courier
from tests.fakes.slack.deeds import Deeds
from tests.fakes.slack.deeds_events import EventDeeds
from tests.fakes.slack.limits import Limits
from tests.fakes.slack.manifest import install
from tests.fakes.slack.signed import SignedSender
from tests.fakes.slack.sockets import Sockets
from tests.fakes.slack.world import World

TOKEN_STATES = ("good", "token_revoked", "invalid_auth", "account_inactive")


class Control(ControlDoor):
    """All verbs."""

    def __init__(
        self,
        *,
        world: World,
        limits: Limits,
        faults: Faults,
        sockets: Sockets,
        sender: SignedSender,
        courier: Courier,
        deeds: Deeds,
        event_deeds: EventDeeds,
    ) -> None:
        super().__init__(world, faults, limits, sockets.drop)
        self._world = world
        self._limits = limits
        self._sockets = sockets
        self._sender = sender
        self._courier = courier
        self.verbs.update(Look(world, courier).verbs())
        self.verbs.update(self._workspace_verbs())
        self.verbs.update(self._way_verbs())
        self.verbs.update(self._fault_verbs())
        self.verbs.update(_deed_verbs(deeds, event_deeds))

    # ---- the workspace

    def _workspace_verbs(self) -> dict[str, Verb]:
        return {
            "add_person": self._add_person,
            "add_channel": self._add_channel,
            "add_usergroup": self._add_usergroup,
            "install": self._install,
            "set_scopes": self._set_scopes,
            "reset": self._reset,
        }

    async def _reset(self) -> Json:
        self._sockets.drop()
        await self._courier.reset()
        self._sender.reset()
        self._faults.reset()
        self._limits.reset()
        self._world.reset()
        return {}

    async def _add_person(self, name: str, email: str = "") -> Json:
        return asdict(self._world.add_user(name, email))

    async def _add_channel(self, name: str, members: list[str], private: bool, with_bot: bool) -> Json:
        if any(one.name == name for one in self._world.channels.values()):
            raise ControlError(f"there is a channel {name} already")
        creator = members[0] if members else ""
        channel = self._world.add_channel(name, creator=creator, kind="private" if private else "public")
        for one in [*members, *([self._world.bot.id] if with_bot else [])]:
            self._world.user_of(one)
            channel.members.append(one)
        return {"id": channel.id}

    async def _add_usergroup(self, handle: str, members: list[str]) -> Json:
        group = {
            "id": self._world.new_id("S"),
            "handle": handle,
            "name": handle,
            "users": members,
            "is_usergroup": True,
        }
        self._world.usergroups[str(group["id"])] = group
        return group

    async def _install(self, manifest: Json) -> Json:
        install(self._world, manifest)
        return {}

    async def _set_scopes(self, scopes: list[str]) -> Json:
        self._world.scopes = set(scopes)
        return {}

    # ---- the way to the bot

    def _way_verbs(self) -> dict[str, Verb]:
        return {
            "deliver_by": self._deliver_by,
            "verify_url": self._verify_url,
            "sign_next": self._sign_next,
            "deliver": self._deliver,
            "deliver_again": self._deliver_again,
            "set_retries": self._set_retries,
            "drop_sockets": self._drop_sockets,
            "send_disconnect": self._send_disconnect,
        }

    async def _deliver_by(self, way: str, url: str = "") -> Json:
        if way not in ("socket", "http") or (way == "http" and not url):
            raise ControlError("the way is socket, or http with a url")
        self._courier.way, self._sender.url = way, url
        return {}

    async def _verify_url(self) -> Json:
        return await self._sender.verify_url()

    async def _sign_next(self, signature: str, age_s: float, times: int) -> Json:
        self._sender.sign_next(signature, age_s, times)
        return {}

    async def _deliver(self, kind: str, payload: Json) -> Json:
        hidden = {
            "response": str(payload.get("response_url", "")).rsplit("/", 1)[-1],
            "view_id": str((payload.get("view") or {}).get("id", "")),
        }
        trigger_id = str(payload.get("trigger_id", ""))
        record = self._courier.record(kind, "as given", payload, trigger_id=trigger_id, hidden=hidden)
        return (await self._courier.deliver(record)).shown()

    async def _deliver_again(self, delivery: str, retry_num: int, retry_reason: str) -> Json:
        old = self._courier.records.get(delivery)
        if old is None:
            raise ControlError(f"there is no delivery {delivery}")
        again = self._courier.record(
            old.kind, old.name, old.payload, trigger_id=old.trigger_id, hidden=old.hidden
        )
        return (await self._courier.deliver(again, retry=(retry_num, retry_reason))).shown()

    async def _set_retries(self, after_s: list[float]) -> Json:
        self._courier.retries_s = tuple(after_s)
        return {}

    async def _drop_sockets(self) -> Json:
        return {"count": self._sockets.drop()}

    async def _send_disconnect(self, reason: str) -> Json:
        return {"count": await self._sockets.disconnect(reason)}

    # ---- what goes wrong

    def _fault_verbs(self) -> dict[str, Verb]:
        return {
            "limit_next": self._limit_next,
            "set_token": self._set_token,
        }

    async def _limit_next(self, count: int, method: str, retry_after_s: int) -> Json:
        self._limits.order(count, method, retry_after_s)
        return {}

    async def _set_token(self, state: str) -> Json:
        if state not in TOKEN_STATES:
            raise ControlError(f"state is one of {', '.join(TOKEN_STATES)}")
        self._world.token_state = state
        if state == "token_revoked":
            self._world.emit({"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [self._world.bot.id]}})
        return {}


def _deed_verbs(deeds: Deeds, events: EventDeeds) -> dict[str, Verb]:
    return {
        "command": deeds.command,
        "burst": deeds.burst,
        "burst_presses": deeds.burst_presses,
        "press": deeds.press,
        "press_in_direct": deeds.press_in_direct,
        "press_in_view": deeds.press_in_view,
        "press_in_home": deeds.press_in_home,
        "choose": deeds.choose,
        "choose_in_view": deeds.choose_in_view,
        "submit": deeds.submit,
        "cancel": deeds.cancel,
        "shortcut": deeds.shortcut,
        "message_shortcut": deeds.message_shortcut,
        "react": events.react,
        "say": events.say,
        "mention": events.mention,
        "write_direct": events.write_direct,
        "open_home": events.open_home,
        "person_archives": events.archive,
        "person_unarchives": events.unarchive,
        "person_deletes_channel": events.delete_channel,
        "person_deletes_message": events.delete_message,
        "person_removes_bot": events.remove_bot,
        "person_joins": events.join,
        "person_leaves": events.leave,
        "person_is_deactivated": events.deactivate,
    }
