"""Every line of the procedure by hand has a command that is accepted, a test that runs, and a place in the report."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.main import get_command

from bot.__main__ import app
from bot.model.message import Reply
from commands.catalog import CommandRequest, read
from tests.unit.deploy.collecting import Collected, barred, collect, collected_of
from tests.unit.report.test_report import HEADINGS

REPOSITORY = Path(__file__).parents[3]
RUNBOOK = REPOSITORY.parent / "shared" / "runbook.md"


class Row(NamedTuple):
    first: int
    last: int
    command: str
    test: str
    heading: str


def rows() -> list[Row]:
    text = (REPOSITORY / "deploy" / "RUNBOOK-COVERAGE.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| (\d+)–(\d+) \|[^|]+\| `([^`]+)` \| `([^`]+)` \| ([^|]+) \|$", text, re.MULTILINE)
    assert len(found) == len(re.findall(r"^\| \d", text, re.MULTILINE))
    return [Row(int(a), int(b), command, test, heading) for a, b, command, test, heading in found]


ROWS = rows()
SLASH = sorted({row.command for row in ROWS if row.command.startswith("/")})
SHELL = sorted({row.command for row in ROWS} - set(SLASH))


@pytest.mark.parametrize("line", SLASH)
def test_a_command_is_accepted_as_it_is_written(line: str) -> None:
    """The catalogue reads the line with its arguments, has what carries it out, and explains it."""
    request = read(line)
    assert isinstance(request, CommandRequest), request
    command = request.parsed.command
    assert callable(command.run)
    shown = read(f"{command.name} --help")
    assert isinstance(shown, Reply)
    assert (shown.ok, command.usage in shown.text, command.summary in shown.text) == (True, True, True)


@pytest.mark.parametrize("line", SHELL)
def test_a_command_of_the_shell_is_accepted_as_it_is_written(line: str) -> None:
    """The program reads the line with its arguments, has what carries it out, and explains it."""
    program, word, *arguments = line.split()
    assert program == "backout"
    command = getattr(get_command(app), "commands", {})[word]
    with command.make_context(word, arguments) as context:
        assert command.callback is not None
        assert command.help
        assert arguments == [value for value in context.params.values() if value in arguments]


@pytest.fixture(scope="module")
def collected(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Collected:
    """What pytest collects: of this very run, and in a process of its own what this run was not asked for."""
    here = collected_of(request.session.items)
    others = {row.test for row in ROWS} - set(here)
    if not others:
        return here
    return {**here, **collect(others, REPOSITORY, tmp_path_factory.mktemp("collected") / "tests.json")}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.first}-{row.last}")
def test_the_test_of_a_row_runs(row: Row, collected: Collected) -> None:
    """Pytest collects it, under no mark that keeps it from running."""
    assert collected.get(row.test, ["not collected"]) == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.first}-{row.last}")
def test_the_report_has_a_place_for_a_row(row: Row) -> None:
    """The heading stands in the post-mortem."""
    assert f"## {row.heading}" in HEADINGS


def test_what_keeps_a_test_from_running_is_seen() -> None:
    """A skip, one that hangs on the machine, and an expected failure that is not even tried."""
    marks = [
        pytest.mark.skip(reason="later"),
        pytest.mark.skipif("True", reason="here"),
        pytest.mark.xfail(run=False),
        pytest.mark.xfail(strict=True),
        pytest.mark.long,
    ]
    assert barred(mark.mark for mark in marks) == ["skip", "skipif", "xfail"]


def test_every_line_by_hand_is_in_a_row() -> None:
    """No line of the procedure is left out, and none stands in two rows. Uses the shared procedure itself."""
    if not RUNBOOK.is_file():
        pytest.skip("the procedure by hand is not beside this repository")
    lines = RUNBOOK.read_text(encoding="utf-8").splitlines()
    wanted = {number for number, line in enumerate(lines, 1) if line.strip() and not line.startswith("```")}
    covered = [number for row in ROWS for number in range(row.first, row.last + 1)]
    assert len(covered) == len(set(covered))
    assert wanted - set(covered) == set()
