"""Calls beside chat, through the service: an engine, a real mail server and a paging service, both on loopback."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.apscheduler_alarms.alarms import ApschedulerAlarms
from adapters.smtp_mail.mail import SmtpMail
from adapters.smtp_mail.settings import SmtpOptions
from adapters.webhook_pager.pager import WebhookPager
from adapters.webhook_pager.settings import PagerOptions
from bot.model.event import Entry, Kind, NewEntry
from bot.model.message import Place
from bot.model.operation import Operation, OperationState
from bot.model.secret import Secret
from bot.ports.pager import Act
from bot.service.engine import Engine, Pace
from bot.service.operations.kinds import aborts, after_end, handlers
from bot.service.paging import lapse, page
from bot.service.parts import Parts
from bot.service.timers import Timers
from bot.settings import Settings
from tests.servers.certificates import loopback_certificate
from tests.servers.mail_server import PASSWORD, USER, MailServer, mail_server
from tests.servers.pager_service import GENIE_KEY, ROUTING_KEY, PagerService, pager_service
from tests.unit.service.office import PEOPLE, Office
from tests.unit.service.told_host import ToldHost, ToldHosts

SHOP = "inc-shop-1"
OPENED = NewEntry(
    kind=Kind.INCIDENT_OPENED, actor="Anna", text="t", data={"site": "shop", "title": "captions are gone"}
)
NEEDED = NewEntry(kind=Kind.ESCALATED, text="needed", data={"reason": "keys in the way", "rules": []})
QUICK = Pace(
    lease=timedelta(seconds=20),
    poll=timedelta(seconds=0.02),
    first_retry=timedelta(seconds=0.01),
    longest_retry=timedelta(seconds=0.05),
)
CONTACTS = [
    {"name": "Dora", "person": "Anna", "email": "dora@example.org", "pagers": ["dora"], "calls": 1},
    {"name": "Egon", "email": "egon@example.org", "page_again": 60},
]


def settings_of(folder: Path, mail: MailServer, pagers: PagerService) -> Settings:
    """Return settings in which one site is called by e-mail, a pager of the site and one of a contact."""
    return Settings.model_validate(
        {
            "folder": folder,
            "people": PEOPLE,
            "web": {"public_url": "https://backout.example.org"},
            "smtp": {"host": "127.0.0.1", "port": mail.port, "user": USER, "sender": "backout@example.org"},
            "pagers": {
                "site": {"form": "pagerduty", "url": f"{pagers.base}/v2/enqueue"},
                "dora": {"form": "opsgenie", "url": f"{pagers.base}/v2/alerts"},
            },
            "sites": {
                "shop": {
                    "ssh": {"address": "host.example", "user": "deploy", "known_hosts": "known_hosts"},
                    "app_path": "/srv/app",
                    "url": "http://app.example",
                    "backups": ["/backups"],
                    "contacts": CONTACTS,
                    "pagers": ["site"],
                },
                "north": {
                    "ssh": {"address": "host.example", "user": "deploy", "known_hosts": "known_hosts"},
                    "app_path": "/srv/app",
                    "url": "http://app.example",
                    "backups": ["/backups"],
                },
            },
        }
    )


async def until(ready: Callable[[], Awaitable[bool]]) -> None:
    """Return once it is so; fail when it is not within minutes, on however slow a machine."""
    ends = time.monotonic() + 250
    for _ in iter(int, 1):
        if await ready():
            return
        assert time.monotonic() < ends
        await asyncio.sleep(0.01)


class Duty:
    """An incident in which help is needed, with an engine that rings."""

    def __init__(self, office: Office, mail: MailServer, pagers: PagerService, folder: Path) -> None:
        self.office = office
        self.mail = mail
        self.pagers = pagers
        options = SmtpOptions(
            host="127.0.0.1",
            port=mail.port,
            security="starttls",
            user=USER,
            password=Secret(PASSWORD),
            sender="backout@example.org",
            sender_name="Backout",
            ca_path=Path(mail.certificate),
            time_limit_s=30,
        )
        self.parts: Parts = replace(
            office.parts,
            settings=settings_of(folder, mail, pagers),
            hosts=ToldHosts(ToldHost()),
            mail=SmtpMail(options),
            pagers={
                "site": _pager("site", "pagerduty", f"{pagers.base}/v2/enqueue", ROUTING_KEY),
                "dora": _pager("dora", "opsgenie", f"{pagers.base}/v2/alerts", GENIE_KEY),
            },
        )
        office.parts = self.parts
        self.engine = self.new_engine("one")

    def new_engine(self, owner: str) -> Engine:
        parts = self.parts
        return Engine(
            parts.store,
            owner,
            handlers(parts),
            aborts(parts),
            at_end=after_end(parts),
            pace=QUICK,
            lease=QUICK.lease,
            poll=QUICK.poll,
        )

    async def call(self, attempt: int = 0) -> None:
        await self.office.store.transact(lambda tx: page(tx, self.parts, SHOP, "shop", attempt))
        self.engine.wake()

    async def ack(self, name: str = "Anna") -> None:
        await self.operate("acknowledge", name)

    async def operate(self, kind: str, person: str, **args: Any) -> Operation:
        operation = Operation(
            id=f"{kind}-{person}", kind=kind, incident_id=SHOP, site="shop", person=person, args=args
        )
        await self.office.store.transact(lambda tx: tx.add_operation(operation))
        self.engine.wake()
        return await self.engine.wait(operation.id, timedelta(seconds=250))

    async def at_rest(self) -> list[Entry]:
        """Return the entries of all tries, once nothing is tried any more."""

        async def rests() -> bool:
            return all(o.state is not OperationState.RUNNING for o in await self.office.operations())

        await until(rests)
        return await self.office.timeline(Kind.RUNG)

    async def outcomes(self) -> list[tuple[str, str, str]]:
        rung = await self.at_rest()
        return sorted(
            (e.data["way"], e.data.get("pager", e.data["contact"]), e.data["outcome"]) for e in rung
        )


def _pager(name: str, form: str, url: str, key: str) -> WebhookPager:
    return WebhookPager(PagerOptions(name=name, form=form, url=url, key=Secret(key), time_limit_s=30))


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    return loopback_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def duty(office: Office, tls: tuple[Path, ssl.SSLContext], tmp_path: Path) -> AsyncIterator[Duty]:
    async with mail_server(tls[1], str(tls[0])) as mail, pager_service() as pagers:
        made = Duty(office, mail, pagers, tmp_path)
        await office.tell_entries([OPENED, NEEDED])
        await made.engine.start(sole=True)
        yield made
        await made.engine.close()
        assert pagers.violations == []


async def test_one_call_rings_every_way_and_each_try_is_told(duty: Duty) -> None:
    """An e-mail to the contact, the contact's pager and the site's: each is told in the timeline with its answer."""
    await duty.call()
    assert await duty.outcomes() == [
        ("mail", "Dora", "sent"),
        ("pager", "dora", "sent"),
        ("pager", "site", "sent"),
    ]
    texts = [entry.text for entry in await duty.office.timeline(Kind.PAGED, Kind.RUNG)]
    assert "also by e-mail, pager dora, pager site: keys in the way" in texts[0]
    assert any("E-mail to Dora (call 1), try 1: taken, by 127.0.0.1" in text for text in texts)
    assert duty.pagers.alerts == {"backout-inc-shop-1-1": "triggered"}


async def test_what_is_known_is_told_in_five_lines(duty: Duty) -> None:
    """Site and what, since when, the loss, what stands, what is asked and where: the same in mail, pager and chat."""
    await duty.call()
    await duty.at_rest()
    (letter,) = duty.mail.letters
    lines = letter.get_content().splitlines()[::2]
    assert letter.get_content().splitlines()[1::2] == [""] * 4
    assert len(lines) == 5
    assert lines[0] == "shop (http://app.example): captions are gone. Incident inc-shop-1."
    assert "The site is open to visitors." in lines[1]
    assert lines[2:4] == [
        "Loss: not known yet.",
        "What stands: No safety backup yet. Backups not looked at yet. No plan yet.",
    ]
    assert "keys in the way" in lines[4]
    assert "/incident ack in the console https://backout.example.org (channel inc-shop-1)" in lines[4]
    assert letter["Subject"] == "Backout: you are needed for shop (call 1): keys in the way"
    described = next(body["description"] for path, body in duty.pagers.requests if path == "/v2/alerts")
    assert described.splitlines() == lines
    shown = [m.message for m in await duty.office.store.read(lambda tx: tx.messages(SHOP))]
    (direct,) = [m for m in shown if m.place is Place.DIRECT]
    assert direct.body.splitlines()[:5] == lines


async def test_the_chain_has_its_times(duty: Duty) -> None:
    """Each contact has a number of calls and a time between them; then it is the next one's turn, who stays the last."""
    timers = Timers(duty.parts, ApschedulerAlarms())
    await duty.call()
    for seconds in (299, 1, 59, 1):
        await duty.at_rest()  # the leases are of the same clock
        duty.office.clock.passes(timedelta(seconds=seconds))
        await timers._handle_due()
    paged = [entry.data["contact"] for entry in await duty.office.timeline(Kind.PAGED)]
    assert paged == ["Dora", "Egon", "Egon"]
    await duty.at_rest()
    assert [str(letter["To"]) for letter in duty.mail.letters] == [
        "Dora <dora@example.org>",
        "Egon <egon@example.org>",
        "Egon <egon@example.org>",
    ]


