"""The three engines by name."""

from __future__ import annotations

from tests.site.engines.engine import Engine
from tests.site.engines.mariadb import MariadbEngine
from tests.site.engines.postgresql import PostgresqlEngine
from tests.site.engines.sqlite import SqliteEngine

ENGINES: dict[str, Engine] = {
    engine.name: engine for engine in (SqliteEngine(), MariadbEngine(), PostgresqlEngine())
}
