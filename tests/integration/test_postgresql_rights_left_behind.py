"""What only an administrator may make is in no scratch: it is told before a cut-over loses it."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from adapters.host_reader.__main__ import answer
from tests.servers.postgres import PostgresServer


def test_event_triggers_and_publications_are_told(postgres_server: PostgresServer, tmp_path: Path) -> None:
    """Facts, the safety backup and a scratch made from it name what a cut-over would leave behind."""
    login = postgres_server.make(f"left_{secrets.token_hex(4)}")
    login.run("CREATE TABLE users (id serial PRIMARY KEY);")
    postgres_server.superuser.to(login.database).run(
        """CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
        CREATE EVENT TRIGGER watcher ON ddl_command_end EXECUTE FUNCTION watch();
        CREATE PUBLICATION feed FOR TABLE users;"""
    )
    shared = {"access": login.access(), "workspace": str(tmp_path / "workspace")}
    safety, scratch = str(tmp_path / "safety.dump"), f"backout_scratch_20260101000000_{secrets.token_hex(4)}"
    told = []
    for verb, more in (
        ("facts", {"database": login.database}),
        ("copy", {"source": login.database, "target": safety}),
        ("copy", {"source": safety, "target": scratch}),
    ):
        found = answer(f"pgsql_{verb}", json.dumps({**shared, **more}))
        assert found["ok"], found
        told.append(" ".join(found["notes"]))
    assert "event trigger watcher" in told[0]
    assert "publication feed" in told[0]
    assert told[0] == told[1]
    assert "event triggers" in told[2]
    assert "publications" in told[2]
    postgres_server.drop(login)
