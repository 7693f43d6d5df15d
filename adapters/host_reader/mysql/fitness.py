"""What a database of MySQL or MariaDB may hold that no copy of it could hold as it is: refused by name, before anything."""

from __future__ import annotations

import re
from typing import List, Sequence, Tuple

from adapters.host_reader.answers import Refusal
from adapters.host_reader.mysql.client import Session
from adapters.host_reader.mysql.ddl import OWN_ENGINES
from adapters.host_reader.mysql.schema import Definition, texts

_HERE = "TABLE_SCHEMA = DATABASE() AND CAST(TABLE_SCHEMA AS BINARY) = CAST(DATABASE() AS BINARY)"
_OF_THE_SERVER = ("information_schema", "performance_schema", "mysql", "sys")
_STRINGS_AND_COMMENTS = re.compile(r"'(?:[^'\\]|\\.|'')*'|/\*.*?\*/|(?:--\s|#)[^\n]*", re.DOTALL)
# Before the name of what is changed or called. What is only read (FROM, JOIN) is left alone.
_CHANGES = r"\b(?:INTO|UPDATE|IGNORE|LOW_PRIORITY|DELAYED|REPLACE|INSERT|DELETE\s+FROM|CALL|TABLE)\s+"
# Since when a RENAME of many tables is whole after a crash. Source: MariaDB 10.6 (MDEV-23842) and MySQL 8.0 manuals, atomic DDL.
_CRASH_SAFE = {"mariadb": (10, 6), "mysql": (8, 0)}
_DEFINER = re.compile(r"\bDEFINER\s*=\s*`((?:[^`]|``)*)`@`((?:[^`]|``)*)`", re.IGNORECASE)
_ANY_DEFINER = re.compile(
    r"\b(?:ALL PRIVILEGES|SUPER|SET USER|SET_USER_ID|SET_ANY_DEFINER)\b.* ON \*\.\* TO "
)


def refuse_history(session: Session) -> None:
    """Do nothing where no table of the session's database keeps the history of its rows. *Raises* Refusal (refused).

    These rows are in no dump and in no copy, and counts of the present rows do not tell that they are gone.
    """
    rest = f"FROM information_schema.TABLES WHERE {_HERE} AND TABLE_TYPE = 'SYSTEM VERSIONED' ORDER BY 1"
    found = [str(row[0]) for row in texts(session, ["TABLE_NAME"], rest, "looking for tables with a history")]
    if found:
        raise Refusal(
            "refused",
            f"Tables keep the history of their rows (WITH SYSTEM VERSIONING): {_listed(found)}. No dump and no copy holds that"
            " history, so it would be lost. Nothing was changed; call the DBA: a backup of the server's files is needed.",
        )


def refuse_rows_elsewhere(session: Session) -> None:
    """Do nothing where the rows of all tables lie in the session's database. *Raises* Refusal (refused) by name.

    A copy of a MERGE, FEDERATED, SPIDER or CONNECT table is the same rows once more: filling it would write into them.
    """
    rest = f"FROM information_schema.TABLES WHERE {_HERE} AND ENGINE IS NOT NULL ORDER BY 1"
    rows = texts(session, ["TABLE_NAME", "ENGINE"], rest, "looking at the storage engines")
    found = [f"{name} ({engine})" for name, engine in rows if str(engine).upper() not in OWN_ENGINES]
    if found:
        raise Refusal(
            "refused",
            f"Tables whose rows may lie somewhere else: {_listed(found)}. A copy would write into these rows. Nothing was"
            " changed; call the DBA.",
        )


