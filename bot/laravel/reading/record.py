"""The list of acts while a migration is read: each gets the checks, the group and the loop in which it stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from bot.laravel.reading.acts import UNKNOWN, Act, Check, Event, Origin
from bot.laravel.reading.sql import read_sql


class Record:
    """Keeps the acts of one method in order."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.checks: frozenset[Check] = frozenset()
        self.loops = 0
        self._group: tuple[int, int] | None = None
        self._made: set[str] = set()
        self._groups = 0
        self._frames: tuple[int, ...] = ()
        self._call_lines: tuple[int, ...] = ()
        self._arms: frozenset[tuple[int, int]] = frozenset()
        self._number = 0

    def add(self, act: Act, line: int, **details: Any) -> int:
        """Append an act and return its place."""
        checks = self.checks | details.pop("checks", frozenset())
        group = self._group or self._next_group(line)
        table = details.get("table", "")
        self.events.append(
            Event(
                act=act,
                line=line,
                checks=checks,
                group=group,
                is_in_loop=self.loops > 0,
                is_on_new_table=table in self._made,
                frames=self._frames,
                call_lines=self._call_lines,
                arms=self._arms,
                **details,
            )
        )
        if act is Act.CREATE_TABLE and table != UNKNOWN:
            self._made.add(table)
        return len(self.events) - 1

    def amend(self, place: int, **details: Any) -> None:
        """Change details of an act that is already there, as a modifier of a column does."""
        self.events[place] = replace(self.events[place], **details)

    def add_trait(self, place: int, trait: str) -> None:
        """Add a modifier to a column that is already there."""
        self.amend(place, traits=self.events[place].traits | {trait})

    def add_sql(self, sql: str, line: int, called: str, glued: Iterable[Origin]) -> None:
        """Append raw SQL, and what it does."""
        with self.group(line):
            self.add(Act.RAW_SQL, line, name=called, reads=frozenset(glued))
            for one in read_sql(sql):
                checks = frozenset({Check(table=UNKNOWN, is_any=True)}) if one.is_checked else frozenset()
                self.add(
                    one.act,
                    line,
                    table=one.table,
                    name=one.name,
                    to=one.to,
                    columns=one.columns,
                    reads=one.reads,
                    where=one.where,
                    traits=one.traits,
                    is_native_sql=True,
                    checks=checks,
                )

    @contextmanager
    def group(self, line: int) -> Iterator[None]:
        """Have what is added meanwhile belong together."""
        before, self._group = self._group, self._group or self._next_group(line)
        try:
            yield
        finally:
            self._group = before

    @contextmanager
    def under(self, checks: Iterable[Check]) -> Iterator[None]:
        """Have what is added meanwhile depend on these checks."""
        before, self.checks = self.checks, self.checks | frozenset(checks)
        try:
            yield
        finally:
            self.checks = before

    @contextmanager
    def frame(self, line: int) -> Iterator[None]:
        """Have what is added meanwhile be done by a method that was called in this line."""
        before = self._frames, self._call_lines
        self._number += 1
        if self._frames:
            self._call_lines = (*self._call_lines, line)
        self._frames = (*self._frames, self._number)
        try:
            yield
        finally:
            self._frames, self._call_lines = before

    @contextmanager
    def arm(self, branch: int, number: int) -> Iterator[None]:
        """Have what is added meanwhile stand in one arm of a branch."""
        before, self._arms = self._arms, self._arms | {(branch, number)}
        try:
            yield
        finally:
            self._arms = before

    def next_branch(self) -> int:
        """Return a number for a branch that is about to be walked."""
        self._number += 1
        return self._number

    def mark_leaving(self, since: int, branch: int) -> None:
        """Mark what was added since then as part of a branch that ends its method."""
        for place in range(since, len(self.events)) if self._frames else ():
            self.amend(place, leaves=self.events[place].leaves | {(self._frames[-1], branch)})

    @contextmanager
    def loop(self) -> Iterator[None]:
        """Have what is added meanwhile be repeated."""
        self.loops += 1
        try:
            yield
        finally:
            self.loops -= 1

    def _next_group(self, line: int) -> tuple[int, int]:
        self._groups += 1
        return (line, self._groups)
