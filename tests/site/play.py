"""Plays an incident as a person would: one scenario, acted at the console or in a chat, watched over the JSON API."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from tests.site.running_bot import Api

STEP_LIMIT_S = 300.0
PAUSE_S, LONGEST_PAUSE_S = 0.1, 0.4
SITE = "album"

Say = Callable[[str], None]


class PlayStoppedError(Exception):
    """The incident did not go on: what was asked for, and what the bot says of it."""


class Hands(Protocol):
    """Where somebody acts. Each deed gives the reply that the person got: `ok`, `text`."""

    def command(self, text: str, incident: str) -> dict[str, Any]:
        """Type a command in the incident's channel, "" where there is none yet."""

    def answer(self, decision: dict[str, Any], choice: str, typed: str | None) -> dict[str, Any]:
        """Answer a decision."""


@dataclass
class Console:
    """The console's own way: the JSON API."""

    api: Api

    def command(self, text: str, incident: str) -> dict[str, Any]:
        """Type a command."""
        return self.api.command(text, incident)

    def answer(self, decision: dict[str, Any], choice: str, typed: str | None) -> dict[str, Any]:
        """Answer a decision."""
        return self.api.answer(decision["id"], choice, typed)


@dataclass
class Player:
    """One person. `say` prints the timeline as it grows; `hands` are the console where nothing else is given.

    `second` approves too, where the site asks for two persons.
    """

    api: Api
    say: Say
    incident: str = ""
    seen: int = 0
    hands: Hands | None = None
    second: Hands | None = None

    @property
    def acts(self) -> Hands:
        """Return where this person acts."""
        return self.hands or Console(self.api)

    def start(self, text: str) -> None:
        """Open the incident."""
        reply = self.acts.command(text, "")
        if not reply.get("ok"):
            raise PlayStoppedError(f"{text}: {reply.get('text')}")
        self.incident = reply.get("incident_id") or self.api.get("/api/incidents")[0]["id"]

    def type(self, text: str) -> dict[str, Any]:
        """Type a command in the incident's channel; a refusal stops the play."""
        reply = self.acts.command(text, self.incident)
        if not reply.get("ok"):
            raise PlayStoppedError(f"{text}: {reply.get('text')}")
        self.incident = reply.get("incident_id") or self.incident
        return reply

    def show(self) -> list[dict[str, Any]]:
        """Print the timeline's new entries and return them."""
        new = self.api.get(f"/api/incidents/{self.incident}/timeline?after={self.seen}")
        entries = new["entries"] if isinstance(new, dict) else new
        for entry in entries:
            self.seen = entry["sequence"]
            self.say(timeline_line(entry))
        return list(entries)

    def state(self) -> dict[str, Any]:
        """Return the incident as it is now."""
        answer = self.api.get(f"/api/incidents/{self.incident}")
        return dict(answer)

    def until(self, what: str, done: Callable[[dict[str, Any]], Any], limit_s: float = STEP_LIMIT_S) -> Any:
        """Wait, printing the timeline, until `done` gives something; a failed step or the time limit stops the play."""
        deadline, pause_s = time.monotonic() + limit_s, PAUSE_S
        while time.monotonic() < deadline:
            # Each look costs the bot and this process ten milliseconds of a processor: fewer while nothing happens.
            pause_s = PAUSE_S if self.show() else min(pause_s * 1.5, LONGEST_PAUSE_S)
            state = self.state()
            found = done(state)
            if found:
                self.show()
                return found
            if state["operation"] is None and (why := _failure(state)):
                self.show()
                raise PlayStoppedError(f"{what}: {why}")
            time.sleep(pause_s)
        raise PlayStoppedError(f"{what}: not there after {limit_s:.0f} s")

    def decision(self, purpose: str, limit_s: float = STEP_LIMIT_S) -> dict[str, Any]:
        """Wait for an open decision of that purpose and return it."""

        def find(state: dict[str, Any]) -> Any:
            return next(
                (d for d in state["decisions"] if d["purpose"] == purpose and d["state"] == "open"), None
            )

        return dict(self.until(f"decision {purpose}", find, limit_s))

    def choose(self, purpose: str, choice: str, typed: str | None = None) -> None:
        """Wait for a decision and answer it."""
        self.give(self.decision(purpose), choice, typed)

    def give(self, decision: dict[str, Any], choice: str, typed: str | None = None) -> None:
        """Answer a decision; a refusal stops the play."""
        reply = self.acts.answer(decision, choice, typed)
        if not reply.get("ok"):
            raise PlayStoppedError(f"{decision['question']} {choice}: {reply.get('text')}")

    def approve(self, site: str) -> None:
        """Approve the plan: by the command, or by two persons' buttons where there is a second one."""
        if self.second is None:
            self.type(f"/restore confirm {site}")
            return
        decision = self.decision("cutover")
        self.give(decision, "approve", site)
        reply = self.second.answer(decision, "approve", site)
        if not reply.get("ok"):
            raise PlayStoppedError(f"{decision['question']} the second person: {reply.get('text')}")

    def step(self, number: int, limit_s: float = STEP_LIMIT_S) -> None:
        """Wait until a step is done and nothing runs."""

        def done(state: dict[str, Any]) -> bool:
            return state["operation"] is None and state["steps"][number - 1]["status"] in ("done", "skipped")

        self.until(f"step {number}", done, limit_s)


