"""Look into deploy scripts on the host: whether they back up before they migrate, and where (HAZARDS B7)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, Iterable, List

from adapters.host_reader.answers import Refusal
from adapters.host_reader.files import is_unicode
from bot.dumps.deploy_scripts import script_facts

# A deploy script is some kB; anything this big is none.
_LARGEST_BYTES = 1 << 20
_MOST_SCRIPTS = 40


def scripts(request: Dict[str, Any]) -> Dict[str, Any]:
    """Return, per script of the request's `paths`, the facts about backup and migration; never a line's text.

    A script that cannot be read has `error` in words instead. Of the shell scripts right in `folders` those that back up
    are told too. Reads only.
    """
    paths = request.get("paths")
    if not isinstance(paths, list):
        raise Refusal("bad_request", "scripts needs `paths`, the deploy scripts. Nothing was changed.")
    app_path = str(request.get("app_path") or "")
    found: List[Dict[str, Any]] = [_script(str(path), app_path) for path in paths]
    named = {script["path"] for script in found}
    beside = (_script(path, app_path) for path in _shell_scripts(request.get("folders") or ()))
    found += [script for script in beside if script.get("targets") and script["path"] not in named]
    return {"scripts": found}


def _shell_scripts(folders: Iterable[Any]) -> List[str]:
    paths: List[str] = []
    for folder in folders:
        root = Path(os.path.expanduser(str(folder)))  # noqa: PTH111 - as below
        try:
            paths += sorted(str(path) for path in root.glob("*.sh") if path.is_file() and is_unicode(path))
        except OSError:
            continue  # a folder that is not readable holds no script that could be read
    return paths[:_MOST_SCRIPTS]


def _script(given: str, app_path: str) -> Dict[str, Any]:
    path = Path(os.path.expanduser(given))  # noqa: PTH111 - Path.expanduser raises for an unknown user
    if not path.is_absolute() and app_path:
        path = Path(app_path) / path
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            return {"path": str(path), "error": "it is too big for a deploy script"}
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return {"path": str(path), "error": error.strerror or "it cannot be read"}
    variables = {"HOME": str(Path.home()), "PWD": app_path} if app_path else {"HOME": str(Path.home())}
    return {"path": str(path), **script_facts(text, variables).as_json()}
