"""The event store on PostgreSQL, for any number of processes."""

import asyncio
from collections.abc import AsyncIterator, Hashable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from billing_core.clock import wall_now
from billing_core.domain.errors import Unavailable
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
from billing_core.store.events import (
    postgres_listing,
    postgres_meters,
    postgres_recount,
    postgres_usage,
)
from billing_core.store.events.answers import Question, answering
from billing_core.store.events.participation import MeterKey, definition_of
from billing_core.store.events.postgres_folding import NO_REGISTRY, Folder, load_registry
from billing_core.store.events.postgres_ingest import FAILURES, asyncpg_url, keep_as_it_is
from billing_core.store.events.postgres_usage import needs_snapshot
from billing_core.store.events.raw_usage import metered_events, usage_of, window_us
from billing_core.store.events.records import micros

CONNECTIONS = 4
REGISTRATION_ATTEMPTS = 8
PATIENCE_SECONDS = 2
# Each call looks through what is pending; for many queries it is cheaper to have it folded first.
SETTLED_QUERIES = 8
# The statements are written so that one plan suits all parameters, and planning one takes longer
# than running it. A plan that was made while a table was small must suit it when it has grown, too.
PLANNED_ONCE = {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off"}


class PostgresEventStore:
    """Implements `billing_core.ports.EventStore` with a small pool of its own."""

    def __init__(self, database_url: str, connections: int = CONNECTIONS) -> None:
        self._url = asyncpg_url(database_url)
        self._connections = connections
        self._pool: Any = None
        self._registry = NO_REGISTRY
        self._folder = Folder()
        self._builds: set[asyncio.Future[None]] = set()

    async def start(self) -> None:
        """Connect; raises `Unavailable`."""
        try:
            self._pool = await asyncpg.create_pool(
                self._url,
                min_size=1,
                max_size=self._connections,
                reset=keep_as_it_is,
                server_settings=PLANNED_ONCE,
            )
        except FAILURES as failure:
            raise Unavailable(str(failure)) from failure

    async def stop(self) -> None:
        """Close the connections; a meter that is being built goes on when it is next asked for."""
        for build in self._builds:
            build.cancel()
        await asyncio.gather(*self._builds, return_exceptions=True)
        if self._pool is not None:
            await self._pool.close()

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
        for _ in range(REGISTRATION_ATTEMPTS):
            questions, missing = self._questions(org_id, queries)
            if missing:
                await self._register(org_id, [queries[position].meter for position in missing])
                questions, missing = self._questions(org_id, queries)
            if await self._answer(org_id, questions):
                found = {each.position: each.usage() for each in questions}
                for position in missing:
                    # Its meter is being built: right, if slower.
                    events = await self.events(org_id, queries[position])
                    found[position] = usage_of(queries[position], events)
                return [found[position] for position in range(len(queries))]
            await self._reload()
        # Somebody keeps redefining meters.
        raise Unavailable

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

    async def ingested(self, org_id: UUID, after: int, limit: int) -> list[tuple[int, StoredEvent]]:
        """Return events behind an order of ingestion; see `EventStore.ingested`."""
        async with self._connection() as connection:
            return await postgres_listing.ingested(connection, org_id.bytes, after, limit)

    async def activity(self, after: int | None, limit: int) -> Activity:
        """Tell whom events came for; see `EventStore.activity`."""
        async with self._connection() as connection:
            return await postgres_listing.activity(connection, after, limit)

    async def newest_order(self) -> int:
        """Return the greatest order of ingestion; see `EventStore.newest_order`."""
        async with self._connection() as connection:
            return await postgres_listing.newest_order(connection)

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
            known = await postgres_meters.register(
                connection, key, meter.metric_id, definition_of(meter)
            )
            while not await postgres_meters.backfill(connection, known.meter):
                pass
        await self._reload()

    async def settle(self) -> None:
        """Fold what is pending, so that reads need not look through it."""
        async with self._connection() as connection:
            await self._folder.settle(connection)

    async def watch(self, org_id: UUID, codes: Iterable[str]) -> None:
        """Watch exactly these codes of an organization; see `EventStore.watch`."""
        async with self._connection() as connection:
            await postgres_meters.watch(connection, org_id.bytes, codes)

    async def due(self, limit: int) -> list[DueEvent]:
        """Return the oldest due events; see `EventStore.due`."""
        async with self._connection() as connection:
            if await postgres_listing.is_anything_watched(connection):
                await self._folder.settle(connection)
            return await postgres_listing.due(connection, limit)

    async def settle_due(self, orders: Iterable[int]) -> None:
        """Take events off the list of those that are due; see `EventStore.settle_due`."""
        async with self._connection() as connection:
            await connection.execute("DELETE FROM event_due WHERE id = ANY ($1)", list(orders))

    async def forget(self, org_id: UUID, code: str, until: datetime) -> int:
        """Soft-delete a code's events created up to `until`; see `EventStore.forget`."""
        key = MeterKey(org_id.bytes, code)
        async with self._connection() as connection:
            return await postgres_meters.forget(connection, key, micros(until), micros(wall_now()))

    async def backlog(self) -> EventBacklog:
        """Tell what is still to do; see `EventStore.backlog`."""
        async with self._snapshot() as connection:
            return await postgres_recount.backlog(connection)

    async def recount(self, org_id: UUID | None = None) -> list[str]:
        """Compare every rollup with a recount of the raw events; see `EventStore.recount`."""
        await self.settle()
        async with self._snapshot() as connection:
            await connection.execute("SET LOCAL enable_seqscan = on")
            return await postgres_recount.differences(connection, org_id)

    def _questions(
        self, org_id: UUID, queries: Sequence[UsageQuery]
    ) -> tuple[list[Question], list[int]]:
        """Pair queries with their meters; also return the positions that have none ready."""
        questions, missing = [], []
        for position, query in enumerate(queries):
            key = MeterKey(org_id.bytes, query.meter.code)
            meter = answering(self._registry.meters.get(key, ()), query)
            if meter is None:
                missing.append(position)
            else:
                questions.append(Question(position, query, meter))
        return questions, missing

    async def _answer(self, org_id: UUID, questions: Sequence[Question]) -> bool:
        """Answer in one snapshot; False if the registry has changed since it was read."""
        scope = self._snapshot() if needs_snapshot(questions) else self._connection()
        async with scope as connection:
            version = await postgres_usage.answer(connection, org_id.bytes, questions)
        return version == self._registry.version

    async def _register(self, org_id: UUID, meters: Iterable[Meter]) -> None:
        """Have meters built, and wait a moment for it."""
        builds = [
            asyncio.ensure_future(self.register_meter(org_id, meter)) for meter in set(meters)
        ]
        self._builds.update(builds)
        for build in builds:
            build.add_done_callback(self._builds.discard)
        done, _ = await asyncio.wait(builds, timeout=PATIENCE_SECONDS)
        for build in done:
            build.result()

    async def _reload(self) -> None:
        async with self._snapshot() as connection:
            self._registry = await load_registry(connection, self._registry)

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
