"""A production on PostgreSQL."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from tests.servers.postgres import start_postgres
from tests.site.engines.place import ServerPlace
from tests.site.engines.server import NAME, ServerEngine
from tests.site.servers import Process

if TYPE_CHECKING:
    from tests.site.production import Production


class PostgresqlEngine(ServerEngine):
    """PostgreSQL: the deploy script calls `pg_dump` and keeps its plain text."""

    name = "postgresql"
    connection = "pgsql"
    ending = signal.SIGINT
    dump_command = ("pg_dump",)
    user_word = "username"
    backup_lines = """\
value() { sed -n "s/^$1=//p" .env | tr -d '"'; }
backup="$BACKUPS/backup-$(date +%Y-%m-%d-%H%M%S).sql"

# mysqldump -u album -p'korn-blume-1987' album > "$backup"   # how the backup was made before the move to PostgreSQL
PGPASSWORD=$(value DB_PASSWORD) pg_dump --host="$(value DB_HOST)" --port="$(value DB_PORT)" \\
    --username="$(value DB_USERNAME)" "$(value DB_DATABASE)" > "$backup"
"""

    def start(self, production: Production) -> tuple[ServerPlace, tuple[Process, ...]]:
        first, port = production.server is None, production.server.port if production.server else 0
        server = start_postgres(production.database_path, port=port, logged=False)
        login = server.make(NAME) if first else server.login(NAME, NAME)
        place = ServerPlace(
            driver="pgsql",
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
            "pg_dump -U album album > ~/backups/pre-restore-$(date +%Y%m%d-%H%M%S).sql",
            f"psql -U album -d album -f {backup}",
        )

    def owned_by(self, user: str) -> str:
        return f"owner {user}"
