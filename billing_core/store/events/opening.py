"""Opens the event store that belongs to a database."""

from pathlib import Path

from sqlalchemy import make_url

from billing_core.store.events.ingest import LogWriter
from billing_core.store.events.postgres_ingest import PostgresLogWriter
from billing_core.store.events.postgres_store import PostgresEventStore
from billing_core.store.events.sqlite_client import SqliteWriterClient
from billing_core.store.events.sqlite_store import SqliteEventStore

SOCKET_SUFFIX = ".sock"
Store = SqliteEventStore | PostgresEventStore


def socket_beside(database: Path) -> Path:
    """Return the socket of the writer process of an event file."""
    return database.with_suffix(SOCKET_SUFFIX)


def open_log(url: str, database: Path) -> tuple[Store, LogWriter]:
    """Return the store for reads and the writer for group commits, not started yet.

    `url` is the main database; `database` the event file where that is SQLite.
    """
    if make_url(url).get_backend_name() == "sqlite":
        socket = socket_beside(database)
        store = SqliteEventStore(database, SqliteWriterClient(socket))
        return store, SqliteWriterClient(socket)
    return PostgresEventStore(url), PostgresLogWriter(url)