def _failure(state: dict[str, Any]) -> str | None:
    failed = [s for s in state["steps"] if s["status"] == "failed"]
    return failed[-1]["note"] if failed else None


def timeline_line(entry: dict[str, Any]) -> str:
    """Return one entry as a line: time, who, what; commands on the host with their exit status and duration."""
    data, text = entry["data"], entry["text"].split("\n")[0]
    if entry["kind"] == "host.command":
        text = f"$ {data['command'][:110]}  [exit {data['exit_status']}, {data['duration_s']} s]"
    return f"{entry['at'][11:19]}  {entry['actor']:<8}  {entry['kind']:<20}  {text[:150]}"


Hook = Callable[[str], None]
"""Called between the steps with the name of what comes next; faults are put in here."""


def play(player: Player, *, commits: tuple[str, ...], before: Hook) -> dict[str, Any]:
    """Play the whole incident: the first corrected commit is stopped by its rehearsal, the second goes live.

    Returns the incident's last state. *Raises* PlayStoppedError where the bot does not let it go on.
    """
    before("start")
    player.start(f"/incident start {SITE} captions are gone since the deployment")
    before("freeze")
    player.choose("assessed", "freeze")
    player.step(2)
    player.type("/backups list")
    player.step(3)
    before("safety")
    player.type("/backups create")
    player.step(4)
    before("plan")
    player.type("/restore plan")
    answer_tables(player)
    player.decision("cutover")
    before("cutover")
    player.approve(SITE)
    player.until("cut-over", lambda s: s["operation"] is None and s["cutover"] == "done")
    before("deploy")
    player.type("/app rollback")
    player.until("align", lambda s: s["operation"] is None)
    deploy(player, commits)
    before("check")
    player.type("/app check")
    player.step(9)
    player.type("/app caches")
    player.choose("caches", "clear")
    player.until("caches", lambda s: s["operation"] is None)
    give_all(player, "manual:", "ok")
    player.type("/app reopen")
    player.choose("reopen", "reopen")
    player.decision("close")
    give_all(player, "reenter:", "given_up")
    player.type("/incident note Root cause: the migration dropped the column before it copied the captions")
    player.choose("close", "close")
    player.until("close", lambda s: s["closed_at"] and s["operation"] is None)
    return player.state()


def give_all(player: Player, purposes: str, choice: str) -> None:
    """Give the same answer to each open question whose purpose begins like that."""
    for decision in player.state()["decisions"]:
        if decision["purpose"].startswith(purposes) and decision["state"] == "open":
            player.give(decision, choice)


def answer_tables(player: Player) -> None:
    """Answer each question about rows that are gone as the bot advises, and wait for the plan."""

    def plan_or_question(state: dict[str, Any]) -> Any:
        if state["operation"] is not None:
            return None
        return [
            d
            for d in state["decisions"]
            if d["state"] == "open" and d["purpose"].split(":")[0] in ("missing", "cutover")
        ]

    for decision in player.until("the plan", plan_or_question):
        if decision["purpose"].startswith("missing:"):
            advised = next(c["key"] for c in decision["choices"] if c["style"] == "primary")
            player.give(decision, advised)


def deploy(player: Player, commits: tuple[str, ...]) -> None:
    """Rehearse the offered commits one after another; deploy the one that its rehearsal lets through."""
    for commit in commits:
        player.type(f"/app deploy {commit[:12]}")

        def rehearsed(state: dict[str, Any]) -> Any:
            if state["operation"] is not None:
                return None
            step = state["steps"][6]
            open_now = [d for d in state["decisions"] if d["purpose"] == "deploy" and d["state"] == "open"]
            return "stopped" if step["status"] == "failed" else (open_now and "passed")

        if player.until(f"the rehearsal of {commit[:12]}", rehearsed) == "passed":
            player.choose("deploy", "approve")
            player.step(7)
            return
    raise PlayStoppedError("no corrected commit passed its rehearsal")
