"""Checks of backups by the clock and by hand: results are kept, alarms told once, and nobody needs an incident for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.apscheduler_alarms.alarms import ApschedulerAlarms
from bot.model.errors import SettingsError
from bot.model.logbook import logbook_of
from bot.model.message import Message, Place, Tone
from bot.ports.store import Deadline
from bot.service.engine import Engine
from bot.service.operations.drill import last_drills, record_drill
from bot.service.operations.health import last_checks, record_check
from bot.service.operations.kinds import handlers
from bot.service.timers import Timers
from tests.fakes.host import FakeHost, FakeHosts
from tests.playbooks.story import Story
from tests.unit.service.office import START, Office

BACKUP = {
    "path": "/b/shop.sql",
    "file": "shop.sql",
    "made_at": "2026-01-31T02:00:00+00:00",
    "age_s": 3600.0,
    "size_bytes": 100,
    "rows": 10,
    "sha256": "s",
}
GOOD = {"verdict": "good", "reasons": [], "backup": BACKUP, "bad": [], "files": 1}
BAD = {"verdict": "bad", "reasons": ["it is old"], "backup": BACKUP, "bad": [], "files": 1}
LOGBOOK = logbook_of("shop")


class Clock(ApschedulerAlarms):
    """The real calculator of cron lines; rings nobody."""

    def start(self) -> None:
        """Begin nothing."""

    def ring_at(self, name: str, at: datetime, callback: Callable[[], Awaitable[None]]) -> None:
        """Forget it: a test looks by itself."""


def with_settings(office: Office, **values: Any) -> None:
    """Change how the backups of shop are looked at."""
    shop = office.parts.settings.sites["shop"]
    changed = shop.model_copy(
        update={name: type(getattr(shop, name)).model_validate(given) for name, given in values.items()}
    )
    sites = {**office.parts.settings.sites, "shop": changed}
    office.parts = replace(office.parts, settings=office.parts.settings.model_copy(update={"sites": sites}))


async def checked(office: Office, *results: dict[str, Any]) -> list[Message]:
    """Record these results, half an hour apart, and return what the logbook tells then."""
    for result in results:
        await office.store.transact(lambda tx, found=result: record_check(tx, office.parts, "shop", found))
        office.clock.passes(timedelta(minutes=30))
    return [m.message for m in await office.store.read(lambda tx: tx.messages(LOGBOOK))]


async def test_an_alarm_goes_to_where_reports_are_read(office: Office) -> None:
    """A good check says nothing; a bad one is one message, without an incident and without a channel."""
    assert await checked(office, GOOD) == []
    (alarm,) = await checked(office, BAD, BAD)
    assert (alarm.place, alarm.tone, alarm.calls) == (Place.REPORTS, Tone.BAD, ())
    assert alarm.body == "The backups of shop are NOT good: it is old."
    assert await office.store.read(lambda tx: tx.incidents()) == []


async def test_it_is_told_when_they_are_good_again(office: Office) -> None:
    """The recovery is a message of its own, and the alarm says that it is over."""
    alarm, good = await checked(office, BAD, GOOD)
    assert (alarm.title, alarm.tone, alarm.next_steps) == ("Backups of shop: over", Tone.NEUTRAL, ())
    assert alarm.body.startswith("Over: good again since 2026-01-31 02:00 UTC.")
    assert (good.tone, good.title) == (Tone.GOOD, "Backups of shop: good again")
    assert "the alarm began at 2026-01-31 03:00 UTC" in good.body


async def test_the_first_contact_is_told_directly_where_the_site_asks_for_it(office: Office) -> None:
    """Dora's account is Anna's: she gets it alone, and is named where reports are read."""
    with_settings(office, backup_health={"call": True})
    shown = await checked(office, BAD)
    assert [(m.place, m.person, m.calls) for m in shown] == [
        (Place.REPORTS, None, ("Anna",)),
        (Place.DIRECT, "Anna", ("Anna",)),
    ]


async def test_each_result_is_kept_and_shown(office: Office) -> None:
    """`/backups health` shows the last check, the trend, and since when it is alarming; the newest first."""
    await checked(office, GOOD, BAD)
    reply = await office.types("clara", "/backups health", channel="")
    assert reply.ok
    assert reply.text == "The backups of shop are NOT good: it is old."
    assert dict(reply.facts)["alarm since"] == "2026-01-31 03:30"
    assert reply.table is not None
    assert [row[:3] for row in reply.table.rows] == [
        ("2026-01-31 03:30", "bad", "shop.sql"),
        ("2026-01-31 03:00", "good", "shop.sql"),
    ]


async def test_before_the_first_check(office: Office) -> None:
    """It is said that nobody looked yet, and that nothing looks by itself."""
    reply = await office.types("anna", "/backups health --site shop", channel="")
    assert (reply.ok, set(dict(reply.facts).values())) == (True, {"never by itself"})
    assert "never looked at" in reply.text


async def test_a_check_by_hand_is_begun_once(office: Office) -> None:
    """It needs no incident but somebody who may respond; a second one waits for the first."""
    refused = await office.types("clara", "/backups health shop --now", channel="")
    assert not refused.ok
    begun = await office.types("anna", "/backups health shop --now", channel="", delivery="d1")
    again = await office.types("anna", "/backups health shop --now", channel="")
    assert (begun.ok, again.ok) == (True, False)
    (operation,) = await office.operations()
    assert (operation.id, operation.kind, operation.incident_id) == ("d1", "health", LOGBOOK)


@pytest.mark.parametrize(("account", "text"), [("nora", "/backups health shop"), ("olaf", "/backups health")])
async def test_a_site_is_shown_to_its_people_only(office: Office, account: str, text: str) -> None:
    """Who is not listed for a site learns nothing of its backups."""
    reply = await office.types(account, text, channel="")
    assert not reply.ok
    assert "/b" not in reply.text.replace("/backups", "")


# -- by the clock


async def looked(office: Office) -> Timers:
    timers = Timers(office.parts, Clock())
    await timers.start()
    return timers


async def due(office: Office) -> Deadline | None:
    return await office.store.read(lambda tx: tx.deadline("health.shop"))


async def test_it_is_off_by_default(office: Office) -> None:
    """Nothing is set, and nothing is begun."""
    await looked(office)
    assert (await due(office), await office.operations()) == (None, [])


async def test_a_check_is_begun_each_time_it_is_due(office: Office) -> None:
    """After the interval there is one operation, and the next time is set; missed times are made up for once."""
    with_settings(office, backup_health={"every": 3600})
    timers = await looked(office)
    assert await office.operations() == []
    office.clock.passes(timedelta(hours=5))
    await timers.look()
    (operation,) = await office.operations()
    assert (operation.id, operation.person) == (
        f"cron:health:shop:{(START + timedelta(hours=1)).isoformat()}",
        "backout",
    )
    deadline = await due(office)
    assert deadline is not None
    assert deadline.due_at == START + timedelta(hours=6)


async def test_a_restart_neither_hastens_nor_delays(office: Office) -> None:
    """A deadline that stands is kept; another schedule in the settings sets it anew, none takes it away."""
    with_settings(office, backup_health={"every": 3600})
    await looked(office)
    office.clock.passes(timedelta(minutes=50))
    await looked(office)
    first = await due(office)
    with_settings(office, backup_health={"cron": "30 4 * * 0"})
    await looked(office)
    second = await due(office)
    with_settings(office, backup_health={})
    await looked(office)
    assert first is not None
    assert first.due_at == START + timedelta(hours=1)
    assert second is not None
    assert second.due_at.isoformat() == "2026-02-01T04:30:00+00:00"  # a Sunday
    assert await due(office) is None


async def test_an_open_incident_and_a_check_that_runs_come_first(office: Office) -> None:
    """Neither is disturbed; the next time is set all the same."""
    with_settings(office, backup_health={"every": 3600})
    await office.tell(Story())
    timers = await looked(office)
    office.clock.passes(timedelta(hours=2))
    await timers.look()
    assert await office.operations() == []
    await office.store.transact(lambda tx: tx.close_incident("inc-shop-1"))
    for _ in range(2):
        office.clock.passes(timedelta(hours=2))
        await timers.look()
    assert len(await office.operations()) == 1


def test_a_cron_line_counts_days_as_cron_does() -> None:
    """Sunday is 0 and 7, Monday 1; a line that is none is told before anything starts."""
    after = START  # a Saturday
    days = [
        f"{ApschedulerAlarms().next_time(f'0 5 * * {day}', after):%a}" for day in ("0", "7", "1", "1-5", "*")
    ]
    assert days == ["Sun", "Sun", "Mon", "Mon", "Sat"]
    for wrong in ("61 5 * * *", "x y z a b", "0 5 31 2 *"):
        with pytest.raises(SettingsError, match="cron line"):
            ApschedulerAlarms().next_time(wrong, after)


async def test_a_wrong_cron_line_keeps_the_bot_from_starting(office: Office) -> None:
    """It is told at the start, and not silently never done."""
    with_settings(office, backup_health={"cron": "61 * * * *"})
    with pytest.raises(SettingsError, match="61"):
        await looked(office)


async def test_a_result_outlives_what_comes_after(office: Office) -> None:
    """The last checks come oldest first, with their time."""
    await checked(office, GOOD, BAD, GOOD)
    found = await office.store.read(lambda tx: last_checks(tx, "shop", 2))
    assert [(c["verdict"], c["at"][11:16]) for c in found] == [("bad", "03:30"), ("good", "04:00")]


# -- drills

DRILLED = {"verdict": "good", "reasons": [], "backup": BACKUP, "search_s": 1.0, "load_s": 2.0, "proof_s": 1.0}
FAILED = {"verdict": "bad", "reasons": ["it is cut short"], "backup": None}


async def test_drills_are_kept_told_and_shown_in_health(office: Office) -> None:
    """Each good one is told where reports are read, a failed one is an alarm; health shows the last, its parts and the trend."""
    for number, found in enumerate(({**DRILLED, "total_s": 4.0}, FAILED, {**DRILLED, "total_s": 6.0})):
        await office.store.transact(
            lambda tx, n=number, d=found: record_drill(tx, office.parts, "shop", f"t{n}", d)
        )
    told = [m.message for m in await office.store.read(lambda tx: tx.messages(LOGBOOK))]
    assert [(m.slot, m.tone) for m in told] == [
        ("drill-t0", Tone.GOOD),
        ("drills-1-1", Tone.NEUTRAL),
        ("drills-1-good", Tone.GOOD),
        ("drill-t2", Tone.GOOD),
    ]
    assert {m.place for m in told} == {Place.REPORTS}
    facts = dict((await office.types("clara", "/backups health", channel="")).facts)
    assert facts["drill of 2026-01-31 03:00"].endswith("and proved it in 6 s (usual: 4 s).")
    assert (facts["loading it"], facts["drills so far, the last one last"]) == ("2 s", "4 s, bad, 6 s")


async def test_no_drill_while_an_incident_is_open(office: Office) -> None:
    """Neither by hand nor by the clock; one that runs when the incident begins is stopped."""
    assert (await office.types("anna", "/backups drill shop", channel="", delivery="d1")).ok
    assert (await office.types("anna", "/incident start shop it happened", channel="")).ok
    (drill,) = [o for o in await office.operations() if o.id == "d1"]
    assert drill.cancel_requested
    refused = await office.types("anna", "/backups drill shop", channel="")
    assert (refused.ok, "inc-shop-1 is open" in refused.text) == (False, True)


async def test_a_drill_is_begun_by_the_clock(office: Office) -> None:
    """It has a schedule of its own beside the check."""
    with_settings(office, drills={"cron": "0 3 * * 0"})
    timers = await looked(office)
    office.clock.passes(timedelta(days=1))
    await timers.look()
    assert [(o.kind, o.incident_id) for o in await office.operations()] == [("drill", LOGBOOK)]


async def test_a_drill_that_is_taken_up_again_keeps_what_it_found(office: Office, tmp_path: Path) -> None:
    """Its copy may be gone by then: what was recorded before it was removed is told, and the host is asked nothing."""
    host = FakeHost(tmp_path)
    parts = replace(office.parts, hosts=FakeHosts({"shop": host}))
    await office.types("anna", "/backups drill shop", channel="", delivery="d1")
    found = {**DRILLED, "total_s": 4.0}
    await office.store.transact(lambda tx: tx.add_checkpoint("d1", "restored", found))
    engine = Engine(office.store, "one", handlers(parts), poll=timedelta(milliseconds=10))
    await engine.start(sole=True)
    try:
        ended = await engine.wait("d1", timedelta(seconds=20))
    finally:
        await engine.close()
    (drilled,) = await office.store.read(lambda tx: last_drills(tx, "shop"))
    assert (ended.result["verdict"], drilled["total_s"], host.link.lines) == ("good", 4.0, [])


async def test_a_drill_that_took_much_longer_is_no_plain_good_news(office: Office) -> None:
    """It is proven, and a warning: the site's real recovery time has grown."""
    for number, total_s in enumerate((4.0, 40.0)):
        found = {**DRILLED, "total_s": total_s}
        await office.store.transact(
            lambda tx, n=number, d=found: record_drill(tx, office.parts, "shop", f"t{n}", d)
        )
    told = [m.message for m in await office.store.read(lambda tx: tx.messages(LOGBOOK))]
    assert [(m.title, m.tone) for m in told] == [
        ("Drill of shop: restored and proven", Tone.GOOD),
        ("Drill of shop: restored and proven, but slowly", Tone.WARNING),
    ]