async def test_who_has_it_is_told_and_that_it_is_over(duty: Duty) -> None:
    """An acknowledgement and the end of the incident go to every pager that was rung, with the alert's own key."""
    await duty.call()
    await duty.at_rest()
    await duty.ack()
    await duty.at_rest()
    assert duty.pagers.alerts == {"backout-inc-shop-1-1": "acknowledged"}
    await duty.operate("close", "Anna", outcome="recovered")
    rung = await duty.at_rest()
    assert duty.pagers.alerts == {"backout-inc-shop-1-1": "resolved"}
    assert [e.data["act"] for e in rung if e.data.get("pager") == "site"] == [
        "trigger",
        "acknowledge",
        "resolve",
    ]


async def test_a_call_that_lapsed_rings_anew(duty: Duty) -> None:
    """A service rings no second time for what was acknowledged: that alert is ended, and the next call is a new one."""
    await duty.call()
    await duty.at_rest()
    await duty.ack()
    await duty.at_rest()
    (taken,) = await duty.office.timeline(Kind.ACKNOWLEDGED)
    args = {"site": "shop", "person": "Anna", "sequence": taken.sequence + 1}
    await duty.office.store.transact(lambda tx: lapse(tx, duty.parts, SHOP, args))
    await duty.at_rest()
    assert duty.pagers.alerts == {"backout-inc-shop-1-1": "resolved", "backout-inc-shop-1-2": "triggered"}
    assert duty.pagers.rung == ["backout-inc-shop-1-1", "backout-inc-shop-1-2"]


