"""The pager adapter against an endpoint on loopback that refuses what PagerDuty and Opsgenie do not document."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from adapters.webhook_pager.pager import WebhookPager
from adapters.webhook_pager.settings import PagerOptions
from bot.model.errors import BackoutError, CallLaterError, FailedError, UnknownOutcomeError
from bot.model.secret import Secret
from bot.ports.pager import Act, Signal
from tests.servers.pager_service import BEARER, GENIE_KEY, ROUTING_KEY, PagerService, pager_service

FORMS = {
    "pagerduty": ("/v2/enqueue", ROUTING_KEY),
    "opsgenie": ("/v2/alerts", GENIE_KEY),
    "json": ("/hook", BEARER),
}
SIGNAL = Signal(
    act=Act.TRIGGER,
    key="backout-inc-shop-1-1",
    summary="Backout: you are needed for shop",
    lines=("shop: captions are gone", "since 03:00", "Loss: 7 values", "No plan yet", "Say that you have it"),
    source="host.example",
    site="shop",
    at=datetime(2026, 1, 31, 3, 0, tzinfo=UTC),
    link="https://backout.example.org",
)


@pytest.fixture
async def service() -> AsyncIterator[PagerService]:
    async with pager_service() as running:
        yield running
    assert running.violations == []


def pager(service: PagerService, form: str, key: str | None = None, time_limit_s: float = 5) -> WebhookPager:
    path, right = FORMS[form]
    return WebhookPager(
        PagerOptions(
            name="night",
            form=form,
            url=service.base + path,
            key=Secret(key or right),
            time_limit_s=time_limit_s,
        )
    )


@pytest.mark.parametrize("form", FORMS)
async def test_an_alert_from_its_ringing_to_its_end(service: PagerService, form: str) -> None:
    """Triggered twice it rings once; acknowledged and resolved by the same key, it is the same alert."""
    one = pager(service, form)
    said = await one.send(SIGNAL)
    assert said.startswith("by 127.0.0.1: HTTP 202")
    await one.send(SIGNAL)
    assert (service.rung, service.alerts) == ([SIGNAL.key], {SIGNAL.key: "triggered"})
    await one.send(replace(SIGNAL, act=Act.ACKNOWLEDGE, person="Anna", summary="Anna has it."))
    assert service.alerts == {SIGNAL.key: "acknowledged"}
    await one.send(replace(SIGNAL, act=Act.RESOLVE, person="Anna", summary="Over."))
    assert service.alerts == {SIGNAL.key: "resolved"}


async def test_what_pagerduty_is_told(service: PagerService) -> None:
    """Host, site, time and the five lines under names; the end of an alert needs its key alone."""
    await pager(service, "pagerduty").send(SIGNAL)
    await pager(service, "pagerduty").send(replace(SIGNAL, act=Act.RESOLVE))
    (_, trigger), (_, resolve) = service.requests
    payload = trigger["payload"]
    assert (payload["source"], payload["group"], payload["severity"]) == ("host.example", "shop", "critical")
    assert payload["custom_details"]["loss"] == "7 values"
    assert trigger["client_url"] == "https://backout.example.org"
    assert set(resolve) == {"routing_key", "event_action", "dedup_key"}


async def test_what_opsgenie_is_told(service: PagerService) -> None:
    """The five lines are the description; who has it is the user of the acknowledgement."""
    await pager(service, "opsgenie").send(SIGNAL)
    await pager(service, "opsgenie").send(replace(SIGNAL, act=Act.ACKNOWLEDGE, person="Anna"))
    (_, created), (path, acknowledged) = service.requests
    assert created["description"].splitlines() == list(SIGNAL.lines)
    assert (created["priority"], created["alias"]) == ("P1", SIGNAL.key)
    assert path == f"/v2/alerts/{SIGNAL.key}/acknowledge?identifierType=alias"
    assert acknowledged["user"] == "Anna"


@pytest.mark.parametrize("form", FORMS)
async def test_long_and_odd_texts_fit_every_limit(service: PagerService, form: str) -> None:
    """Letters beyond ASCII and texts over every limit are taken: what does not fit is cut."""
    long = replace(
        SIGNAL, summary="データ" * 900, lines=("é" * 9000, "二", "3", "4", "5", "6"), source="h" * 400
    )
    await pager(service, form).send(long)
    assert service.rung == [SIGNAL.key]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (429, CallLaterError),
        (503, CallLaterError),
        (404, FailedError),
        (302, FailedError),
        ("drop", UnknownOutcomeError),
    ],
)
async def test_what_goes_wrong(
    service: PagerService, form: str, fault: int | str, error: type[BackoutError]
) -> None:
    """A no for now, a no for good, and no answer; the same signal after it makes no second alert."""
    service.faults.append(fault)
    with pytest.raises(error) as caught:
        await pager(service, form).send(SIGNAL)
    assert type(caught.value) is error
    assert getattr(caught.value, "after_s", None) == (1.0 if fault == 429 else None)
    await pager(service, form).send(SIGNAL)
    assert service.rung == [SIGNAL.key]


async def test_a_service_that_hangs_is_given_up(service: PagerService) -> None:
    """No answer within the time limit is an unknown outcome."""
    service.faults.append("hang")
    with pytest.raises(UnknownOutcomeError, match="gave no answer"):
        await pager(service, "json", time_limit_s=0.3).send(SIGNAL)


@pytest.mark.parametrize("form", ["pagerduty", "opsgenie"])
async def test_a_wrong_key_is_told_without_it(service: PagerService, form: str) -> None:
    """The service says what it was sent, its key included; what a person reads holds none."""
    wrong = "f" * 32
    with pytest.raises(FailedError, match="HTTP 4") as caught:
        await pager(service, form, key=wrong).send(SIGNAL)
    assert wrong not in str(caught.value)
    assert wrong[:8] not in str(caught.value)


async def test_nobody_is_there(service: PagerService) -> None:
    """A service that is away is tried again."""
    options = PagerOptions(name="night", form="json", url="http://127.0.0.1:9/hook", key=None)
    with pytest.raises(CallLaterError, match="cannot be reached"):
        await WebhookPager(options).send(SIGNAL)


async def test_the_proof_rings_nobody(service: PagerService) -> None:
    """`backout check` sees that something answers there, and sends no signal and no key."""
    assert "no page was sent" in await pager(service, "pagerduty").prove()
    assert (service.requests, service.alerts) == ([], {})


async def test_a_plain_endpoint_may_need_no_key(service: PagerService) -> None:
    """The JSON form goes with a bearer token where there is a key, and without one where there is none."""
    await WebhookPager(PagerOptions(name="n", form="json", url=f"{service.base}/hook", key=None)).send(SIGNAL)
    await pager(service, "json").send(SIGNAL)
    assert [body["authorization"] for _, body in service.requests] == [None, f"Bearer {BEARER}"]
    await asyncio.sleep(0)
