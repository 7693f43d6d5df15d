"""Fetching the corrected code, showing what it brings, and checking out exactly the approved commit."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from bot.model.errors import FailedError
from bot.model.git_name import is_branch_name, is_remote_name
from bot.ports.host import Command

_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")

# Separators that stand in no subject line and in no file name (a NUL ends a file name, a unit separator a field).
_RECORD: Final = "\x1e"
_FIELD: Final = "\x1f"
_NAME_END: Final = "\0"

# git asks nobody (a password would hang), pages nothing, and works on a repository that belongs to another user of the
# host, for this call alone. No hook of the repository runs: a new work tree and a checkout call one, in which
# sites migrate by themselves. A bit of execution that a deployment set (`chmod -R`) is no change of the code.
_GIT: Final = (
    "git",
    *("-c", "safe.directory=*", "-c", "core.quotePath=false", "-c", "core.pager=cat"),
    *("-c", "core.hooksPath=/dev/null", "-c", "core.fileMode=false"),
)
_ENVIRONMENT: Final = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}

# The repository may say by which ssh its remote is reached, with which key; ours only adds that nobody is asked.
_FETCH: Final = (
    'way=$(git -c "safe.directory=*" config --get core.sshCommand) || way=ssh; '
    'GIT_SSH_COMMAND="$way -o BatchMode=yes -o ConnectTimeout=10"; export GIT_SSH_COMMAND; exec "$@"'
)


class Relation(enum.Enum):
    """How the remote branch stands to the commit that is deployed."""

    SAME = "same"  # nothing new
    AHEAD = "ahead"  # new commits on top of what is deployed
    BEHIND = "behind"  # the remote was reset to an older commit: `git pull` would say "Already up to date"
    DIVERGED = (
        "diverged"  # both have commits of their own: history was rewritten, or someone committed on the host
    )


@dataclass(frozen=True, kw_only=True)
class WorkTree:
    """What is checked out on the host: `branch` is None for a detached HEAD, `changed` the files that differ from it.

    `changed` are [status, path] pairs as git names them ('M', 'D', '??' for a file it does not know).
    """

    commit: str
    branch: str | None
    changed: tuple[tuple[str, str], ...]

    @property
    def modified(self) -> tuple[str, ...]:
        """Return the tracked files that were changed on the host; unknown ones are left out."""
        return tuple(path for status, path in self.changed if status != "??")


@dataclass(frozen=True, kw_only=True)
class CommitNote:
    """One commit as it is shown: what it is, by whom, when (aware), and the files it changes."""

    commit: str
    author: str
    time: datetime
    subject: str
    files: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class FileChange:
    """A file that differs between two commits; `status` is 'A', 'M', 'D', 'T' or, for a moved one, two of them."""

    status: str
    path: str


def work_tree_command(app_path: str) -> Command:
    """Return the command that tells the checked-out commit, the branch and changed files. Reads only."""
    return _git(app_path, "status", "--porcelain=v2", "--branch", "--untracked-files=normal", "-z")


def parse_work_tree(stdout: str) -> WorkTree:
    """Return what is checked out. *Raises* FailedError where the output is damaged or there is no commit yet.

    *Source*: git-status(1), porcelain format version 2.
    """
    commit = branch = None
    changed: list[tuple[str, str]] = []
    entries = iter(stdout.split(_NAME_END))
    for entry in entries:
        kind, _, rest = entry.partition(" ")
        if entry.startswith("# branch.oid "):
            commit = entry.removeprefix("# branch.oid ")
        elif entry.startswith("# branch.head "):
            branch = entry.removeprefix("# branch.head ")
        elif kind in ("1", "2", "u"):
            changed.append(_changed_entry(kind, rest))
            if kind == "2":  # a renamed file's old name follows as an entry of its own
                next(entries, None)
        elif kind == "?":
            changed.append(("??", rest))
        elif entry and kind not in ("#", "!"):
            raise FailedError("the answer of git status is damaged; it was not used")
    if commit is None or branch is None or not _COMMIT.fullmatch(commit):
        raise FailedError("git status named no commit: is the folder a git repository with a history?")
    return WorkTree(commit=commit, branch=None if branch == "(detached)" else branch, changed=tuple(changed))


def fetch_command(
    app_path: str, remote: str, branch: str, *, timeout: timedelta = timedelta(minutes=2)
) -> Command:
    """Return the command that fetches one branch. *Changes* only what git knows of the remote, no file of the site.

    The refspec takes a branch that was reset or rewritten as well, so that this is seen and not hidden.
    """
    refspec = f"+refs/heads/{_branch(branch)}:refs/remotes/{_remote(remote)}/{branch}"
    words = ("fetch", "--no-tags", "--no-recurse-submodules", "--", remote, refspec)
    plain = _git(app_path, *words, timeout=timeout)
    return replace(plain, argv=["sh", "-c", _FETCH, "sh", *plain.argv])


def remote_commit_command(app_path: str, remote: str, branch: str) -> Command:
    """Return the command that tells the commit of the fetched remote branch. Reads only."""
    name = f"refs/remotes/{_remote(remote)}/{_branch(branch)}^{{commit}}"
    return _git(app_path, "rev-parse", "--verify", "--quiet", "--end-of-options", name)


def head_command(app_path: str) -> Command:
    """Return the command that tells the commit that is checked out. Reads only."""
    return _git(app_path, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")


def parse_commit(stdout: str) -> str:
    """Return the full commit hash. *Raises* FailedError where the output is anything else."""
    text = stdout.strip()
    if not _COMMIT.fullmatch(text):
        raise FailedError("git named no commit; nothing was changed")
    return text


def prefix_command(app_path: str) -> Command:
    """Return the command that tells in which folder of its repository the application lies. Reads only."""
    return _git(app_path, "rev-parse", "--show-prefix")


def parse_prefix(stdout: str) -> str:
    """Return that folder, `apps/shop`; empty where the application is the whole repository. *Raises* FailedError."""
    folder = stdout.removesuffix("\n").rstrip("/")
    if "\n" in folder or folder.startswith("/") or ".." in folder.split("/"):
        raise FailedError("git named no folder of the repository; nothing was changed")
    return folder


def deployed_at_command(app_path: str) -> Command:
    """Return the command that tells when the checked-out commit came onto the host, by git's own log of it. Reads only."""
    return _git(
        app_path, "reflog", "show", "--max-count=1", "--date=iso-strict", "--format=%gd", "HEAD", "--"
    )


