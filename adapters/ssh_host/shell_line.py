"""The one place where shell text for a host is built: every word quoted, the environment pinned, a sign at the start."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from bot.ports.host import Command

# A login without a terminal has a short PATH and no LANG (HAZARDS D7), so both are set for every program.
PINNED_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
# Printed by the host just before the program starts. What stands before it comes from the login's own start files.
# Where it is missing, no program of ours has run.
BEGIN_SIGN = "backout-begin"
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# The host ends a program a little after the bot has given up, so that a fact does not run on alone for ever.
_GRACE_S = 5


def shell_words(argv: Sequence[str]) -> str:
    """Return the words of `argv` as shell text that gives exactly these words back.

    *Raises* ValueError for a word with a NUL character, which no program can be given.
    """
    if any("\0" in word for word in argv):
        raise ValueError("a word of a command holds a NUL character")
    return " ".join(shlex.quote(word) for word in argv)


def framed_line(argv: Sequence[str], cwd: str | None = None, env: dict[str, str] | None = None) -> str:
    """Return the shell line that enters `cwd`, gives the sign and becomes the program `argv`."""
    return f"{_enter(cwd)}printf '%s\\n' {BEGIN_SIGN} && exec {_env_words(env)} {_program_words(argv)}"


def fact_line(command: Command) -> str:
    """Return the shell line of a read-only command; the host itself ends it soon after its time limit."""
    _require_program(command.argv)
    limit_s = command.timeout.total_seconds() + _GRACE_S
    argv = ["timeout", "-k", str(_GRACE_S), f"{limit_s:.1f}", *command.argv]
    return framed_line(argv, command.cwd, command.env)


def job_text(command: Command) -> str:
    """Return the shell text of a detached job: enter the folder and become the program."""
    return f"{_enter(command.cwd)}exec {_env_words(command.env)} {_program_words(command.argv)}\n"


def shown_line(command: Command) -> str:
    """Return the line as a person would type it, for the timeline: without standard input, the sign and PATH."""
    env = "".join(f"{name}={shlex.quote(value)} " for name, value in command.env.items())
    return f"{_enter(command.cwd)}env LC_ALL=C.UTF-8 {env}{_program_words(command.argv)}"


def after_sign(stdout: bytes) -> bytes | None:
    """Return what the program printed, or None where the sign is missing: then no program of ours ran."""
    _, sign, printed = stdout.partition(BEGIN_SIGN.encode() + b"\n")
    return printed if sign else None


def _enter(cwd: str | None) -> str:
    if cwd is None:
        return ""
    if not cwd.startswith("/"):
        raise ValueError(f"the folder {cwd!r} of a command is not an absolute path")
    return f"cd -- {shell_words([cwd])} && "


def _env_words(env: dict[str, str] | None) -> str:
    pairs = {"LC_ALL": "C.UTF-8", "PATH": PINNED_PATH, **(env or {})}
    for name in pairs:
        if not _ENV_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of an environment variable")
    return "env " + shell_words([f"{name}={value}" for name, value in pairs.items()])


def _program_words(argv: Sequence[str]) -> str:
    _require_program(argv)
    return shell_words(argv)


def _require_program(argv: Sequence[str]) -> None:
    # `env` would take such a first word for an option or a variable of its own.
    if not argv or not argv[0] or argv[0].startswith("-") or "=" in argv[0]:
        raise ValueError("a command begins with the name of a program, without '=' and not with '-'")
