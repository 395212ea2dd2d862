"""A working event store of either kind for tests: writer process or server, ingest and reads."""

import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from billing_core.ids import new_id
from billing_core.ports import NO_USAGE, Meter, MeteredUsage, UsageQuery
from billing_core.store.events.ingest import Ingest
from billing_core.store.events.postgres_ingest import PostgresLogWriter
from billing_core.store.events.postgres_store import PostgresEventStore
from billing_core.store.events.records import IncomingEvent, event_key, micros, series_of
from billing_core.store.events.schema import POSTGRES_DDL
from billing_core.store.events.sqlite_client import SqliteWriterClient
from billing_core.store.events.sqlite_store import SqliteEventStore
from billing_core.store.events.writer import writer_command
from gateway.children import Child, ChildSpec
from gateway.folder import folder_command
from tests.support.postgres import execute

CODE = "tokens"
T0 = datetime(2026, 11, 1, tzinfo=UTC)
FOREVER = (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))


class EventFiles(NamedTuple):
    """Where a writer listens and what it writes."""

    socket_path: Path
    database: Path


@dataclass(slots=True)
class EventRig:
    """One store with one organization that nobody else uses."""

    store: SqliteEventStore | PostgresEventStore
    ingest: Ingest
    writer: Child | None = None
    place: str = ""
    org_id: UUID = field(default_factory=new_id)

    def event(  # noqa: PLR0913, PLR0917 - an event has this many parts
        self,
        transaction_id: str,
        at: datetime = T0,
        properties: str = "{}",
        subscription: str | None = "sub",
        code: str = CODE,
        created_at: datetime | None = None,
    ) -> IncomingEvent:
        return make_event(
            self.org_id, transaction_id, at, properties, subscription, code, created_at
        )

    async def send(self, *events: IncomingEvent, atomic: bool = False) -> list[bool]:
        return await self.ingest.submit(events, atomic=atomic)

    async def send_values(self, values: Iterable[str], at: datetime = T0) -> None:
        """Send one event per value (JSON text of property `v`), a minute apart."""
        events = [
            self.event(f"tx-{new_id()}", at + number * timedelta(minutes=1), f'{{"v":{value}}}')
            for number, value in enumerate(values)
        ]
        assert all(await self.send(*events))

    async def usage(
        self,
        meter: Meter,
        window: tuple[datetime, datetime] = FOREVER,
        subscription: str = "sub",
    ) -> MeteredUsage:
        (found,) = await self.store.usage(self.org_id, [UsageQuery(subscription, meter, *window)])
        return found.get((), NO_USAGE)

    async def values(self, meter: Meter, window: tuple[datetime, datetime]) -> list[str | None]:
        events = await self.store.events(self.org_id, UsageQuery("sub", meter, *window))
        return [event.value for event in events]

    async def check(self) -> None:
        """Nothing derived may contradict the events."""
        assert await self.store.recount() == []


def make_event(  # noqa: PLR0913, PLR0917 - an event has this many parts
    org_id: UUID,
    transaction_id: str,
    at: datetime = T0,
    properties: str = "{}",
    subscription: str | None = "sub",
    code: str = CODE,
    created_at: datetime | None = None,
) -> IncomingEvent:
    return IncomingEvent(
        org_id.bytes,
        event_key(org_id.bytes, subscription, transaction_id),
        series_of(org_id.bytes, subscription, code),
        transaction_id,
        subscription,
        code,
        micros(at),
        properties,
        None,
        micros(created_at or at),
    )


def meter(aggregation: str, field_name: str | None = "v", code: str = CODE) -> Meter:
    return Meter(new_id(), code, aggregation, field_name)


@asynccontextmanager
async def sqlite_rig(directory: Path) -> AsyncIterator[EventRig]:
    """Start a writer process on a file in this directory."""
    # Socket paths are limited to about a hundred characters.
    with tempfile.TemporaryDirectory(prefix="ev") as short:
        socket_path, database = Path(short) / "writer", directory / "events.db"
        writer = Child(writer_spec(socket_path, database, directory))
        await writer.start()
        rig = EventRig(
            SqliteEventStore(database, SqliteWriterClient(socket_path)),
            Ingest(SqliteWriterClient(socket_path)),
            writer,
            str(socket_path),
        )
        try:
            await rig.ingest.start()
            await rig.store.start()
            yield rig
        finally:
            await rig.ingest.stop()
            await rig.store.stop()
            await writer.stop()


@contextmanager
def running_writer(directory: Path) -> Iterator[EventFiles]:
    """Run a writer process that several tests share, each in an organization of its own."""
    with tempfile.TemporaryDirectory(prefix="ev") as short:
        files = EventFiles(Path(short) / "writer", directory / "events.db")
        spec = writer_spec(*files, directory)
        with spec.log_path.open("wb") as log:
            process = subprocess.Popen(spec.command, env=spec.environment, stderr=log)  # noqa: S603 - ours
        try:
            yield files
        finally:
            process.terminate()
            assert process.wait(10) == 0


@contextmanager
def running_folder(url: str) -> Iterator[None]:
    """Run the process that folds what a PostgreSQL database has pending."""
    with tempfile.TemporaryDirectory(prefix="folder") as directory:
        environment = {
            **os.environ,  # noqa: TID251 - handed on
            "TALLYGATE_DATABASE_URL": url.replace("postgresql://", "postgresql+asyncpg://", 1),
        }
        process = subprocess.Popen(  # noqa: S603 - ours
            folder_command(Path(directory)), env=environment
        )
        try:
            yield
        finally:
            process.terminate()
            assert process.wait(10) == 0


@asynccontextmanager
async def rig_on(files: EventFiles) -> AsyncIterator[EventRig]:
    """Connect to a running writer; waits until it answers."""
    rig = EventRig(
        SqliteEventStore(files.database, SqliteWriterClient(files.socket_path)),
        Ingest(SqliteWriterClient(files.socket_path)),
    )
    try:
        await rig.ingest.start()
        await rig.store.start()
        yield rig
    finally:
        await rig.ingest.stop()
        await rig.store.stop()


def writer_spec(socket_path: Path, database: Path, directory: Path) -> ChildSpec:
    root = Path(__file__).parent.parent.parent

    async def is_ready() -> bool:
        return socket_path.exists()  # noqa: ASYNC240 - a stat does not block

    return ChildSpec(
        name="event writer",
        command=writer_command(socket_path, database),
        ready=is_ready,
        log_path=directory / "writer.log",
        environment={"PYTHONPATH": str(root), "PATH": os.defpath, "LANG": "C.UTF-8"},
    )


@asynccontextmanager
async def postgres_rig(url: str, *, is_empty: bool = True) -> AsyncIterator[EventRig]:
    """Use a database, creating the tables if it is empty."""
    if is_empty:
        await execute(url, *POSTGRES_DDL)
    rig = EventRig(PostgresEventStore(url), Ingest(PostgresLogWriter(url)), place=url)
    try:
        await rig.ingest.start()
        await rig.store.start()
        yield rig
    finally:
        await rig.ingest.stop()
        await rig.store.stop()
