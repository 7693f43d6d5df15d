"""The row reader as one process on the host that answers request after request: asked in a tenth of a start's time."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from adapters.ssh_host.link import Link, Talk
from adapters.ssh_host.program_output import GREETING_BYTES, printed_by_program
from adapters.ssh_host.shell_line import BEGIN_SIGN, framed_line
from adapters.ssh_host.shipped import NOT_AS_SENT, ShippedProgram, Shipping
from bot.model.errors import FailedError, NotStartedError, UnknownOutcomeError

# Of an answer the process keeps no more. Answers list at most 50 keys a table; this is far more than the tables of any
# application need.
ANSWER_BYTES = 16_000_000
# What the process says once it can be asked, behind the sign of the shell line. See adapters/host_reader/serving.py.
_READY = f"{BEGIN_SIGN}\nreader-ready\n".encode()
# Each request is a process on the host at work.
_AT_ONCE = 8
# Nothing of ours is left running on a host that is not looked at.
IDLE_S = 60.0
# The host ends a request a little after the bot has given up.
_GRACE_S = 5
_TRIES = 2


class Answer(NamedTuple):
    """What a verb printed, and its exit status."""

    exit_status: int
    printed: bytes


class ServingReader:
    """Asks the reader's process on one host, which it starts when it is needed and ends when it is not."""

    def __init__(
        self, link: Link, shipping: Shipping, program: ShippedProgram, idle_s: float = IDLE_S
    ) -> None:
        self._idle_s = idle_s
        self._link = link
        self._shipping = shipping
        self._program = program
        self._starting = asyncio.Lock()
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._conversation: _Conversation | None = None

    async def ask(
        self, interpreter: Sequence[str], verb: str, request: dict[str, object], timeout: timedelta
    ) -> Answer:
        """Return a verb's answer, by a process of that interpreter.

        *Raises* NotStartedError where it was not asked, UnknownOutcomeError where no answer came in time or the link was
        lost, FailedError where the process could not be started.
        """
        asked: _Asked | None = None
        conversation: _Conversation | None = None
        try:
            async with asyncio.timeout(timeout.total_seconds()), self._at_once:
                for _ in range(_TRIES):
                    conversation = await self._started(interpreter)
                    asked = conversation.ask(verb, request, timeout.total_seconds() + _GRACE_S)
                    answer = await asked.answer
                    if answer.exit_status != NOT_AS_SENT:
                        return answer
                    self._leave(conversation)
                    asked = None
                raise self._shipping.changed([self._program])
        except TimeoutError as cause:
            if conversation is not None:
                self._leave(conversation)  # It may hang itself: the next question is for another one.
            limit = f"{timeout.total_seconds():g} s"
            if asked is None:
                raise NotStartedError(
                    f"The row reader on {self._link.place} could not be asked within {limit}; nothing was run."
                ) from cause
            raise UnknownOutcomeError(
                f"The row reader on {self._link.place} gave no answer to {verb!r} within {limit}. It only reads; it is "
                "told to end."
            ) from cause
        finally:
            if asked is not None:
                asked.give_up()

    async def close(self) -> None:
        """End the process, and with it what it is asked."""
        conversation, self._conversation = self._conversation, None
        if conversation is not None:
            await conversation.close()

    async def _started(self, interpreter: Sequence[str]) -> _Conversation:
        async with self._starting:
            if self._conversation is None or self._conversation.is_over():
                line = framed_line(self._program.argv(interpreter, ["serve"]))
                begun = await self._begin(line)
                if begun is None:
                    await self._shipping.send([self._program])
                    begun = await self._begin(line)
                if begun is None:
                    raise self._shipping.changed([self._program])
                self._conversation = begun
            return self._conversation

    async def _begin(self, line: str) -> _Conversation | None:
        """Start the process; None where the host has not the program as it was sent."""
        conversation = _Conversation(self._link.place, self._idle_s)
        talk = await self._link.talk(line, conversation.hear)
        conversation.lead(talk)
        try:
            either: set[asyncio.Future[Any]] = {conversation.ready, talk.ended}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            talk.ended.cancel()  # What does not come up may not hear that its input ends, and would keep its channel.
            raise
        if conversation.ready.done():
            return conversation
        ended = talk.ended.result()
        if ended.exit_status == NOT_AS_SENT:
            return None
        printed_by_program(self._link, ended)
        raise FailedError(
            f"The row reader on {self._link.place} ended with exit status {ended.exit_status} before it could be asked. "
            "Nothing was changed."
        )

    def _leave(self, conversation: _Conversation) -> None:
        """Ask this process no more; what it is at work on it brings to its end."""
        if self._conversation is conversation:
            self._conversation = None
        conversation.leave()


