"""The table of hazards and their tests is whole, and every test that it names is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
REQUIRED = [
    *(f"M{n}" for n in range(1, 6)),
    *(f"B{n}" for n in range(1, 9)),
    *(f"S{n}" for n in range(1, 8)),
    *(f"R{n}" for n in range(1, 13)),
    *(f"G{n}" for n in range(1, 11)),
    *(f"V{n}" for n in range(1, 8)),
    *(f"D{n}" for n in range(1, 9)),
]


def table() -> dict[str, tuple[list[str], list[str]]]:
    """Return for each hazard the tests of the harm and the tests of Backout, as the README names them."""
    text = (Path(__file__).parent / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([A-Z]\d+) [^|]*\|([^|]*)\|([^|]*)\|$", text, re.MULTILINE)
    return {name: (_named(harm), _named(ours)) for name, harm, ours in rows}


def _named(cell: str) -> list[str]:
    return re.findall(r"`(\S+::\S+)`", cell)


@cache
def names_of_tests(path: Path) -> frozenset[str]:
    """Return the names of the tests in a file, those of its classes included."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, functions))


@pytest.mark.parametrize("hazard", REQUIRED)
def test_the_hazard_has_tests_on_both_sides(hazard: str) -> None:
    """The row is there, each side names a test, and each test named is in its file."""
    harm, ours = table()[hazard]
    missing = [
        name
        for name in (*harm, *ours)
        if not (TESTS / name.split("::")[0]).is_file()
        or name.split("::")[1] not in names_of_tests(TESTS / name.split("::")[0])
    ]
    assert harm
    assert ours
    assert missing == []


def test_every_test_of_a_hazard_stands_in_the_table() -> None:
    """No test of this folder that bears a hazard's number is left out of the table."""
    named = {test for sides in table().values() for side in sides for test in side}
    here = {
        f"hazards/{path.name}::{name}"
        for path in Path(__file__).parent.glob("test_*.py")
        for name in names_of_tests(path)
        if re.match(r"test_(mariadb_)?[mbsrgvd]\d+_", name)
    }
    assert here - named == set()
