"""Pytest fixtures: a small production, built once, and for each test a running copy of its own.

A test module imports what it uses: `from tests.site.fixtures import production, production_template`. The two are on
SQLite; for the other engines `template_on(factory, "mariadb")` gives what may be cloned.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.servers.fixtures import made_once
from tests.site.clone import clone_production
from tests.site.production import Production, build, load, stop

__all__ = ["clone_production", "production", "production_template", "template_on"]

SMALL = 2_000


def template_on(factory: pytest.TempPathFactory, database: str, photos: int = SMALL) -> Production:
    """Return a small production on that engine that is not running: never change it, clone it.

    It is built once for each engine and number of photos, however many modules and processes of the test run use it.
    """
    folder = made_once(
        factory,
        f"production-on-{database}-{photos}",
        partial(build, photos=photos, database=database, run=False),
    )
    return load(folder)


@pytest.fixture(scope="session")
def production_template(tmp_path_factory: pytest.TempPathFactory) -> Production:
    """Return a small production on SQLite that is not running: never change it, clone it."""
    return template_on(tmp_path_factory, "sqlite")


@pytest.fixture
def production(production_template: Production, tmp_path: Path) -> Iterator[Production]:
    """Return a running production of the test's own, after the bad migration; it is stopped after the test."""
    own = clone_production(production_template.folder, tmp_path / "production")
    yield own
    stop(own.folder)
