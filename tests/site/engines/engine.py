"""What differs between productions by the engine of their database; one file for each engine beside this one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

from tests.site.sessions import Session

if TYPE_CHECKING:
    from tests.site.engines.place import ServerPlace
    from tests.site.production import Production
    from tests.site.servers import Process

BLOG = """
create table migrations (id integer not null primary key, migration varchar(255) not null, batch integer not null);
insert into migrations (id, migration, batch) values (1, '2023_05_01_100000_create_articles_table', 1);
create table articles (id integer not null primary key, title varchar(255) not null, body text);
insert into articles (id, title, body) values (1, 'On dumps', 'It ends with -- Dump completed on, mostly.');
"""


class Engine(ABC):
    """One engine: how its production is run, backed up and recovered by hand."""

    name: str
    backup_lines: str
    """The lines of the deploy script that make its backup."""

    old_schema = "mysql-schema.sql"
    """The file of structure without rows that lies in the application from before it moved to this engine."""

    @abstractmethod
    def start(self, production: Production) -> tuple[ServerPlace | None, tuple[Process, ...]]:
        """Start the database server, if there is one, where it does not run. *Changes*: starts it."""

    @abstractmethod
    def stop(self, process: Process) -> None:
        """End the server in order, so that its folder may be copied. *Changes*: ends it."""

    @abstractmethod
    def settings(self, production: Production) -> dict[str, str]:
        """Return what `.env` says of the database, by name."""

    @abstractmethod
    def session(self, production: Production) -> Session:
        """Return a new connection to the live database."""

    @abstractmethod
    def dump(self, production: Production) -> bytes:
        """Return a dump as the deploy script makes it. Reads only."""

    @abstractmethod
    def blog_dump(self, production: Production) -> bytes:
        """Return the dump of another site of the same account."""

    @abstractmethod
    def export(self, production: Production, target: Path) -> None:
        """Copy the live database to a neutral file for the oracle. *Changes*: makes the file."""

    @abstractmethod
    def copy(self, first: Production, second: Production) -> None:
        """Copy the database of a stopped production to its clone. *Changes*: the clone's."""

    @abstractmethod
    def by_hand(self, production: Production, backup: str) -> tuple[str, ...]:
        """Return the runbook's own commands, word for word: the safety copy, then the restore of this backup."""

    @abstractmethod
    def second_database(self, production: Production) -> tuple[str, str]:
        """Make a copy of the live database beside it; return what `.env` says of each. *Changes*: makes the copy."""
