"""A production on MariaDB."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from tests.servers.mariadb import start_mariadb
from tests.site.engines.place import ServerPlace
from tests.site.engines.server import NAME, ServerEngine
from tests.site.servers import Process

if TYPE_CHECKING:
    from tests.site.production import Production


class MariadbEngine(ServerEngine):
    """MariaDB: the deploy script calls `mariadb-dump`."""

    name = "mariadb"
    connection = "mysql"
    ending = signal.SIGTERM
    old_schema = "pgsql-schema.sql"
    dump_command = ("mariadb-dump", "--no-defaults", "--single-transaction")
    backup_lines = """\
value() { sed -n "s/^$1=//p" .env | tr -d '"'; }
backup="$BACKUPS/backup-$(date +%Y-%m-%d-%H%M%S).sql"

# mysqldump -u root -p'korn-blume-1987' album > "$backup"   # how the backup was made before the album had its own user
MYSQL_PWD=$(value DB_PASSWORD) mariadb-dump --single-transaction --host="$(value DB_HOST)" --port="$(value DB_PORT)" \\
    --user="$(value DB_USERNAME)" "$(value DB_DATABASE)" > "$backup"
"""

    def start(self, production: Production) -> tuple[ServerPlace, tuple[Process, ...]]:
        first, port = production.server is None, production.server.port if production.server else 0
        server = start_mariadb(production.database_path, port=port, logged=False)
        login = server.make(NAME) if first else server.login(NAME, NAME)
        place = ServerPlace(
            driver="mysql",
            port=server.port,
            socket=str(server.socket),
            bin=str(server.bin),
            name=NAME,
            username=login.username,
            password=login.password,
        )
        return place, (server.process,)

    def by_hand(self, production: Production, backup: str) -> tuple[str, ...]:
        return (
            "mysqldump -u album album > ~/backups/pre-restore-$(date +%Y%m%d-%H%M%S).sql",
            f"mysql -u album album < {backup}",
        )
