"""Programs of ours on the host: sent once per version, checked by SHA-256 in the same line that runs them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path, PurePosixPath

from adapters.ssh_host.link import Ended, Link, Listener
from adapters.ssh_host.shell_line import after_sign, framed_line, shell_words
from bot.model.errors import NotStartedError

# An exit status that no program of ours gives: the file is missing or is not the one that was sent.
NOT_AS_SENT = 97
# Arguments: SHA-256, path, and the arguments of the program.
_CHECK = f"""sha=$1 path=$2; shift 2
echo "$sha  $path" | sha256sum -c --status 2>/dev/null || {{
  echo "$path is missing or is not the file that was sent" >&2; exit {NOT_AS_SENT}; }}
"""
# Arguments: folder, path, SHA-256. A file is complete under its name or not there: checked first, then renamed. One that
# is there already is not written a second time beside itself, as a full disk has no room for two.
_RECEIVE = """umask 077
if echo "$3  $2" | sha256sum -c --status 2>/dev/null; then cat >/dev/null; exit 0; fi
mkdir -p -- "$1" && cat >"$2.$$" && echo "$3  $2.$$" | sha256sum -c --status && mv -f -- "$2.$$" "$2" && exit 0
rm -f -- "$2.$$"; exit 1
"""


@dataclass(frozen=True, kw_only=True)
class ShippedProgram:
    """A file of ours for the host: its content and the name under which it lies there."""

    content_path: Path
    sha256: str
    host_path: str

    def argv(
        self, interpreter: Sequence[str], arguments: Sequence[str], also: Sequence[ShippedProgram] = ()
    ) -> list[str]:
        """Return the command that checks the file on the host, and what is needed beside it, and runs it if all is as sent."""
        checked = [*also, self]
        script = f'{_CHECK * len(checked)}exec {shell_words(interpreter)} "$path" "$@"'
        words = [word for program in checked for word in (program.sha256, program.host_path)]
        return ["sh", "-c", script, "sh", *words, *arguments]


def job_program(work_folder: str) -> ShippedProgram:
    """Return the runner of detached jobs, `job.sh`, as it is shipped."""
    path = Path(__file__).with_name("job.sh")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return ShippedProgram(
        content_path=path, sha256=sha256, host_path=f"{work_folder}/bin/job-{sha256[:16]}.sh"
    )


def reader_program(work_folder: str, content_path: Path, sha256: str) -> ShippedProgram:
    """Return the row reader as it is shipped; `content_path` is the packed zipapp on the bot's side."""
    host_path = f"{work_folder}/bin/reader-{sha256[:16]}.pyz"
    return ShippedProgram(content_path=content_path, sha256=sha256, host_path=host_path)


class Shipping:
    """Runs lines that need programs of ours over one link, and sends what is missing there, one after the other."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._sending = asyncio.Lock()

    async def run(
        self,
        programs: Sequence[ShippedProgram],
        line: str,
        stdin: bytes,
        timeout: timedelta,
        max_output_bytes: int,
        listener: Listener | None = None,
    ) -> Ended:
        """Run a line that checks `programs`, and send them first where the host has not all of them; return how it ended.

        One round trip where they are there already. *Changes*: the programs' files on the host, when they are sent.
        """
        ended = await self._link.execute(line, stdin, timeout, max_output_bytes, listener)
        if ended.exit_status != NOT_AS_SENT:
            return ended
        await self.send(programs)
        ended = await self._link.execute(line, stdin, timeout, max_output_bytes, listener)
        if ended.exit_status == NOT_AS_SENT:
            raise self.changed(programs)
        return ended

    async def send(self, programs: Sequence[ShippedProgram]) -> None:
        """Send programs, one after the other. *Changes*: their files on the host."""
        async with self._sending:
            for program in programs:
                await ship(self._link, program)

    def changed(self, programs: Sequence[ShippedProgram]) -> NotStartedError:
        """Return what is raised where they are not as they were sent a moment ago."""
        names = " or ".join(program.host_path for program in programs)
        return NotStartedError(
            f"{names} on {self._link.place} is not the file that was just sent there. Nothing was run. See who "
            f"else writes below that folder, and whether {self._link.user} has the program sha256sum."
        )


async def ship(link: Link, program: ShippedProgram) -> None:
    """Send the program to the host, whatever else lies there under its name. *Raises* NotStartedError when it does not arrive.

    *Changes*: one file below the work folder, mode 0600, complete or not at all.
    """
    content = program.content_path.read_bytes()
    if hashlib.sha256(content).hexdigest() != program.sha256:
        raise NotStartedError(
            f"{program.content_path} on this side is not the file it should be (SHA-256 differs). Nothing was sent to "
            f"{link.place}. Start Backout again, or install it anew."
        )
    path = program.host_path
    line = framed_line(["sh", "-c", _RECEIVE, "sh", str(PurePosixPath(path).parent), path, program.sha256])
    ended = await link.execute(line, content, timedelta(seconds=60), 10_000)
    if ended.exit_status != 0 or after_sign(ended.stdout) is None:
        raise NotStartedError(
            f"{path} could not be written on {link.place} (exit status {ended.exit_status}). Nothing was run with it. "
            f"Check that {link.user} may write below its home folder and that the disk is not full."
        )
