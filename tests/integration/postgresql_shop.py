"""A shop's database on a real PostgreSQL, with all the types and hostile names that a copy could get wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.host_reader.postgresql import verbs
from tests.servers.login import Login
from tests.servers.postgres import PostgresServer

ROOT = Path(__file__).parents[2]

PLAIN = """
CREATE TABLE users (id bigserial PRIMARY KEY, name varchar(255) NOT NULL, created_at timestamp(0));
CREATE TABLE orders (id bigserial PRIMARY KEY, user_id bigint REFERENCES users (id) ON DELETE CASCADE, note text);
CREATE TABLE migrations (id serial PRIMARY KEY, migration varchar(255) NOT NULL, batch integer NOT NULL);
INSERT INTO users (name, created_at) SELECT 'user ' || g, '2026-01-01' FROM generate_series(1, 50) g;
INSERT INTO orders (user_id, note) SELECT g, 'note ' || g FROM generate_series(1, 50) g;
INSERT INTO migrations (migration, batch) VALUES ('2026_01_01_000000_users', 1), ('2026_01_02_000000_orders', 2);
"""

HOSTILE = r"""
CREATE EXTENSION citext; CREATE EXTENSION ltree; CREATE SCHEMA other;
CREATE TYPE mood AS ENUM ('sad', 'it''s ok', 'happy');
CREATE DOMAIN email AS citext CHECK (value ~ '@');
CREATE TABLE things (
    id bigserial PRIMARY KEY, name varchar(255) NOT NULL DEFAULT 'it''s', flag boolean NOT NULL DEFAULT true,
    status varchar(255) DEFAULT 'draft' CHECK (status IN ('draft', 'published')), price numeric(8, 2) DEFAULT 0,
    mood mood DEFAULT 'sad', mail email UNIQUE, at timestamptz DEFAULT now(), doc jsonb DEFAULT '{}', old json,
    raw bytea, list text[], small smallint DEFAULT -1, ratio float8, single real, day date, took interval, path ltree,
    fixed char(4), money money, twice integer GENERATED ALWAYS AS (small * 2) STORED);
CREATE TABLE other."we""ird; table" (a integer, "b c" text, PRIMARY KEY (a, "b c"));
CREATE TABLE "Case" (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, thing bigint REFERENCES things (id), "select" text);
CREATE TABLE keyless (word text, n integer);
CREATE TABLE visits (id integer, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE visits_25 PARTITION OF visits FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE visits_26 PARTITION OF visits FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE INDEX things_lower ON things (lower(name)) WHERE flag;
CREATE VIEW drafts AS SELECT id FROM things WHERE status IN ('draft', 'published');
CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM things;
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW."select" := 'stamped'; RETURN NEW; END $$;
CREATE TRIGGER stamps BEFORE INSERT ON "Case" FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE FUNCTION twice(integer) RETURNS integer BEGIN ATOMIC SELECT $1 * 2; END;
INSERT INTO things (name, mail, raw, list, ratio, single, took, path, fixed, money, old) VALUES
    (E'tab\t nl\n cr\r back\\slash \\. \x07 quote" '' é 🐘', 'A@x', '\x00ff0a5c', ARRAY['a,b', NULL, '"', '\'], 1e-300, 0.1,
     '1 day 00:00:01.5', 'a.b', 'x', 12.5, '{"a":  1}'),
    ('', 'b@x', '\x', ARRAY[]::text[], 'NaN', '-Infinity', '-3 mons', '', '', -1, NULL),
    (E'\\N', NULL, NULL, NULL, 0.1::float8 + 0.2, 3, NULL, NULL, NULL, NULL, 'null'),
    (E'x''); DROP TABLE things; --', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO other."we""ird; table" VALUES (1, ''), (2, E'\\.'), (-3, E'a\nb');
INSERT INTO "Case" (thing) VALUES (1), (2), (NULL);
INSERT INTO keyless VALUES ('same', 1), ('same', 1), (NULL, NULL);
INSERT INTO visits VALUES (1, '2025-05-05'), (2, '2026-05-05'), (3, '2026-06-06');
REFRESH MATERIALIZED VIEW counted;
"""


@dataclass(frozen=True)
class Shop:
    """One application's database, its own user's way in, and Backout's folder on the host."""

    server: PostgresServer
    login: Login
    workspace: Path

    @property
    def name(self) -> str:
        """Return the live database's name."""
        return self.login.database

    def request(self, **fields: Any) -> dict[str, Any]:
        """Return a request to the row reader."""
        return {"access": self.login.access(), "workspace": str(self.workspace), **fields}

    def ask(self, verb: str, **fields: Any) -> dict[str, Any]:
        """Return a verb's answer, asked in this process."""
        answer: dict[str, Any] = getattr(verbs, verb)(self.request(**fields))
        return answer

    def fingerprint(self, database: str | None = None) -> str:
        """Return the fingerprint of a database, the live one where none is named."""
        return str(self.ask("fingerprint", database=database or self.name)["fingerprint"])

    def start(self, verb: str, **fields: Any) -> subprocess.Popen[bytes]:
        """Start a verb in a process of its own, as the host runs it."""
        reader = subprocess.Popen(
            [sys.executable, "-m", "adapters.host_reader", f"pgsql_{verb}"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(os.environ),
        )
        assert reader.stdin is not None
        reader.stdin.write(json.dumps(self.request(**fields)).encode())
        reader.stdin.close()
        return reader

    def safety(self, name: str = "safety.dump") -> str:
        """Return where a safety backup of that name lies, or would lie."""
        folder = self.workspace / "safety"
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder / name)

    def scratch(self, purpose: str = "test") -> str:
        """Return a new name for a scratch database."""
        return f"backout_{purpose}_20260101000000_{uuid.uuid4().hex[:8]}"

    def twin(self) -> str:
        """Make a scratch database with the live one's content, faster than Backout does, and return its name."""
        name = self.scratch()
        quickly = " STRATEGY = FILE_COPY" if self.server.major >= 15 else ""
        self.server.superuser.run(
            f'CREATE DATABASE "{name}" TEMPLATE "{self.name}" OWNER "{self.login.username}"{quickly}'
        )
        return name

    def pg_dump(self, *words: str, bin: Path | None = None, login: Login | None = None) -> bytes:  # noqa: A002
        """Return what pg_dump gives the application's user, or another; `bin` is another version's folder."""
        who = login or self.login
        place = ["-h", who.host, "-p", str(who.port), "-U", who.username]
        done = subprocess.run(
            [str((bin or who.bin) / "pg_dump"), *place, *words, self.name],
            env=who.environment(),
            capture_output=True,
            check=True,
        )
        return done.stdout

    def cut_over_request(self, source: str, **more: Any) -> dict[str, Any]:
        """Return the fields of a cut-over to a scratch database as it is now."""
        return {
            "source": source,
            "target": self.name,
            "expect_source_fingerprint": self.fingerprint(source),
            "expect_target_fingerprint": self.fingerprint(),
            "busy_timeout_s": 0.3,
            **more,
        }


@contextmanager
def a_shop(server: PostgresServer, folder: Path, sql: str = PLAIN, **rights: Any) -> Iterator[Shop]:
    """Give a new database with a user of its own, and take both away with all that was made beside them."""
    login = server.make(f"shop_{uuid.uuid4().hex[:8]}", **rights)
    shop = Shop(server, login, folder / "backout")
    try:
        if sql:
            login.run(sql)
        yield shop
    finally:
        server.drop(login)
