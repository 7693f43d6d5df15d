"""The row reader: `python3 reader.pyz VERB` reads a JSON request on stdin and writes one JSON answer to stdout.

`python3 reader.pyz serve` answers requests for any verb, one after another and at the same time.

It runs on the production host with the host's own Python (3.9 or later) and nothing but the standard library. No row
content ever leaves it: names, counts, sizes, times, hashes and keys only.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import sys
from typing import Any, Callable, Dict, List, Optional, TextIO

from adapters.host_reader.answers import Refusal

_SQLITE_VERBS = [
    "facts",
    "sample",
    "fingerprint",
    "writers",
    "copy",
    "load",
    "compare",
    "repair",
    "prove",
    "cutover",
    "orphans",
    "check",
    "swap_prepare",
    "salvage",
    "drop",
    "set_aside",
]

# What a server has beside: databases that are looked for, rights, other sessions.
_SERVER_VERBS = [*_SQLITE_VERBS, "exists", "rights", "sessions_end", "raise_numbers"]

# Each verb's function; a module is imported only when its verb is asked for.
VERBS: Dict[str, str] = {
    "find": "adapters.host_reader.files:find",
    "inspect": "adapters.host_reader.inspect:inspect",
    "log_count": "adapters.host_reader.log_count:log_count",
    "scripts": "adapters.host_reader.scripts:scripts",
}
VERBS.update({f"sqlite_{name}": f"adapters.host_reader.sqlite_verbs:sqlite_{name}" for name in _SQLITE_VERBS})
for _engine, _room in (("mysql", "mysql"), ("pgsql", "postgresql")):
    VERBS.update(
        {f"{_engine}_{name}": f"adapters.host_reader.{_room}.verbs:{name}" for name in _SERVER_VERBS}
    )

# What it makes on the host is for the site's own user only.
_UMASK = 0o077


def verb_function(verb: str) -> Callable[[Dict[str, Any]], Dict[str, Any]]:
    """Return the function of a verb. *Raises* Refusal for a verb that there is not."""
    if verb not in VERBS:
        raise Refusal("bad_request", f"The reader has no verb {verb!r}. Nothing was changed.")
    module, _, name = VERBS[verb].partition(":")
    function: Callable[[Dict[str, Any]], Dict[str, Any]] = getattr(importlib.import_module(module), name)
    return function


def answer(verb: str, request_text: str) -> Dict[str, Any]:
    """Return a verb's whole answer, `ok` included; every failure becomes an answer too."""
    try:
        function = verb_function(verb)
        document = {"ok": True}
        document.update(function(_request(request_text)))
    except Refusal as refusal:
        return {"ok": False, "error": {"kind": refusal.kind, "message": refusal.message}}
    except Exception as error:  # noqa: BLE001 - the outer door: the caller gets the type and the place, never content
        return {"ok": False, "error": {"kind": "internal", "message": _place(verb, error)}}
    return document


def _request(text: str) -> Dict[str, Any]:
    try:
        request = json.loads(text or "{}")
    except ValueError:
        raise Refusal("bad_request", "The request is no JSON document. Nothing was changed.") from None
    if not isinstance(request, dict):
        raise Refusal("bad_request", "The request is no JSON object. Nothing was changed.")
    return request


def _place(verb: str, error: BaseException) -> str:
    """Name an unexpected error by its type and place; its own text may hold row content and is left out."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{os.path.basename(frame.filename)}:{frame.lineno}" for frame in frames[-3:]]  # noqa: PTH119
    return (
        f"The reader's verb {verb} ended with an unexpected {type(error).__name__} at {' < '.join(reversed(places))}. "
        "What it had begun may be unfinished; look before repeating it."
    )


def main(
    arguments: Optional[List[str]] = None,
    stdin: Optional[TextIO] = None,
    stdout: Optional[TextIO] = None,
    loaded: Callable[[], None] = lambda: None,
) -> int:
    """Answer one request and return the exit status: 0 for `ok`, 1 otherwise.

    With `serve` answer many, until standard input ends (`serving.py`); `loaded` is called when modules were loaded.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    os.umask(_UMASK)
    if arguments == ["serve"]:
        from adapters.host_reader.serving import Serving

        return Serving(_work, verb_function, loaded).run()
    if len(arguments) != 1:
        document: Dict[str, Any] = {
            "ok": False,
            "error": {
                "kind": "bad_request",
                "message": "One verb is needed: " + ", ".join(sorted(VERBS)) + ".",
            },
        }
    else:
        document = answer(arguments[0], (stdin or sys.stdin).read())
    (stdout or sys.stdout).write(json.dumps(document) + "\n")
    (stdout or sys.stdout).flush()
    return 0 if document["ok"] else 1


def _work(verb: str, request_text: str) -> int:
    return main([verb], io.StringIO(request_text))


if __name__ == "__main__":
    raise SystemExit(main())
