"""The one door for commands and answers from any platform: who is it, what was typed, which incident is meant."""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol

import structlog

from bot.model.errors import BackoutError, StoreUnavailableError
from bot.model.message import IncomingCommand, Reply, Tone
from bot.model.person import Permission, Person
from bot.ports.store import IncidentRow, Transaction
from bot.runbook.wording import shortened
from bot.service import answers
from bot.service.one_transaction import joined
from bot.service.parts import Call, Parts, refused
from bot.service.platforms import NAMES, is_told_bad, is_told_deaf, told
from bot.service.rooms import lose_room

log = structlog.get_logger(__name__)

STRANGER = (
    "You are not listed in Backout's settings, so nothing was done. Ask whoever keeps them (people, ids)."
)

_SHOWN_LETTERS = 60


class Request(Protocol):
    """A command line that was read: what it needs, and how it is run."""

    @property
    def permission(self) -> Permission:
        """Return what the command asks of the person."""

    @property
    def needs_incident(self) -> bool:
        """Return whether the command acts on an incident."""

    @property
    def site(self) -> str | None:
        """Return the site that was named, or None."""

    @property
    def asks_host(self) -> bool:
        """Return whether it waits for the host before it answers; such a command only reads."""

    async def run(self, parts: Parts, call: Call) -> Reply:
        """Carry the command out."""


Read = Callable[[str], Request | Reply]
"""Reads a typed line into a request, or into the reply that says what is wrong with it."""


