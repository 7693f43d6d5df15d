"""The row reader on the host: found a Python for it, sent once, asked with JSON."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from adapters.ssh_host.link import Link
from adapters.ssh_host.program_output import GREETING_BYTES, printed_by_program
from adapters.ssh_host.serving_reader import ANSWER_BYTES, Answer, ServingReader
from adapters.ssh_host.settings import HostSettings
from adapters.ssh_host.shell_line import framed_line
from adapters.ssh_host.shipped import ShippedProgram, Shipping, reader_program
from bot.model.errors import FailedError, ReaderRefusalError
from bot.ports.host import Command

# Prints the absolute path of the first Python that is new enough for the reader.
_FIND_PYTHON = """for name in python3 python3.14 python3.13 python3.12 python3.11 python3.10 python3.9; do
  "$name" -c 'import sqlite3, sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null && command -v "$name" && exit 0
done; exit 1
"""
# Nothing of the account, and nothing that was installed beside the standard library, is looked at.
_ALONE = ("-I", "-S")


class RowReader:
    """The reader of one host; the path of the host's Python is found once and kept."""

    def __init__(
        self, link: Link, shipping: Shipping, settings: HostSettings, content_path: Path, sha256: str
    ) -> None:
        self._link = link
        self.program: ShippedProgram = reader_program(settings.work_folder, content_path, sha256)
        self._serving = ServingReader(link, shipping, self.program)
        self._python: str | None = None

    async def ask(self, verb: str, request: dict[str, object], timeout: timedelta) -> dict[str, object]:
        """Run a read-only verb and return its answer; see `Host.reader`."""
        interpreter = [await self._find_python(), *_ALONE]
        return self._read_answer(verb, await self._serving.ask(interpreter, verb, request, timeout))

    async def job_command(self, verb: str, request: dict[str, object]) -> Command:
        """Return the command of a detached job that runs a verb; who starts it has the reader (`program`) checked first."""
        argv = [await self._find_python(), *_ALONE, self.program.host_path, verb]
        return Command(argv=argv, stdin=json.dumps(request))

    async def _find_python(self) -> str:
        if self._python is None:
            line = framed_line(["sh", "-c", _FIND_PYTHON])
            ended = await self._link.execute(line, b"", timedelta(seconds=30), GREETING_BYTES)
            found = printed_by_program(self._link, ended).decode(errors="replace").strip()
            if ended.exit_status != 0 or not found.startswith("/"):
                raise ReaderRefusalError(
                    f"{self._link.place} has no python3 of version 3.9 or later with sqlite3, which reading rows there "
                    "needs. Nothing was changed. Have it installed; the engine's own client is the slower way.",
                    kind="no_python",
                )
            self._python = found
        return self._python

    async def close(self) -> None:
        """End the reader's process on the host; it is started again by the next question."""
        await self._serving.close()

    def _read_answer(self, verb: str, given: Answer) -> dict[str, object]:
        # What it wrote on its error stream stays unread: it may quote a row.
        damaged = FailedError(
            f"The row reader on {self._link.place} ended {verb!r} with exit status {given.exit_status} and gave no "
            "whole answer. It only read; nothing was changed."
        )
        if len(given.printed) > ANSWER_BYTES:
            raise damaged
        try:
            answer = json.loads(given.printed)
        except ValueError as cause:
            raise damaged from cause
        if not isinstance(answer, dict) or not isinstance(answer.get("ok"), bool):
            raise damaged
        if not answer["ok"]:
            raise self._refusal(answer.get("error"))
        if given.exit_status != 0:
            raise damaged
        return answer

    def _refusal(self, error: object) -> ReaderRefusalError:
        told = error if isinstance(error, dict) else {}
        message = str(told.get("message") or "the row reader refused without a reason")
        return ReaderRefusalError(message, kind=str(told.get("kind") or "internal"))
