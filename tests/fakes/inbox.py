"""A bot in memory behind the web console: an Inbox and a Window with one scripted incident, and a door for tests."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator
from typing import Any

from bot.model.errors import StoreUnavailableError
from bot.model.message import IncomingCommand, Reply, Table
from tests.fakes import web_scene as scene

COMMANDS = {
    "/incident start ": "open an incident: site, what happened",
    "/incident status": "what is true now",
    "/incident note ": "write something into the timeline",
    "/incident list": "all incidents",
    "/restore plan ": "make a plan and rehearse it",
    "/restore confirm": "approve the plan",
    "/app freeze": "take the application down, and prove it",
}


class FakeBot:
    """Ada sees all sites, Grace too, Eve only the shop. Every effect is kept: `commands`, `answers`.

    A repeated delivery id has one effect and gives the first reply again, as the service does.
    """

    def __init__(self) -> None:
        incidents = [scene.incident(), scene.closed_incident()]
        self.state: dict[str, dict[str, Any]] = {one["id"]: one for one in incidents}
        self.entries = {"INC-7": scene.timeline(), "INC-6": []}
        self.people = {"ada": "Ada Byron", "grace": "Grace Hopper", "eve": "Eve"}
        self.sites = {
            "Ada Byron": {"album", "shop"},
            "Grace Hopper": {"album", "shop"},
            "Eve": {"shop"},
        }
        self.commands: list[IncomingCommand] = []
        self.answers: list[tuple[str, str, str | None]] = []
        self.broken: Exception | None = None
        self.hold: asyncio.Event | None = None  # a command waits for it, as for a store that hangs
        self.fault: Exception | None = None  # a command ends so
        self._replies: dict[str, Reply] = {}
        self._changes: asyncio.Queue[str] = asyncio.Queue()

    # ---- the door for tests

    def touch(self, incident_id: str = "INC-7") -> None:
        """Say that an incident changed."""
        self._changes.put_nowait(incident_id)

    def say(self, slot: str, title: str, **fields: Any) -> None:
        """Show a message in the first incident, or edit the one of that slot in place."""
        shown = self.state["INC-7"]["messages"]
        old = next((one for one in shown if one["slot"] == slot), None)
        if old is None:
            shown.append(scene.message(slot, title, "03:12:00", **fields))
        else:
            old.update(fields, title=title, revision=old["revision"] + 1)
        self.touch()

    # ---- Inbox

    async def command(self, command: IncomingCommand) -> Reply:
        if self.hold is not None:
            await self.hold.wait()
        if self.fault is not None:
            raise self.fault
        if command.delivery_id not in self._replies:
            self.commands.append(command)
            self._replies[command.delivery_id] = self._carry_out(command)
        return self._replies[command.delivery_id]

    def _carry_out(self, command: IncomingCommand) -> Reply:
        if command.text.startswith("/incident note "):
            self.say(f"note-{len(self.commands)}", command.text.removeprefix("/incident note "))
            return Reply(text="Noted.", incident_id="INC-7")
        if command.text == "/incident list":
            rows = tuple((one["id"], one["site"], one["headline"]) for one in self.state.values())
            return Reply(text="2 incidents.", table=Table(columns=("Id", "Site", "Now"), rows=rows))
        if command.text.startswith("/incident start shop"):
            return Reply(text="Opened.", incident_id="INC-6")
        return Reply(
            text=f"There is no command `{command.text.split()[0]}`. **Nothing was changed.**",
            ok=False,
            facts=(("Nearest", "/restore"),),
            suggestions=("/restore plan", "/restore status"),
        )

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
        if delivery_id not in self._replies:
            self._replies[delivery_id] = self._vote(self.people[account], decision_id, choice, typed)
        return self._replies[delivery_id]

    def _vote(self, person: str, decision_id: str, key: str, typed: str | None) -> Reply:
        found = self._decision(decision_id)
        if found is None or found["state"] != "open":
            return Reply(text="This decision is not open.", ok=False)
        option = next((one for one in found["choices"] if one["key"] == key), None)
        if option is None or option["typed"] != typed:
            return Reply(text="Not taken: the word that was typed is not the site's name.", ok=False)
        self.answers.append((person, key, typed))
        found["votes"][person] = key
        if list(found["votes"].values()).count(key) >= found["votes_needed"]:
            found.update(state="answered", answer=key, answered_by=person, answered_at=scene.at("03:12:30"))
        self.touch(found["incident_id"])
        return Reply(text=f"Your choice is taken: {option['label']}.", decision_id=decision_id)

    # ---- Window

    def person_of(self, platform: str, account: str) -> str | None:
        if self.broken is not None:
            raise self.broken
        return self.people.get(account) if platform == "web" else None

    async def incidents(self, person: str) -> list[dict[str, Any]]:
        if self.broken is not None:
            raise self.broken
        fields = ("id", "site", "title", "channel", "opened_at", "closed_at", "headline", "tone")
        return [{name: one[name] for name in fields} for one in self._visible(person)]

    async def incident(self, person: str, incident_id: str) -> dict[str, Any] | None:
        return next((copy.deepcopy(one) for one in self._visible(person) if one["id"] == incident_id), None)

    async def timeline(self, person: str, incident_id: str, after: int = 0) -> list[dict[str, Any]] | None:
        if await self.incident(person, incident_id) is None:
            return None
        return [one for one in self.entries[incident_id] if one["sequence"] > after]

    async def decisions(self, person: str) -> list[dict[str, Any]]:
        found = [one for incident in self._visible(person) for one in incident["decisions"]]
        return [one for one in found if one["state"] == "open"]

    async def decision(self, person: str, decision_id: str) -> dict[str, Any] | None:
        found = self._decision(decision_id)
        return found if found and await self.incident(person, found["incident_id"]) else None

    async def report(self, person: str, incident_id: str, form: str) -> bytes | None:
        if await self.incident(person, incident_id) is None:
            return None
        return {"md": scene.REPORT_MD.encode(), "html": scene.REPORT_HTML.encode(), "pdf": scene.REPORT_PDF}[
            form
        ]

    async def completions(self, person: str, text: str, channel: str) -> list[dict[str, str]]:
        return [{"text": one, "summary": why} for one, why in COMMANDS.items() if one.startswith(text)]

    async def changes(self) -> AsyncIterator[str]:
        while True:
            changed = await self._changes.get()
            if changed == "lost":
                raise StoreUnavailableError("The store went away.")
            yield changed

    def _visible(self, person: str) -> list[dict[str, Any]]:
        return [one for one in self.state.values() if one["site"] in self.sites[person]]

    def _decision(self, decision_id: str) -> dict[str, Any] | None:
        found = [one for incident in self.state.values() for one in incident["decisions"]]
        return next((one for one in found if one["id"] == decision_id), None)
