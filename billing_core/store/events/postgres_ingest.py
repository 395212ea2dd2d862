"""Group commit into PostgreSQL: one statement per flush, exact even beside other processes."""

import logging
import secrets
from collections.abc import Sequence
from itertools import chain
from typing import Any

import asyncpg

from billing_core.domain.errors import Unavailable
from billing_core.store.events.ingest import MAX_FLUSHES_IN_FLIGHT
from billing_core.store.events.postgres_meters import Registry, load_registry
from billing_core.store.events.postgres_rollups import (
    CODE_COLUMNS,
    ROLLUP_COLUMNS,
    add_deltas,
    code_columns,
    codes_statement,
    rollup_columns,
    rollups_statement,
    value_columns,
    values_statement,
)
from billing_core.store.events.records import IncomingEvent, Request
from billing_core.store.events.rollups import Deltas, FoldedEvent

logger = logging.getLogger(__name__)

BLOCK_EVENTS = 65_536
CODE_SHARDS = 16
ATTEMPTS = 6
EVENT_COLUMNS = 10
FAILURES = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
_RETRIED = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
_EVENT_ARRAYS = """
    unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::text[], $5::text[], $6::text[],
           $7::bigint[], $8::text[], $9::text[], $10::bigint[]) WITH ORDINALITY
      AS event (org, key, series, transaction_id, external_subscription_id, code, ts,
                properties, precise_total_amount_cents, created_at, ordinal)
"""
_INSERT = f"""
    INSERT INTO events (id, org, key, series, transaction_id, external_subscription_id, code, ts,
                        properties, precise_total_amount_cents, created_at)
    SELECT {{base}} + event.ordinal, event.org, event.key, event.series, event.transaction_id,
           event.external_subscription_id, event.code, event.ts, event.properties,
           event.precise_total_amount_cents, event.created_at
    FROM {{source}} {_EVENT_ARRAYS}
    {{condition}} ON CONFLICT (key) DO NOTHING RETURNING key
"""  # noqa: S608 - text of this module
_INSERT_AT = _INSERT.format(base="$11::bigint", source="", condition="")
_BASE = "(SELECT first FROM block)"
# If a single event was a duplicate, or a meter unknown to the sender exists, what the sender has
# folded is wrong: the division by zero takes the whole statement back.
_FLUSH = f"""
    WITH block AS MATERIALIZED (
      SELECT nextval('event_blocks') * {BLOCK_EVENTS} AS first
    ), stored AS ({
    _INSERT.format(
        base="block.first",
        source="block,",
        condition="WHERE (SELECT version FROM event_registry) = $11",
    )
}), rolled AS ({rollups_statement(13)}
    ), counted AS ({codes_statement(13 + ROLLUP_COLUMNS, _BASE, "$12")}
    ){{values}}
    SELECT 1 / (CASE WHEN (SELECT count(*) FROM stored) = cardinality($2) THEN 1 ELSE 0 END)
"""  # noqa: S608 - text of this module
_FLUSH_NUMBERS = _FLUSH.format(values="")
_FIRST_VALUE_COLUMN = 13 + ROLLUP_COLUMNS + CODE_COLUMNS
_FLUSH_VALUES = _FLUSH.format(values=f", noted AS ({values_statement(_FIRST_VALUE_COLUMN, _BASE)})")


