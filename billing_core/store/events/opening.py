"""Opens the event store that belongs to a database."""

from pathlib import Path

from sqlalchemy import make_url

from billing_core.store.events.ingest import LogWriter
from billing_core.store.events.sqlite_client import SqliteWriterClient
from billing_core.store.events.sqlite_store import SqliteEventStore

SOCKET_SUFFIX = ".sock"


def socket_beside(database: Path) -> Path:
    """Return the socket of the writer process of an event file."""
    return database.with_suffix(SOCKET_SUFFIX)


async def open_log(url: str, database: Path) -> tuple[SqliteEventStore, LogWriter]:
    """Return the store for reads and the writer for group commits, not started yet.

    `url` is the main database; `database` the event file where that is SQLite.
    """
    if make_url(url).get_backend_name() != "sqlite":
        raise NotImplementedError(url)
    socket = socket_beside(database)
    return (
        SqliteEventStore(database, SqliteWriterClient(socket)),
        SqliteWriterClient(socket),
    )
