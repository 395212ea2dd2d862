"""The recount of a PostgreSQL event log, in one snapshot."""

from typing import Any
from uuid import UUID

from billing_core.ports import EventBacklog
from billing_core.store.events.participation import Definition, MeterKey
from billing_core.store.events.postgres_folding import FOLDED_COLUMNS, load_registry
from billing_core.store.events.recount import (
    BUILDS,
    State,
    backlog_of,
    compare,
    count_again,
)
from billing_core.store.events.rollups import (
    LastOperation,
    NewestNumber,
    RollupKey,
    Tally,
    ValueKey,
)

_OF_ORG = "($1::bytea IS NULL OR org = $1)"
# What is pending is not in the rollups yet.
_EVENTS = f"""
    SELECT {FOLDED_COLUMNS} FROM events
    WHERE deleted_at IS NULL AND {_OF_ORG} AND NOT EXISTS (
      SELECT FROM event_pending AS block
      WHERE events.id > block.first_id AND events.id <= block.first_id + block.n
    )
"""  # noqa: S608 - literals
_ROLLUPS = """
    SELECT meter, grain, bucket, external_subscription_id, group_key,
           n, total, greatest, moment, amount, newest_at, newest_id, newest
    FROM event_rollups WHERE meter = ANY ($1)
"""
_VALUES = """
    SELECT meter, grain, bucket, external_subscription_id, group_key, value,
           last_at, last_id, is_present
    FROM event_value_sets WHERE meter = ANY ($1)
"""
_CODES = f"SELECT org, code, n FROM event_codes WHERE {_OF_ORG}"  # noqa: S608 - a literal


async def backlog(connection: Any) -> EventBacklog:
    """Return what is not folded yet and the meters that are being built."""
    pending = await connection.fetchval("SELECT coalesce(sum(n), 0)::bigint FROM event_pending")
    return backlog_of(pending, await connection.fetch(BUILDS.format(meters="event_meters")))


async def differences(connection: Any, org_id: UUID | None) -> list[str]:
    """Name every rollup, value and counter that the events contradict."""
    org = None if org_id is None else org_id.bytes
    registry = await load_registry(connection)
    meters: dict[MeterKey, list[tuple[int, Definition]]] = {
        key: [(each.meter, each.definition) for each in several if each.is_complete]
        for key, several in registry.meters.items()
        if org is None or key.org_id == org
    }
    counted = State()
    async for event in connection.cursor(_EVENTS, org, prefetch=5000):
        count_again([tuple(event)], meters, counted)
    kept = State()
    ids = [meter for several in meters.values() for meter, _ in several]
    async for row in connection.cursor(_ROLLUPS, ids, prefetch=5000):
        newest = None if row["newest"] is None else NewestNumber(*row[10:])
        kept.rollups[RollupKey(*row[:5])] = Tally(
            row["n"], row["total"], row["greatest"], row["moment"], row["amount"], newest
        )
    async for row in connection.cursor(_VALUES, ids, prefetch=5000):
        kept.values[ValueKey(*row[:6])] = LastOperation(*row[6:])
    for row in await connection.fetch(_CODES, org):
        if row["n"]:
            kept.codes[MeterKey(row["org"], row["code"])] = row["n"]
    return compare(kept, counted)
