"""MySQL and MariaDB, through the row reader on the host and the host's own clients."""

from __future__ import annotations

from adapters.server_database.database import ServerDatabase


class MysqlDatabase(ServerDatabase):
    """Laravel's drivers `mysql` and `mariadb`: which of the two answers is asked of server and client on the host.

    A scratch in a lent database has the place `backout_<purpose>_<tag>@<database>`, as the reader answers it.
    """

    verbs = "mysql"
    dump_suffix = ".sql"
