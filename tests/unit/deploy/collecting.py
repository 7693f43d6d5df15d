"""Which tests pytest really collects, and which of them no run would carry out; also a plugin that writes that down."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

FILE = "BACKOUT_COLLECTED"
"""The environment variable with the path to which the plugin writes."""

Collected = dict[str, list[str]]
"""Of each test, by file and name without its parameters, the marks that keep it from running."""


def barred(marks: Iterable[pytest.Mark]) -> list[str]:
    """Return those marks under which a test is not carried out, on any machine or on some."""
    return [
        mark.name
        for mark in marks
        if mark.name in ("skip", "skipif") or (mark.name == "xfail" and not mark.kwargs.get("run", True))
    ]


def collected_of(items: Iterable[pytest.Item]) -> Collected:
    """Return what was collected."""
    return {item.nodeid.partition("[")[0]: barred(item.iter_markers()) for item in items}


def pytest_collection_finish(session: pytest.Session) -> None:
    """Write what was collected, where this module is loaded as a plugin."""
    if FILE in os.environ:
        Path(os.environ[FILE]).write_text(json.dumps(collected_of(session.items)), encoding="utf-8")


def collect(tests: Iterable[str], repository: Path, file: Path) -> Collected:
    """Return what pytest collects of these tests in a process of its own; one that is not there is not in it."""
    files = sorted({test.partition("::")[0] for test in tests})
    options = ["--collect-only", "-q", "-p", __name__, "-p", "no:cacheprovider"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    subprocess.run(
        [sys.executable, "-m", "pytest", *options, *files],
        cwd=repository,
        env={**env, FILE: str(file)},
        stdout=subprocess.DEVNULL,
        timeout=250,
        check=False,
    )
    found: Collected = json.loads(file.read_text(encoding="utf-8"))
    return found
