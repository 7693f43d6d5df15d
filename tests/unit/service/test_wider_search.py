"""No backup is found: the host is searched, what it has is judged, and one press adds a folder for this incident."""

from __future__ import annotations

from typing import Any

import pytest

from bot.model.event import Kind
from tests.playbooks.story import JUST_OPENED
from tests.unit.service.night import Night
from tests.unit.service.told_host import backup_answer

FOUND = "/var/backups/night.sqlite"
OTHERS = "/var/backups/customers-of-another-site.sqlite"


def find(request: dict[str, Any]) -> dict[str, Any]:
    """Return nothing in the settings' folder, and two files where hosts usually keep them."""
    there = any(root in ("/var/backups", "/data") for root in request["roots"])
    files = [{"path": path, "size_bytes": 4_000} for path in (FOUND, OTHERS)] if there else []
    return {"files": files, "complete": True}


def inspect(request: dict[str, Any]) -> dict[str, Any]:
    answer = backup_answer("VERIFIED" if request["path"] == FOUND else "REFUSED")
    return {**answer, "manifest": {**answer["manifest"], "path": request["path"]}}


@pytest.fixture
async def empty(night: Night) -> Night:
    """A night in which the folders of the settings hold no backup."""
    await night.office.tell(JUST_OPENED)
    night.host.answers |= {"find": find, "inspect": inspect, "scripts": {"scripts": []}}
    return night


async def test_one_press_searches_and_one_adds_the_folder(empty: Night) -> None:
    """From no backup at all to the counted loss in two presses; the folder stays with this incident."""
    assert (await empty.run("assess")).result == {"verdict": "unknown"}
    searched = await empty.press("assessed", "search")
    assert searched is not None
    assert searched.result == {"found": 2, "places": ["/var/backups"]}
    assessed = await empty.press("backup-folder", "place-1")
    assert assessed is not None
    assert assessed.result == {"verdict": "loss"}
    assert (await empty.office.state()).backup_folders == ("/var/backups",)
    await empty.run("backups")
    recommended = (await empty.office.state()).recommended
    assert recommended is not None
    assert recommended["path"] == FOUND


async def test_dumps_of_other_sites_are_counted_and_not_named(empty: Night) -> None:
    """Whoever reads the channel learns of no other customer of the same host (B7)."""
    await empty.run("search_wider")
    told = [e.data for e in await empty.office.timeline(Kind.NOTE)]
    messages = await empty.office.store.read(lambda tx: tx.messages("inc-shop-1"))
    assert told[-1]["places"] == [{"path": "/var/backups", "verdicts": {"VERIFIED": 1, "REFUSED": 1}}]
    assert FOUND.rpartition("/")[2] in str(messages)
    assert OTHERS.rpartition("/")[2] not in str(messages) + str(told)


async def test_where_the_deploy_script_backs_up_to_is_searched(empty: Night) -> None:
    """The path in the script is told, and searched before all others."""
    asked: list[list[str]] = []

    def scripts(request: dict[str, Any]) -> dict[str, Any]:
        return {"scripts": [{"path": "x", "targets": [{"folder": "/data", "pattern": "*.sql"}]}]}

    def kept(request: dict[str, Any]) -> dict[str, Any]:
        asked.append(request["roots"])
        return find(request)

    empty.host.answers |= {"scripts": scripts, "find": kept}
    await empty.run("search_wider")
    assert asked[-1][0] == "/data"
    messages = await empty.office.store.read(lambda tx: tx.messages("inc-shop-1"))
    (shown,) = [m.message for m in messages if m.message.slot == "wider-search"]
    assert ("deploy scripts back up to", "/data") in shown.facts


async def test_a_listing_without_a_good_backup_offers_the_search(empty: Night) -> None:
    """`/backups list` asks too, once; when a backup is verified the question is void."""
    await empty.run("backups")
    assert [c.key for c in (await empty.asked("no-backup")).choices] == ["search", "dba", "wait"]
    await empty.press("no-backup", "search")
    await empty.press("backup-folder", "place-1")
    assert {d.purpose for d in await empty.office.open_decisions()} == {"assessed"}


async def test_nothing_of_use_is_said_and_nothing_is_offered(empty: Night) -> None:
    """Where every file is refused no folder is offered, and the DBA is the way on."""
    empty.host.answers["inspect"] = lambda request: backup_answer("REFUSED")
    await empty.run("search_wider")
    assert [d.purpose for d in await empty.office.open_decisions()] == []
    assert "none of use" in (await empty.office.timeline(Kind.NOTE))[-1].text


async def test_the_search_can_be_typed(empty: Night) -> None:
    """`/backups list --wide` starts it; so does nothing else of that word."""
    reply = await empty.office.types("anna", "/backups list --wide")
    assert reply.ok
    assert [o.kind for o in await empty.office.operations()] == ["search_wider"]
