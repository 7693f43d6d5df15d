"""Every line of the procedure by hand has a command, a test and a place in the report."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from bot.__main__ import app
from commands.catalog import CATALOGUE
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


@cache
def names_of_tests(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, functions))


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.first}-{row.last}")
def test_what_a_row_names_is_there(row: Row) -> None:
    """The command is in the catalogue (or one of the shell's), the test in its file, the heading in the report."""
    slash = {f"{one.word} {one.sub}" for one in CATALOGUE}
    shell = {
        f"backout {one.name or one.callback.__name__}" for one in app.registered_commands if one.callback
    }
    assert row.command in slash | shell
    path, _, name = row.test.partition("::")
    assert name in names_of_tests(REPOSITORY / path)
    assert f"## {row.heading}" in HEADINGS


def test_every_line_by_hand_is_in_a_row() -> None:
    """No line of the procedure is left out, and none stands in two rows. Uses the shared procedure itself."""
    if not RUNBOOK.is_file():
        pytest.skip("the procedure by hand is not beside this repository")
    lines = RUNBOOK.read_text(encoding="utf-8").splitlines()
    wanted = {number for number, line in enumerate(lines, 1) if line.strip() and not line.startswith("```")}
    covered = [number for row in rows() for number in range(row.first, row.last + 1)]
    assert len(covered) == len(set(covered))
    assert wanted - set(covered) == set()
