"""What a section of the report is made of; Markdown, HTML and PDF are three ways to write the same blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    """A piece of text that is written as the machine has it: a path, a name, a command."""

    text: str


@dataclass(frozen=True)
class Strong:
    """A piece of text that must not be overlooked."""

    text: str


Inline = str | Code | Strong
Phrase = tuple[Inline, ...]


@dataclass(frozen=True, kw_only=True)
class Paragraph:
    """A paragraph."""

    phrase: Phrase


@dataclass(frozen=True, kw_only=True)
class Quote:
    """What a person wrote, line by line, and who."""

    text: str
    who: str


@dataclass(frozen=True, kw_only=True)
class Fields:
    """Labels and what is known of them. `title` None: no heading of its own."""

    rows: tuple[tuple[str, Phrase], ...]
    title: str | None = None


@dataclass(frozen=True, kw_only=True)
class Bullets:
    """A list."""

    items: tuple[Phrase, ...]
    title: str | None = None


@dataclass(frozen=True, kw_only=True)
class ActionItem:
    """Something to be done so that it does not happen again. `done` only by evidence, which is `evidence`.

    `owner` is who does it, as they are called; empty where it is done.
    """

    done: bool
    phrase: Phrase
    evidence: Phrase = ()
    owner: str = ""

    @property
    def told(self) -> Phrase:
        """Return what is known of it: the evidence, and whose it is."""
        owner = phrase(f"owner: {self.owner}") if self.owner else ()
        return joined([part for part in (self.evidence, owner) if part], "; ")


@dataclass(frozen=True, kw_only=True)
class Checklist:
    """Action items under a heading."""

    title: str
    items: tuple[ActionItem, ...]


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table. `numeric` lists the columns that are set to the right; every row has as many cells as columns."""

    title: str | None
    columns: tuple[str, ...]
    rows: tuple[tuple[Phrase, ...], ...]
    numeric: tuple[int, ...] = ()


Block = Paragraph | Quote | Fields | Bullets | Checklist | Grid


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading of the report and what stands below it."""

    heading: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One of the figures at the head of the report. `tone` is `good`, `bad` or `neutral`."""

    label: str
    value: str
    note: str
    tone: str = "neutral"


def phrase(*parts: Inline | Phrase | None) -> Phrase:
    """Return the parts as one phrase; None and empty text are left out."""
    flat: list[Inline] = []
    for part in parts:
        flat.extend(part if isinstance(part, tuple) else (part,) if part else ())
    return tuple(flat)


def marked(text: str) -> Phrase:
    """Return recorded text as a phrase in which `names between backticks` are code."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:
        return phrase(text)
    return phrase(*(Code(piece) if number % 2 and piece else piece for number, piece in enumerate(pieces)))


def joined(phrases: Sequence[Phrase], separator: str = ", ") -> Phrase:
    """Return phrases one after the other with a separator between them."""
    flat: list[Inline] = []
    for number, item in enumerate(phrases):
        flat.extend((separator, *item) if number else item)
    return tuple(flat)


def codes(texts: Sequence[str]) -> Phrase:
    """Return names as code, with commas between them."""
    return joined([(Code(text),) for text in texts])
