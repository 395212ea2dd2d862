"""Lists of raw events out of the PostgreSQL event log.

Limits are part of the statements: plans are made without a look at parameters.
"""

from typing import Any
from uuid import UUID

from billing_core.ports import Activity, DueEvent, EventFilter, StoredEvent
from billing_core.store.events.postgres_folding import FOLD_LOCK
from billing_core.store.events.records import (
    STORED_COLUMNS,
    key_range,
    micros,
    series_of,
    stored_event,
)

NUL = "\x00"  # which the server refuses in a parameter; no event holds one
# `org` is hidden from the planner, which would otherwise look through the whole organization.
FIND = f"""
    SELECT {STORED_COLUMNS} FROM events
    WHERE key BETWEEN $1 AND $2 AND org || ''::bytea = $3
      AND transaction_id = $4 AND deleted_at IS NULL
    ORDER BY id DESC LIMIT 1
"""  # noqa: S608 - names of columns
DUE = f"""
    SELECT event_due.id, org, {STORED_COLUMNS}
    FROM event_due JOIN events ON events.id = event_due.id
    WHERE deleted_at IS NULL ORDER BY event_due.id
"""  # noqa: S608 - names of columns
INGESTED = f"""
    SELECT id, {STORED_COLUMNS} FROM events
    WHERE id > $1 AND org || ''::bytea = $2 AND deleted_at IS NULL ORDER BY id
"""  # noqa: S608 - names of columns
ACTIVITY = """
    SELECT org, external_subscription_id, count(*), max(id) FROM (
      SELECT id, org, external_subscription_id FROM events
      WHERE id > $1 AND id <= $2 ORDER BY id LIMIT {limit}
    ) AS page GROUP BY org, external_subscription_id
"""
_CODES = """
    SELECT code, n FROM event_codes WHERE org = $1
    UNION ALL
    SELECT event.code, count(*) FROM event_pending AS block
    CROSS JOIN LATERAL (
      SELECT * FROM events AS one
      WHERE one.id > block.first_id AND one.id <= block.first_id + block.n OFFSET 0
    ) AS event
    WHERE event.org = $1 AND event.deleted_at IS NULL GROUP BY event.code
"""


async def find(connection: Any, org_id: bytes, transaction_id: str) -> StoredEvent | None:
    """Return the newest live event with that transaction id."""
    if NUL in transaction_id:
        return None
    bounds = key_range(org_id, transaction_id)
    row = await connection.fetchrow(FIND, *bounds, org_id, transaction_id)
    return None if row is None else stored_event(tuple(row))


async def is_anything_watched(connection: Any) -> bool:
    """Tell whether folding may find events that are due."""
    return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM event_watched_codes)"))


async def due(connection: Any, limit: int) -> list[DueEvent]:
    """Return the oldest events of watched codes that nobody has dealt with."""
    rows = await connection.fetch(f"{DUE} LIMIT {limit}")
    return [DueEvent(order, UUID(bytes=org), stored_event(tuple(row))) for order, org, *row in rows]


async def ingested(
    connection: Any, org_id: bytes, after: int, limit: int
) -> list[tuple[int, StoredEvent]]:
    """Return the first events behind an order, in the order of ingestion."""
    rows = await connection.fetch(f"{INGESTED} LIMIT {limit}", after, org_id)
    return [(order, stored_event(tuple(row))) for order, *row in rows]


async def activity(connection: Any, after: int | None, limit: int) -> Activity:
    """Tell whom the first events behind an order came for, of those below which none can follow.

    Flushes commit in any order, so the newest order is read while the list of blocks is locked: a
    flush that has drawn a block is waited for, and later ones draw higher orders. Nobody folds
    meanwhile, who would hold the list for longer.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", FOLD_LOCK)
        await connection.execute("LOCK TABLE event_pending IN SHARE MODE")
        newest = await connection.fetchval("SELECT coalesce(max(id), 0) FROM events")
    if after is None:
        return Activity(newest)
    rows = await connection.fetch(ACTIVITY.format(limit=limit), after, newest)
    names = frozenset((UUID(bytes=org), name) for org, name, *_ in rows if name is not None)
    return Activity(max((row[3] for row in rows), default=after), names)


async def newest_order(connection: Any) -> int:
    """Return the greatest order of ingestion there is."""
    return int(await connection.fetchval("SELECT coalesce(max(id), 0) FROM events"))


async def page(
    connection: Any, org_id: bytes, wanted: EventFilter, limit: int, offset: int
) -> tuple[list[StoredEvent], int]:
    """Return a page, newest first and then by transaction id, and the total count."""
    if NUL in f"{wanted.code}{wanted.external_subscription_id}":
        return [], 0
    condition, parameters = await _condition(connection, org_id, wanted)
    if (wanted.external_subscription_id, wanted.timestamp_from, wanted.timestamp_to) == (None,) * 3:
        counts = await connection.fetch(_CODES, org_id)
        total = sum(count for code, count in counts if wanted.code in {None, code})
    else:
        total = await connection.fetchval(
            f"SELECT count(*) FROM events WHERE {condition}",  # noqa: S608 - only our own text
            *parameters,
        )
    if offset >= total:
        return [], total
    rows = await connection.fetch(
        f"SELECT {STORED_COLUMNS} FROM events WHERE {condition}"  # noqa: S608 - only our own text
        f" ORDER BY ts DESC, transaction_id LIMIT {limit} OFFSET {offset}",
        *parameters,
    )
    return [stored_event(tuple(row)) for row in rows], total


async def _condition(connection: Any, org_id: bytes, wanted: EventFilter) -> tuple[str, list[Any]]:
    parameters: list[Any] = [org_id]
    conditions = ["org = $1", "deleted_at IS NULL"]

    def require(condition: str, value: Any) -> None:
        parameters.append(value)
        conditions.append(condition.format(f"${len(parameters)}"))

    subscription = wanted.external_subscription_id
    if wanted.code is not None:
        require("code = {}", wanted.code)
    if subscription is not None:
        codes = await _codes(connection, org_id) if wanted.code is None else {wanted.code}
        series = [series_of(org_id, subscription, code) for code in sorted(codes)]
        require("series = ANY ({}::bigint[])", series)
        require("external_subscription_id = {}", subscription)
    if wanted.timestamp_from is not None:
        require("ts >= {}", micros(wanted.timestamp_from))
    if wanted.timestamp_to is not None:
        require("ts <= {}", micros(wanted.timestamp_to))
    return " AND ".join(conditions), parameters


async def _codes(connection: Any, org_id: bytes) -> set[str]:
    """Return every code an organization has ever sent."""
    return {code for code, _ in await connection.fetch(_CODES, org_id)}
