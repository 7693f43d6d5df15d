"""When the post-mortem of a closed incident is written as a file once more, and the operation that does it."""

from __future__ import annotations

from collections.abc import Sequence

from bot.model.event import Entry, Kind
from bot.model.operation import Operation

AMENDS = (Kind.NOTE, Kind.CORRECTION, Kind.ACTION_CHANGED, Kind.DECISION_ANSWERED)
"""What people add to an incident after its end that changes its report."""


def filing(incident_id: str, site: str, person: str, *, cause: str, amended: bool) -> Operation:
    """Return the operation that files a post-mortem; `cause` is the id of what asked for it, so that it is done once."""
    return Operation(
        id=f"{cause}.file",
        kind="file_report",
        incident_id=incident_id,
        site=site,
        person=person,
        args={"amended": amended},
    )


def is_behind(entries: Sequence[Entry], *, on_host: bool) -> bool:
    """Return whether people added something since the report was written last, here or (`on_host`) on the host."""
    added = max((entry.sequence for entry in entries if entry.kind in AMENDS), default=0)
    written = [e for e in entries if e.kind is Kind.REPORT_WRITTEN and bool(e.data.get("host")) is on_host]
    return not written or written[-1].sequence < added
