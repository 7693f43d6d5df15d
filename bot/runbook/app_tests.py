"""What an address has to answer and a walk in the browser has to show: judged, and put into words and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.model.app_test import Deed, JudgedProbe, SiteProbe, Walked, WalkStep, shown_address
from bot.model.message import Table

DOWN_STATUS = 503
_BROKEN = 500
_SHOWN = 60

_DEEDS = {Deed.OPEN: "open", Deed.CLICK: "click", Deed.EXPECT: "expect"}


def judged_probe(
    probe: SiteProbe,
    *,
    is_down: bool,
    status: int | None,
    duration_s: float,
    found: frozenset[str],
    failure: str | None,
    error_pages: Mapping[str, str],
) -> JudgedProbe:
    """Return what was wrong with an address. `found` are the texts of the probe and of `error_pages` that its page holds.

    An error page is looked for unless the probe expects an error of the server itself.
    """
    faults = [failure] if failure else []
    if status is not None and status != probe.status:
        maintenance = (
            ", without the maintenance bypass: set bypass = true for it if this application answers there"
            if is_down and status == DOWN_STATUS and probe.bypass_at is None
            else ""
        )
        faults.append(f"HTTP {status}, expected {probe.status}{maintenance}")
    if status is not None and not failure:
        faults += [f"without the text “{_short(text)}”" for text in probe.contains if text not in found]
        faults += [f"with the text “{_short(text)}”" for text in probe.lacks if text in found]
    if probe.status < _BROKEN:
        pages = dict.fromkeys(words for text, words in error_pages.items() if text in found)
        faults += [f"it is {words}" for words in pages]
    return JudgedProbe(
        shown=probe.shown, status=status, duration_ms=round(duration_s * 1000), faults=tuple(faults)
    )


def probe_table(judged: Sequence[JudgedProbe]) -> Table:
    """Return the result of each address as a table."""
    return Table(
        columns=("address", "HTTP", "ms", "result"),
        rows=tuple(
            (
                p.shown,
                "–" if p.status is None else str(p.status),
                f"{p.duration_ms:,}",
                result_words(p.faults),
            )
            for p in judged
        ),
        numeric=(1, 2),
    )


def result_words(faults: Sequence[str]) -> str:
    """Return a result in words: good, or what was wrong."""
    return "; ".join(faults) or "good"


def probe_reasons(judged: Sequence[JudgedProbe]) -> list[str]:
    """Return one reason for each address that is not as it has to be."""
    return [f"{p.shown}: {result_words(p.faults)}" for p in judged if not p.passed]


def probe_data(judged: Sequence[JudgedProbe]) -> list[dict[str, Any]]:
    """Return the results as the timeline keeps them."""
    return [
        {"path": p.shown, "status": p.status, "ms": p.duration_ms, "faults": list(p.faults)} for p in judged
    ]


def step_words(step: WalkStep) -> str:
    """Return a step of a walk in words: `click a.product`."""
    what = {Deed.OPEN: shown_address(step.what), Deed.EXPECT: f"“{_short(step.what)}”"}.get(
        step.deed, step.what
    )
    return f"{_DEEDS[step.deed]} {what}"


def walk_reasons(walked: Walked) -> list[str]:
    """Return what stands against the application after a walk in the browser; empty: nothing."""
    reasons = [f"in the browser, {step_words(s.step)}: {s.fault}" for s in walked.steps if s.fault]
    if walked.console_errors:
        reasons.append(f"{_counted(walked.console_errors, 'console error')} in the browser")
    if walked.failed_requests:
        reasons.append(f"{_counted(walked.failed_requests, 'failed request')} in the browser")
    return reasons


def walk_table(walked: Walked, asked: Sequence[WalkStep]) -> Table:
    """Return each step of a walk, with those that were not reached."""
    rows = [(step_words(s.step), f"{s.duration_ms:,}", s.fault or "good") for s in walked.steps]
    rows += [(step_words(step), "–", "not reached") for step in asked[len(walked.steps) :]]
    return Table(columns=("step", "ms", "result"), rows=tuple(rows), numeric=(1,))


def walk_facts(walked: Walked) -> tuple[tuple[str, str], ...]:
    """Return the counts of a walk, with the places."""
    return (
        ("console errors", _with_places(walked.console_errors, walked.console_places)),
        ("failed requests", _with_places(walked.failed_requests, walked.failed_places)),
    )


def walk_data(walked: Walked) -> dict[str, Any]:
    """Return a walk as the timeline keeps it."""
    return {
        "steps": [{"step": step_words(s.step), "ms": s.duration_ms, "fault": s.fault} for s in walked.steps],
        "console_errors": walked.console_errors,
        "console_places": list(walked.console_places),
        "failed_requests": walked.failed_requests,
        "failed_places": list(walked.failed_places),
    }


def _with_places(count: int, places: Sequence[str]) -> str:
    return f"{count} ({', '.join(places)})" if places else str(count)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count:,} {what}s"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
