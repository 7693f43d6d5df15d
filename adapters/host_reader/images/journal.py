"""The record of one change of a scratch database: what it was, what it shall be, and each chunk that is in."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from typing import Any, Callable, Dict, Iterator, List, Optional

from adapters.host_reader.answers import Refusal
from adapters.host_reader.images.shelf import private_folder
from adapters.host_reader.sqlite_files import digest_of, read_note, write_note
from adapters.host_reader.sqlite_request import Request

# What a request holds beside the question: it may differ from one try to the next.
_NOT_THE_QUESTION = ("access", "workspace", "lists_folder")


class Journal:
    """The folder `<verb>-<digest of the request>`, below the workspace's `work`, with the record of one change.

    `note` is None before the wanted image is whole; then `{scratch, before, before_image, schema_hash, answer}`, and
    `fingerprint` when the change was proven to be in.
    """

    def __init__(self, workspace: str, verb: str, request: Request, scratch: str) -> None:
        question = {name: value for name, value in request.items() if name not in _NOT_THE_QUESTION}
        self._parent = private_folder(workspace, "work")
        self._folder = private_folder(str(self._parent), f"{verb}-{digest_of(question)[:40]}")
        self._scratch = scratch
        self.wanted = str(self._folder / "wanted.sqlite")

    @property
    def note(self) -> Optional[Dict[str, Any]]:
        """Return what is recorded; reads only."""
        note = read_note(str(self._folder / "journal.json"))
        return note if note is not None and "answer" in note else None

    def record(self, note: Dict[str, Any]) -> None:
        """Record how far the whole change is, so that it is on the disk before going on. *Changes*: the journal."""
        write_note(str(self._folder / "journal.json"), note)

    def chunk_is_in(self, kind: str, table: str, rows: int) -> None:
        """Add a chunk that the server has committed. *Changes*: the journal."""
        line = json.dumps({"kind": kind, "table": table, "rows": rows}) + "\n"
        with (self._folder / "chunks.jsonl").open("a", encoding="utf-8") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def chunks(self) -> List[Dict[str, Any]]:
        """Return the chunks that are in, as far as they are recorded; reads only."""
        try:
            lines = (self._folder / "chunks.jsonl").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        # The last line of a killed reader may be cut.
        return [json.loads(line) for line in lines if line.endswith("}")]

    def others(self) -> List[Dict[str, Any]]:
        """Return the records of other changes of the same scratch; reads only."""
        found = [
            read_note(str(path))
            for path in self._parent.glob("*/journal.json")
            if path.parent != self._folder
        ]
        return [
            note
            for note in found
            if note is not None and note["scratch"] == self._scratch and "before" in note
        ]

    def begin_anew(self) -> None:
        """Remove what a killed reader left before anything was changed. *Changes*: the journal's folder."""
        shutil.rmtree(self._folder)
        private_folder(str(self._parent), self._folder.name)
        self.record({"scratch": self._scratch})

    def forget_dropped(self, exists: Callable[[str], bool]) -> None:
        """Remove the records, and the large files, of scratch databases that are no more. *Changes*: the work folder."""
        for path in self._parent.glob("*/journal.json"):
            note = read_note(str(path))
            if note is not None and path.parent != self._folder and not exists(str(note["scratch"])):
                shutil.rmtree(path.parent)

    def forget_wanted(self) -> None:
        """Remove the wanted image of a change that is in. *Changes*: that file."""
        for path in self._folder.glob("wanted.sqlite*"):
            path.unlink()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Let nobody else change the same scratch meanwhile. *Raises* Refusal (busy)."""
        name = digest_of({"scratch": self._scratch})[:40]
        with (self._parent / f"{name}.lock").open("w", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Refusal(
                    "busy",
                    f"{self._scratch} is being worked on by another process. Nothing was changed; wait for it.",
                ) from None
            yield
