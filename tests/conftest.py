"""What holds for every test: real servers to be asked for, and with CI=true a skipped test has failed."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

from tests.servers.fixtures import mariadb_server, postgres_server, postgres_servers

__all__ = ["mariadb_server", "postgres_server", "postgres_servers"]

UNDER_CI = os.environ.get("CI") == "true"


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
