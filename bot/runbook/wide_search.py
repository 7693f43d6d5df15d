"""Where else on a host a site's backups may lie, and which of the folders found are worth adding. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

USUAL = (
    "~/backups",
    "~/backup",
    "~/dumps",
    "/var/backups",
    "/var/lib/backups",
    "/backups",
    "/backup",
    "/srv/backups",
    "/srv/backup",
    "/opt/backups",
    "/mnt/backups",
    "/mnt/backup",
    "/home/backups",
    "/home/backup",
)
"""Folders that hosts and panels commonly keep dumps in."""

_USABLE = ("VERIFIED", "COULD NOT VERIFY")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A folder (or one file, where the folder is a whole home) in which backups were found that no setting names.

    `verdicts` counts its files by word; `best` is the line of its best one.
    """

    path: str
    best: Mapping[str, Any]
    verdicts: Mapping[str, int] = field(default_factory=dict)

    @property
    def usable(self) -> bool:
        """Return whether there is a backup in it that a recovery could stand on, now or after a load into scratch."""
        return self.best["word"] in _USABLE


def script_folders(scripts: Iterable[Mapping[str, Any]], app_path: str) -> tuple[str, ...]:
    """Return the folders that deploy scripts back up to, as far as they can be told; a relative one is the application's.

    A part that is only known when the script runs (`*`) ends the path: `/backups/*/x` gives `/backups`.
    """
    found = []
    for script in scripts:
        for target in script.get("targets") or ():
            folder = str(target.get("folder") or "").split("*", 1)
            path = folder[0] if len(folder) == 1 else folder[0].rpartition("/")[0]
            if path and not path.startswith(("/", "~")):
                path = f"{app_path}/{path}"
            if path.strip("/"):
                found.append(path)
    return tuple(dict.fromkeys(found))


def wide_roots(app_path: str, from_scripts: Sequence[str]) -> tuple[str, ...]:
    """Return what is searched, the likeliest first: the search has an end, and homes are large."""
    above = app_path.rpartition("/")[0]
    near = (f"{app_path}/storage", f"{app_path}/database", *([above] if above else []))
    return tuple(dict.fromkeys((*from_scripts, *USUAL, *near, "~")))


def places_found(lines: Iterable[Mapping[str, Any]], too_wide: Sequence[str]) -> tuple[Place, ...]:
    """Return the folders of the files found, those with the best backup first.

    A file that lies right in one of the folders `too_wide` (a home) is a place by itself.
    """
    grouped: dict[str, list[Mapping[str, Any]]] = {}
    for line in lines:
        folder = str(line["path"]).rpartition("/")[0]
        grouped.setdefault(str(line["path"]) if folder in too_wide else folder, []).append(line)
    places = [
        Place(path=path, best=min(inside, key=_worth), verdicts=Counter(str(one["word"]) for one in inside))
        for path, inside in grouped.items()
    ]
    return tuple(sorted(places, key=lambda place: _worth(place.best)))


def _worth(line: Mapping[str, Any]) -> tuple[int, int]:
    word = str(line["word"])
    return (_USABLE.index(word) if word in _USABLE else len(_USABLE), int(line.get("older_by") or 0))
