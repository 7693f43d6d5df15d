"""The verbs of the row reader for SQLite, one function each: a request in, an answer out, or a Refusal.

A verb's module is read when the verb is asked for: the packed reader is compiled anew by each call, and most calls need
a small part of it while the site is down.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adapters.host_reader.sqlite_check import sqlite_check
    from adapters.host_reader.sqlite_compare import sqlite_compare
    from adapters.host_reader.sqlite_copy import sqlite_copy
    from adapters.host_reader.sqlite_cutover import sqlite_cutover
    from adapters.host_reader.sqlite_drop import sqlite_drop
    from adapters.host_reader.sqlite_facts import sqlite_facts, sqlite_sample
    from adapters.host_reader.sqlite_fingerprint import sqlite_fingerprint
    from adapters.host_reader.sqlite_load import sqlite_load
    from adapters.host_reader.sqlite_orphans import sqlite_orphans
    from adapters.host_reader.sqlite_prove import sqlite_prove
    from adapters.host_reader.sqlite_repair import sqlite_repair
    from adapters.host_reader.sqlite_salvage import sqlite_salvage
    from adapters.host_reader.sqlite_set_aside import sqlite_set_aside
    from adapters.host_reader.sqlite_swap import sqlite_swap_prepare
    from adapters.host_reader.sqlite_writers import sqlite_writers

__all__ = [
    "sqlite_check",
    "sqlite_compare",
    "sqlite_copy",
    "sqlite_cutover",
    "sqlite_drop",
    "sqlite_facts",
    "sqlite_fingerprint",
    "sqlite_load",
    "sqlite_orphans",
    "sqlite_prove",
    "sqlite_repair",
    "sqlite_salvage",
    "sqlite_sample",
    "sqlite_set_aside",
    "sqlite_swap_prepare",
    "sqlite_writers",
]

# Those that do not stand in a module of their own name.
_ELSEWHERE = {"sqlite_sample": "sqlite_facts", "sqlite_swap_prepare": "sqlite_swap"}


def __getattr__(name: str) -> Any:
    """Return a verb's function from its module; Python asks here for what this module has not."""
    if name not in __all__:
        raise AttributeError(f"the reader has no verb {name}")
    return getattr(importlib.import_module(f"adapters.host_reader.{_ELSEWHERE.get(name, name)}"), name)
