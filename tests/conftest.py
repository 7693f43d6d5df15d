"""What holds for every test: real servers to be asked for, and with CI=true a skipped test has failed."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from tests.servers.fixtures import mariadb_server, postgres_server, postgres_servers
from tests.site.framework import framework_autoload
from tests.site.php_cache import use_php_cache

__all__ = ["mariadb_server", "postgres_server", "postgres_servers"]

UNDER_CI = os.environ.get("CI") == "true"

STAGES = "the incident at its stages"
WATCHED = "the watched incident"
TOGETHER = {
    **{f"tests/faults/test_{name}.py": STAGES for name in ("cutover_kill", "review_play")},
    **{
        f"tests/integration/test_incident_{name}.py": STAGES
        for name in ("freeze", "refusals", "restore", "strategies")
    },
    **{
        f"tests/hazards/test_{name}.py": WATCHED
        for name in ("backups", "host", "maintenance", "migrations", "restore", "safety", "verify")
    },
    "tests/integration/test_incident_played.py": WATCHED,
}
"""Files that use one played incident of minutes: one process plays it, for all of them. Any other file is by itself."""
LONGEST_FIRST = (
    "tests/mutations/test_chat_mutations.py",
    STAGES,
    "tests/integration/test_site_engines.py",
    "tests/faults/test_engine_kill_cutover.py",
    "tests/faults/test_engine_kill_rehearsal.py",
    "tests/integration/test_wrong_input.py",
    WATCHED,
    "tests/integration/test_browser_incident.py",
    "tests/contract/test_database_servers.py",
    "tests/zoo/test_engines.py",
    "tests/integration/test_mysql_cutover.py",
    *(
        f"tests/integration/test_{name}.py"
        for name in ("both_chats", "chats_played", "discord_faults", "discord_incident")
    ),
    *(f"tests/integration/test_slack_{name}.py" for name in ("played", "faults", "incident")),
)
"""What is begun first, so that no process is left alone with one of them at the end of the run."""


def pytest_configure() -> None:
    """Let PHP start faster in all processes of the tests."""
    use_php_cache()


def pytest_report_header() -> str:
    """Say which Laravel the tests' sites run on; end at once where the one that is named is not there."""
    return f"the sites' Laravel: {framework_autoload()}"


class Groups(LoadFileScheduling):
    """Gives each file to one process as a whole, and files that belong together to the same one."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Groups | None:
    """Let files that belong together be one process's, where `--dist loadfile` is asked for."""
    return Groups(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest be first, each group as a whole."""
    ranks = {group: rank for rank, group in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: ranks.get(group_of(item.nodeid), len(ranks)))


def group_of(nodeid: str) -> str:
    """Return the group of a test, by its file's path below the repository."""
    file = nodeid.split("::", 1)[0]
    return TOGETHER.get(file, file)


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
