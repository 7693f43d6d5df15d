"""What holds for every test: real servers to be asked for, and with CI=true a skipped test has failed."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

from tests.servers.fixtures import mariadb_server, postgres_server, postgres_servers

__all__ = ["mariadb_server", "postgres_server", "postgres_servers"]

UNDER_CI = os.environ.get("CI") == "true"

SHARED = {"watched": "the watched incident", "stages": "the incident at its stages"}
"""Fixtures that play an incident of minutes, and the group of the tests that use one: one process plays it, for all of them."""
LONGEST_FIRST = (
    SHARED["stages"],
    "tests/integration/test_site_engines.py",
    "tests/faults/test_engine_kill_cutover.py",
    "tests/faults/test_engine_kill_rehearsal.py",
    "tests/integration/test_wrong_input.py",
    SHARED["watched"],
    "tests/integration/test_browser_incident.py",
    "tests/contract/test_database_servers.py",
    "tests/integration/test_incident_played.py",
    "tests/zoo/test_engines.py",
    "tests/integration/test_mysql_cutover.py",
)
"""Groups that are begun first, so that no process is left alone with one of them at the end of the run."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put each test into the group that one process runs as a whole: its file, or those that share an incident."""
    named = [(_group_of(item), item) for item in items]
    for group, item in named:
        item.add_marker(pytest.mark.xdist_group(group))
    ranks = {group: rank for rank, group in enumerate(LONGEST_FIRST)}
    items[:] = [item for _, item in sorted(named, key=lambda pair: ranks.get(pair[0], len(ranks)))]


def _group_of(item: pytest.Item) -> str:
    shared = [SHARED[name] for name in getattr(item, "fixturenames", ()) if name in SHARED]
    return shared[0] if shared else item.location[0]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Report a skipped test as failed under CI; the reason of the skip stays readable."""
    report = yield
    if UNDER_CI and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, which is a failure under CI: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Report a file that skips itself as failed under CI."""
    report = yield
    if UNDER_CI and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} was skipped, which is a failure under CI: {report.longrepr}"
    return report
