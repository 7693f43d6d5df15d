"""A whole incident on MariaDB whose user may make no database, in the one database that the hosting panel lends (HAZARDS R9)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.site.clone import clone_production
from tests.site.fixtures import template_on
from tests.site.play import play
from tests.site.production import stop
from tests.site.scenario import disagreements, fresh_scene

LENT = "album_second"


@pytest.mark.long
def test_the_incident_is_played_to_its_end_without_the_right_to_make_a_database(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    """Repair, cut-over, two rehearsals of corrected commits and reopening; the oracle agrees, and the plan says the way."""
    site = clone_production(template_on(tmp_path_factory, "mariadb").folder, tmp_path / "production")
    try:
        assert site.server is not None
        superuser = site.server.superuser()
        user = "'album'@'%'"
        superuser.run(
            f"CREATE DATABASE {LENT}; REVOKE ALL ON `backout\\_%`.* FROM {user};"
            f" GRANT ALL ON `album\\_second`.* TO {user}"
        )
        with fresh_scene(site, tmp_path / "bot", f'scratch_databases = ["{LENT}"]\n') as scene:
            state = play(scene.player(), commits=site.corrected_commits, before=lambda _: None)
            told = str(scene.entries("rehearsed"))
        assert (state["outcome"], state["cutover"]) == ("recovered", "done")
        assert disagreements(site, "corrected", online=True) == []
        assert "lies in the database album_second" in told
        assert "GRANT ALL PRIVILEGES" in told
        names = {row[0] for row in superuser.rows("SHOW DATABASES")}
        assert not [name for name in names if name.startswith("backout_")]
    finally:
        stop(site.folder)