def refuse_writing_elsewhere(session: Session, definitions: Sequence[Definition], own: Sequence[str]) -> None:
    """Do nothing where no trigger or routine changes another database by its name. *Raises* Refusal (refused).

    In a copy it would change that database all the same, as soon as a migration is rehearsed there. `own` are the names
    that are asked about elsewhere.
    """
    rows = texts(session, ["SCHEMA_NAME"], "FROM information_schema.SCHEMATA", "asking for other databases")
    others = [str(row[0]) for row in rows if row[0] not in (*_OF_THE_SERVER, *own)]
    if not others:
        return
    named = "|".join(re.escape(name) for name in sorted(others, key=len, reverse=True))
    pattern = re.compile(
        rf"(?:{_CHANGES}`?({named})`?\s*\.|`?(?<![\w$.])({named})`?\s*\.\s*`?[\w$]+`?\s*\()", re.IGNORECASE
    )
    for each in definitions:
        found = None if each.kind == "VIEW" else pattern.search(_STRINGS_AND_COMMENTS.sub("''", each.sql))
        if found:
            raise Refusal(
                "refused",
                f"The {each.kind.lower()} {each.name!r} changes the database {found[1] or found[2]}; in a copy it would do so"
                " too, as soon as a migration is rehearsed there. Nothing was changed; have the DBA"
                " take it out for the time of the recovery.",
            )


def foreign_definers(session: Session, definitions: Sequence[Definition]) -> List[str]:
    """Return in words which triggers, views and routines the user could not make again as they are; reads only."""
    if _may_name_others(session):
        return []
    own = _user(session)
    found = []
    for each in definitions:
        definer = _DEFINER.search(each.sql)
        if definer and (definer[1].replace("``", "`"), definer[2].replace("``", "`")) != own:
            found.append(f"{each.kind.lower()} {each.name!r} of {definer[1]}@{definer[2]}")
    return found


def _may_name_others(session: Session) -> bool:
    grants = [str(row[0]) for row in session.rows("SHOW GRANTS", "reading the user's rights")]
    if not any(_ANY_DEFINER.search(grant) for grant in grants):
        return False
    version = str(session.one("SELECT VERSION()", "asking for the server's version"))
    if "mariadb" in version.lower() or version.startswith("5."):
        return True
    # MySQL 8 and later want this too where the other user has it, as root has. *Source*: manual, 8.2.2, SET_USER_ID.
    return any("SYSTEM_USER" in grant or "ALL PRIVILEGES" in grant for grant in grants)


def refuse_foreign_definers(session: Session, definitions: Sequence[Definition]) -> None:
    """Do nothing where all of live's triggers, views and routines could be made again as they are, for an undo."""
    found = foreign_definers(session, definitions)
    if found:
        raise Refusal("refused", f"{definer_words(session, found)} Nothing was changed.")


def definer_words(session: Session, found: Sequence[str]) -> str:
    """Return what stands against a cut-over where definitions belong to other users, and what an administrator can do."""
    user, host = _user(session)
    version = str(session.one("SELECT VERSION()", "asking for the server's version"))
    right = "SET USER"
    if "mariadb" not in version.lower():
        right = "SUPER" if version.startswith("5.") else "SET_ANY_DEFINER, SYSTEM_USER"
        right = "SET_USER_ID, SYSTEM_USER" if version.startswith(("8.0.", "8.1.")) else right
    return (
        f"Live has what belongs to other users than the application's: {_listed(found)}. Each is taken out and made again"
        " by a cut-over and by its undo, which this user may not do for others. Have an administrator run: GRANT"
        f" {right} ON *.* TO '{user}'@'{host}'; it can be revoked after the recovery. Then try again."
    )


def crash_words(version: str) -> str:
    """Return what the plan says of a server whose RENAME is not safe against a crash of the server, '' for any other."""
    engine = "mariadb" if "mariadb" in version.lower() else "mysql"
    parts = [int(part) for part in re.findall(r"\d+", version)[:2]]
    if tuple(parts) >= _CRASH_SAFE[engine]:
        return ""
    return (
        f"On a server of version {version} a crash of the server itself in the very moment of the cut-over can leave tables in"
        " two databases; the next command of Backout then finishes or takes back what was begun."
    )


def _user(session: Session) -> Tuple[str, str]:
    user, _, host = str(session.one("SELECT CURRENT_USER()", "asking for the user")).rpartition("@")
    return user, host


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
