"""What belongs to a live database, is in no scratch, and would be lost by a cut-over: told, since nobody can carry it."""

from __future__ import annotations

from typing import List, NamedTuple

from adapters.host_reader.answers import Refusal
from adapters.host_reader.postgresql.catalogue import OWN_SCHEMA, not_of_extension
from adapters.host_reader.postgresql.names import literal
from adapters.host_reader.postgresql.session import Session


class _Belonging(NamedTuple):
    """What may be left behind: how its names are asked for, what is said of them, and whether that holds for a side schema too."""

    select: str
    words: str
    in_side: bool


_OF_THIS = "(SELECT oid FROM pg_database WHERE datname = current_database())"
_BELONGINGS = (
    _Belonging(
        "SELECT evtname FROM pg_event_trigger t WHERE NOT EXISTS (SELECT 1 FROM pg_depend x"
        " WHERE x.classid = 'pg_event_trigger'::regclass AND x.objid = t.oid AND x.deptype = 'e')",
        "event trigger {}: an administrator must make it again after (its text is in the database put aside)",
        in_side=False,
    ),
    _Belonging(
        "SELECT pubname FROM pg_publication",
        "publication {}: replicas and change feeds that read it STOP at the cut-over and see nothing of it. An administrator"
        " must make it again after, and have each of them begin anew with a full copy",
        in_side=True,
    ),
    _Belonging(
        "SELECT slot_name FROM pg_replication_slots WHERE slot_type = 'logical' AND database = current_database()",
        "replication slot {}: it stays with the database put aside, and the server keeps its log for it until the disk is full"
        " or an administrator drops it",
        in_side=False,
    ),
    _Belonging(
        f"SELECT subname FROM pg_subscription WHERE NOT subenabled AND subdbid = {_OF_THIS}",
        "subscription {}: an administrator must make it again after",
        in_side=False,
    ),
    _Belonging(
        f"SELECT subname FROM pg_subscription WHERE subenabled AND subdbid = {_OF_THIS}",
        "subscription {}, which is at work: the cut-over will be REFUSED until an administrator runs ALTER SUBSCRIPTION …"
        " DISABLE; the safety backup and this plan must be made after that",
        in_side=True,
    ),
    _Belonging(
        "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        f" WHERE p.prosecdef AND {OWN_SCHEMA} AND {not_of_extension('pg_proc', 'p.oid')}"
        " AND NOT pg_has_role(current_user, p.proowner, 'MEMBER')",
        "the owner of the function {}, which runs with its owner's rights: after the cut-over these are the application's,"
        " until an administrator gives it back (ALTER FUNCTION … OWNER TO)",
        in_side=True,
    ),
    _Belonging(
        "SELECT oid::text FROM pg_largeobject_metadata WHERE lomacl IS NOT NULL LIMIT 5",
        "the rights that other roles have on large objects ({} …): an administrator must grant them again after",
        in_side=False,
    ),
)
_INCOMING = f"SELECT subname FROM pg_subscription WHERE subenabled AND subdbid = {_OF_THIS} ORDER BY 1"


def left_behind(session: Session, *, in_side: bool = False) -> List[str]:
    """Return in words what the session's database has that a cut-over would leave behind, by name; reads only.

    `in_side`: the cut-over changes objects of that database and not the database.
    """
    told = []
    for each in _BELONGINGS:
        names = sorted(set(_names(session, each.select))) if each.in_side or not in_side else []
        if names:
            told.append("a cut-over leaves behind: " + each.words.format(", ".join(names)))
    return told


def _names(session: Session, select: str) -> List[str]:
    return [str(row[0]) for row in session.rows(select)]


def refuse_incoming(live: Session) -> None:
    """Do nothing where nothing is replicated into the live database. *Raises* Refusal (refused) with what is."""
    names = _names(live, _INCOMING)
    if names:
        told = ", ".join(names)
        raise Refusal(
            "refused",
            f"The live database takes in rows of another server by the subscription {told}, which would write on during the"
            " cut-over and be lost by it. Nothing was changed. Have an administrator run ALTER SUBSCRIPTION … DISABLE, take"
            " a new safety backup, and plan again.",
        )


def other_place(session: Session, live: str, scratch: str) -> List[str]:
    """Return in words that a scratch's data lie in another tablespace than live's, where they do; reads only."""
    select = (
        "SELECT t.spcname FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE d.datname IN"
        f" ({literal(live)}, {literal(scratch)}) ORDER BY d.datname = {literal(scratch)}"
    )
    names = _names(session, select)
    if len(set(names)) < 2:
        return []
    return [
        (
            f"a cut-over leaves behind: the tablespace {names[0]}; the new data lie in {names[1]}, on what disk that is, since the"
            f" application's user may not put them into the other (GRANT CREATE ON TABLESPACE {names[0]})"
        )
    ]


def missing_settings(live: List[str], scratch: List[str]) -> List[str]:
    """Return in words which settings a live database has that its scratch could not be given, by name."""
    names = sorted({each.partition("=")[0] for each in set(live) - set(scratch)})
    if not names:
        return []
    return [
        (
            f"a cut-over leaves behind: the database's setting {', '.join(names)}: an administrator must give it again after"
            " (ALTER DATABASE … SET)"
        )
    ]
