"""The event store on PostgreSQL, for any number of processes."""

from collections.abc import AsyncIterator, Hashable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

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
from billing_core.store.events import (
    postgres_listing,
    postgres_meters,
    postgres_recount,
    postgres_usage,
)
from billing_core.store.events.participation import MeterKey, definition_of
from billing_core.store.events.postgres_ingest import FAILURES, asyncpg_url, keep_as_it_is
from billing_core.store.events.postgres_pending import fold_pending
from billing_core.store.events.raw_usage import (
    is_rolled_up,
    metered_events,
    usage_of,
    whole,
    window_us,
)
from billing_core.store.events.records import micros

CONNECTIONS = 4
REGISTRATION_ATTEMPTS = 8
# Each call looks through what is pending; for many queries it is cheaper to have it folded first.
SETTLED_QUERIES = 8


class PostgresEventStore:
    """Implements `billing_core.ports.EventStore` with a small pool of its own."""

    def __init__(self, database_url: str, connections: int = CONNECTIONS) -> None:
        self._url = asyncpg_url(database_url)
        self._connections = connections
        self._pool: Any = None

    async def start(self) -> None:
        """Connect; raises `Unavailable`."""
        try:
            self._pool = await asyncpg.create_pool(
                self._url, min_size=1, max_size=self._connections, reset=keep_as_it_is
            )
        except FAILURES as failure:
            raise Unavailable(str(failure)) from failure

    async def stop(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            await self._pool.close()

    async def usage(
        self, org_id: UUID, queries: Sequence[UsageQuery]
    ) -> list[dict[Hashable, MeteredUsage]]:
        """Answer each query, in order; see `EventStore.usage`.

        Raises `ValueError` for an aggregation that is not metered and `Unavailable` when a meter
        cannot be made ready.
        """
        plain = [position for position, query in enumerate(queries) if is_rolled_up(query)]
        rolled = await self._rolled_up(org_id, [queries[each] for each in plain])
        answers = {position: whole(found) for position, found in zip(plain, rolled, strict=True)}
        for position, query in enumerate(queries):
            if position not in answers:
                answers[position] = usage_of(query, await self.events(org_id, query))
        return [answers[position] for position in range(len(queries))]

    async def events(self, org_id: UUID, query: UsageQuery) -> list[MeteredEvent]:
        """Return the participating events; see `EventStore.events`."""
        key = MeterKey(org_id.bytes, query.meter.code)
        async with self._snapshot() as connection:
            stored = await postgres_usage.usage_events(
                connection, key, query.external_subscription_id, window_us(query)
            )
        return metered_events(query, stored)

    async def list_events(
        self, org_id: UUID, wanted: EventFilter, limit: int, offset: int
    ) -> tuple[list[StoredEvent], int]:
        """Return a page and the total count; see `EventStore.list_events`."""
        async with self._snapshot() as connection:
            return await postgres_listing.page(connection, org_id.bytes, wanted, limit, offset)

    async def find_event(self, org_id: UUID, transaction_id: str) -> StoredEvent | None:
        """Return the newest event with that transaction id; see `EventStore.find_event`."""
        async with self._snapshot() as connection:
            return await postgres_listing.find(connection, org_id.bytes, transaction_id)

    async def register_meter(self, org_id: UUID, meter: Meter) -> None:
        """Keep a meter ready from now on; returns when it covers every event stored so far.

        Calling it when a metric is created keeps its first usage query fast.
        """
        key = MeterKey(org_id.bytes, meter.code)
        async with self._connection() as connection:
            await postgres_meters.register(connection, key, meter.metric_id, definition_of(meter))
            while not await postgres_meters.backfill(connection, key):
                pass

    async def settle(self) -> None:
        """Fold what flushes have left pending, so that reads need not look through it."""
        async with self._connection() as connection:
            while await fold_pending(connection):
                pass

    async def forget(self, org_id: UUID, code: str, until: datetime) -> int:
        """Soft-delete a code's events created up to `until`; see `EventStore.forget`."""
        key = MeterKey(org_id.bytes, code)
        async with self._connection() as connection:
            return await postgres_meters.forget(connection, key, micros(until), micros(wall_now()))

    async def recount(self, org_id: UUID | None = None) -> list[str]:
        """Compare every rollup with a recount of the raw events; see `EventStore.recount`."""
        async with self._snapshot() as connection:
            return await postgres_recount.differences(connection, org_id)

    async def _register(
        self, org_id: UUID, queries: Sequence[UsageQuery], missing: set[int]
    ) -> None:
        for meter in {queries[position].meter for position in missing}:
            await self.register_meter(org_id, meter)

    async def _rolled_up(self, org_id: UUID, queries: Sequence[UsageQuery]) -> list[MeteredUsage]:
        if len(queries) >= SETTLED_QUERIES:
            await self.settle()
        for _ in range(REGISTRATION_ATTEMPTS):
            async with self._snapshot() as connection:
                questions = await postgres_usage.questions_for(connection, org_id, queries)
                if isinstance(questions, list):
                    return await postgres_usage.answer(connection, questions)
            await self._register(org_id, queries, questions)
        # Two callers keep redefining one meter, or one call asks for two definitions of a code.
        raise Unavailable

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        try:
            async with self._pool.acquire() as connection:
                yield connection
        except FAILURES as failure:
            raise Unavailable(type(failure).__name__) from failure

    @asynccontextmanager
    async def _snapshot(self) -> AsyncIterator[Any]:
        """Read one state of the log, whatever is committed meanwhile."""
        async with (
            self._connection() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield connection
