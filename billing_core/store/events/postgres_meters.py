"""Meters of the PostgreSQL event log: registered once for all processes, backfilled in steps."""

from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from billing_core.store.events.participation import Definition, MeterKey, RegisteredMeter
from billing_core.store.events.postgres_pending import FOLD_LOCK, fold_everything
from billing_core.store.events.postgres_rollups import add_deltas
from billing_core.store.events.rollups import Deltas, Folding, folding_of, foldings_of

BACKFILL_EVENTS = 10_000
_METERS = """
    SELECT meter, org, code, metric_id, aggregation, field_name, cursor_id, boundary_id
    FROM event_meters
"""


class Registry(NamedTuple):
    """All meters as of a version; a flush that assumed another version is refused."""

    version: int
    foldings: dict[MeterKey, Folding]


async def load_registry(connection: Any) -> Registry:
    """Read version and meters of one moment."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        version = await connection.fetchval("SELECT version FROM event_registry")
        rows = await connection.fetch(_METERS)
    meters = {MeterKey(row["org"], row["code"]): _registered(row) for row in rows}
    return Registry(version, foldings_of(meters))


async def find_meters(
    connection: Any, org_id: bytes, codes: list[str]
) -> dict[MeterKey, RegisteredMeter]:
    """Return the meters of an organization's metric codes as they are now."""
    rows = await connection.fetch(f"{_METERS} WHERE org = $1 AND code = ANY ($2)", org_id, codes)
    return {MeterKey(row["org"], row["code"]): _registered(row) for row in rows}


async def register(
    connection: Any, key: MeterKey, metric_id: UUID, definition: Definition
) -> RegisteredMeter:
    """Make sure a meter exists as defined; its backfill may still be to do.

    From the commit on every flush folds the meter's events itself. The table lock waits for the
    flushes that assumed there is no such meter and holds up new ones for that moment, so the
    boundary between backfill and live events is exact.
    """
    known = (await find_meters(connection, key.org_id, [key.code])).get(key)
    if known is not None and known.definition == definition and known.metric_id == metric_id:
        return known
    async with connection.transaction():
        await _lock_registry(connection)
        known = (await find_meters(connection, key.org_id, [key.code])).get(key)
        if known is not None and known.definition == definition:
            await connection.execute(
                "UPDATE event_meters SET metric_id = $1 WHERE meter = $2", metric_id, known.meter
            )
            return known._replace(metric_id=metric_id)
        await connection.execute("LOCK TABLE events IN SHARE MODE")
        await fold_everything(connection)
        await _drop(connection, known)
        row = await connection.fetchrow(
            """
            INSERT INTO event_meters
              (org, code, metric_id, aggregation, field_name, cursor_id, boundary_id)
            SELECT $1, $2, $3, $4, $5, coalesce(min(lowest_id) - 1, 0), coalesce(max(highest_id), 0)
            FROM event_codes WHERE org = $1 AND code = $2
            RETURNING *
            """,
            *(*key, metric_id, *definition),
        )
        return _registered(row)


async def backfill(connection: Any, key: MeterKey) -> bool:
    """Fold the next stretch of earlier events; True when nothing is left to do."""
    async with connection.transaction():
        # Before the row: whoever drops a meter takes these two locks in the same order.
        await connection.execute("SELECT pg_advisory_xact_lock($1)", FOLD_LOCK)
        row = await connection.fetchrow(f"{_METERS} WHERE org = $1 AND code = $2 FOR UPDATE", *key)
        if row is None or (meter := _registered(row)).is_complete:
            return True
        events = await connection.fetch(
            """
            SELECT id, org, external_subscription_id, code, ts, properties FROM events
            WHERE id > $1 AND id <= $2 AND org = $3 AND code = $4 AND deleted_at IS NULL
            ORDER BY id LIMIT $5
            """,
            *(meter.cursor_id, meter.boundary_id, *key, BACKFILL_EVENTS),
        )
        deltas = Deltas()
        deltas.fold(map(tuple, events), {key: folding_of(meter.meter, meter.definition)})
        await add_deltas(connection, deltas)
        is_last = len(events) < BACKFILL_EVENTS
        cursor_id = meter.boundary_id if is_last else events[-1]["id"]
        await connection.execute(
            "UPDATE event_meters SET cursor_id = $1 WHERE meter = $2", cursor_id, meter.meter
        )
        return bool(cursor_id >= meter.boundary_id)


async def forget(connection: Any, key: MeterKey, until_us: int, now_us: int) -> int:
    """Soft-delete a code's events created up to an instant; returns how many.

    The meter goes with them. Nobody can register it anew before this is committed, so a backfill
    never sees events that are about to go.
    """
    async with connection.transaction():
        await _lock_registry(connection)
        known = (await find_meters(connection, key.org_id, [key.code])).get(key)
        await fold_everything(connection)
        await _drop(connection, known)
        status = await connection.execute(
            """
            UPDATE events SET deleted_at = $1
            FROM event_codes AS counted
            WHERE counted.org = $2 AND counted.code = $3
              AND events.id BETWEEN counted.lowest_id AND counted.highest_id
              AND events.org = $2 AND events.code = $3
              AND events.created_at <= $4 AND events.deleted_at IS NULL
            """,
            *(now_us, *key, until_us),
        )
        count = int(status.split()[-1])
        await connection.execute(
            "UPDATE event_codes SET n = n - $3 WHERE org = $1 AND code = $2",
            *(*key, count),
        )
        return count


async def _lock_registry(connection: Any) -> None:
    """Take turns with everybody who changes meters, and announce the change."""
    await connection.execute("UPDATE event_registry SET version = version + 1")


async def _drop(connection: Any, meter: RegisteredMeter | None) -> None:
    if meter is None:
        return
    for table in ("event_rollups", "event_value_sets", "event_meters"):
        await connection.execute(
            f"DELETE FROM {table} WHERE meter = $1",  # noqa: S608 - three literals
            meter.meter,
        )


def _registered(row: "asyncpg.Record") -> RegisteredMeter:
    return RegisteredMeter(
        row["meter"],
        UUID(int=row["metric_id"].int),
        Definition(row["aggregation"], row["field_name"]),
        row["cursor_id"],
        row["boundary_id"],
    )
