"""The grammar of a typed line: what is read, what is refused, and what is said about it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.message import Reply
from bot.model.person import Permission
from bot.service.parts import Call, Parts
from commands.arguments import Argument, Command, Parsed, Wrong, parse, split
from commands.catalog import CATALOGUE


async def _nothing(parts: Parts, call: Call, values: dict[str, str]) -> Reply:
    return Reply(text="nothing")


def command(sub: str, *arguments: Argument) -> Command:
    return Command(
        word="/shop",
        sub=sub,
        summary=f"does {sub}",
        run=_nothing,
        permission=Permission.READ,
        arguments=arguments,
    )


BOOK = (
    command("open"),
    command("paint", Argument(name="colour", required=True, choices=("red", "green"))),
    command("move", Argument(name="place"), Argument(name="now", flag=True)),
    command("say", Argument(name="text", required=True, rest=True)),
    command("end", Argument(name="now", flag=True), Argument(name="why", rest=True)),
)


def read(text: str) -> Parsed:
    found = parse(text, BOOK)
    assert isinstance(found, Parsed), found
    return found


def wrong(text: str) -> Wrong:
    found = parse(text, BOOK)
    assert isinstance(found, Wrong), found
    return found


@pytest.mark.parametrize(
    ("text", "sub", "values", "site"),
    [
        ("/shop open", "open", {}, None),
        ("shop open", "open", {}, None),
        ("  /shop   open  ", "open", {}, None),
        ("/shop open --site north", "open", {}, "north"),
        ("/shop paint --site north red", "paint", {"colour": "red"}, "north"),
        ("/shop move", "move", {}, None),
        ("/shop move --now hall", "move", {"place": "hall", "now": "yes"}, None),
        ("/shop move 'the hall'", "move", {"place": "the hall"}, None),
        ("/shop say all of it", "say", {"text": "all of it"}, None),
        ("/shop end --now it is late", "end", {"now": "yes", "why": "it is late"}, None),
        ("/shop end", "end", {}, None),
        ("/shop say keep --odd words", "say", {"text": "keep --odd words"}, None),
    ],
)
def test_a_right_line_is_read(text: str, sub: str, values: dict[str, str], site: str | None) -> None:
    """Words, options and the rest of a line go where they belong."""
    found = read(text)
    assert (found.command.sub, found.values, found.site) == (sub, values, site)


@pytest.mark.parametrize(
    ("text", "said", "suggested"),
    [
        ("", "Type a command", "help"),
        ("/shp open", "no command '/shp'", "/shop"),
        ("/shop", "does open", "/shop open"),
        ("/shop help", "does open", "/shop open"),
        ("/shop opne", "'opne'", "/shop open"),
        ("/shop paint", "<colour> is missing", "/shop paint <red|green>"),
        ("/shop paint rde", "Did you mean red?", "/shop paint <red|green>"),
        ("/shop paint red green", "does not take 'green'", "/shop paint <red|green>"),
        ("/shop open --wide", "no option '--wide'", "/shop open"),
        ("/shop open --site", "--site needs the name of a site", "/shop open"),
        ("/shop open --help", "does open", "/shop open"),
        ("/shop open help", "does open", "/shop open"),
        ("/shop move help", "does move", "/shop move"),
        ("/shop say", "<text> is missing", "/shop say <text>"),
    ],
)
def test_a_wrong_line_is_answered_with_a_right_one(text: str, said: str, suggested: str) -> None:
    """What is wrong is named, and a line that would be right is suggested."""
    found = wrong(text)
    assert said in found.text
    assert suggested in found.suggestions


def test_help_may_be_a_persons_own_word() -> None:
    """Where a command takes a person's own text, `help` is such a text."""
    assert read("/shop say help").values["text"] == "help"
    assert read("/shop end help").values["why"] == "help"
    assert read("/shop say try artisan --help").values["text"] == "try artisan --help"


@pytest.mark.parametrize("text", ["/{}", "/shop {}", "/shop open {}", "/shop paint {}", "/shop open --{}"])
def test_a_very_long_word_is_not_repeated_whole(text: str) -> None:
    """An answer names what was wrong, and stays short however long that was."""
    found = wrong(text.format("é" * 5000))
    assert "ééé" in found.text
    assert len(found.text) < 300


def test_a_word_like_none_suggests_nothing() -> None:
    """A word that resembles no command gets the list, and no wild guess."""
    assert wrong("/qqqqqqq").suggestions == ()


def test_a_mistake_says_that_nothing_was_changed() -> None:
    """A line that could not be read changed nothing, and says so with the usage."""
    found = wrong("/shop paint blue")
    assert "Usage: /shop paint <red|green>" in found.text
    assert "Nothing was changed." in found.text


def test_usage_shows_every_kind_of_argument() -> None:
    """Required words stand in <>, others in []; options as they are typed."""
    usages = [c.usage for c in BOOK]
    assert usages == [
        "/shop open",
        "/shop paint <red|green>",
        "/shop move [place] [--now]",
        "/shop say <text>",
        "/shop end [--now] [why]",
    ]


@pytest.mark.parametrize("text", ["it's gone", 'half a "quote', "\\", "don't"])
def test_a_lone_quote_mark_is_a_letter(text: str) -> None:
    """A text with an apostrophe is read, not refused."""
    assert split(text) == text.split()


@pytest.mark.parametrize(
    "text",
    [
        'the log says "no such column: price"',
        r"look in C:\logs\new",
        "it's gone, isn't it",
        "two  spaces",
        "first line\nsecond line",
    ],
)
def test_what_a_person_writes_is_kept_as_written(text: str) -> None:
    """The rest of a line is the person's own words: quotes, backslashes, spaces and line breaks stay."""
    assert read(f"/shop say {text}").values["text"] == text


@given(st.text(max_size=80))
def test_no_text_breaks_the_reader(text: str) -> None:
    """Whatever is typed is either read or answered in words."""
    found = parse(text, CATALOGUE)
    assert isinstance(found, (Parsed, Wrong))
    assert isinstance(found, Parsed) or found.text


@given(
    st.sampled_from(CATALOGUE),
    st.lists(
        st.sampled_from(["$(reboot)", "`id`", "a b", "'; drop table x", "--", "\u202e", "\x00", "é"]),
        max_size=3,
    ),
)
def test_hostile_words_stay_words(command: Command, words: list[str]) -> None:
    """Shell text, control characters and option marks reach a command as one plain value, or are refused."""
    quoted = " ".join('"' + word.replace("`", "\\`").replace("$", "\\$") + '"' for word in words)
    found = parse(f"{command.name} {quoted}", CATALOGUE)
    if isinstance(found, Parsed):
        assert set(found.values) <= {a.name for a in command.arguments}
