"""The incident of `shapes` as databases of a server: `shop` is live, `backout_base` the backup, `backout_scratch` scratch."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adapters.host_reader.images.verbs import OpenServer
from tests.fakes.server_fake import FakeServer
from tests.unit.rows.shapes import Case, build_case


def put_on_server(case: Case, server: FakeServer) -> None:
    """Make the case's three files databases of the server."""
    for path, name in (
        (case.baseline, "backout_base"),
        (case.live, "shop"),
        (case.scratch, "backout_scratch"),
    ):
        shutil.copy(path, server.path(name))


def fake_case(folder: Path, pictures: int = 60, remarks: int = 120) -> tuple[FakeServer, dict[str, Any]]:
    """Return a server with the incident's databases, and the request of repair and prove."""
    folder.mkdir(exist_ok=True)
    (folder / "files").mkdir()
    case = build_case(folder / "files", pictures, remarks)
    server = FakeServer(folder)
    put_on_server(case, server)
    return server, server_request(case, folder / "workspace")


def server_request(case: Case, workspace: Path) -> dict[str, Any]:
    """Return the request of repair and prove on a server."""
    return case.request(
        scratch="backout_scratch", baseline="backout_base", live_copy="shop", workspace=str(workspace)
    )


def opened(server: FakeServer) -> OpenServer:
    """Return the way in which a verb opens this server."""

    @contextmanager
    def open_server(_request: dict[str, Any]) -> Iterator[FakeServer]:
        yield server

    return open_server