class PostgresLogWriter:
    """Implements `LogWriter` with a small pool of its own; any number of processes may run one."""

    def __init__(self, database_url: str, connections: int = MAX_FLUSHES_IN_FLIGHT) -> None:
        self._url = asyncpg_url(database_url)
        self._connections = connections
        self._pool: Any = None
        self._registry = Registry(0, {})
        self._shard = secrets.randbelow(CODE_SHARDS)
        self._expects_duplicates = False

    async def start(self) -> None:
        """Connect; raises `Unavailable`."""
        try:
            self._pool = await asyncpg.create_pool(
                self._url, min_size=self._connections, max_size=self._connections
            )
            async with self._pool.acquire() as connection:
                await self._reload(connection)
        except FAILURES as failure:
            raise Unavailable(str(failure)) from failure

    async def stop(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            await self._pool.close()

    async def flush(self, requests: Sequence[Request]) -> list[list[bool]]:
        """Store requests; see `LogWriter.flush`."""
        try:
            for _ in range(ATTEMPTS):
                try:
                    async with self._pool.acquire() as connection:
                        return await self._flush(connection, requests)
                except _RETRIED:
                    continue
                except _StaleRegistry:
                    async with self._pool.acquire() as connection:
                        await self._reload(connection)
        except FAILURES as failure:
            logger.exception("a flush of %d requests failed", len(requests))
            raise Unavailable(type(failure).__name__) from failure
        raise Unavailable

    async def _reload(self, connection: Any) -> None:
        self._registry = await load_registry(connection)

    async def _flush(self, connection: Any, requests: Sequence[Request]) -> list[list[bool]]:
        if not self._expects_duplicates and await self._flush_new(connection, requests):
            return [[True] * len(request.events) for request in requests]
        try:
            answers = await self._flush_checked(connection, requests)
        except _StoredInPart:
            answers = [await self._flush_alone(connection, request) for request in requests]
        # Replays come in streaks; beside one the hopeful statement would only be wasted.
        self._expects_duplicates = not all(map(all, answers))
        return answers

    async def _flush_new(self, connection: Any, requests: Sequence[Request]) -> bool:
        """Store everything with one statement; False, and nothing stored, if that is impossible."""
        events = list(chain.from_iterable(request.events for request in requests))
        registry = self._registry
        deltas = Deltas()
        deltas.fold(_folded(events, 0), registry.foldings)
        parameters = [
            *zip(*events, strict=True),
            registry.version,
            self._shard,
            *rollup_columns(deltas),
            *code_columns(deltas),
        ]
        statement = _FLUSH_NUMBERS
        if deltas.values:
            statement = _FLUSH_VALUES
            parameters += value_columns(deltas)
        try:
            await connection.fetchval(statement, *parameters)
        except asyncpg.DivisionByZeroError:
            return False
        return True

    async def _flush_checked(
        self, connection: Any, requests: Sequence[Request]
    ) -> list[list[bool]]:
        """Store what is new; raises `_StoredInPart` if that would split an atomic request."""
        events = list(chain.from_iterable(request.events for request in requests))
        async with connection.transaction():
            block = await connection.fetchval("SELECT nextval('event_blocks')")
            base = block * BLOCK_EVENTS
            rows = await connection.fetch(_INSERT_AT, *zip(*events, strict=True), base)
            stored = {row[0] for row in rows}
            # Now that this transaction has written to `events` no meter can be registered before
            # it ends, so the version that is read here holds until then.
            version = await connection.fetchval("SELECT version FROM event_registry")
            if version != self._registry.version:
                raise _StaleRegistry
            answers = _answers(requests, stored)
            for request, answer in zip(requests, answers, strict=True):
                if request.atomic and any(answer) and not all(answer):
                    raise _StoredInPart(answers)
            is_new = chain.from_iterable(answers)
            new = [event for event, new in zip(_folded(events, base), is_new, strict=True) if new]
            deltas = Deltas()
            deltas.fold(new, self._registry.foldings)
            await add_deltas(connection, deltas, self._shard)
        return answers

    async def _flush_alone(self, connection: Any, request: Request) -> list[bool]:
        for _ in range(ATTEMPTS):
            try:
                return (await self._flush_checked(connection, [request]))[0]
            except _StoredInPart as refused:
                return refused.answers[0]
            except _StaleRegistry:
                await self._reload(connection)
            except _RETRIED:
                continue
        raise Unavailable


class _StaleRegistry(Exception):  # noqa: N818 - says what is the case
    """Somebody registered a meter since the registry was read."""


class _StoredInPart(Exception):  # noqa: N818 - says what is the case
    """Some, but not all events of an atomic request are new."""

    def __init__(self, answers: list[list[bool]]) -> None:
        super().__init__()
        self.answers = answers


def asyncpg_url(database_url: str) -> str:
    """Return the URL without the name of the SQLAlchemy driver."""
    return database_url.replace("postgresql+asyncpg://", "postgresql://", 1)


def _folded(events: Sequence[IncomingEvent], base: int) -> list[FoldedEvent]:
    return [
        (event_id, event[0], event[4], event[5], event[6], event[7])
        for event_id, event in enumerate(events, base + 1)
    ]


def _answers(requests: Sequence[Request], stored: set[bytes]) -> list[list[bool]]:
    """Answer in order; a key counts for the first event that bears it."""
    answers = []
    for request in requests:
        answer = []
        for event in request.events:
            answer.append(event.key in stored)
            stored.discard(event.key)
        answers.append(answer)
    return answers
