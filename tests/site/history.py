"""The album's git history: what was deployed, what went wrong, and the two corrections that wait in the remote."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent

# The folder of each commit's files over the one before, its message, and its day.
COMMITS = (
    ("app", "The album: photos, comments, tags", "2025-11-01T09:00:00Z"),
    ("commits/1-location", "Photos have a location", "2025-11-20T08:55:00Z"),
    ("commits/2-posts", "A post can hold several photos", "2025-11-25T11:40:00Z"),
    (
        "commits/3-copy-first",
        "Convert to posts: copy the captions before the column goes",
        "2025-11-25T13:30:00Z",
    ),
    (
        "commits/4-native-drop",
        "Convert to posts: drop the column in place, comments stay, ids go on",
        "2025-11-25T14:10:00Z",
    ),
)


@dataclass(frozen=True, kw_only=True)
class History:
    """Commit ids, and the repository in which they were written."""

    author: Path
    base: str
    location: str
    bad: str
    first_correction: str
    second_correction: str

    def publish(self, commit: str, remote: Path) -> None:
        """Set branch main of the remote to a commit. *Changes* the remote."""
        git(self.author, "push", "--quiet", str(remote), f"{commit}:refs/heads/main")


def git(folder: Path, *arguments: str, moment: str = "2025-11-01T09:00:00Z") -> str:
    """Return what git prints, run with no settings but its own. *Raises* CalledProcessError."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_DATE": moment,
        "GIT_COMMITTER_DATE": moment,
    }
    people = ("-c", "user.name=Album developers", "-c", "user.email=developers@album.example")
    done = subprocess.run(
        ["git", *people, "-C", str(folder), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def write_history(author: Path, remote: Path, old_schema: str) -> History:
    """Write all five commits into `author` and make an empty bare `remote`; nothing is published yet.

    `old_schema` is the name of the file that an engine of earlier days has left; Laravel would load one of its own engine.
    """
    for folder, options in ((author, ()), (remote, ("--bare",))):
        folder.mkdir(parents=True)
        git(folder, "init", "--quiet", "--initial-branch=main", *options)
    commits = [
        commit_files(author, HERE / name, message, moment, old_schema) for name, message, moment in COMMITS
    ]
    return History(
        author=author,
        base=commits[0],
        location=commits[1],
        bad=commits[2],
        first_correction=commits[3],
        second_correction=commits[4],
    )


def commit_files(author: Path, files: Path, message: str, moment: str, old_schema: str) -> str:
    """Lay files over the working tree, commit them, and return the commit's id. *Changes* `author`."""
    shutil.copytree(
        files, author, dirs_exist_ok=True, ignore=shutil.ignore_patterns("vendor", "env", "gitignore")
    )
    schema = author / "database" / "schema"
    for path in schema.glob("mysql-schema.sql"):
        path.rename(schema / old_schema)
    if (files / "gitignore").exists():
        shutil.copy(files / "gitignore", author / ".gitignore")
    git(author, "add", "--all")
    git(author, "commit", "--quiet", "--message", message, moment=moment)
    return git(author, "rev-parse", "HEAD")
