"""Faults put into a playing incident are noticed and named, and the play does not end well."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.site import faults
from tests.site.fixtures import production, production_template
from tests.site.forked import REPOSITORY
from tests.site.play import PlayStoppedError, play
from tests.site.production import Production
from tests.site.scenario import content_of, fresh_scene

__all__ = ["production", "production_template"]

NAMED = {
    "cut-backup": r"older|lacks \d+ migration",
    "wrong-target": r"other\.sqlite",
    "writer": r"freeze|write",
    "lost-comment": r"comments are gone",
}
"""What the demo's output must say of each fault."""


def test_a_cut_backup_stops_the_plan(production: Production, tmp_path: Path) -> None:
    """The newest backup cut in the middle is refused, and no plan is made on an older one without its name."""
    faults.cut_backup(production)
    before = content_of(production.database_path)
    with fresh_scene(production, tmp_path / "bot") as scene:
        with pytest.raises(PlayStoppedError, match=NAMED["cut-backup"]):
            play(scene.player(), commits=production.corrected_commits, before=lambda _: None)
        state = scene.state()
        assert (state["cutover"], content_of(production.database_path)) == ("none", before)
        [listing] = [e["data"]["backups"] for e in scene.entries("backups.listed")][-1:]
        [cut] = [b for b in listing if b["path"] == str(production.good_backup)]
        assert cut["word"] == "REFUSED"


@pytest.mark.long
@pytest.mark.parametrize("fault", sorted(NAMED))
def test_the_demo_names_the_fault(tmp_path: Path, fault: str) -> None:
    """The demo with a fault ends with another status than 0, does not recover, and names what was noticed."""
    words = ["--folder", str(tmp_path / "demo"), "--photos", "2000", "--play", "--fault", fault]
    command = [sys.executable, "-m", "tests.site.demo", *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, timeout=200, check=False)
    last = done.stdout[-3000:]
    assert done.returncode != 0, last
    assert "recovered: no" in last
    [stopped] = re.findall(r"^the play stopped: (.*)$", done.stdout, re.MULTILINE)
    assert re.search(NAMED[fault], stopped), stopped
