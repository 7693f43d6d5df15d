"""What the application's user may do, read from its grants without trying anything (HAZARDS R9)."""

from __future__ import annotations

import re
from typing import Any, Dict, Iterable, List, NamedTuple, Sequence, Set

from adapters.host_reader.answers import Refusal
from adapters.host_reader.mysql.client import Session
from adapters.host_reader.mysql.names import quoted
from adapters.host_reader.server.notes import OWN_PREFIX

# MySQL 8 tells what was taken from a right on all databases in lines of its own. Source: its manual, partial_revokes.
_GRANT = re.compile(
    r"(?P<verb>GRANT|REVOKE) (?P<rights>.+?) ON (?P<place>\*\.\*|`(?:[^`]|``)*`\.\*) (?:TO|FROM) ", re.DOTALL
)
# What a scratch database and a cut-over need, of the rights that `ALL PRIVILEGES` on a database holds.
NEEDED = (
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "CREATE",
    "DROP",
    "ALTER",
    "INDEX",
    "REFERENCES",
    "CREATE TEMPORARY TABLES",
    "CREATE VIEW",
    "TRIGGER",
)


def read_rights(session: Session, live: str) -> Dict[str, Any]:
    """Return whether the user may make databases of Backout's own and move live's tables; reads only.

    `{"create": …, "live": …, "missing_own": […], "missing_live": […]}`. Rights by a role count where the role is active.
    """
    grants = [_parsed(line) for line in _lines(session)]
    own = _rights_on(grants, OWN_PREFIX + "probe_20000101000000_00000000")
    there = _rights_on(grants, live)
    missing_own, missing_live = (_missing(rights) for rights in (own, there))
    return {
        "create": not missing_own,
        "live": not missing_live,
        "missing_own": missing_own,
        "missing_live": missing_live,
    }


def missing_on(session: Session, database: str) -> List[str]:
    """Return the rights that the user lacks on a database to use it as scratch; reads only."""
    grants = [_parsed(line) for line in _lines(session)]
    return _missing(_rights_on(grants, database))


def refuse_unseen_triggers(session: Session, database: str, *, is_mariadb: bool) -> None:
    """Do nothing where the user sees a database's triggers. *Raises* Refusal (refused) where they would be missed.

    MariaDB lists them all, and refuses to show the text of one. MySQL lists none without the right, so a dump without
    them would look whole. What a role gives is not told here, and counts as had. *Source*: MySQL 5.7 to 9 manuals,
    INFORMATION_SCHEMA TRIGGERS.
    """
    lines = _lines(session)
    if is_mariadb or any(" ON " not in line for line in lines):
        return
    rights = _rights_on([_parsed(line) for line in lines], database)
    if not rights & {"TRIGGER", "ALL PRIVILEGES"}:
        raise Refusal(
            "refused",
            f"The application's user lacks TRIGGER on {database}: MySQL does not show it whether there are triggers, so a"
            f" safety backup could miss them. Nothing was changed; have an administrator run: GRANT TRIGGER ON"
            f" {quoted(database)}.* TO that user.",
        )


def _lines(session: Session) -> List[str]:
    return [str(row[0]) for row in session.rows("SHOW GRANTS", "reading the user's rights")]


def _missing(rights: Set[str]) -> List[str]:
    return [] if "ALL PRIVILEGES" in rights else [name for name in NEEDED if name not in rights]


class _Grant(NamedTuple):
    """A line of SHOW GRANTS: the rights and where they are given, or taken from those that are given everywhere."""

    rights: Set[str]
    place: str
    is_taken: bool = False


def _rights_on(grants: Sequence[_Grant], database: str) -> Set[str]:
    there = [each for each in grants if _covers(each.place, database)]
    taken = _joined(each for each in there if each.is_taken)
    everywhere = _joined(each for each in there if each.place == "*.*")
    if taken and "ALL PRIVILEGES" in everywhere:
        everywhere = set(NEEDED)
    return (everywhere - taken) | _joined(each for each in there if each.place != "*.*" and not each.is_taken)


def _joined(grants: Iterable[_Grant]) -> Set[str]:
    return set().union(*(each.rights for each in grants))


def _parsed(line: str) -> _Grant:
    """Return what a line of SHOW GRANTS gives or takes; of a line that grants a role, nothing."""
    match = _GRANT.match(line)
    if not match:
        return _Grant(set(), "")
    rights = {part.strip().upper() for part in match["rights"].split(",")}
    return _Grant(rights, match["place"], match["verb"] == "REVOKE")


def _covers(place: str, database: str) -> bool:
    """Return whether a grant's place covers a database: `%` and `_` stand for any signs, `\\_` for itself."""
    if place == "*.*":
        return True
    if not place:
        return False
    pattern, name, at = [], place[1:-3].replace("``", "`"), 0
    while at < len(name):
        sign = name[at]
        if sign == "\\" and at + 1 < len(name):
            at += 1
            pattern.append(re.escape(name[at]))
        else:
            pattern.append({"%": ".*", "_": "."}.get(sign, re.escape(sign)))
        at += 1
    return re.fullmatch("".join(pattern), database, re.DOTALL) is not None
