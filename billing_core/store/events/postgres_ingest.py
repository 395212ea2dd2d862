"""Group commit into PostgreSQL: events and the block of ids they have, exact beside others."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import chain
from typing import Any

import asyncpg

from billing_core.domain.errors import Unavailable
from billing_core.store.events.postgres_arrays import byte_strings, literals, plain, texts
from billing_core.store.events.records import IncomingEvent, Request

logger = logging.getLogger(__name__)

BLOCK_EVENTS = 65_536
ATTEMPTS = 6
# From so many events on, COPY is worth the round trips of its transaction.
COPIED_EVENTS = 200
# The last one is how the driver reports some connections that the server has just closed.
FAILURES = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
_RETRIED = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
_COLUMNS = (
    *("id", "org", "key", "series", "transaction_id", "external_subscription_id", "code", "ts"),
    *("properties", "precise_total_amount_cents", "created_at"),
)
_WRITERS = (
    *(byte_strings, byte_strings, plain, texts, texts),
    *(texts, plain, texts, plain, plain),
)
# The block is drawn while the lock on the list of blocks is held: whoever locks the list knows that
# all blocks below the next one are either committed or gone.
_BLOCK = f"""
    INSERT INTO event_pending (first_id, n)
    SELECT nextval('event_blocks') * {BLOCK_EVENTS}, $1 RETURNING first_id
"""
_STORE = f"""
    WITH block AS (
      INSERT INTO event_pending (first_id, n)
      SELECT nextval('event_blocks') * {BLOCK_EVENTS}, $11 RETURNING first_id
    )
    INSERT INTO events (id, org, key, series, transaction_id, external_subscription_id, code, ts,
                        properties, precise_total_amount_cents, created_at)
    SELECT block.first_id + event.ordinal, event.org, event.key, event.series,
           event.transaction_id, event.external_subscription_id, event.code, event.ts,
           event.properties, event.precise_total_amount_cents, event.created_at
    FROM block,
      unnest($1::text::bytea[], $2::text::bytea[], $3::text::bigint[], $4::text::text[],
             $5::text::text[], $6::text::text[], $7::text::bigint[], $8::text::text[],
             $9::text::text[], $10::text::bigint[]) WITH ORDINALITY
        AS event (org, key, series, transaction_id, external_subscription_id, code, ts,
                  properties, precise_total_amount_cents, created_at, ordinal)
"""  # noqa: S608 - text of this module
_STORE_NEW = f"{_STORE} ON CONFLICT (key) DO NOTHING RETURNING key"


class PostgresLogWriter:
    """Implements `LogWriter` with a small pool of its own; any number of processes may run one."""

    # While some wait for the disk, others keep the server busy.
    most_flushes = 4

    def __init__(self, database_url: str) -> None:
        self._url = asyncpg_url(database_url)
        self._idle_connections: list[Any] = []
        self._expects_duplicates = False

    async def start(self) -> None:
        """Connect; raises `Unavailable`."""
        try:
            async with self._connection() as connection:
                await connection.fetchval("SELECT 1")
        except FAILURES as failure:
            raise Unavailable(str(failure)) from failure

    async def stop(self) -> None:
        """Close the connections."""
        for connection in self._idle_connections:
            await connection.close()
        self._idle_connections.clear()

    async def flush(self, requests: Sequence[Request]) -> list[list[bool]]:
        """Store requests; see `LogWriter.flush`."""
        try:
            for _ in range(ATTEMPTS):
                try:
                    async with self._connection() as connection:
                        return await self._flush(connection, requests)
                except _RETRIED:
                    continue
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
            if connection.is_closed() or len(self._idle_connections) >= self.most_flushes:
                connection.terminate()
            else:
                self._idle_connections.append(connection)

    async def _flush(self, connection: Any, requests: Sequence[Request]) -> list[list[bool]]:
        if all(len(request.events) == 1 for request in requests):
            return _answers(requests, await _store(connection, requests))
        if not self._expects_duplicates and await self._flush_new(connection, requests):
            return [[True] * len(request.events) for request in requests]
        try:
            answers = await _flush_checked(connection, requests)
        except _StoredInPart:
            answers = [await _flush_alone(connection, request) for request in requests]
        # Replays come in streaks; beside one the hopeful statement would only be wasted.
        self._expects_duplicates = not all(map(all, answers))
        return answers

    async def _flush_new(self, connection: Any, requests: Sequence[Request]) -> bool:
        """Store everything; False, and nothing stored, if any of it is a duplicate."""
        events = list(chain.from_iterable(request.events for request in requests))
        try:
            if len(events) < COPIED_EVENTS:
                await connection.execute(_STORE, *_event_columns(events), len(events))
            else:
                async with connection.transaction():
                    first_id = await connection.fetchval(_BLOCK, len(events)) + 1
                    rows = [(first_id + place, *event) for place, event in enumerate(events)]
                    await connection.copy_records_to_table("events", records=rows, columns=_COLUMNS)
        except asyncpg.UniqueViolationError:
            return False
        return True


async def _store(connection: Any, requests: Sequence[Request]) -> set[bytes]:
    """Store what is new with one statement; returns the keys of it."""
    events = list(chain.from_iterable(request.events for request in requests))
    rows = await connection.fetch(_STORE_NEW, *_event_columns(events), len(events))
    return {row[0] for row in rows}


async def _flush_checked(connection: Any, requests: Sequence[Request]) -> list[list[bool]]:
    """Store what is new; raises `_StoredInPart` if that would split an atomic request."""
    async with connection.transaction():
        answers = _answers(requests, await _store(connection, requests))
        for request, answer in zip(requests, answers, strict=True):
            if request.atomic and any(answer) and not all(answer):
                raise _StoredInPart(answers)
    return answers


async def _flush_alone(connection: Any, request: Request) -> list[bool]:
    for _ in range(ATTEMPTS):
        try:
            return (await _flush_checked(connection, [request]))[0]
        except _StoredInPart as refused:
            return refused.answers[0]
        except _RETRIED:
            continue
    raise Unavailable


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
