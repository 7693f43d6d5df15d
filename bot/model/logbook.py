"""A site's logbook: a timeline like an incident's, for what is done and found while there is no incident."""

from __future__ import annotations

_PREFIX = "log-"


def logbook_of(site: str) -> str:
    """Return the id of a site's logbook. No incident has such an id: theirs begin with `inc-`."""
    return f"{_PREFIX}{site}"


def is_logbook(timeline_id: str) -> bool:
    """Return whether a timeline is a site's logbook and no incident's."""
    return timeline_id.startswith(_PREFIX)
