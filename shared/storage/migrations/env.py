"""Alembic's environment: runs the versions on the connection that `migrate` opened."""

from alembic import context

from shared.storage.db.schema.migrate import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
