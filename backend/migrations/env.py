"""Alembic's entry: migrations run on the connection that :func:`backend.migrations.upgrade` hands over."""

from alembic import context

from backend.tables import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",  # SQLite alters tables by copying them
    transactional_ddl=True,  # SQLite too, because backend.database says BEGIN itself
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
