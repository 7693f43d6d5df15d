"""A whole incident on PostgreSQL whose application's user may not make databases: all of it in one database (R9)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.site.clone import clone_production
from tests.site.fixtures import SMALL, template_on
from tests.site.play import play
from tests.site.production import Production, stop
from tests.site.scenario import disagreements, fresh_scene


@pytest.fixture
def without_createdb(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Iterator[Production]:
    """Return a running production on PostgreSQL whose user owns its database and may make no other."""
    site = clone_production(
        template_on(tmp_path_factory, "postgresql", SMALL).folder, tmp_path / "production"
    )
    try:
        assert site.server is not None
        site.server.superuser().run("ALTER ROLE album NOCREATEDB;")
        yield site
    finally:
        stop(site.folder)


@pytest.mark.long
def test_it_recovers_in_side_schemas(without_createdb: Production, tmp_path: Path) -> None:
    """Repair by the application's own rollback, cut-over and corrected migration; the plan says which way was taken."""
    with fresh_scene(without_createdb, tmp_path / "bot") as scene:
        state = play(scene.player(), commits=without_createdb.corrected_commits, before=lambda _: None)
        told = " ".join(entry["text"] for entry in scene.entries())
    assert (state["outcome"], state["cutover"]) == ("recovered", "done")
    assert disagreements(without_createdb, "corrected", online=True) == []
    assert without_createdb.server is not None
    assert "backout_" not in " ".join(
        without_createdb.server.superuser().to("postgres").run("SELECT datname FROM pg_database").split()
    )
    assert "raise the next numbers of album above" in told
    assert "schema beside the live tables" in told or "schema beside the live tables" in str(state)