async def test_what_is_not_taken_is_tried_again_and_told(duty: Duty) -> None:
    """A service that is busy is tried again, with each no in the timeline; it rings once."""
    duty.pagers.faults += [503, 429, "drop"]
    await duty.call(1)  # Egon's turn: the site's pager, and an e-mail
    rung = [e for e in await duty.at_rest() if e.data["way"] == "pager"]
    assert [e.data["outcome"] for e in rung] == ["later", "later", "unknown", "sent"]
    assert duty.pagers.rung == ["backout-inc-shop-1-1"]
    assert "It is tried again." in rung[0].text


async def test_nobody_is_reached(duty: Duty) -> None:
    """Given up after some tries it is told in the channel, with the way to the telephone numbers."""
    duty.pagers.faults += [503] * 20
    duty.mail.fault = "554 we do not like you"
    await duty.call(1)
    await duty.at_rest()
    shown = [m.message for m in await duty.office.store.read(lambda tx: tx.messages(SHOP))]
    failed = {m.title: m for m in shown if m.slot.startswith("ring-")}
    assert set(failed) == {
        "Pager site for Egon (call 1): it was not taken",
        "E-mail to Egon (call 1): it was not taken",
    }
    assert all("/incident contacts" in m.next_steps for m in failed.values())
    assert "we do not like you" in failed["E-mail to Egon (call 1): it was not taken"].body
    duty.pagers.faults.clear()
    duty.mail.fault = None
    await duty.call(2)
    await duty.at_rest()
    after = [m.message.title for m in await duty.office.store.read(lambda tx: tx.messages(SHOP))]
    assert "E-mail to Egon (call 2): taken now" in after


