"""Which of several backups to take, and why (HAZARDS B1): by content first, never by the file's time first."""

from __future__ import annotations

from typing import Any, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from bot.dumps.verdict import Word

_ORDER = [Word.VERIFIED.value, Word.COULD_NOT_VERIFY.value, Word.REFUSED.value]


class Ranking(NamedTuple):
    """Inspections, best first; the recommended one (None where none is VERIFIED) and why it is."""

    ordered: List[Mapping[str, Any]]
    recommended: Optional[Mapping[str, Any]]
    why: str


def rank(inspections: Sequence[Mapping[str, Any]]) -> Ranking:
    """Return the inspections (answers of `inspect`) in the order in which a person should think of them.

    VERIFIED before COULD NOT VERIFY before REFUSED; then the one with fewer of the site's earlier migrations missing;
    then the newer one, by the dump's own time, else by the file's.
    """
    ordered = sorted(inspections, key=_newest_last, reverse=True)
    ordered.sort(key=_place)
    best = ordered[0] if ordered and _word(ordered[0]) == Word.VERIFIED.value else None
    return Ranking(ordered, best, _why(best, ordered))


def _word(inspection: Mapping[str, Any]) -> str:
    return str(inspection["verdict"]["word"])


def _place(inspection: Mapping[str, Any]) -> Tuple[int, int]:
    return _ORDER.index(_word(inspection)), int(inspection["verdict"].get("older_by", 0))


def _newest_last(inspection: Mapping[str, Any]) -> Tuple[str, str]:
    manifest = inspection["manifest"]
    time = _own_time(manifest) or manifest.get("mtime") or ""
    return str(time), str(manifest.get("path", ""))


def _own_time(manifest: Mapping[str, Any]) -> Optional[str]:
    """Return the dump's own end time, else its own start time (pg_dump's archives say only that)."""
    return manifest.get("completed") or manifest.get("started")


def _why(best: Optional[Mapping[str, Any]], ordered: Sequence[Mapping[str, Any]]) -> str:
    if best is None:
        return "No backup is VERIFIED. A backup that could not be verified may be loaded into scratch to prove it."
    older_by = int(best["verdict"].get("older_by", 0))
    basis = (
        "by its own end time"
        if best["manifest"].get("completed")
        else "by the file's time; it has none of its own"
    )
    state = "has every earlier migration" if older_by == 0 else f"lacks {older_by} of the earlier migrations"
    others = sum(1 for inspection in ordered if _word(inspection) == Word.VERIFIED.value) - 1
    among = (
        "the only VERIFIED backup"
        if others == 0
        else f"the newest of {others + 1} VERIFIED backups ({basis})"
    )
    return f"It is {among} and {state}."