def parse_deployed_at(stdout: str) -> datetime | None:
    """Return the time (aware UTC) at which the code was deployed, None where git keeps no such log.

    *Source*: git-reflog(1); the line reads `HEAD@{2026-11-22T18:55:50+00:00}`.
    """
    found = re.fullmatch(r"HEAD@\{(\d{4}-\d\d-\d\dT[0-9:]+(?:Z|[+-]\d\d:?\d\d))\}\n?", stdout)
    return datetime.fromisoformat(found.group(1)).astimezone(UTC) if found else None


def counts_command(app_path: str, deployed: str, offered: str) -> Command:
    """Return the command that counts the commits which only the deployed and only the offered side has. Reads only."""
    return _git(
        app_path, "rev-list", "--left-right", "--count", f"{_commit(deployed)}...{_commit(offered)}", "--"
    )


def parse_relation(stdout: str) -> Relation:
    """Return how the offered commit stands to the deployed one. *Raises* FailedError where the output is damaged."""
    found = re.fullmatch(r"(\d+)\t(\d+)\n?", stdout)
    if found is None:
        raise FailedError("git's count of commits is damaged; it was not used")
    only_deployed, only_offered = int(found.group(1)), int(found.group(2))
    if only_deployed and only_offered:
        return Relation.DIVERGED
    if only_deployed:
        return Relation.BEHIND
    return Relation.AHEAD if only_offered else Relation.SAME


def relation_refusal(relation: Relation) -> str | None:
    """Return what is wrong with an offered commit by where it stands, or None where it is simply newer."""
    return {
        Relation.SAME: "the remote branch has nothing new: the corrected migration was not pushed yet",
        Relation.BEHIND: "the remote branch was reset to an older commit; git pull would call that up to date",
        Relation.DIVERGED: "the remote branch and the deployed code went apart: history was rewritten, or there are "
        "commits on the host that were never pushed",
        Relation.AHEAD: None,
    }[relation]


def commits_command(app_path: str, deployed: str, offered: str, *, limit: int = 50) -> Command:
    """Return the command that lists the commits which the offered commit brings, newest first. Reads only.

    Their files are those of the application, by their paths in it.
    """
    form = f"--format={_RECORD}%H{_FIELD}%an{_FIELD}%aI{_FIELD}%s"
    span = f"{_commit(deployed)}..{_commit(offered)}"
    return _git(
        app_path,
        *(
            "log",
            "-z",
            f"--max-count={limit}",
            "--name-only",
            "--relative",
            "-m",
            "--first-parent",
            form,
            span,
            "--",
        ),
    )


def parse_commits(stdout: str) -> tuple[CommitNote, ...]:
    """Return the commits, newest first. *Raises* FailedError where the output is damaged."""
    head, *records = stdout.split(_RECORD)
    if head.strip(_NAME_END):
        raise FailedError("git's list of commits is damaged; it was not used")
    return tuple(_commit_note(record) for record in records)


def changed_files_command(app_path: str, deployed: str, offered: str) -> Command:
    """Return the command that lists the files of the application which differ between two commits. Reads only."""
    span = (_commit(deployed), _commit(offered))
    return _git(app_path, "diff", "--name-status", "--no-renames", "--relative", "-z", *span, "--")