class _Asked:
    """A request on its way, and its answer."""

    def __init__(self, conversation: _Conversation, number: int) -> None:
        self._conversation = conversation
        self._number = number
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def give_up(self) -> None:
        """Have the request ended on the host, where it is not answered."""
        if not self.answer.done() or self.answer.cancelled():
            self._conversation.give_up(self._number)


class _Conversation:
    """What is said to one such process, and what it answers."""

    def __init__(self, place: str, idle_s: float) -> None:
        self._idle_s = idle_s
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._place = place
        self._talk: Talk | None = None
        self._heard = bytearray()
        self._asked: dict[int, _Asked] = {}
        self._numbers = itertools.count(1)
        self._left = False
        self._rest: asyncio.TimerHandle | None = None

    def lead(self, talk: Talk) -> None:
        """Speak through this talk."""
        self._talk = talk
        talk.ended.add_done_callback(lambda _: self._lose())

    def is_over(self) -> bool:
        """Return whether nothing can be asked any more."""
        return self._left or self._talk is None or self._talk.ended.done()

    def ask(self, verb: str, request: dict[str, object], limit_s: float) -> _Asked:
        """Send a request; the process ends it after `limit_s` seconds."""
        if self._rest is not None:
            self._rest.cancel()
        number = next(self._numbers)
        self._say({"id": number, "verb": verb, "limit_s": limit_s, "request": request})
        self._asked[number] = _Asked(self, number)
        return self._asked[number]

    def give_up(self, number: int) -> None:
        """Have a request ended on the host."""
        if self._asked.pop(number, None) is not None:
            self._say({"id": number, "give_up": True})
            self._rest_when_idle()

    def leave(self) -> None:
        """Close it once all that is asked is answered."""
        self._left = True
        self._rest_when_idle()

    async def close(self) -> None:
        """Close it now, and wait for its end."""
        self._end()
        if self._talk is not None:
            await asyncio.wait({self._talk.ended}, timeout=_GRACE_S)

    def hear(self, data: bytes) -> None:
        """Take what the process has written."""
        self._heard += data
        if not self.ready.done():
            _, sign, behind = bytes(self._heard).partition(_READY)
            if not sign:
                del self._heard[: -2 * GREETING_BYTES]
                return
            self._heard = bytearray(behind)
            self.ready.set_result(None)
        while self._take_answer():
            pass

    def _take_answer(self) -> bool:
        end = self._heard.find(b"\n")
        if end < 0:
            return False
        number, exit_status, size = (int(word) for word in self._heard[:end].split())
        whole = end + 1 + size
        if len(self._heard) < whole:
            return False
        printed = bytes(self._heard[end + 1 : whole])
        del self._heard[:whole]
        asked = self._asked.pop(number, None)
        if asked is not None and not asked.answer.done():
            asked.answer.set_result(Answer(exit_status, printed))
        self._rest_when_idle()
        return True

    def _rest_when_idle(self) -> None:
        if self._asked or self._talk is None:
            return
        if self._rest is not None:
            self._rest.cancel()
        pause_s = 0 if self._left else self._idle_s
        self._rest = asyncio.get_running_loop().call_later(pause_s, self._end)

    def _end(self) -> None:
        self._left = True
        if self._talk is not None and not self._talk.ended.done():
            self._talk.close()
            # One that hangs does not hear it: its channel is taken from it once all that it does must be over.
            self._rest = asyncio.get_running_loop().call_later(2 * _GRACE_S, self._talk.ended.cancel)

    def _say(self, document: dict[str, object]) -> None:
        if self._talk is not None:
            self._talk.say(json.dumps(document).encode() + b"\n")

    def _lose(self) -> None:
        """Tell all who wait that no answer comes."""
        if self._talk is None:
            return
        if self._rest is not None:
            self._rest.cancel()
        cause = None if self._talk.ended.cancelled() else self._talk.ended.exception()
        for asked in self._asked.values():
            if not asked.answer.done():
                asked.answer.set_exception(
                    UnknownOutcomeError(
                        f"The row reader on {self._place} gave no answer: {cause or 'its process has ended'}. It only "
                        "reads; nothing was changed by it."
                    )
                )
        self._asked.clear()
