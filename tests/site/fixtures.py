"""Pytest fixtures: a small production, built once, and for each test a running copy of its own.

A test module imports what it uses: `from tests.site.fixtures import production, production_template`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.site.clone import clone_production
from tests.site.production import Production, build, load, stop

__all__ = ["clone_production", "production", "production_template"]

SMALL = 2_000


@pytest.fixture(scope="session")
def production_template(tmp_path_factory: pytest.TempPathFactory) -> Production:
    """Return a small production that is not running: never change it, clone it.

    It stands in the session's own folder, so that it is built once however many modules import this fixture.
    """
    folder = tmp_path_factory.getbasetemp() / "production-template"
    if (folder / "production.json").exists():
        return load(folder)
    return build(folder, photos=SMALL, run=False)


@pytest.fixture
def production(production_template: Production, tmp_path: Path) -> Iterator[Production]:
    """Return a running production of the test's own, after the bad migration; it is stopped after the test."""
    own = clone_production(production_template.folder, tmp_path / "production")
    yield own
    stop(own.folder)
