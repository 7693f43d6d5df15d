"""Copies a whole production to a folder of its own, so that nothing in the copy points back to the first one."""

from __future__ import annotations

import shutil
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from tests.site.history import git
from tests.site.production import (
    Production,
    load,
    server_at_rest,
    set_places_in_env,
    start,
    write_deploy_script,
)
from tests.site.servers import free_port

# What belongs to a running production, or knows its place: ports and pids, logs of the servers, compiled views,
# cached settings (they would name the first production's database), and the home in which Backout keeps its jobs.
LEFT_BEHIND = ("ssh/sshd.pid", "ssh/sshd.log", "php.pid", "php.log", "home", "app/bootstrap/cache")
LEFT_BEHIND_EMPTY = ("home", "app/bootstrap/cache", "app/storage/framework/views")


def clone_production(template: Path, folder: Path, *, run: bool = True) -> Production:
    """Copy the production below `template` to the new `folder`, start it with `run`, and return it.

    The copy has its own database, remote, ports and paths; the host key is the same. The first production may be
    running: SQLite's file is copied by its backup API, a server is ended for the moment of the copy. *Changes*: the new
    folder; the place of the first one's server socket.
    """
    first, folder = load(template.resolve()), folder.resolve()
    shutil.copytree(first.folder, folder, ignore=ignored(first))
    for name in LEFT_BEHIND_EMPTY:
        (folder / name).mkdir(exist_ok=True)
    server = replace(first.server, port=free_port(), socket="") if first.server else None
    production = replace(moved(first, folder), ssh_port=0, url="", pids=(), server=server)
    with server_at_rest(first.folder):
        production.engine.copy(first, production)
    set_places_in_env(production)
    write_deploy_script(production)
    git(production.app_path, "remote", "set-url", "origin", str(production.git_remote))
    production.save()
    return start(folder) if run else production


def ignored(first: Production) -> Any:
    """Return the rule by which copytree leaves out what must not be copied."""
    places = {first.folder / name for name in (*LEFT_BEHIND, "app/storage/framework/views")}
    database = first.database_path

    def rule(folder: str, names: list[str]) -> set[str]:
        here = Path(folder)
        of_database = {name for name in names if here == database.parent and name.startswith(database.name)}
        return of_database | {name for name in names if here / name in places}

    return rule


def moved(first: Production, folder: Path) -> Production:
    """Return a production with every path below its folder turned into the same one below another folder."""
    paths: dict[str, Any] = {
        field.name: folder / value.relative_to(first.folder)
        for field in fields(first)
        if isinstance(value := getattr(first, field.name), Path)
    }
    return replace(first, **paths)
