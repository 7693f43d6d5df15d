"""A swap takes the current runtime rows along and says what it would lose."""

from __future__ import annotations

import shutil
from pathlib import Path

from adapters.host_reader.sqlite_verbs import sqlite_swap_prepare
from tests.unit.rows.shapes import INDEXES, build_case, rows, run


def test_runtime_rows_counters_and_newer_rows(tmp_path: Path) -> None:
    """Sessions are today's, ids go on above today's, and each newer row is counted (HAZARDS R2, R7, R8)."""
    case = build_case(tmp_path)
    scratch = tmp_path / "swap.sqlite"
    shutil.copy(case.baseline, scratch)
    request = {"scratch": str(scratch), "live_copy": str(case.live), "runtime_tables": ["sessions", "jobs"]}
    answer = sqlite_swap_prepare(request)
    assert rows(scratch, "SELECT * FROM sessions") == [("now", "y")]
    counters = dict(rows(scratch, "SELECT name, seq FROM sqlite_sequence"))
    assert (counters["pictures"], counters["remarks"], counters["entries"]) == (90001, 90002, 90000)
    lost = answer["rows_would_be_lost"]
    assert {name: lost["pictures"][name] for name in ("new", "changed", "deleted")} == {
        "new": 1,
        "changed": 1,
        "deleted": 1,
    }
    assert lost["remarks"]["lists"]["new"]["keys"] == [90002]
    assert answer["tables_aside"] == {"entries": 61}
    assert sqlite_swap_prepare(request) == {**answer, "attached": True}


def test_a_search_index_goes_along_with_its_backup(tmp_path: Path) -> None:
    """Repair and salvage are refused where a table is virtual and name the swap; so the swap must do it."""
    case = build_case(tmp_path)
    scratch = tmp_path / "swap.sqlite"
    shutil.copy(case.baseline, scratch)
    for path in (scratch, case.live):
        run(path, INDEXES)
    answer = sqlite_swap_prepare({"scratch": str(scratch), "live_copy": str(case.live)})
    assert "pictures" in answer["rows_would_be_lost"]
    assert rows(scratch, "SELECT count(*) FROM searched WHERE searched MATCH 'place'") == [(60,)]
