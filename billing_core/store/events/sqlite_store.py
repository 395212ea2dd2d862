"""The event store on SQLite: reads in threads, writes and meters through the writer process."""

import asyncio
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar
from uuid import UUID

from billing_core.clock import wall_now
from billing_core.domain.errors import Unavailable
from billing_core.ports import (
    EventFilter,
    Meter,
    MeteredEvent,
    MeteredUsage,
    StoredEvent,
    UsageQuery,
)
from billing_core.store.events import sqlite_listing, sqlite_recount, sqlite_usage
from billing_core.store.events.participation import MeterKey, definition_of
from billing_core.store.events.raw_usage import (
    is_rolled_up,
    metered_events,
    usage_of,
    whole,
    window_us,
)
from billing_core.store.events.records import micros
from billing_core.store.events.sqlite_client import SqliteWriterClient
from billing_core.store.events.sqlite_reads import SqliteReads

READERS = 4
REGISTRATION_ATTEMPTS = 8
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

        Raises `ValueError` for an aggregation that is not metered and `Unavailable` when a meter
        cannot be made ready.
        """
        plain = [position for position, query in enumerate(queries) if is_rolled_up(query)]
        rolled = await self._ask(org_id, [queries[each] for each in plain], sqlite_usage.answer)
        answers = {position: whole(found) for position, found in zip(plain, rolled, strict=True)}
        for position, query in enumerate(queries):
            if position not in answers:
                answers[position] = usage_of(query, await self.events(org_id, query))
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

    async def settle(self) -> None:
        """Have everything folded, so that reads need not look at the events behind it."""
        await self._writer.settle()

    async def forget(self, org_id: UUID, code: str, until: datetime) -> int:
        """Soft-delete a code's events created up to `until`; see `EventStore.forget`."""
        key = MeterKey(org_id.bytes, code)
        return await self._writer.forget(key, micros(until), micros(wall_now()))

    async def recount(self, org_id: UUID | None = None) -> list[str]:
        """Compare every rollup with a recount of the raw events; see `EventStore.recount`."""
        return await self._read(lambda reads: sqlite_recount.differences(reads, org_id))

    async def _ask(
        self,
        org_id: UUID,
        queries: Sequence[UsageQuery],
        answer: Callable[[SqliteReads, sqlite_usage.Question], Answer],
    ) -> list[Answer]:
        def ask(reads: SqliteReads) -> list[Answer] | set[int]:
            questions = sqlite_usage.questions_for(reads, org_id, queries)
            if isinstance(questions, set):
                return questions
            return [answer(reads, question) for question in questions]

        if len(queries) >= SETTLED_QUERIES:
            await self.settle()
        for _ in range(REGISTRATION_ATTEMPTS):
            answers = await self._read(ask)
            if isinstance(answers, list):
                return answers
            for meter in {queries[position].meter for position in answers}:
                await self.register_meter(org_id, meter)
        # Two callers keep redefining one meter, or one call asks for two definitions of a code.
        raise Unavailable

    async def _read(self, question: Callable[[SqliteReads], Answer]) -> Answer:
        def run() -> Answer:
            reads = SqliteReads(self._database) if self._idle.empty() else self._idle.get()
            try:
                with reads.snapshot():
                    return question(reads)
            finally:
                self._idle.put(reads)

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)
