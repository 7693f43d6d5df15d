"""The tables of Backout's own database, and how times and JSON are written into them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from bot.model.codec import canonical


class UtcTime(TypeDecorator[datetime]):
    """An aware time as text of fixed width, `2026-01-31T23:59:59.123456Z`: it sorts as it counts, and can be read."""

    impl = sa.String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the text of a time."""
        return None if value is None else value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the time of a text."""
        return None if value is None else datetime.fromisoformat(value)


class JsonText(TypeDecorator[Any]):
    """JSON data as canonical text, so that what is read is byte for byte what was hashed."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: object, dialect: Dialect) -> str:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the text of JSON data."""
        return canonical(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the data of a JSON text."""
        return None if value is None else json.loads(value)


metadata = sa.MetaData()

# `open_site` is the site while the incident is open and NULL after: a unique column of which NULLs may repeat is the
# one way to say "at most one open incident for each site" that every engine knows.
incidents = sa.Table(
    "incidents",
    metadata,
    sa.Column("id", sa.String(200), primary_key=True),
    sa.Column("site", sa.String(200), nullable=False, index=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("open_site", sa.String(200), unique=True),
    sa.Column("channel", sa.String(200), nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("opened_at", UtcTime, nullable=False),
    sa.Column("closed_at", UtcTime),
    sa.Column("entry_count", sa.Integer, nullable=False),
    sa.Column("last_hash", sa.String(64), nullable=False),
    sa.UniqueConstraint("site", "number"),
)

entries = sa.Table(
    "entries",
    metadata,
    sa.Column("incident_id", sa.ForeignKey("incidents.id"), primary_key=True),
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("kind", sa.String(60), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("data", JsonText, nullable=False),
    sa.Column("previous_hash", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)

decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("id", sa.String(200), primary_key=True),
    sa.Column("incident_id", sa.ForeignKey("incidents.id"), nullable=False, index=True),
    sa.Column("state", sa.String(20), nullable=False, index=True),
    sa.Column("opened_at", UtcTime, nullable=False),
    sa.Column("content", JsonText, nullable=False),
)

messages = sa.Table(
    "messages",
    metadata,
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(40), nullable=False, unique=True),
    sa.Column("incident_id", sa.ForeignKey("incidents.id"), nullable=False),
    sa.Column("slot", sa.String(200), nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("updated_at", UtcTime, nullable=False),
    sa.Column("content", JsonText, nullable=False),
    sa.Column("decision_id", sa.String(200), index=True),
    sa.UniqueConstraint("incident_id", "slot"),
)

# An empty `external_id`: it was sent, and nobody knows whether it arrived.
delivered = sa.Table(
    "delivered",
    metadata,
    sa.Column("platform", sa.String(40), primary_key=True),
    sa.Column("message_id", sa.ForeignKey("messages.id"), primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("external_id", sa.String(200), nullable=False),
)

rooms = sa.Table(
    "rooms",
    metadata,
    sa.Column("platform", sa.String(40), primary_key=True),
    sa.Column("incident_id", sa.ForeignKey("incidents.id"), primary_key=True),
    sa.Column("channel", sa.String(200), nullable=False, index=True),
    sa.Column("content", JsonText, nullable=False),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", sa.String(300), primary_key=True),
    sa.Column("at", UtcTime, nullable=False),
)

# `incident_id` is no foreign key: a scheduled check is an operation without an incident (an empty text here).
operations = sa.Table(
    "operations",
    metadata,
    sa.Column("id", sa.String(300), primary_key=True),
    sa.Column("kind", sa.String(80), nullable=False),
    sa.Column("incident_id", sa.String(200), nullable=False, index=True),
    sa.Column("site", sa.String(200), nullable=False),
    sa.Column("person", sa.String(200), nullable=False),
    sa.Column("args", JsonText, nullable=False),
    sa.Column("changes_site", sa.Boolean, nullable=False),
    sa.Column("state", sa.String(20), nullable=False, index=True),
    sa.Column("result", JsonText, nullable=False),
    sa.Column("error", sa.Text),
    sa.Column("owner", sa.String(200)),
    sa.Column("fence", sa.Integer, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("lease_until", UtcTime),
    sa.Column("cancel_requested", sa.Boolean, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("ended_at", UtcTime),
)

checkpoints = sa.Table(
    "checkpoints",
    metadata,
    sa.Column("operation_id", sa.ForeignKey("operations.id"), primary_key=True),
    sa.Column("name", sa.String(200), primary_key=True),
    sa.Column("result", JsonText, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
)

site_locks = sa.Table(
    "site_locks",
    metadata,
    sa.Column("site", sa.String(200), primary_key=True),
    sa.Column("operation_id", sa.ForeignKey("operations.id"), nullable=False),
    sa.Column("taken_at", UtcTime, nullable=False),
)

deadlines = sa.Table(
    "deadlines",
    metadata,
    sa.Column("key", sa.String(300), primary_key=True),
    sa.Column("kind", sa.String(80), nullable=False),
    sa.Column("due_at", UtcTime, nullable=False, index=True),
    sa.Column("incident_id", sa.String(200)),
    sa.Column("args", JsonText, nullable=False),
)