def parse_changed_files(stdout: str) -> tuple[FileChange, ...]:
    """Return the files that differ. *Raises* FailedError where the output is damaged."""
    words = stdout.split(_NAME_END)[:-1]
    if len(words) % 2 or (stdout and not stdout.endswith(_NAME_END)):
        raise FailedError("git's list of changed files is damaged; it was not used")
    pairs = zip(words[::2], words[1::2], strict=True)
    changes = tuple(FileChange(status=status, path=path) for status, path in pairs)
    if not all(re.fullmatch(r"[ACDMTUX]\d{0,3}", change.status) for change in changes):
        raise FailedError("git's list of changed files is damaged; it was not used")
    return changes


def migration_changes(
    changes: Sequence[FileChange], folder: str = "database/migrations"
) -> tuple[FileChange, ...]:
    """Return the changes of migration files in that folder of the application."""
    return tuple(one for one in changes if one.path.startswith(f"{folder}/") and one.path.endswith(".php"))


def composer_changed(changes: Sequence[FileChange]) -> bool:
    """Return True where `composer.lock` differs: the packages must be installed anew before the code can run."""
    return any(change.path == "composer.lock" for change in changes)


def show_file_command(app_path: str, commit: str, path: str) -> Command:
    """Return the command that prints a file as it stands in a commit. Reads only.

    `path` is relative to the application; git takes it as a plain name after the colon, whatever it holds.
    """
    if path.startswith("/") or ".." in path.split("/"):
        raise ValueError(f"{path!r} is no path inside the application")
    return _git(app_path, "show", "--no-textconv", "--end-of-options", f"{_commit(commit)}:./{path}")


def checkout_command(app_path: str, commit: str) -> Command:
    """Return the command that checks out exactly that commit, detached.

    *Changes* the site's files. It refuses (exit status 1) where that would overwrite a file changed on the host.
    """
    return _git(
        app_path,
        "checkout",
        "--quiet",
        "--no-recurse-submodules",
        "--detach",
        _commit(commit),
        "--",
        timeout=timedelta(minutes=2),
    )


def add_worktree_command(app_path: str, folder: str, commit: str) -> Command:
    """Return the command that puts a commit into a new folder of its own, for the rehearsal.

    *Changes* that folder and git's list of work trees; no file of the site.
    """
    if not folder.startswith("/"):
        raise ValueError(f"{folder!r} is not an absolute path")
    return _git(
        app_path,
        "worktree",
        "add",
        "--quiet",
        "--force",
        "--detach",
        "--",
        folder,
        _commit(commit),
        timeout=timedelta(minutes=2),
    )


def remove_worktree_command(app_path: str, folder: str) -> Command:
    """Return the command that removes a rehearsal's folder again."""
    if not folder.startswith("/"):
        raise ValueError(f"{folder!r} is not an absolute path")
    return _git(app_path, "worktree", "remove", "--force", "--", folder)


def checkout_refusal(tree: WorkTree, deployed: str) -> str | None:
    """Return why no commit must be checked out over what is there, or None.

    `deployed` is the commit that the plan was made for.
    """
    if tree.commit != deployed:
        return f"the deployed commit is {tree.commit[:12]}, not {deployed[:12]}: someone changed it meanwhile"
    if tree.modified:
        return f"files were changed on the host and are in no commit: {', '.join(tree.modified[:10])}"
    return None


def _git(app_path: str, *words: str, timeout: timedelta = timedelta(seconds=30)) -> Command:
    return Command(argv=[*_GIT, *words], cwd=app_path, env=dict(_ENVIRONMENT), timeout=timeout)


def _commit(text: str) -> str:
    if not _COMMIT.fullmatch(text):
        raise ValueError(f"{text!r} is no full commit hash")
    return text


def _remote(text: str) -> str:
    """Return a remote's name that can be nothing else."""
    if not is_remote_name(text):
        raise ValueError(f"{text!r} is no name of a remote")
    return text


def _branch(text: str) -> str:
    """Return a branch's name that can be nothing else."""
    if not is_branch_name(text):
        raise ValueError(f"{text!r} is no name of a branch")
    return text


def _changed_entry(kind: str, rest: str) -> tuple[str, str]:
    """Return (status, path) of one entry; the path comes after a fixed number of fields and may hold blanks."""
    parts = rest.split(" ", {"1": 7, "2": 8, "u": 9}[kind])
    if len(parts) != {"1": 8, "2": 9, "u": 10}[kind]:
        raise FailedError("the answer of git status is damaged; it was not used")
    return parts[0].strip("."), parts[-1]


def _commit_note(record: str) -> CommitNote:
    head, _, names = record.partition(_NAME_END)
    fields = head.split(_FIELD)
    if len(fields) != 4 or not _COMMIT.fullmatch(fields[0]):
        raise FailedError("git's list of commits is damaged; it was not used")
    try:
        time = datetime.fromisoformat(fields[2])
    except ValueError:
        raise FailedError("git's list of commits is damaged; it was not used") from None
    files = tuple(name.lstrip("\n") for name in names.split(_NAME_END) if name.strip("\n"))
    return CommitNote(commit=fields[0], author=fields[1], time=time, subject=fields[3], files=files)
