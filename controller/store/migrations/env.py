"""What Alembic runs: the steps, on the connection and in the transaction that `schema.upgrade` gives."""

from alembic import context

from controller.store.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    version_table=context.config.attributes["version_table"],
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
