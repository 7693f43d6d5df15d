"""Runs the schema migrations on the connection that the store hands over. Never used from a command line."""

from __future__ import annotations

from alembic import context

# The store has begun the transaction already, so a migration is applied whole or not at all on both engines.
context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
