"""Make and remove views, triggers and routines: what a RENAME TABLE leaves behind or refuses (HAZARDS R10)."""

from __future__ import annotations

from typing import Iterable, List, Sequence

from adapters.host_reader.mysql.client import Session
from adapters.host_reader.mysql.names import quoted
from adapters.host_reader.mysql.schema import Definition

_UTF8 = ("utf8", "utf8mb3", "utf8mb4")


def drop_definitions(session: Session, definitions: Iterable[Definition]) -> None:
    """Remove these from the session's database where they are there. *Changes*: only these.

    Sent without waiting; the session's next `run` waits for it and tells of a failure.
    """
    for each in definitions:
        session.statement(f"DROP {each.kind} IF EXISTS {quoted(each.name)}")


def make_definition(session: Session, definition: Definition) -> None:
    """Make one again in the session's database as it was defined; one of that name is replaced. *Changes*: only that."""
    send_definition(session, definition)
    session.run("DO 0", f"making the {definition.kind.lower()} {definition.name!r}")


def send_definition(session: Session, definition: Definition) -> None:
    """Send what makes one again, without waiting; the session's next `run` waits for it and tells of a failure.

    It is made under the settings it was first made under; the session's own are put back after.
    *Source*: SHOW CREATE of MariaDB 10.11 and MySQL 8.0; mysqldump sets the same ones.
    """
    # Our text is UTF-8; under another character set only plain text means the same.
    charset = definition.charset
    if charset not in _UTF8 and not definition.sql.isascii():
        charset = "utf8mb4"
    session.statement(f"DROP {definition.kind} IF EXISTS {quoted(definition.name)}")
    session.statement("SET @backout_mode = @@sql_mode, @backout_collation = @@collation_connection")
    session.statement(
        f"SET sql_mode = '{_word(definition.sql_mode)}', character_set_client = {_word(charset)},"
        f" collation_connection = {_word(definition.collation)}"
    )
    session.statement(definition.sql)
    session.statement(
        "SET sql_mode = @backout_mode, character_set_client = utf8mb4, collation_connection = @backout_collation"
    )


def _word(setting: str) -> str:
    """Return a setting's value, letters and signs of names only."""
    return "".join(sign for sign in setting if sign.isalnum() or sign in "_,")


def routines(definitions: Iterable[Definition]) -> List[Definition]:
    """Return the procedures and functions among them."""
    return [each for each in definitions if each.kind in ("PROCEDURE", "FUNCTION")]


def triggers(definitions: Iterable[Definition]) -> List[Definition]:
    """Return the triggers among them, in the order in which they act."""
    return [each for each in definitions if each.kind == "TRIGGER"]


def views(definitions: Iterable[Definition]) -> List[Definition]:
    """Return the views among them, each after the views its own text names."""
    waiting = [each for each in definitions if each.kind == "VIEW"]
    ordered: List[Definition] = []
    while waiting:
        names = {quoted(each.name) for each in waiting}
        ready = [each for each in waiting if not _names_another(each, names)]
        # Views that name one another in a circle cannot be; a text that only looks so is made in its own order.
        ordered += ready or waiting
        waiting = [each for each in waiting if each not in ordered]
    return ordered


def _names_another(view: Definition, names: Iterable[str]) -> bool:
    body = view.sql.partition(" AS ")[2]
    return any(name in body for name in names if name != quoted(view.name))


def in_order_of_making(definitions: Sequence[Definition]) -> List[Definition]:
    """Return them in an order in which they can be made: routines, views, triggers."""
    return [*routines(definitions), *views(definitions), *triggers(definitions)]
