"""A person in the stand-in's workspace: what somebody does with hands on a keyboard, and what that person sees."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
Values = Mapping[str, str | list[str]]


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One thing that was delivered to the bot, and how it was acknowledged.

    `ack_ms` was taken in the stand-in's process, from the first byte sent to the ack read; None: no ack came. `body` is
    what the ack carried. `error` is what the person was shown: `operation_timeout` (no ack in 3 s), `dispatch_failed`
    (nobody is there), or "". `status` is the HTTP status, 0 over Socket Mode.
    """

    id: str
    kind: str
    name: str
    ack_ms: float | None
    body: Json | None
    error: str
    status: int
    attempts: int
    trigger_id: str
    payload: Json

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Delivery:
        """Read what the control interface gave."""
        return cls(**given)


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody in the workspace. Each deed waits for the bot's ack, 3 s at most, and returns it.

    A deed that Slack's own window would not let a person do raises ControlError: a command in a thread, a button that
    is not there, a modal with an empty field that must be filled.
    """

    name: str
    id: str
    ask: Callable[..., Awaitable[Any]]

    async def _do(self, verb: str, **fields: Any) -> Delivery:
        return Delivery.of(await self.ask(verb, user=self.id, **fields))

    # ---- deeds

    async def command(self, channel: str, text: str) -> Delivery:
        """Type a slash command, such as `/incident start album rows are gone`, in a channel."""
        return await self._do("command", channel=channel, text=text)

    async def press(
        self, channel: str, button: str, *, ts: str | None = None, message: Json | None = None
    ) -> Delivery:
        """Press a button, given by its label or action_id, in the newest message that has it, or in the one of `ts`.

        `message` is an earlier copy: the press of somebody whose screen has not caught up yet.
        """
        return await self._do("press", channel=channel, button=button, ts=ts, message=message)

    async def press_in_direct(self, button: str) -> Delivery:
        """Press a button in the direct message with the bot."""
        return await self._do("press_in_direct", button=button)

    async def press_in_view(self, button: str) -> Delivery:
        """Press a button in the modal that is open on top."""
        return await self._do("press_in_view", button=button)

    async def press_in_home(self, button: str) -> Delivery:
        """Press a button in App Home."""
        return await self._do("press_in_home", button=button)

    async def choose(
        self, channel: str, action_id: str, value: str | list[str], *, ts: str | None = None
    ) -> Delivery:
        """Choose in a menu, radio buttons or checkboxes of a message."""
        return await self._do("choose", channel=channel, action_id=action_id, value=value, ts=ts)

    async def choose_in_view(self, action_id: str, value: str | list[str]) -> Delivery:
        """Choose in a menu of the open modal that tells at once (`dispatch_action`, or outside an input)."""
        return await self._do("choose_in_view", action_id=action_id, value=value)

    async def submit(self, values: Values | None = None) -> Delivery:
        """Fill the fields of the modal on top (by action_id, block_id or label) and submit it."""
        return await self._do("submit", values=dict(values or {}))

    async def cancel(self) -> Delivery | None:
        """Close the modal on top; returns None where the view did not ask to be told."""
        given = await self.ask("cancel", user=self.id)
        return Delivery.of(given) if given else None

    async def shortcut(self, callback_id: str) -> Delivery:
        """Use a global shortcut."""
        return await self._do("shortcut", callback_id=callback_id)

    async def message_shortcut(self, callback_id: str, channel: str, ts: str) -> Delivery:
        """Use a shortcut of a message's menu."""
        return await self._do("message_shortcut", callback_id=callback_id, channel=channel, ts=ts)

    async def react(self, channel: str, ts: str, reaction: str = "pushpin") -> Delivery:
        """Put a reaction on a message."""
        return await self._do("react", channel=channel, ts=ts, reaction=reaction)

    async def say(self, channel: str, text: str, *, thread_ts: str | None = None) -> str:
        """Write a message as a person does; returns its ts. The bot hears of it where the manifest asks for it."""
        return str(
            (await self.ask("say", user=self.id, channel=channel, text=text, thread_ts=thread_ts))["ts"]
        )

    async def mention(self, channel: str, text: str, *, thread_ts: str | None = None) -> Delivery:
        """Write `@backout TEXT`."""
        return await self._do("mention", channel=channel, text=text, thread_ts=thread_ts)

    async def write_direct(self, text: str) -> Delivery:
        """Write to the bot in a direct message."""
        return await self._do("write_direct", text=text)

    async def open_home(self) -> Delivery:
        """Open App Home."""
        return await self._do("open_home")

    async def archive(self, channel: str) -> None:
        """Archive a channel by hand."""
        await self.ask("person_archives", user=self.id, channel=channel)

    async def unarchive(self, channel: str) -> None:
        """Take a channel out of the archive by hand."""
        await self.ask("person_unarchives", user=self.id, channel=channel)

    async def delete_channel(self, channel: str) -> None:
        """Delete a channel by hand."""
        await self.ask("person_deletes_channel", user=self.id, channel=channel)

    async def delete_message(self, channel: str, ts: str) -> None:
        """Delete a message by hand, as an admin may."""
        await self.ask("person_deletes_message", user=self.id, channel=channel, ts=ts)

    async def remove_bot(self, channel: str) -> None:
        """Remove the bot from a channel."""
        await self.ask("person_removes_bot", user=self.id, channel=channel)

    async def join(self, channel: str) -> None:
        """Join a channel."""
        await self.ask("person_joins", user=self.id, channel=channel)

    async def leave(self, channel: str) -> None:
        """Leave a channel."""
        await self.ask("person_leaves", user=self.id, channel=channel)

    async def deactivate(self) -> None:
        """Have the account deactivated."""
        await self.ask("person_is_deactivated", user=self.id)

    # ---- what the person sees

    async def modals(self) -> list[Json]:
        """Return the stack of open modals, the one on top last."""
        return list(await self.ask("modals", user=self.id))

    async def wait_for_modal(self, *, containing: str = "", timeout_s: float = 60.0) -> Json:
        """Return the modal on top as soon as there is one whose visible text contains this."""
        return dict(
            await self.ask("wait_for_modal", user=self.id, containing=containing, timeout_s=timeout_s)
        )

    async def modal_text(self) -> str:
        """Return the modal on top as plain text, with the errors under its fields; "" without one."""
        return str((await self.ask("modal_text", user=self.id))["text"])

    async def home(self) -> Json | None:
        """Return what App Home shows to this person."""
        found = await self.ask("home", user=self.id)
        return dict(found) if found else None

    async def home_text(self) -> str:
        """Return App Home as plain text."""
        return str((await self.ask("home_text", user=self.id))["text"])

    async def whispers(self, channel: str | None = None) -> list[Json]:
        """Return the ephemeral messages this person was shown: answers to commands among them. Oldest first."""
        return list(await self.ask("whispers", user=self.id, channel=channel))

    async def wait_for_whisper(self, containing: str, *, timeout_s: float = 60.0) -> Json:
        """Return the newest ephemeral message that contains this, as soon as there is one."""
        return dict(
            await self.ask("wait_for_whisper", user=self.id, containing=containing, timeout_s=timeout_s)
        )

    async def direct_messages(self) -> list[Json]:
        """Return the direct messages between the bot and this person."""
        return list(await self.ask("direct_messages", user=self.id))

    async def wait_for_direct(self, containing: str, *, timeout_s: float = 60.0) -> Json:
        """Return the newest direct message that contains this, as soon as there is one."""
        return dict(
            await self.ask("wait_for_direct", user=self.id, containing=containing, timeout_s=timeout_s)
        )
