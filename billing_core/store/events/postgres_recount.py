"""The recount of a PostgreSQL event log, in one snapshot."""

from typing import Any
from uuid import UUID

from billing_core.store.events.participation import Definition, MeterKey
from billing_core.store.events.postgres_pending import (
    GRAINS,
    PENDING_CODES,
    PENDING_HOURS,
    PENDING_VALUES,
)
from billing_core.store.events.recount import Counted, State, compare, count_again
from billing_core.store.events.rollups import NO_GROUP, LastOperation, RollupKey, Tally, ValueKey

_OF_ORG = "($1::bytea IS NULL OR org = $1)"
_METERS = f"""
    SELECT org, code, meter, aggregation, field_name FROM event_meters
    WHERE cursor_id >= boundary_id AND {_OF_ORG}
"""  # noqa: S608 - a literal
_EVENTS = f"""
    SELECT id, org, external_subscription_id, code, ts, properties FROM events
    WHERE deleted_at IS NULL AND {_OF_ORG}
"""  # noqa: S608 - a literal
# Pending rows count as if they were folded: the same address twice adds up.
_ROLLUPS = f"""
    SELECT meter, grain, bucket, external_subscription_id, group_key, n, total, greatest
    FROM event_rollups WHERE meter = ANY ($1)
    UNION ALL
    SELECT hour.meter, grain.grain, floor(hour.hour::numeric / grain.hours)::bigint,
           hour.subscription, '{NO_GROUP}', hour.n, hour.total, hour.greatest
    FROM event_pending AS pending, {PENDING_HOURS}, {GRAINS} WHERE hour.meter = ANY ($1)
"""  # noqa: S608 - text of this package
_VALUES = f"""
    SELECT meter, grain, bucket, external_subscription_id, group_key, value,
           last_at, last_id, is_present
    FROM event_value_sets WHERE meter = ANY ($1)
    UNION ALL
    SELECT operation.meter, grain.grain, floor(operation.hour::numeric / grain.hours)::bigint,
           operation.subscription, '{NO_GROUP}', operation.value, operation.last_at,
           pending.first_id + operation.last_id, operation.is_present
    FROM event_pending AS pending, {PENDING_VALUES}, {GRAINS} WHERE operation.meter = ANY ($1)
"""  # noqa: S608 - text of this package
_CODES = f"""
    SELECT org, code, n FROM event_codes WHERE {_OF_ORG}
    UNION ALL
    SELECT code.org, code.name, code.n FROM event_pending AS pending, {PENDING_CODES}
    WHERE $1::bytea IS NULL OR code.org = $1
"""  # noqa: S608 - text of this package


async def differences(connection: Any, org_id: UUID | None) -> list[str]:
    """Name every rollup, value and counter that the events contradict."""
    org = None if org_id is None else org_id.bytes
    meters = {
        MeterKey(row["org"], row["code"]): (
            row["meter"],
            Definition(row["aggregation"], row["field_name"]),
        )
        for row in await connection.fetch(_METERS, org)
    }
    counted = State()
    async for event in connection.cursor(_EVENTS, org, prefetch=5000):
        count_again([tuple(event)], meters, counted)
    kept = State()
    ids = [meter for meter, _ in meters.values()]
    async for row in connection.cursor(_ROLLUPS, ids, prefetch=5000):
        key = RollupKey(*row[:5])
        tally = Tally(*kept.rollups.get(key, Counted(0, None, None)))
        tally.merge(Tally(*row[5:]))
        kept.rollups[key] = Counted(tally.events_count, tally.total, tally.greatest)
    async for row in connection.cursor(_VALUES, ids, prefetch=5000):
        value_key, operation = ValueKey(*row[:6]), LastOperation(*row[6:])
        kept.values[value_key] = max(kept.values.get(value_key, operation), operation)
    for row in await connection.fetch(_CODES, org):
        code = MeterKey(row["org"], row["code"])
        kept.codes[code] = kept.codes.get(code, 0) + row["n"]
    kept.codes = {code: count for code, count in kept.codes.items() if count}
    return compare(kept, counted)
