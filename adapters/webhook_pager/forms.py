"""What a signal is in each service's own form: address, headers and JSON body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any
from urllib.parse import quote

from adapters.webhook_pager.settings import PagerOptions
from bot.ports.pager import Act, Signal

PAGERDUTY_SUMMARY, PAGERDUTY_KEY = 1024, 255
OPSGENIE_MESSAGE, OPSGENIE_ALIAS, OPSGENIE_DESCRIPTION = 130, 512, 15_000
OPSGENIE_ENTITY, OPSGENIE_SOURCE, OPSGENIE_USER = 512, 100, 100


@dataclass(frozen=True, kw_only=True)
class Request:
    """One HTTP POST. The body or a header holds the key: it is sent, and shown nowhere."""

    url: str
    body: dict[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


def request_of(signal: Signal, options: PagerOptions) -> Request:
    """Return the request by which a signal is told to a service."""
    return {"pagerduty": _pagerduty, "opsgenie": _opsgenie, "json": _json}[options.form](signal, options)


def _pagerduty(signal: Signal, options: PagerOptions) -> Request:
    """*Source*: PagerDuty Events API v2, "Send an event": the key is in the body; only a trigger has a payload."""
    body: dict[str, Any] = {
        "routing_key": _key(options),
        "event_action": signal.act.value,
        "dedup_key": signal.key[:PAGERDUTY_KEY],
    }
    if signal.act is Act.TRIGGER:
        body |= {
            "payload": {
                "summary": _short(signal.summary, PAGERDUTY_SUMMARY),
                "source": signal.source,
                "severity": "critical",
                "timestamp": signal.at.astimezone(UTC).isoformat(timespec="milliseconds"),
                "component": "database",
                "group": signal.site,
                "class": "data loss",
                "custom_details": _numbered(signal),
            },
            "client": "Backout",
        }
        if signal.link:
            body |= {"client_url": signal.link, "links": [{"href": signal.link, "text": "Backout's console"}]}
    return Request(url=options.url, body=body)


def _opsgenie(signal: Signal, options: PagerOptions) -> Request:
    """*Source*: Opsgenie Alert API: create by POST; acknowledge and close by the alias, with `identifierType=alias`."""
    headers = {"Authorization": f"GenieKey {_key(options)}"}
    alias = signal.key[:OPSGENIE_ALIAS]
    if signal.act is not Act.TRIGGER:
        action = "acknowledge" if signal.act is Act.ACKNOWLEDGE else "close"
        body = {
            "user": signal.person[:OPSGENIE_USER] or "Backout",
            "source": "Backout",
            "note": signal.summary,
        }
        url = f"{options.url.rstrip('/')}/{quote(alias, safe='')}/{action}?identifierType=alias"
        return Request(url=url, body=body, headers=headers)
    details = _numbered(signal) | {"site": signal.site}
    return Request(
        url=options.url.rstrip("/"),
        body={
            "message": _short(signal.summary, OPSGENIE_MESSAGE),
            "alias": alias,
            "description": _short("\n".join(signal.lines), OPSGENIE_DESCRIPTION),
            "details": details | ({"console": signal.link} if signal.link else {}),
            "entity": _short(signal.site, OPSGENIE_ENTITY),
            "source": _short(f"Backout, {signal.source}", OPSGENIE_SOURCE),
            "tags": ["backout", "data-loss"],
            "priority": "P1",
        },
        headers=headers,
    )


def _json(signal: Signal, options: PagerOptions) -> Request:
    """A form of our own, for whatever takes JSON; `id` is the same for the same signal (`Idempotency-Key` too)."""
    headers = {"Idempotency-Key": f"{signal.key}.{signal.act.value}"}
    if options.key is not None:
        headers["Authorization"] = f"Bearer {options.key.reveal()}"
    body = {
        "id": f"{signal.key}.{signal.act.value}",
        "action": signal.act.value,
        "key": signal.key,
        "summary": signal.summary,
        "lines": list(signal.lines),
        "site": signal.site,
        "source": signal.source,
        "severity": "critical",
        "at": signal.at.astimezone(UTC).isoformat(timespec="seconds"),
        "person": signal.person or None,
        "link": signal.link,
    }
    return Request(url=options.url, body=body, headers=headers)


def _key(options: PagerOptions) -> str:
    return options.key.reveal() if options.key is not None else ""


_LINE_NAMES = ("what", "since", "loss", "what stands", "asked of you")


def _numbered(signal: Signal) -> dict[str, str]:
    """Return the lines under names, in their order; one that begins with its name does not say it a second time."""
    names = [*_LINE_NAMES, *(f"line {n}" for n in range(len(_LINE_NAMES) + 1, len(signal.lines) + 1))]
    return {name: _without(name, line) for name, line in zip(names, signal.lines, strict=False)}


def _without(name: str, line: str) -> str:
    first, colon, rest = line.partition(": ")
    return rest if colon and first.casefold() == name else line


def _short(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"{text[: letters - 1]}…"