class Dispatcher:
    """Implements the chat port's Inbox. Never raises for what a person did wrong: the reply says it."""

    def __init__(self, parts: Parts, read: Read) -> None:
        self._parts = parts
        self._read = read

    async def command(self, command: IncomingCommand) -> Reply:
        """Carry out a slash command; a repeated delivery id has no second effect."""
        person = self._parts.person_of(command.platform, command.account)
        if person is None:
            return refused(STRANGER)
        # Half a character (a lone surrogate) can be typed by a program; it could not be stored.
        clean = replace(command, text=command.text.encode("utf-8", "replace").decode())
        return await self._in_words(lambda: self._command(person, clean))

    async def answer(
        self,
        *,
        platform: str,
        account: str,
        decision_id: str,
        choice: str,
        typed: str | None,
        delivery_id: str,
    ) -> Reply:
        """Take a vote on a decision. The decision itself makes a second click harmless; `delivery_id` is for the log."""
        person = self._parts.person_of(platform, account)
        if person is None:
            return refused(STRANGER)
        log.info("answer", person=person.name, decision=decision_id, choice=choice, delivery=delivery_id)
        return await self._in_words(lambda: answers.answer(self._parts, person, decision_id, choice, typed))

    async def room_lost(self, platform: str, channel: str, reason: str) -> None:
        """Take note that a person took an incident's channel away; any other channel is left alone."""

        async def body(tx: Transaction) -> None:
            room = await tx.room_at(platform, channel)
            if room is not None:
                await lose_room(tx, platform, room.incident_id, channel, reason)

        try:
            await self._parts.store.transact(body)
        except StoreUnavailableError as error:
            log.warning("a lost channel is not written down; its next message will find it", error=str(error))

    async def hearing(self, platform: str, trouble: str | None) -> None:
        """Tell in every open incident that nothing comes in from a platform, and why; None: that it does again."""
        name = NAMES.get(platform, platform)
        text = f"{name} hands no commands and no clicks over: {trouble} Go on in the console."
        if trouble is None:
            text = f"{name} hands commands and clicks over again."
        tone = Tone.GOOD if trouble is None else Tone.WARNING

        async def body(tx: Transaction) -> None:
            for row in await tx.incidents(open_only=True):
                if trouble is None and not await is_told_deaf(tx, row.id, platform):
                    continue
                if trouble is not None and await is_told_bad(tx, row.id, platform):
                    continue  # that nothing goes out says more, and is taken back when it does again
                await told(tx, row.id, platform, text, tone)

        try:
            await self._parts.store.transact(body)
        except StoreUnavailableError as error:
            log.warning("not told", platform=platform, error=str(error))

    async def _in_words(self, work: Callable[[], Awaitable[Reply]]) -> Reply:
        try:
            return await work()
        except StoreUnavailableError as error:
            log.warning("store unavailable", error=str(error))
            return refused(
                f"Backout cannot write its own records ({error}). Nothing was changed. Try again in a minute."
            )
        except BackoutError as error:
            return refused(str(error))
        except Exception:  # an outer door: whatever went wrong, the person is told that nothing was done
            log.exception("a command failed inside Backout")
            return refused(
                "An internal fault in Backout; it is in its log. Nothing was started by this command."
            )

    async def _command(self, person: Person, command: IncomingCommand) -> Reply:
        request = self._read(command.text)
        if isinstance(request, Reply):
            return request
        if request.asks_host:
            return await self._look(person, request, command)

        async def body(tx: Transaction) -> Reply:
            if not await tx.first_delivery(command.delivery_id):
                return await _again(tx, command.delivery_id)
            call = await self._call(tx, person, request, command)
            return call if isinstance(call, Reply) else await request.run(joined(self._parts, tx), call)

        # One transaction: a delivery that is on record has had its effect, and one that met a fault leaves no record.
        reply = await self._parts.store.transact(body)
        self._parts.wake()
        return reply

    async def _look(self, person: Person, request: Request, command: IncomingCommand) -> Reply:
        """Carry out a command that reads on the host. Sent again, it looks again; no transaction waits for a host."""
        call = await self._parts.store.transact(lambda tx: self._call(tx, person, request, command))
        return call if isinstance(call, Reply) else await request.run(self._parts, call)

    async def _call(
        self, tx: Transaction, person: Person, request: Request, command: IncomingCommand
    ) -> Call | Reply:
        """Return the call that is meant, if this person may make it, or the reply that says why not."""
        found = await self._incident(tx, person, request, command)
        if isinstance(found, Reply):
            return found
        site, incident = found
        if site is not None and (reason := person.refusal(request.permission, site)):
            return refused(f"{reason}. Nothing was changed.")
        if site is None and not person.sites:
            return refused(f"{person.name} is not listed for any site in the settings. Nothing was changed.")
        return Call(
            person=person,
            platform=command.platform,
            channel=command.channel,
            delivery_id=command.delivery_id,
            text=command.text,
            site=site,
            incident=incident,
        )

    async def _incident(
        self, tx: Transaction, person: Person, request: Request, command: IncomingCommand
    ) -> tuple[str | None, IncidentRow | None] | Reply:
        """Return the site and incident that are meant: those of the channel, or of the site that was named."""
        if request.site is not None and (
            request.site not in self._parts.settings.sites or person.refusal_to_read(request.site)
        ):
            mine = ", ".join(person.sites) or "none"
            near = difflib.get_close_matches(request.site.lower(), person.sites, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            named = shortened(request.site, _SHOWN_LETTERS)
            return refused(f"There is no site {named!r} for you. Yours: {mine}.{hint} Nothing was changed.")
        if request.site is None and command.channel:
            room = await tx.room_at(command.platform, command.channel)
            behind = await tx.incident(room.incident_id) if room else None
            of_channel = [behind] if behind else await tx.incidents(channel=command.channel)
            readable = [row for row in of_channel if not person.refusal_to_read(row.site)]
            if readable:
                return readable[0].site, readable[0]
        if request.site is not None:
            open_rows = await tx.incidents(site=request.site, open_only=True)
            if open_rows:
                return request.site, open_rows[0]
            if request.needs_incident:
                return refused(
                    f"{request.site} has no open incident. To begin: /incident start {request.site}"
                )
            return request.site, None
        if not request.needs_incident:
            return None, None
        return _which(person, await tx.incidents(open_only=True))


async def _again(tx: Transaction, delivery_id: str) -> Reply:
    """Return the reply to a command that was delivered a second time: what the first one started."""
    started = await tx.operation(delivery_id)
    return Reply(
        text="This command was received already; it has one effect.",
        incident_id=started.incident_id if started else None,
        operation_id=started.id if started else None,
    )


def _which(person: Person, rows: list[IncidentRow]) -> Reply:
    mine = [row for row in rows if not person.refusal_to_read(row.site)]
    if not mine:
        return refused(
            "This channel belongs to no incident, and none is open. To begin: /incident start <site>"
        )
    lines = "\n".join(
        f"{row.id}: {row.title} (channel {row.channel}, or add --site {row.site})" for row in mine
    )
    return refused(f"Which incident? This channel belongs to none. Open:\n{lines}\nNothing was changed.")
