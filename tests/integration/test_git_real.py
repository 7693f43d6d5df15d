"""Real git on a deployed clone as sites have them: hooks of its own, a key of its own, and bits set by a deployment."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.laravel import git
from tests.integration.test_laravel_real import git_in, run


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """A clone, its remote with a newer commit, and the file into which its hooks write their names."""

    origin: Path
    clone: Path
    hooks_ran: Path

    def fetched(self) -> str:
        """Fetch as Backout does, and return the newer commit."""
        run(git.fetch_command(str(self.clone), "origin", "main"))
        return git.parse_commit(run(git.remote_commit_command(str(self.clone), "origin", "main")))


def executable(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def deployed(tmp_path: Path) -> Deployed:
    origin, clone, ran = tmp_path / "origin", tmp_path / "clone", tmp_path / "hooks ran"
    origin.mkdir()
    git_in(origin, "init", "-q")
    (origin / "one.php").write_text("<?php // 1\n")
    git_in(origin, "add", ".")
    git_in(origin, "commit", "-qm", "first")
    git_in(tmp_path, "clone", "-q", str(origin), str(clone))
    (origin / "one.php").write_text("<?php // 2\n")
    git_in(origin, "commit", "-qam", "second")
    for hook in ("post-checkout", "reference-transaction"):
        executable(clone / f".git/hooks/{hook}", f"echo {hook} >> {shlex.quote(str(ran))}")
    return Deployed(origin=origin, clone=clone, hooks_ran=ran)


def test_no_hook_of_the_repository_runs(deployed: Deployed, tmp_path: Path) -> None:
    """A hook may migrate production by itself: plain git runs it even for a work tree beside, Backout's commands never."""
    beside, path = tmp_path / "by hand", str(deployed.clone)
    git_in(deployed.clone, "worktree", "add", "-q", "--detach", str(beside))
    assert "post-checkout" in deployed.hooks_ran.read_text()
    deployed.hooks_ran.unlink()
    offered = deployed.fetched()
    run(git.add_worktree_command(path, str(tmp_path / "tree"), offered))
    run(git.remove_worktree_command(path, str(tmp_path / "tree")))
    run(git.checkout_command(path, offered))
    assert (deployed.clone / "one.php").read_text() == "<?php // 2\n"
    assert not deployed.hooks_ran.exists()


def test_the_repositorys_own_way_to_its_remote_is_used(deployed: Deployed, tmp_path: Path) -> None:
    """A deploy key stands in `core.sshCommand`: the fetch goes by it, and still asks nobody."""
    seen = tmp_path / "seen"
    serve = f"printf '%s\\n' \"$@\" > {shlex.quote(str(seen))}; exec git-upload-pack {shlex.quote(str(deployed.origin))}"
    ssh = executable(tmp_path / "ssh", f'[ "$1" != -G ] || exit 1; {serve}')
    git_in(deployed.clone, "config", "core.sshCommand", f"{shlex.quote(str(ssh))} -i 'a key'")
    git_in(deployed.clone, "remote", "set-url", "origin", "ssh://git@code.example/shop.git")
    deployed.fetched()
    words = seen.read_text().splitlines()
    assert words[:4] == ["-i", "a key", "-o", "BatchMode=yes"]
    assert "git@code.example" in words


def test_a_bit_of_execution_is_no_change_of_the_code(deployed: Deployed) -> None:
    """After `chmod -R 775` nothing counts as changed, and the commit is checked out over it; changed text still counts."""
    path, file = str(deployed.clone), deployed.clone / "one.php"
    offered = deployed.fetched()
    file.chmod(0o775)
    assert subprocess.run(["git", "diff", "--quiet"], cwd=path, check=False).returncode == 1
    assert git.parse_work_tree(run(git.work_tree_command(path))).modified == ()
    run(git.checkout_command(path, offered))
    assert file.read_text() == "<?php // 2\n"
    file.write_text("<?php // mine\n")
    assert git.parse_work_tree(run(git.work_tree_command(path))).modified == ("one.php",)


def test_an_application_in_a_folder_of_its_repository(tmp_path: Path) -> None:
    """Its commits, files and sources are told by their paths in the application; other folders' files are none of it."""
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    migrations = origin / "apps/my shop/database/migrations"
    migrations.mkdir(parents=True)
    git_in(origin, "init", "-q")
    (origin / "apps/my shop/artisan").write_text("<?php // 1\n")
    git_in(origin, "add", ".")
    git_in(origin, "commit", "-qm", "first")
    git_in(tmp_path, "clone", "-q", str(origin), str(clone))
    (migrations / "one.php").write_text("<?php // 1\n")
    (origin / "composer.lock").write_text("{}")  # another application's
    git_in(origin, "add", ".")
    git_in(origin, "commit", "-qm", "second")
    path = str(clone / "apps/my shop")
    run(git.fetch_command(path, "origin", "main"))
    offered = git.parse_commit(run(git.remote_commit_command(path, "origin", "main")))
    deployed = git.parse_commit(run(git.head_command(path)))
    changes = git.parse_changed_files(run(git.changed_files_command(path, deployed, offered)))
    assert [one.path for one in git.migration_changes(changes)] == ["database/migrations/one.php"]
    assert not git.composer_changed(changes)
    (note,) = git.parse_commits(run(git.commits_command(path, deployed, offered)))
    assert note.files == ("database/migrations/one.php",)
    assert run(git.show_file_command(path, offered, note.files[0])) == "<?php // 1\n"
    inside = git.parse_prefix(run(git.prefix_command(path)))
    assert inside == "apps/my shop"
    assert git.parse_prefix(run(git.prefix_command(str(clone)))) == ""
    run(git.add_worktree_command(path, str(tmp_path / "tree"), offered))
    assert (tmp_path / "tree" / inside / note.files[0]).read_text() == "<?php // 1\n"
