"""Group commit into PostgreSQL: one statement per flush, exact even beside other processes."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import chain
from typing import Any

import asyncpg

from billing_core.domain.errors import Unavailable
from billing_core.store.events.ingest import MAX_FLUSHES_IN_FLIGHT
from billing_core.store.events.postgres_arrays import byte_strings, literals, plain, texts
from billing_core.store.events.postgres_meters import Registry, load_registry
from billing_core.store.events.postgres_pending import (
    fold_pending,
    pending_columns,
    pending_insert,
)
from billing_core.store.events.records import IncomingEvent, Request

logger = logging.getLogger(__name__)

BLOCK_EVENTS = 65_536
ATTEMPTS = 6
FOLD_EVENTS = 8192
MOST_PENDING_EVENTS = 65_536
IDLE_SECONDS = 0.1
# The last one is how the driver reports some connections that the server has just closed.
FAILURES = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
_RETRIED = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
_WRITERS = (
    *(byte_strings, byte_strings, plain, texts, texts),
    *(texts, plain, texts, plain, plain),
)
_EVENT_ARRAYS = """
    unnest($1::text::bytea[], $2::text::bytea[], $3::text::bigint[], $4::text::text[],
           $5::text::text[], $6::text::text[], $7::text::bigint[], $8::text::text[],
           $9::text::text[], $10::text::bigint[]) WITH ORDINALITY
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
# If a single event was a duplicate, or a meter unknown to the sender exists, what the sender has
# worked out is wrong: the division by zero takes the whole statement back.
_FLUSH = f"""
    WITH block AS MATERIALIZED (
      SELECT nextval('event_blocks') * {BLOCK_EVENTS} AS first_id
    ), stored AS ({
    _INSERT.format(
        base="block.first_id",
        source="block,",
        condition="WHERE (SELECT version FROM event_registry) = $11",
    )
}), added AS ({pending_insert(13, "block.first_id", "FROM block")})
    SELECT 1 / (CASE WHEN (SELECT count(*) FROM stored) = $12 THEN 1 ELSE 0 END)
"""  # noqa: S608 - text of this module
_PEND = pending_insert(2, "$1::bigint")


class PostgresLogWriter:
    """Implements `LogWriter` with a small pool of its own; any number of processes may run one."""

    def __init__(self, database_url: str, connections: int = MAX_FLUSHES_IN_FLIGHT) -> None:
        self._url = asyncpg_url(database_url)
        self._most_connections = connections + 1  # one more to fold with
        self._idle_connections: list[Any] = []
        self._registry = Registry(0, {})
        self._expects_duplicates = False
        self._is_started = False
        self._pending_events = 0
        self._idle: asyncio.TimerHandle | None = None
        self._folding: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect; raises `Unavailable`."""
        try:
            async with self._connection() as connection:
                await self._reload(connection)
        except FAILURES as failure:
            raise Unavailable(str(failure)) from failure
        self._is_started = True

    async def stop(self) -> None:
        """Fold what is pending and close the connections."""
        if self._idle is not None:
            self._idle.cancel()
        if self._is_started:
            self._start_folding()
            assert self._folding is not None
            await self._folding
        for connection in self._idle_connections:
            await connection.close()
        self._idle_connections.clear()

    async def flush(self, requests: Sequence[Request]) -> list[list[bool]]:
        """Store requests; see `LogWriter.flush`."""
        try:
            for _ in range(ATTEMPTS):
                try:
                    async with self._connection() as connection:
                        answers = await self._flush(connection, requests)
                except _RETRIED:
                    continue
                except _StaleRegistry:
                    async with self._connection() as connection:
                        await self._reload(connection)
                else:
                    await self._note_pending(sum(map(len, answers)))
                    return answers
        except FAILURES as failure:
            logger.exception("a flush of %d requests failed", len(requests))
            raise Unavailable(type(failure).__name__) from failure
        raise Unavailable

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        """Lend a connection; a tenth of what the driver's pool takes for it.

        Nobody waits for one: `Ingest` bounds the flushes in flight.
        """
        connection = None
        while self._idle_connections and connection is None:
            connection = self._idle_connections.pop()
            if connection.is_closed():
                connection = None
        if connection is None:
            connection = await asyncpg.connect(self._url)
        try:
            yield connection
        except (*FAILURES, asyncio.CancelledError):
            connection.terminate()
            raise
        finally:
            if connection.is_closed() or len(self._idle_connections) >= self._most_connections:
                connection.terminate()
            else:
                self._idle_connections.append(connection)

    async def _note_pending(self, events_count: int) -> None:
        """See to it that pending rows are folded: when they are many, or after a quiet moment."""
        self._pending_events += events_count
        if self._idle is not None:
            self._idle.cancel()
        loop = asyncio.get_running_loop()
        self._idle = loop.call_later(IDLE_SECONDS, self._start_folding)
        if self._pending_events >= FOLD_EVENTS:
            self._start_folding()
        if self._pending_events >= MOST_PENDING_EVENTS and self._folding is not None:
            # Readers look through all of it; writers must not run away from them.
            await asyncio.shield(self._folding)

    def _start_folding(self) -> None:
        if self._folding is None or self._folding.done():
            self._pending_events = 0
            self._folding = asyncio.ensure_future(self._fold())

    async def _fold(self) -> None:
        try:
            async with self._connection() as connection:
                while await fold_pending(connection):
                    pass
        except FAILURES:
            # Nothing is lost: the rows stay, and the next flush tries again.
            logger.exception("folding failed")

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
        version, foldings = self._registry
        pending = pending_columns(requests, foldings)
        parameters = [*_event_columns(events), version, len(events), *pending]
        try:
            await connection.fetchval(_FLUSH, *parameters)
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
            rows = await connection.fetch(_INSERT_AT, *_event_columns(events), base)
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
            pending = pending_columns(requests, self._registry.foldings, answers)
            await connection.execute(_PEND, base, *pending)
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


async def keep_as_it_is(_connection: Any) -> None:
    """Stand in for the driver's reset between uses, a round trip; we change no settings."""


def asyncpg_url(database_url: str) -> str:
    """Return the URL without the name of the SQLAlchemy driver."""
    return database_url.replace("postgresql+asyncpg://", "postgresql://", 1)


def _event_columns(events: Sequence[IncomingEvent]) -> list[str]:
    return literals(zip(*events, strict=True), _WRITERS)


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
