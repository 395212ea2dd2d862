"""The recount of a PostgreSQL event log, in one snapshot."""

from typing import Any
from uuid import UUID

from billing_core.store.events.participation import Definition, MeterKey
from billing_core.store.events.recount import Counted, State, compare, count_again
from billing_core.store.events.rollups import LastOperation, RollupKey, ValueKey

_OF_ORG = "($1::bytea IS NULL OR org = $1)"
_METERS = f"""
    SELECT org, code, meter, aggregation, field_name FROM event_meters
    WHERE cursor_id >= boundary_id AND {_OF_ORG}
"""  # noqa: S608 - a literal
_EVENTS = f"""
    SELECT id, org, external_subscription_id, code, ts, properties FROM events
    WHERE deleted_at IS NULL AND {_OF_ORG}
"""  # noqa: S608 - a literal
_ROLLUPS = """
    SELECT meter, grain, bucket, external_subscription_id, group_key, n, total, greatest
    FROM event_rollups WHERE meter = ANY ($1)
"""
_VALUES = """
    SELECT meter, grain, bucket, external_subscription_id, group_key, value,
           last_at, last_id, is_present
    FROM event_value_sets WHERE meter = ANY ($1)
"""
_CODES = f"""
    SELECT org, code, sum(n)::bigint AS n FROM event_codes WHERE {_OF_ORG}
    GROUP BY org, code HAVING sum(n) > 0
"""  # noqa: S608 - a literal


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
        kept.rollups[RollupKey(*row[:5])] = Counted(*row[5:])
    async for row in connection.cursor(_VALUES, ids, prefetch=5000):
        kept.values[ValueKey(*row[:6])] = LastOperation(*row[6:])
    kept.codes = {
        MeterKey(row["org"], row["code"]): row["n"] for row in await connection.fetch(_CODES, org)
    }
    return compare(kept, counted)
