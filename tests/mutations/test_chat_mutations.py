"""Each fault of the list, put into a copy of the tree, turns a test red: what the tests say is what they see."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutations import discord, slack
from tests.mutations.mutation import Mutation

REPOSITORY = Path(__file__).resolve().parents[2]
MUTATIONS = tuple(
    pytest.param(one, id=f"{name} {one.name}")
    for name, mutations in (("slack", slack.MUTATIONS), ("discord", discord.MUTATIONS))
    for one in mutations
)
FAILED = 1
"""Pytest's exit status when tests ran and some failed."""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the repository's files."""
    copy = tmp_path_factory.mktemp("mutated") / "tree"
    skipped = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist")
    shutil.copytree(REPOSITORY, copy, ignore=skipped)
    return copy


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_the_list_fits_the_code(mutation: Mutation) -> None:
    """What is to be changed stands in the file exactly once, and the named tests are there."""
    assert (REPOSITORY / mutation.file).read_text(encoding="utf-8").count(mutation.old) == 1
    for test in mutation.tests:
        file, _, name = test.partition("::")
        assert (REPOSITORY / file).exists(), test
        assert f"def {name}(" in (REPOSITORY / file).read_text(encoding="utf-8") or not name, test


@pytest.mark.long
@pytest.mark.timeout(240)
@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_fault_turns_the_suite_red(tree: Path, mutation: Mutation) -> None:
    """With the fault in it, one of the named tests fails."""
    file = tree / mutation.file
    whole = file.read_text(encoding="utf-8")
    file.write_text(whole.replace(mutation.old, mutation.new), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        *mutation.tests,
    ]
    env = {name: value for name, value in os.environ.items() if name not in ("CI", "PYTEST_CURRENT_TEST")}
    try:
        done = subprocess.run(command, cwd=tree, env=env, capture_output=True, text=True, check=False)
    finally:
        file.write_text(whole, encoding="utf-8")
    assert done.returncode == FAILED, done.stdout[-3000:]