async def test_a_letter_of_which_nobody_knows_is_not_sent_again(duty: Duty) -> None:
    """The server had it and never answered: that is said, and no second letter goes out."""
    duty.mail.fault = "drop"
    await duty.call()
    rung = [e for e in await duty.at_rest() if e.data["way"] == "mail"]
    assert [e.data["outcome"] for e in rung] == ["unknown"]
    assert len(duty.mail.raw) == 1
    assert "not known whether it was taken" in rung[0].text


async def test_backout_dies_while_a_letter_is_handed_over(duty: Duty) -> None:
    """The next process does not send it again, and says that nobody knows; a signal it sends again."""
    duty.mail.fault = "hang"
    duty.pagers.faults += ["hang", "hang"]
    await duty.call()

    async def is_handing() -> bool:
        return duty.mail.texts > 0 and not duty.pagers.faults

    await until(is_handing)
    await duty.engine.close()
    duty.mail.fault = None
    duty.engine = duty.new_engine("two")
    await duty.engine.start(sole=True)
    outcomes = await duty.outcomes()
    assert outcomes == [("mail", "Dora", "unknown"), ("pager", "dora", "sent"), ("pager", "site", "sent")]
    assert duty.mail.raw == []
    assert "ended while it was handed over" in next(
        e.text for e in await duty.office.timeline(Kind.RUNG) if e.data["way"] == "mail"
    )


async def test_nobody_is_rung_who_is_not_needed_any_more(duty: Duty) -> None:
    """What was not taken before somebody had it is not sent later; the acknowledgement waits for its turn."""
    duty.pagers.faults += [503] * 3
    await duty.call(1)

    async def is_refused() -> bool:
        return bool(await duty.office.timeline(Kind.RUNG))

    await until(is_refused)
    await duty.ack()
    rung = [e for e in await duty.at_rest() if e.data["way"] == "pager"]
    acts = [(e.data["act"], e.data["outcome"]) for e in rung]
    last_trigger = max(n for n, (act, _) in enumerate(acts) if act == Act.TRIGGER)
    first_ack = min(n for n, (act, _) in enumerate(acts) if act == Act.ACKNOWLEDGE)
    assert last_trigger < first_ack
    assert "triggered" not in duty.pagers.alerts.values()


async def test_a_way_without_its_secret_says_so(duty: Duty) -> None:
    """A pager whose key is not there is told as such, at once, and nobody waits for it."""
    duty.parts = replace(duty.parts, pagers={}, mail=None)
    await duty.engine.close()
    duty.engine = duty.new_engine("two")
    await duty.engine.start(sole=True)
    await duty.call(1)
    rung = await duty.at_rest()
    assert {e.data["outcome"] for e in rung} == {"refused"}
    assert all("backout check" in e.text for e in rung)


async def test_no_secret_and_no_address_is_in_timeline_or_messages(duty: Duty) -> None:
    """Whatever went wrong, keys and passwords are nowhere; a contact is told by name."""
    duty.pagers.faults += [400, 503, "drop"]
    duty.mail.fault = "451 later"
    await duty.call()
    await duty.at_rest()
    entries = await duty.office.timeline()
    messages = await duty.office.store.read(lambda tx: tx.messages(SHOP))
    told = "\n".join([*(f"{e.text} {e.data}" for e in entries), *(str(m) for m in messages)])
    for secret in (PASSWORD, ROUTING_KEY, GENIE_KEY):
        assert secret not in told
    assert all("dora@example.org" not in f"{e.text} {e.data}" for e in entries)


async def test_a_ring_is_no_work_of_the_incident(duty: Duty) -> None:
    """What stands over everything is what people wait for, never that somebody is being rung."""
    duty.mail.fault = "hang"
    await duty.call()
    status = await duty.office.types("anna", "/incident status")
    assert "Working" not in status.text
    assert not (await duty.office.types("anna", "/incident cancel")).ok
