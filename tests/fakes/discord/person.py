"""A person in the stand-in's server: what somebody does with hands on a keyboard, and what that person sees."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One interaction that was delivered to the bot, and its first answer.

    `kind` is command, component, autocomplete or modal; `name` the typed command, or the custom_id. `ack_ms` was taken in
    the stand-in's process, from the event written to the head of the callback read; None: no answer came. `answer` is
    the body of that callback ({"type", "data"}). `error` is `did_not_respond` (what the person reads after 3 s), or "".
    `bot_was_there`: a connection was there to send it over. `response_id`, `followups`: the messages that came of it.
    """

    id: str
    token: str
    kind: str
    name: str
    ack_ms: float | None
    answer: Json | None
    error: str
    bot_was_there: bool
    response_id: str
    followups: list[str]
    payload: Json

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Delivery:
        """Read what the control interface gave."""
        return cls(**given)

    @property
    def choices(self) -> list[Json]:
        """The choices that an autocompletion offered."""
        return list(((self.answer or {}).get("data") or {}).get("choices") or [])


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody in the server. Each deed waits for the bot's first answer, 3 s at most, and returns it.

    A deed that Discord's own window would not let a person do raises ControlError: a command that is not offered to that
    person, an option left empty, a button that is not there, a channel that the person does not see.
    """

    name: str
    id: str
    ask: Callable[..., Awaitable[Any]]

    async def _do(self, verb: str, **fields: Any) -> Delivery:
        return Delivery.of(await self.ask(verb, user=self.id, **fields))

    # ---- deeds that are interactions

    async def command(self, channel: str, text: str, /, **options: Any) -> Delivery:
        """Type a command, such as `/incident start`, with its options by name; users, roles and channels by id or name."""
        return await self._do("command", channel=channel, text=text, values=options)

    async def autocomplete(self, channel: str, text: str, option: str, /, **options: Any) -> Delivery:
        """Type into an option that completes itself; what is typed so far stands under its name among the options."""
        return await self._do("autocomplete", channel=channel, text=text, option=option, values=options)

    async def message_menu(self, name: str, channel: str, message_id: str) -> Delivery:
        """Use a command of a message's menu (Apps)."""
        return await self._do("message_menu", name=name, channel=channel, message_id=message_id)

    async def press(
        self, channel: str, button: str, *, message_id: str | None = None, message: Json | None = None
    ) -> Delivery:
        """Press a button, given by its label or custom_id, in the newest message that has it, or in one by its id.

        `message` is an earlier copy: the press of somebody whose screen has not caught up yet.
        """
        return await self._do("press", channel=channel, button=button, message_id=message_id, message=message)

    async def press_in_direct(self, button: str) -> Delivery:
        """Press a button in the direct message with the bot."""
        return await self._do("press_in_direct", button=button)

    async def choose(
        self, channel: str, custom_id: str, values: str | Sequence[str], *, message_id: str | None = None
    ) -> Delivery:
        """Choose in a menu of a message, by values or labels."""
        listed = [values] if isinstance(values, str) else list(values)
        return await self._do(
            "choose", channel=channel, custom_id=custom_id, values=listed, message_id=message_id
        )

    async def submit(self, values: Mapping[str, Any] | None = None) -> Delivery:
        """Fill the fields of the open modal (by custom_id or label) and submit it."""
        return await self._do("submit", values=dict(values or {}))

    async def cancel(self) -> None:
        """Close the modal; Discord tells the bot nothing of it."""
        await self.ask("cancel", user=self.id)

    # ---- deeds that are events, or nothing at all

    async def say(self, channel: str, text: str) -> str:
        """Write a message; returns its id. The bot hears of it; of its words only with the intent for content."""
        return str((await self.ask("say", user=self.id, channel=channel, text=text))["id"])

    async def write_direct(self, text: str) -> str:
        """Write to the bot in a direct message, which is opened by it; returns the message's id."""
        return str((await self.ask("write_direct", user=self.id, text=text))["id"])

    async def react(self, channel: str, message_id: str, emoji: str = "📌") -> None:
        """Put a reaction on a message."""
        await self.ask("react", user=self.id, channel=channel, message_id=message_id, emoji=emoji)

    async def delete_message(self, channel: str, message_id: str) -> None:
        """Delete a message by hand, as an admin may."""
        await self.ask("person_deletes_message", user=self.id, channel=channel, message_id=message_id)

    async def delete_channel(self, channel: str) -> None:
        """Delete a channel or thread by hand."""
        await self.ask("person_deletes_channel", user=self.id, channel=channel)

    async def archive(self, channel: str) -> None:
        """Close a thread by hand."""
        await self.ask("person_archives", user=self.id, channel=channel)

    async def get_role(self, role: str) -> None:
        """Be given a role."""
        await self.ask("person_gets_role", user=self.id, role=role)

    async def lose_role(self, role: str) -> None:
        """Lose a role."""
        await self.ask("person_loses_role", user=self.id, role=role)

    async def leave(self) -> None:
        """Go from the server."""
        await self.ask("person_leaves", user=self.id)

    async def come_back(self) -> None:
        """Come into the server again, without the roles of before."""
        await self.ask("person_comes_back", user=self.id)

    async def open_direct(self, *, is_open: bool) -> None:
        """Let the bot write direct messages, or not."""
        await self.ask("person_opens_direct", user=self.id, is_open=is_open)

    # ---- what the person sees

    async def modal(self) -> Json | None:
        """Return the open modal: `content` as the bot gave it, `text` as it is seen, `error`; None without one."""
        found = await self.ask("modal", user=self.id)
        return dict(found) if found else None

    async def wait_for_modal(self, *, containing: str = "", timeout_s: float = 5.0) -> Json:
        """Return the modal as soon as there is one whose visible text contains this."""
        return dict(
            await self.ask("wait_for_modal", user=self.id, containing=containing, timeout_s=timeout_s)
        )

    async def whispers(self, channel: str | None = None) -> list[Json]:
        """Return the ephemeral messages this person sees. Oldest first."""
        return list(await self.ask("whispers", user=self.id, channel=channel))

    async def wait_for_whisper(self, containing: str, *, timeout_s: float = 10.0) -> Json:
        """Return the newest ephemeral message that contains this, as soon as there is one."""
        return dict(
            await self.ask("wait_for_whisper", user=self.id, containing=containing, timeout_s=timeout_s)
        )

    async def direct_messages(self) -> list[Json]:
        """Return the direct messages between the bot and this person."""
        return list(await self.ask("direct_messages", user=self.id))

    async def wait_for_direct(self, containing: str, *, timeout_s: float = 10.0) -> Json:
        """Return the newest direct message that contains this, as soon as there is one."""
        return dict(
            await self.ask("wait_for_direct", user=self.id, containing=containing, timeout_s=timeout_s)
        )
