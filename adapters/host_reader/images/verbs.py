"""The verbs that work row by row on a server's databases: the proven SQLite ones, on images. Answers are as theirs."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Callable, Dict, List, Optional

from adapters.host_reader.images.image import make_image
from adapters.host_reader.images.scratch_work import change_scratch
from adapters.host_reader.images.shelf import expanded, image_path, is_kept, note_of
from adapters.host_reader.server.port import Server
from adapters.host_reader.sqlite_compare import sqlite_compare
from adapters.host_reader.sqlite_prove import sqlite_prove
from adapters.host_reader.sqlite_repair import sqlite_repair
from adapters.host_reader.sqlite_request import Answer, Request, optional_text, text
from adapters.host_reader.sqlite_salvage import sqlite_salvage
from adapters.host_reader.sqlite_swap import sqlite_swap_prepare

OpenServer = Callable[[Request], AbstractContextManager[Server]]


def compare(request: Request, open_server: OpenServer) -> Answer:
    """Return the loss table between two databases, or safety files, as `sqlite_compare`; reads only.

    `views_missing`, `triggers_missing`, `routines_missing`: the names that `before` has and `after` has not.
    """
    images = _images(request, open_server, "before", "after")
    answer = sqlite_compare(_on_images(request, images))
    answer.update(_missing_objects(images["before"], images["after"]))
    return answer


def prove(request: Request, open_server: OpenServer) -> Answer:
    """Return the account of a repaired scratch, as `sqlite_prove`; reads only."""
    images = _images(request, open_server, "scratch", "baseline", "live_copy")
    answer = sqlite_prove(_on_images(request, images))
    answer["schema_differences"].update(_missing_objects(images["baseline"], images["scratch"]))
    return answer


def repair(request: Request, open_server: OpenServer) -> Answer:
    """Repair a scratch copy of live, as `sqlite_repair`. *Changes*: scratch."""
    with open_server(request) as server:
        return change_scratch(request, server, "repair", sqlite_repair)


def swap_prepare(request: Request, open_server: OpenServer) -> Answer:
    """Make a loaded backup ready to be swapped in, as `sqlite_swap_prepare`. *Changes*: scratch."""
    with open_server(request) as server:
        return change_scratch(request, server, "swap", sqlite_swap_prepare)


def salvage(request: Request, open_server: OpenServer) -> Answer:
    """Put what was written since into a loaded backup, as `sqlite_salvage`. *Changes*: scratch."""
    with open_server(request) as server:
        return change_scratch(request, server, "salvage", sqlite_salvage)


def _images(request: Request, open_server: OpenServer, *fields: str) -> Dict[str, str]:
    workspace = text(request, "workspace")
    places = {field: text(request, field) for field in fields}
    with open_server(request) as server:
        return {
            field: _image(server, place, workspace, optional_text(request, f"{field}_fingerprint"))
            for field, place in places.items()
        }


def _image(server: Server, place: str, workspace: str, fingerprint: Optional[str]) -> str:
    """Return the image of a place; of one whose content is known by its fingerprint, that of this content if it is kept.

    A scratch database is no more once it was cut over to; what it held is still compared with.
    """
    if fingerprint is not None:
        path = image_path(workspace, server.engine, fingerprint)
        if is_kept(path):
            return path
    return make_image(server, place, workspace)


def _on_images(request: Request, images: Dict[str, str]) -> Request:
    plain = {name: value for name, value in request.items() if name not in ("access", "workspace")}
    folder = optional_text(request, "lists_folder")
    if folder is not None:
        plain["lists_folder"] = expanded(folder)
    return {**plain, **images}


def _missing_objects(before: str, after: str) -> Dict[str, List[str]]:
    had: Dict[str, Any] = note_of(before)
    has: Dict[str, Any] = note_of(after)
    return {
        f"{kind}_missing": sorted(set(had[kind]) - set(has[kind]))
        for kind in ("views", "triggers", "routines")
    }
