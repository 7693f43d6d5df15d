"""Properties of repair over random incidents."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.host_reader.sqlite_verbs import sqlite_compare, sqlite_prove, sqlite_repair
from tests.unit.rows.shapes import Case, build_before, migrate_badly, roll_back, rows, run, use_since

SCRATCH_NOISE = [
    "UPDATE pictures SET note = 'from the rollback' WHERE id = {n};",
    "UPDATE pictures SET place = NULL WHERE id = {n};",
    "DELETE FROM users WHERE id = {n};",
    "DELETE FROM picture_tag WHERE picture_id = {n};",
]
LIVE_NOISE = [
    "UPDATE entries SET note = 'new {n}' WHERE id = {n};",
    "UPDATE pictures SET place = 'p{n}' WHERE id = {n};",
    "DELETE FROM pictures WHERE id = {n};",
    "UPDATE pictures SET created_at = 'reused' WHERE id = {n};",
    "INSERT INTO picture_tag VALUES ({n}, 88);",
    "INSERT INTO remarks (picture_id, body) VALUES (90001, 'r{n}');",
]
CHANGES = st.integers(1, 12)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(LIVE_NOISE), CHANGES), max_size=6),
    st.lists(st.tuples(st.sampled_from(SCRATCH_NOISE), CHANGES), max_size=4),
    st.sampled_from(["restore", "leave"]),
    st.sampled_from(["restore", "leave"]),
)
def test_no_value_is_overwritten_and_the_proof_names_what_it_cannot_explain(
    live: list[tuple[str, int]], scratch: list[tuple[str, int]], pictures: str, remarks: str
) -> None:
    """Whatever happened before, a note that scratch had stays, live's rows stay, and an untouched rollback is proven."""
    with TemporaryDirectory() as folder:
        case = build(Path(folder), live, scratch)
        notes = dict(rows(case.scratch, "SELECT id, note FROM pictures WHERE note IS NOT NULL"))
        kept = rows(case.live, "SELECT id, place, created_at FROM pictures WHERE place IS NOT NULL")
        request = case.request(decisions={"pictures": pictures, "remarks": remarks, "picture_tag": "leave"})
        sqlite_repair(request)
        after = dict(rows(case.scratch, "SELECT id, note FROM pictures"))
        assert all(after[key] == note for key, note in notes.items())
        assert set(kept) <= set(rows(case.scratch, "SELECT id, place, created_at FROM pictures"))
        proof = sqlite_prove(request)
        assert proof["proven"] == (not notes), proof["reasons"]


def build(folder: Path, live: list[tuple[str, int]], scratch: list[tuple[str, int]]) -> Case:
    case = Case(folder, folder / "baseline", folder / "live", folder / "scratch")
    build_before(case.baseline, 12, 24)
    shutil.copy(case.baseline, case.live)
    migrate_badly(case.live)
    use_since(case.live)
    for statement, number in live:
        run(case.live, statement.format(n=number))
    shutil.copy(case.live, case.scratch)
    roll_back(case.scratch)
    for statement, number in scratch:
        run(case.scratch, "PRAGMA foreign_keys=OFF;" + statement.format(n=number))
    return case


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(LIVE_NOISE), CHANGES), max_size=8))
def test_a_repaired_scratch_has_no_loss_left(live: list[tuple[str, int]]) -> None:
    """Compared with the backup, a repaired scratch has lost no value and no row that was decided to come back."""
    with TemporaryDirectory() as folder:
        case = build(Path(folder), live, [])
        decisions = {
            "pictures": "restore",
            "remarks": "restore",
            "picture_tag": "restore",
            "users": "restore",
        }
        answer = sqlite_repair(case.request(decisions=decisions))
        found = sqlite_compare(
            {"before": str(case.baseline), "after": str(case.scratch), "ignore_tables": ["sessions"]}
        )
        assert found["totals"]["values_lost"] == 0
        gone = sum(listed["count"] for listed in answer["parent_gone"].values())
        assert found["totals"]["rows_missing"] == gone
