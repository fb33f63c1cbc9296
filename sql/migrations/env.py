"""Run migrations on the connection the caller opened, with short lock waits."""

from __future__ import annotations

from alembic import context
from sqlalchemy import text

from sql.tables import Table

connection = context.config.attributes["connection"]
connection.execute(text("SET LOCAL lock_timeout = '5s'"))
context.configure(
    connection=connection,
    target_metadata=Table.metadata,
    include_schemas=True,
    compare_server_default=False,
)
with context.begin_transaction():
    context.run_migrations()
