"""Alembic's environment: it runs on the connection it is given."""

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.schema import SchemaItem

from billing_core.store.tables import Row

EVENT_TABLES = ("event", "rollups", "value_sets", "meters", "unmetered")


def _is_ours(
    item: SchemaItem, name: str | None, kind: str, _reflected: object, _other: object
) -> bool:
    # the event log is written by hand, not mapped: see store/events/schema.py
    _ = item
    return not (kind == "table" and (name or "").startswith(EVENT_TABLES))


def run(connection: Connection) -> None:
    """Run migrations, in batch mode on SQLite, which cannot alter most things in place."""
    context.configure(
        connection=connection,
        target_metadata=Row.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        include_object=_is_ours,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run(context.config.attributes["connection"])
