"""The review of whole migrations: each seeded fault is found at its line, and nothing is said against good ones.

Those in `blind` were written from the runbook by somebody who had not seen the review; `expected.json` is theirs.

A sample says in its second line what the site is. `// <- code` marks the line on which that finding is expected, and
`// next: code` the line below it (where a text begins that may hold no comment). A sample must have exactly the marked
findings that stop or warn: in `good` these can only be those that name what is used and find no fault in it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bot.laravel.review import Severity, review_migration
from bot.laravel.versions import parse_version

SAMPLES = Path(__file__).parent / "samples"
NAMES_ONLY = {"raw_sql", "uses_models", "deletes_rows", "other_connection", "acts_outside"}
"""Findings that say what a migration uses, without saying that it does it wrong."""

BLIND = json.loads((SAMPLES / "blind" / "expected.json").read_text())
CODES = {
    "data_after_drop": {"dropped_before_copy"},
    "not_idempotent": {"no_table_check", "no_column_check"},
    "no_real_down": {"no_down", "down_incomplete", "down_restores_no_data"},
    "no_chunks": {"no_chunks"},
}
"""What the writers of the blind samples call a fault, in the review's codes."""

HEAD = re.compile(
    r"// site: (?P<driver>\w+) (?P<engine>[\d.]+), laravel (?P<laravel>[\d.]+)(?:, rows (?P<rows>[\w= ]+))?(?:, cascades (?P<children>[\w= ]+))?"
)
MARK = re.compile(r"// (?P<where><-|next:|note:) (?P<codes>[a-z_ ]+)$")


def pairs(text: str | None) -> dict[str, str]:
    return dict(pair.split("=") for pair in (text or "").split())


def found_in(source: str) -> set[tuple[str, int]]:
    head = HEAD.search(source)
    assert head is not None
    findings = review_migration(
        source,
        driver=head["driver"],
        version=parse_version(head["laravel"]),
        engine_version=head["engine"],
        rows={table: int(count) for table, count in pairs(head["rows"]).items()} if head["rows"] else None,
        cascading_children={parent: [child] for parent, child in pairs(head["children"]).items()} or None,
    )
    return {(one.code, one.line) for one in findings if one.severity is not Severity.OK}


def marked_in(source: str) -> set[tuple[str, int]]:
    marks = set()
    for number, line in enumerate(source.splitlines(), start=1):
        if mark := MARK.search(line):
            at = number if mark["where"] == "<-" else number + 1
            marks |= {(code, at) for code in mark["codes"].split()}
    return marks


def sample_paths(folder: str) -> list[Path]:
    return sorted((SAMPLES / folder).glob("*.php"))


@pytest.mark.parametrize("path", sample_paths("bad"), ids=lambda path: path.stem)
def test_a_seeded_fault_is_found_at_its_line(path: Path) -> None:
    """A bad migration has exactly the findings that are marked in it, one of them a fault."""
    source = path.read_text()
    assert found_in(source) == marked_in(source)
    assert {code for code, _ in marked_in(source)} - NAMES_ONLY


@pytest.mark.parametrize("path", sample_paths("good"), ids=lambda path: path.stem)
def test_a_good_migration_is_not_accused(path: Path) -> None:
    """A good migration has no finding against it; what it uses is named."""
    source = path.read_text()
    assert found_in(source) == marked_in(source)
    assert {code for code, _ in marked_in(source)} <= NAMES_ONLY


@pytest.mark.parametrize("name", sorted(BLIND))
def test_a_migration_written_blindly_is_judged_rightly(name: str) -> None:
    """A bad one has its fault at its line; a good one has nothing against it but the mention of raw SQL where there is some."""
    source, expected = (SAMPLES / "blind" / name).read_text(), BLIND[name]
    findings = review_migration(source, driver="mysql", version=parse_version("11.0.0"))
    against = [one for one in findings if one.severity is not Severity.OK]
    if expected["verdict"] == "bad":
        at_line = {one.code for one in against if one.line == expected["line"]}
        assert at_line & CODES[expected["fault"]]
    else:
        lines = source.splitlines()
        assert [one for one in against if one.code != "raw_sql"] == []
        assert all(re.search(r"DB::(statement|unprepared|update)", lines[one.line - 1]) for one in against)


def test_there_are_samples_enough() -> None:
    """Both kinds are there in number, so that an empty folder proves nothing."""
    assert len(sample_paths("bad")) >= 20
    assert len(sample_paths("good")) >= 10
    assert len(BLIND) >= 10
    assert {path.name for path in sample_paths("blind")} == set(BLIND)
