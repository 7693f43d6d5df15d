"""The commands there are: each is listed, explained, and says whether it changes anything."""

from __future__ import annotations

import pytest

from bot.model.message import Reply
from bot.model.person import Permission
from commands.arguments import Command
from commands.catalog import CATALOGUE, CommandRequest, completions, help_reply, read

CHANGE_PRODUCTION = {
    "/app freeze",
    "/app deploy",
    "/app caches",
    "/app reopen",
    "/restore confirm",
    "/restore undo",
    "/incident answer",
    "/incident cancel",
    "/incident release",
}


@pytest.mark.parametrize("command", CATALOGUE, ids=lambda c: c.name)
def test_every_command_explains_itself(command: Command) -> None:
    """Each command has a summary without a full stop, and its own help."""
    assert command.summary
    assert not command.summary.endswith(".")
    shown = read(f"{command.name} --help")
    assert isinstance(shown, Reply)
    assert command.usage in shown.text
    assert command.summary in shown.text


def test_help_is_no_mistake() -> None:
    """Asking a command for help is answered as an answer, not as a refusal."""
    shown = read("/backups list --help")
    assert isinstance(shown, Reply)
    assert shown.ok


def test_names_are_unique() -> None:
    """No two commands have one name."""
    names = [c.name for c in CATALOGUE]
    assert len(names) == len(set(names))


def test_what_changes_production_says_so() -> None:
    """Commands that can change a site say so in the list, and the others do not."""
    assert {c.name for c in CATALOGUE if c.changes} == CHANGE_PRODUCTION


def test_changing_asks_for_more_than_reading() -> None:
    """No command that changes something is open to a person who may only read."""
    assert all(c.permission is not Permission.READ for c in CATALOGUE if c.changes)


def test_what_replaces_or_opens_asks_for_an_approver() -> None:
    """Cut-over, undo, reopening and releasing a site are for approvers."""
    approvers = {c.name for c in CATALOGUE if c.permission is Permission.APPROVE}
    assert approvers == {"/restore confirm", "/restore undo", "/app reopen", "/incident release"}


@pytest.mark.parametrize(
    "text", ["help", "/help", "help incident", "help /incident", "/incident", "/incident help"]
)
def test_help_is_given(text: str) -> None:
    """`help` lists the commands, of all words or of one."""
    shown = read(text)
    assert isinstance(shown, Reply)
    assert "/incident start <site>" in shown.text


@pytest.mark.parametrize(
    "text", ["help restore plan", "help /restore plan", "/restore plan --help", "/restore plan help"]
)
def test_help_of_one_command_is_of_that_one(text: str) -> None:
    """Help for a command tells of it alone."""
    shown = read(text)
    assert isinstance(shown, Reply)
    assert shown.ok
    assert "/restore plan [file]" in shown.text
    assert "/restore undo" not in shown.text


def test_help_tells_how_another_site_is_named() -> None:
    """What every command takes, and no usage line shows, stands in the help."""
    assert "--site <site>" in help_reply().text


def test_help_for_an_unknown_command_names_the_nearest() -> None:
    """Help for a misspelt command suggests the nearest."""
    assert help_reply("restore", "paln").suggestions == ("/restore plan",)


def test_help_for_an_unknown_word_names_the_right_one() -> None:
    """Help for a misspelt word suggests the nearest."""
    shown = help_reply("incidnet")
    assert not shown.ok
    assert shown.suggestions == ("/incident",)


@pytest.mark.parametrize(
    ("text", "site", "needs_incident"),
    [
        ("/incident start shop prices are gone", "shop", False),
        ("/incident start --site shop shop", "shop", False),
        ("/app freeze --site shop", "shop", True),
        ("/app freeze", None, True),
        ("/incident list", None, False),
    ],
)
def test_a_request_names_its_site(text: str, site: str | None, needs_incident: bool) -> None:
    """The site is what was named, by option or as the command's own word."""
    request = read(text)
    assert isinstance(request, CommandRequest)
    assert (request.site, request.needs_incident) == (site, needs_incident)


def test_two_different_sites_in_one_line_are_refused() -> None:
    """A line that names one site by its word and another by option is not guessed at."""
    assert isinstance(read("/incident start shop --site north"), Reply)


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("/inc", "/incident start "),
        ("/backups in", "/backups inspect "),
        ("/app fr", "/app freeze"),
        ("/incident start sh", "/incident start shop "),
        ("  /restore pl", "/restore plan "),
    ],
)
def test_a_half_typed_line_is_completed(typed: str, completed: str) -> None:
    """Completions are whole lines that begin as what was typed."""
    found = completions(typed, ("shop", "north"))
    assert completed in [c["text"] for c in found]
    assert all(c["text"].startswith(typed.strip()) for c in found)


def test_a_whole_line_has_no_completion() -> None:
    """What is complete is left alone, and there are never more than ten."""
    assert completions("/app freeze", ()) == []
    assert completions("nonsense", ("shop",)) == []
    assert len(completions("", tuple(f"site{n}" for n in range(30)))) <= 10
    assert len(completions("/incident start ", tuple(f"site{n}" for n in range(30)))) <= 10
