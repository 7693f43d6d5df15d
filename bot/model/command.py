"""The shape of a slash command, for a platform that has a field for each argument."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass


class Completion(enum.StrEnum):
    """What an argument names, so that a platform can offer what there is."""

    SITE = "site"
    BACKUP = "backup"
    DECISION = "decision"  # an open one
    ANSWER = "answer"  # one of the answers to the decision that was named before


@dataclass(frozen=True, kw_only=True)
class ArgumentForm:
    """One argument. `rest` takes all that is left of a line; `flag` is written `--name` and has no value."""

    name: str
    hint: str
    required: bool = False
    rest: bool = False
    flag: bool = False
    choices: tuple[str, ...] = ()
    completes: Completion | None = None

    @property
    def field(self) -> str:
        """Return its name as one word, as a platform's own field is called."""
        return self.name.removeprefix("--").replace(" ", "_").lower()


@dataclass(frozen=True, kw_only=True)
class CommandForm:
    """One subcommand, such as `/incident start`: `word` is `/incident`, `sub` is `start`."""

    word: str
    sub: str
    summary: str
    arguments: tuple[ArgumentForm, ...] = ()


SITE_OPTION = ArgumentForm(
    name="--site",
    hint="where this channel belongs to no incident: the site that is meant",
    completes=Completion.SITE,
)
"""What every command takes that does not name its site anyway."""


def typed_line(form: CommandForm, values: Mapping[str, object]) -> str:
    """Return the line that a person would have typed for these values, by the arguments' fields; None is left out."""
    words = [form.word, form.sub]
    last = ""
    for argument in form.arguments:
        value = values.get(argument.field)
        if value is None or value is False:
            continue
        if argument.flag:
            words.append(f"--{argument.name}")
        elif argument.name.startswith("--"):
            words += [argument.name, quoted(str(value))]
        elif argument.rest:
            last = str(value).strip()
        else:
            words.append(quoted(str(value)))
    return " ".join([*words, last] if last else words)


def quoted(word: str) -> str:
    """Return a word as it stands in a line: in quotes where it would be read as several, or as an option."""
    if word and not word.startswith(("--", '"', "'")) and not any(letter.isspace() for letter in word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
