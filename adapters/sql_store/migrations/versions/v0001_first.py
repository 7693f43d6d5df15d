"""The first schema. The tables are spelled out here and not taken from `schema.py`: a migration never changes later."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TIME = sa.String(27)


def upgrade() -> None:
    """Create the tables, and the triggers that make timelines append-only."""
    create_incidents()
    create_chat()
    create_operations()
    if op.get_bind().dialect.name == "postgresql":
        protect_timelines_postgresql()
    else:
        protect_timelines_sqlite()


def downgrade() -> None:
    """Refuse: timelines are never thrown away by a program."""
    raise NotImplementedError("there is no way back from the first schema")


def create_incidents() -> None:
    """Create incidents and their timelines."""
    op.create_table(
        "incidents",
        sa.Column("id", sa.String(200), primary_key=True),
        sa.Column("site", sa.String(200), nullable=False, index=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("open_site", sa.String(200), unique=True),
        sa.Column("channel", sa.String(200), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("closed_at", TIME),
        sa.Column("entry_count", sa.Integer, nullable=False),
        sa.Column("last_hash", sa.String(64), nullable=False),
        sa.UniqueConstraint("site", "number"),
    )
    op.create_table(
        "entries",
        sa.Column("incident_id", sa.String(200), sa.ForeignKey("incidents.id"), primary_key=True),
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("kind", sa.String(60), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )


def create_chat() -> None:
    """Create decisions, messages and deliveries."""
    op.create_table(
        "decisions",
        sa.Column("id", sa.String(200), primary_key=True),
        sa.Column("incident_id", sa.String(200), sa.ForeignKey("incidents.id"), nullable=False, index=True),
        sa.Column("state", sa.String(20), nullable=False, index=True),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
    )
    op.create_table(
        "messages",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(40), nullable=False, unique=True),
        sa.Column("incident_id", sa.String(200), sa.ForeignKey("incidents.id"), nullable=False),
        sa.Column("slot", sa.String(200), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.UniqueConstraint("incident_id", "slot"),
    )
    op.create_table(
        "delivered",
        sa.Column("platform", sa.String(40), primary_key=True),
        sa.Column("message_id", sa.String(40), sa.ForeignKey("messages.id"), primary_key=True),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("external_id", sa.String(200), nullable=False),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(300), primary_key=True),
        sa.Column("at", TIME, nullable=False),
    )


def create_operations() -> None:
    """Create operations, checkpoints, site locks and deadlines."""
    op.create_table(
        "operations",
        sa.Column("id", sa.String(300), primary_key=True),
        sa.Column("kind", sa.String(80), nullable=False),
        sa.Column("incident_id", sa.String(200), nullable=False, index=True),
        sa.Column("site", sa.String(200), nullable=False),
        sa.Column("person", sa.String(200), nullable=False),
        sa.Column("args", sa.Text, nullable=False),
        sa.Column("changes_site", sa.Boolean, nullable=False),
        sa.Column("state", sa.String(20), nullable=False, index=True),
        sa.Column("result", sa.Text, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("owner", sa.String(200)),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("lease_until", TIME),
        sa.Column("cancel_requested", sa.Boolean, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("ended_at", TIME),
    )
    op.create_table(
        "checkpoints",
        sa.Column("operation_id", sa.String(300), sa.ForeignKey("operations.id"), primary_key=True),
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("result", sa.Text, nullable=False),
        sa.Column("at", TIME, nullable=False),
    )
    op.create_table(
        "site_locks",
        sa.Column("site", sa.String(200), primary_key=True),
        sa.Column("operation_id", sa.String(300), sa.ForeignKey("operations.id"), nullable=False),
        sa.Column("taken_at", TIME, nullable=False),
    )
    op.create_table(
        "deadlines",
        sa.Column("key", sa.String(300), primary_key=True),
        sa.Column("kind", sa.String(80), nullable=False),
        sa.Column("due_at", TIME, nullable=False, index=True),
        sa.Column("incident_id", sa.String(200)),
        sa.Column("args", sa.Text, nullable=False),
    )


def protect_timelines_sqlite() -> None:
    """Refuse to change or remove entries, and to shorten a timeline's head."""
    # INSERT OR REPLACE removes the old row without firing a DELETE trigger, hence the trigger on INSERT.
    rules = {
        "entries_no_update": "BEFORE UPDATE ON entries",
        "entries_no_delete": "BEFORE DELETE ON entries",
        "entries_no_replace": "BEFORE INSERT ON entries WHEN EXISTS (SELECT 1 FROM entries"
        " WHERE incident_id = NEW.incident_id AND sequence = NEW.sequence)",
        "incidents_no_delete": "BEFORE DELETE ON incidents",
        "incidents_head_grows": "BEFORE UPDATE ON incidents"
        " WHEN NEW.entry_count < OLD.entry_count OR NEW.id <> OLD.id OR NEW.site <> OLD.site",
    }
    for name, when in rules.items():
        op.execute(
            f"CREATE TRIGGER {name} {when} BEGIN SELECT RAISE(ABORT, 'timelines are append-only'); END"
        )


def protect_timelines_postgresql() -> None:
    """Refuse to change, remove or truncate entries, and to shorten a timeline's head."""
    op.execute(
        "CREATE FUNCTION timelines_are_append_only() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'timelines are append-only' USING ERRCODE = '23001'; END $$"
    )
    rules = {
        "entries_no_change": "BEFORE UPDATE OR DELETE OR TRUNCATE ON entries FOR EACH STATEMENT",
        "incidents_no_delete": "BEFORE DELETE OR TRUNCATE ON incidents FOR EACH STATEMENT",
        "incidents_head_grows": "BEFORE UPDATE ON incidents FOR EACH ROW WHEN"
        " (NEW.entry_count < OLD.entry_count OR NEW.id <> OLD.id OR NEW.site <> OLD.site)",
    }
    for name, when in rules.items():
        op.execute(f"CREATE TRIGGER {name} {when} EXECUTE FUNCTION timelines_are_append_only()")
