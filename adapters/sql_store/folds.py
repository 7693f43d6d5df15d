"""States folded from timelines, kept between transactions for as long as the chain of hashes proves that they hold."""

from __future__ import annotations

from collections import OrderedDict

from bot.model.event import Entry
from bot.model.incident import Incident, fold

# Each is some 100 kB; with 200 incidents open, those that people and operations work on are among them.
_KEPT = 64


class Folds:
    """The last state of each incident with the head (count, hash) it was folded at.

    A hash names the whole timeline before it, so a state kept under one is right whatever became of the transaction
    that folded it: one that was rolled back leaves a head that no timeline has.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[tuple[int, str], Incident]] = OrderedDict()

    def known(self, incident_id: str) -> tuple[tuple[int, str], Incident] | None:
        """Return the state that is kept of an incident and its head, or None."""
        return self._kept.get(incident_id)

    def keep(self, incident_id: str, entries: list[Entry], before: Incident | None) -> Incident:
        """Fold entries onto the state before them, keep the result under the last one's hash, and return it."""
        state = fold(entries, before)
        if entries:
            self._kept[incident_id] = ((entries[-1].sequence, entries[-1].hash), state)
            self._kept.move_to_end(incident_id)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return state
