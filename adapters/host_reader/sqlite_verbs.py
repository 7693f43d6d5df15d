"""The verbs of the row reader for SQLite, one function each: a request in, an answer out, or a Refusal."""

from __future__ import annotations

from adapters.host_reader.sqlite_check import sqlite_check
from adapters.host_reader.sqlite_compare import sqlite_compare
from adapters.host_reader.sqlite_copy import sqlite_copy
from adapters.host_reader.sqlite_cutover import sqlite_cutover
from adapters.host_reader.sqlite_facts import sqlite_facts, sqlite_sample
from adapters.host_reader.sqlite_fingerprint import sqlite_fingerprint
from adapters.host_reader.sqlite_load import sqlite_load
from adapters.host_reader.sqlite_orphans import sqlite_orphans
from adapters.host_reader.sqlite_prove import sqlite_prove
from adapters.host_reader.sqlite_repair import sqlite_repair
from adapters.host_reader.sqlite_salvage import sqlite_salvage
from adapters.host_reader.sqlite_swap import sqlite_swap_prepare
from adapters.host_reader.sqlite_writers import sqlite_writers

__all__ = [
    "sqlite_check",
    "sqlite_compare",
    "sqlite_copy",
    "sqlite_cutover",
    "sqlite_facts",
    "sqlite_fingerprint",
    "sqlite_load",
    "sqlite_orphans",
    "sqlite_prove",
    "sqlite_repair",
    "sqlite_salvage",
    "sqlite_sample",
    "sqlite_swap_prepare",
    "sqlite_writers",
]
