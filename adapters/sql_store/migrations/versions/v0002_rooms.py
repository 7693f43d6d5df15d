"""Channels of incidents on chat platforms, and which message shows which decision."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create `rooms`, and fill `messages.decision_id` from what the messages hold."""
    op.create_table(
        "rooms",
        sa.Column("platform", sa.String(40), primary_key=True),
        sa.Column("incident_id", sa.String(200), sa.ForeignKey("incidents.id"), primary_key=True),
        sa.Column("channel", sa.String(200), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
    )
    op.create_index("ix_rooms_channel", "rooms", ["channel"])
    op.add_column("messages", sa.Column("decision_id", sa.String(200)))
    op.create_index("ix_messages_decision_id", "messages", ["decision_id"])
    fill_decisions()


def fill_decisions() -> None:
    """Write into each message's row the decision that its content names."""
    messages = sa.table("messages", sa.column("id"), sa.column("content"), sa.column("decision_id"))
    connection = op.get_bind()
    for message_id, content in connection.execute(sa.select(messages.c.id, messages.c.content)).all():
        if decision_id := json.loads(content).get("decision_id"):
            connection.execute(
                sa.update(messages).where(messages.c.id == message_id).values(decision_id=decision_id)
            )


def downgrade() -> None:
    """Refuse: a newer Backout's channels would be forgotten, and opened a second time."""
    raise NotImplementedError("there is no way back from the second schema")
