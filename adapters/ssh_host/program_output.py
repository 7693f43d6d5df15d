"""What goes into a program on the host, and what came out of it."""

from __future__ import annotations

from adapters.ssh_host.link import Ended, Link
from adapters.ssh_host.shell_line import after_sign
from bot.model.errors import NotStartedError, UnknownOutcomeError
from bot.model.secret import Secret

# What a login's own start files may print before our program starts (see BEGIN_SIGN).
GREETING_BYTES = 65_536


def printed_by_program(link: Link, ended: Ended) -> bytes:
    """Return what our program printed, without the login's greeting.

    *Raises* NotStartedError where the login ran no program of ours: no such folder, or an account without a shell.
    """
    printed = after_sign(ended.stdout)
    if printed is not None:
        return printed
    if ended.truncated:
        raise UnknownOutcomeError(
            f"The login of {link.user} on {link.place} prints so much that the answer was lost. Quiet its start files."
        )
    said = ended.stderr.decode(errors="replace").strip()[:300]
    raise NotStartedError(
        f"The command was not started on {link.place} as {link.user} (exit status {ended.exit_status}"
        f"{': ' + said if said else ''}). Nothing was run. Check that the folder exists and the login has a shell."
    )


def input_bytes(stdin: str | Secret | None) -> bytes:
    """Return what is sent on standard input; the one place where a Secret is revealed to a host."""
    return (stdin.reveal() if isinstance(stdin, Secret) else stdin or "").encode()


def decode_whole_characters(printed: bytes, *, cut: bool) -> str:
    """Return the bytes as text, bad ones replaced; where they were `cut`, without a last character that is not whole.

    At least one character is returned where there are bytes, so that a reader who goes on from there gets on.
    """
    if cut and len(printed) > 1:
        printed = printed[: len(printed) - _unfinished_bytes(printed)]
    return printed.decode(errors="replace")


def _unfinished_bytes(printed: bytes) -> int:
    # A character of UTF-8 begins with 11xxxxxx and has 2 to 4 bytes: at most its first 3 can stand at the end.
    for length in range(1, min(4, len(printed))):
        first = printed[-length]
        if first >= 0xC0:
            whole = 2 if first < 0xE0 else 3 if first < 0xF0 else 4
            return length if length < whole else 0
        if first < 0x80:
            return 0
    return 0
