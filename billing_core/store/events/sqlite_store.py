"""The event store on SQLite: reads in threads, writes and meters through the writer process."""

import asyncio
from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar
from uuid import UUID

from billing_core.clock import wall_now
from billing_core.ports import (
    Activity,
    DueEvent,
    EventBacklog,
    EventFilter,
    Meter,
    MeteredEvent,
    MeteredUsage,
    StoredEvent,
    UsageQuery,
)
from billing_core.store.events import sqlite_listing, sqlite_recount, sqlite_usage
from billing_core.store.events.participation import MeterKey, definition_of
from billing_core.store.events.raw_usage import metered_events, window_us
from billing_core.store.events.records import micros
from billing_core.store.events.sqlite_client import SqliteWriterClient
from billing_core.store.events.sqlite_reads import SqliteReads

READERS = 4
PATIENCE_SECONDS = 2
# Each query looks through the unfolded tail; for many it is cheaper to have it folded first.
SETTLED_QUERIES = 8
Answer = TypeVar("Answer")


class SqliteEventStore:
    """Implements `billing_core.ports.EventStore` on an event file kept by a writer process."""

    def __init__(self, database: Path, writer: SqliteWriterClient) -> None:
        self._database = database
        self._writer = writer
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="events")
        self._idle: SimpleQueue[SqliteReads] = SimpleQueue()

    async def start(self) -> None:
        """Wait until the writer has the file ready; raises `Unavailable`."""
        await self._writer.start()

    async def stop(self) -> None:
        """Finish reads and close the connections."""
        self._threads.shutdown()
        while not self._idle.empty():
            self._idle.get_nowait().close()
        await self._writer.stop()

    async def usage(
        self, org_id: UUID, queries: Sequence[UsageQuery]
    ) -> list[dict[Hashable, MeteredUsage]]:
        """Answer each query, in order; see `EventStore.usage`.

        Raises `ValueError` for an aggregation that is not metered.
        """
        for query in queries:
            definition_of(query.meter)
        if len(queries) >= SETTLED_QUERIES:
            await self.settle()
        answers, missing = await self._read(
            lambda reads: sqlite_usage.answer(reads, org_id, queries, patient=True)
        )
        if missing:
            await self._register(org_id, [queries[position].meter for position in missing])
            answers, _ = await self._read(
                lambda reads: sqlite_usage.answer(reads, org_id, queries, patient=False)
            )
        return [answers[position] for position in range(len(queries))]

    async def events(self, org_id: UUID, query: UsageQuery) -> list[MeteredEvent]:
        """Return the participating events; see `EventStore.events`."""
        key = MeterKey(org_id.bytes, query.meter.code)
        span = window_us(query)
        return await self._read(
            lambda reads: metered_events(
                query, reads.usage_events(key, query.external_subscription_id, span)
            )
        )

    async def list_events(
        self, org_id: UUID, wanted: EventFilter, limit: int, offset: int
    ) -> tuple[list[StoredEvent], int]:
        """Return a page and the total count; see `EventStore.list_events`."""
        return await self._read(
            lambda reads: sqlite_listing.page(reads, org_id.bytes, wanted, limit, offset)
        )

    async def ingested(self, org_id: UUID, after: int, limit: int) -> list[tuple[int, StoredEvent]]:
        """Return events behind an order of ingestion; see `EventStore.ingested`."""
        return await self._read(
            lambda reads: sqlite_listing.ingested(reads, org_id.bytes, after, limit)
        )

    async def activity(self, after: int | None, limit: int) -> Activity:
        """Tell whom events came for; see `EventStore.activity`."""
        return await self._read(lambda reads: sqlite_listing.activity(reads, after, limit))

    async def newest_order(self) -> int:
        """Return the greatest order of ingestion; see `EventStore.newest_order`."""
        return await self._read(sqlite_listing.newest_order)

    async def find_event(self, org_id: UUID, transaction_id: str) -> StoredEvent | None:
        """Return the newest event with that transaction id; see `EventStore.find_event`."""
        return await self._read(
            lambda reads: sqlite_listing.find(reads, org_id.bytes, transaction_id)
        )

    async def register_meter(self, org_id: UUID, meter: Meter) -> None:
        """Keep a meter ready from now on; returns when it covers every event stored so far.

        Calling it when a metric is created keeps its first usage query fast.
        """
        key = MeterKey(org_id.bytes, meter.code)
        await self._writer.register(key, meter.metric_id, definition_of(meter))

    async def watch(self, org_id: UUID, codes: Iterable[str]) -> None:
        """Watch exactly these codes of an organization; see `EventStore.watch`."""
        await self._writer.watch(org_id.bytes, codes)

    async def settle(self) -> None:
        """Have everything folded, so that reads need not look at the events behind it."""
        await self._writer.settle()

    async def due(self, limit: int) -> list[DueEvent]:
        """Return the oldest due events; see `EventStore.due`."""
        if await self._read(sqlite_listing.is_anything_watched):
            await self.settle()
        return await self._read(lambda reads: sqlite_listing.due(reads, limit))

    async def settle_due(self, orders: Iterable[int]) -> None:
        """Take events off the list of those that are due; see `EventStore.settle_due`."""
        await self._writer.settle_due(orders)

    async def forget(self, org_id: UUID, code: str, until: datetime) -> int:
        """Soft-delete a code's events created up to `until`; see `EventStore.forget`."""
        key = MeterKey(org_id.bytes, code)
        return await self._writer.forget(key, micros(until), micros(wall_now()))

    async def backlog(self) -> EventBacklog:
        """Tell what is still to do; see `EventStore.backlog`."""
        return await self._read(sqlite_recount.backlog)

    async def recount(self, org_id: UUID | None = None) -> list[str]:
        """Compare every rollup with a recount of the raw events; see `EventStore.recount`."""
        return await self._read(lambda reads: sqlite_recount.differences(reads, org_id))

    async def _register(self, org_id: UUID, meters: Iterable[Meter]) -> None:
        """Have meters built, and wait a moment for it; the writer goes on behind."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                for meter in set(meters):
                    await self.register_meter(org_id, meter)

    async def _read(self, question: Callable[[SqliteReads], Answer]) -> Answer:
        def run() -> Answer:
            reads = SqliteReads(self._database) if self._idle.empty() else self._idle.get()
            try:
                with reads.snapshot():
                    return question(reads)
            finally:
                self._idle.put(reads)

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)
