"""Hosts for the Database contract: the real reader on this machine, and the application's own way to its credentials."""

from __future__ import annotations

import json
from pathlib import Path

from adapters.host_reader_pack import pack_reader
from bot.model.database import Access
from tests.fakes.host import FakeHost
from tests.servers.login import Login


def host_below(folder: Path) -> FakeHost:
    """Return a host whose home is below a folder, with the packed reader and Backout's folders of the site `shop`."""
    reader = folder / "reader.pyz"
    host = FakeHost(folder / "home", reader, pack_reader(reader))
    for name in ("jobs", "scratch", "safety", "lists"):
        (host.link.home / ".backout/sites/shop" / name).mkdir(parents=True, mode=0o700)
    return host


def access_of(login: Login, folder: Path) -> Access:
    """Return a program that prints a login's credentials from a file of the application, outside Backout's folders."""
    file = folder / "credentials of the application"
    file.write_text("BACKOUT1:" + json.dumps({"credentials": login.credentials()}) + "\n", encoding="utf-8")
    return Access(argv=("cat", str(file)), stdin="")
