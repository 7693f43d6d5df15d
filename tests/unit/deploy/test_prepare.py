"""The two commands on a machine on which they may not install anything: they say exactly what is missing, and stop."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
NOBODY = 65534


def prepare(call: str, programs: Path) -> subprocess.CompletedProcess[str]:
    """Run prepare.sh, read from standard input, as an ordinary account that finds only the programs of a folder."""
    as_nobody = ["/usr/bin/setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]
    text = (DEPLOY / "prepare.sh").read_text(encoding="utf-8")
    return subprocess.run(
        [*(as_nobody if os.geteuid() == 0 else []), "/bin/sh", "-s"],
        input=f"repo=/nowhere\n{text}\n{call}\n",
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def programs() -> Iterator[Path]:
    """Yield a folder in which an ordinary account finds only what is linked there; pytest's own are closed to it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def link(folder: Path, *names: str) -> None:
    for name in names:
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)


def test_without_root_it_says_which_packages_are_missing(programs: Path) -> None:
    """Only what is missing is named, with the command that installs it; exit status 2 and nothing was installed."""
    link(programs, "dpkg-query", "apt-get", "grep", "id")
    done = prepare("need_packages git backout-no-such-package", programs)
    assert done.returncode == 2
    assert "apt-get install --no-install-recommends backout-no-such-package" in done.stderr
    assert "Nothing was installed." in done.stderr
    assert "recommends git" not in done.stderr


def test_what_is_there_is_not_asked_for(programs: Path) -> None:
    """With every package installed nobody needs to be root."""
    link(programs, "dpkg-query")
    done = prepare("need_packages git sqlite3 && echo ready", programs)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ready\n", "")


def test_elsewhere_than_on_debian_it_names_all_packages(programs: Path) -> None:
    """Without dpkg nothing can be looked up, so the whole list is told."""
    done = prepare("need_packages $demo_packages", programs)
    assert done.returncode == 2
    for package in ("php-laravel-framework", "openssh-server", "python3-venv"):
        assert package in done.stderr


def test_the_scripts_say_what_they_can_do() -> None:
    """`demo.sh --help` and a wrong word to `test.sh` print the usage, and install nothing."""
    helped = subprocess.run(["sh", DEPLOY / "demo.sh", "--help"], capture_output=True, text=True, check=False)
    wrong = subprocess.run(["sh", DEPLOY / "test.sh", "fast"], capture_output=True, text=True, check=False)
    assert (helped.returncode, wrong.returncode) == (0, 2)
    assert "--compare" in helped.stdout
    assert "sh deploy/test.sh long" in wrong.stdout
