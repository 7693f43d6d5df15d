"""One bot as its own process, on loopback: started, killed, started again; spoken to over its JSON API."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.site.forked import Forked, fork, run

START_LIMIT_S = 20


class RunningBot:
    """The process behind one settings file, and its console's address. `log` is where its own output goes."""

    def __init__(self, settings: Path, port: int) -> None:
        self.settings = settings
        self.url = f"http://127.0.0.1:{port}"
        self.log = settings.parent / "bot.log"
        self.environment: dict[str, str] = {}  # what the process gets beside this one's own
        self._process: Forked | None = None

    def backout(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the `backout` command with these words and this bot's settings."""
        env = {**os.environ, "BACKOUT_SETTINGS": str(self.settings), "BACKOUT_URL": self.url}
        return run("bot", words, env=env, timeout=120)

    def token(self, name: str) -> str:
        """Make a console token for a person; the bot must be started afterwards."""
        with tempfile.NamedTemporaryFile() as said:
            words = ["token", name, "--settings", str(self.settings)]
            status = fork("bot", words, output=Path(said.name), env=dict(os.environ)).wait(60)
            told = said.read().decode().strip()
        if status != 0:
            raise RuntimeError(told)
        return told

    def start(self) -> float:
        """Start the process and return after how many seconds its console answered."""
        began = time.monotonic()
        self._process = self._fork("bot", "run", "--settings", str(self.settings))
        while time.monotonic() - began < START_LIMIT_S:
            if self._process.poll() is not None:
                raise RuntimeError(f"the bot ended at once:\n{self.log.read_text()[-2000:]}")
            try:
                urllib.request.urlopen(self.url, timeout=2).close()
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.05)
            else:
                return time.monotonic() - began
        raise RuntimeError(f"the bot does not answer:\n{self.log.read_text()[-2000:]}")

    def _fork(self, module: str, *words: str) -> Forked:
        return fork(module, words, output=self.log, env={**os.environ, **self.environment})

    @property
    def pid(self) -> int:
        """Return the process id. *Raises* RuntimeError when it was not started."""
        if self._process is None:
            raise RuntimeError("the bot was not started")
        return self._process.pid

    def kill(self) -> None:
        """End the process at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> int:
        """Ask the process to end, and return its exit status."""
        if self._process is None:
            return 0
        self._process.terminate()
        return self._process.wait(timeout=30)

    def as_person(self, token: str) -> Api:
        """Return the JSON API as one person sees it."""
        return Api(self.url, token)


class Api:
    """The public JSON API with a person's token, and nothing else."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._token = token

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        """Return the status and the JSON of one call; a text that is no JSON as it is."""
        request = urllib.request.Request(
            self._url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, _parsed(response.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _parsed(error.read())

    def get(self, path: str) -> Any:
        """Return the JSON of a read. *Raises* RuntimeError for any status but 200."""
        status, answer = self.call("GET", path)
        if status != 200:
            raise RuntimeError(f"GET {path}: {status} {answer}")
        return answer

    def command(self, text: str, channel: str = "", delivery_id: str | None = None) -> dict[str, Any]:
        """Type a slash command, and return the reply."""
        body = {"text": text, "channel": channel, "delivery_id": delivery_id or uuid4().hex}
        return dict(self.call("POST", "/api/commands", body)[1])

    def answer(self, decision: str, choice: str, typed: str | None = None) -> dict[str, Any]:
        """Answer a decision, and return the reply."""
        body = {"choice": choice, "typed": typed, "delivery_id": uuid4().hex}
        return dict(self.call("POST", f"/api/decisions/{decision}", body)[1])


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode(errors="replace")
