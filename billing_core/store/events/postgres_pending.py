"""What flushes have added and nobody has folded into the rollups yet.

A flush upserting a rollup row per subscription would spend most of its time there. It stores what
it adds as one row of arrays instead, in the same statement as its events; many such rows are then
folded together. Readers add up rollups and pending rows of one snapshot, so they always see the
truth.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import chain, compress
from typing import Any

from billing_core.store.events.participation import MeterKey
from billing_core.store.events.postgres_arrays import byte_strings, literals, plain, texts
from billing_core.store.events.postgres_rollups import columns
from billing_core.store.events.records import Request
from billing_core.store.events.rollups import DAY, HOUR, HOURS_PER_DAY, NO_GROUP, Deltas, Folding

FOLD_LOCK = 7_305_101_001  # our advisory lock; one process folds at a time
ROWS_PER_FOLD = 64
_WRITERS = (
    *(plain, plain, texts, plain, plain, plain),
    *(plain, plain, texts, texts, plain, plain, plain),
    *(byte_strings, texts, plain, plain, plain),
)
HOUR_COLUMNS, VALUE_COLUMNS, CODE_COLUMNS = 6, 7, 5
# Tables made of a pending row's arrays; `pending` is the row.
PENDING_HOURS = """
    unnest(pending.hour_meters, pending.hours, pending.hour_subscriptions, pending.hour_counts,
           pending.hour_totals, pending.hour_greatests)
      AS hour (meter, hour, subscription, n, total, greatest)
"""
PENDING_VALUES = """
    unnest(pending.value_meters, pending.value_hours, pending.value_subscriptions,
           pending.value_names, pending.value_times, pending.value_ids, pending.value_presences)
      AS operation (meter, hour, subscription, value, last_at, last_id, is_present)
"""
PENDING_CODES = """
    unnest(pending.code_orgs, pending.code_names, pending.code_counts,
           pending.code_lowest_ids, pending.code_highest_ids)
      AS code (org, name, n, lowest_id, highest_id)
"""
GRAINS = f"""
    (VALUES ({HOUR}::smallint, 1), ({DAY}::smallint, {HOURS_PER_DAY})) AS grain (grain, hours)
"""
# floor: integer division would round hours before 1970 towards it. Meters that were dropped since
# are left out.
_FOLD = f"""
    WITH pending AS MATERIALIZED (
      DELETE FROM event_pending WHERE id = ANY (
        ARRAY (SELECT id FROM event_pending ORDER BY id LIMIT $1)
      ) RETURNING *
    ), rolled AS (
      INSERT INTO event_rollups AS kept
        (meter, grain, bucket, external_subscription_id, group_key, n, total, greatest)
      SELECT hour.meter, grain.grain, floor(hour.hour::numeric / grain.hours)::bigint AS bucket,
             hour.subscription, '{NO_GROUP}', sum(hour.n), sum(hour.total), max(hour.greatest)
      FROM pending, {PENDING_HOURS}, {GRAINS}
      WHERE EXISTS (SELECT FROM event_meters AS known WHERE known.meter = hour.meter)
      GROUP BY 1, 4, 2, 3 ORDER BY 1, 4, 2, 3
      ON CONFLICT (meter, external_subscription_id, grain, bucket, group_key) DO UPDATE
      SET n = kept.n + excluded.n,
          total = coalesce(kept.total + excluded.total, kept.total, excluded.total),
          greatest = greatest(kept.greatest, excluded.greatest)
    ), noted AS (
      INSERT INTO event_value_sets AS kept
        (meter, grain, bucket, external_subscription_id, group_key, value,
         last_at, last_id, is_present)
      SELECT DISTINCT ON (1, 4, 2, 3, 6)
             operation.meter, grain.grain,
             floor(operation.hour::numeric / grain.hours)::bigint AS bucket,
             operation.subscription, '{NO_GROUP}', operation.value, operation.last_at,
             pending.first_id + operation.last_id AS last_id, operation.is_present
      FROM pending, {PENDING_VALUES}, {GRAINS}
      WHERE EXISTS (SELECT FROM event_meters AS known WHERE known.meter = operation.meter)
      ORDER BY 1, 4, 2, 3, 6, 7 DESC, 8 DESC
      ON CONFLICT (meter, external_subscription_id, grain, bucket, group_key, value) DO UPDATE
      SET last_at = excluded.last_at, last_id = excluded.last_id,
          is_present = excluded.is_present
      WHERE (excluded.last_at, excluded.last_id) > (kept.last_at, kept.last_id)
    ), counted AS (
      INSERT INTO event_codes AS kept (org, code, n, lowest_id, highest_id)
      SELECT code.org, code.name, sum(code.n), min(pending.first_id + code.lowest_id),
             max(pending.first_id + code.highest_id)
      FROM pending, {PENDING_CODES}
      GROUP BY 1, 2 ORDER BY 1, 2
      ON CONFLICT (org, code) DO UPDATE
      SET n = kept.n + excluded.n,
          lowest_id = least(kept.lowest_id, excluded.lowest_id),
          highest_id = greatest(kept.highest_id, excluded.highest_id)
    )
    SELECT count(*) FROM pending
"""  # noqa: S608 - text of this module


def pending_columns(
    requests: Sequence[Request],
    foldings: Mapping[MeterKey, Folding],
    accepted: Sequence[Sequence[bool]] | None = None,
) -> list[str]:
    """Return the arrays of what the accepted events add, in the order of the table's columns.

    Ids count the events of all requests from one. None means that every event is accepted.
    """
    events = enumerate(chain.from_iterable(request.events for request in requests), 1)
    folded = (
        (event_id, event[0], event[4], event[5], event[6], event[7]) for event_id, event in events
    )
    deltas = Deltas()
    if accepted is None:
        deltas.fold(folded, foldings)
    else:
        deltas.fold(compress(folded, chain.from_iterable(accepted)), foldings)
    hours = [
        (*key, tally.events_count, _digits(tally.total), _digits(tally.greatest))
        for key, tally in deltas.hours.items()
    ]
    values = [(*hour, value, *last) for (hour, value), last in deltas.values.items()]
    codes = [
        (*key, count.events_count, count.lowest_id, count.highest_id)
        for key, count in deltas.codes.items()
    ]
    arrays = chain(
        columns(hours, HOUR_COLUMNS), columns(values, VALUE_COLUMNS), columns(codes, CODE_COLUMNS)
    )
    return literals(arrays, _WRITERS)


def _digits(number: Decimal | None) -> str | None:
    return None if number is None else format(number, "f")


def pending_insert(first_parameter: int, first_id: str, source: str = "") -> str:
    """Return the statement that stores `pending_columns`; `first_id` is an expression."""
    types = (
        *("int", "bigint", "text", "bigint", "numeric", "numeric"),
        *("int", "bigint", "text", "text", "bigint", "bigint", "boolean"),
        *("bytea", "text", "bigint", "bigint", "bigint"),
    )
    marks = ", ".join(
        f"${number}::text::{kind}[]" for number, kind in enumerate(types, first_parameter)
    )
    names = """
        first_id, hour_meters, hours, hour_subscriptions, hour_counts, hour_totals,
        hour_greatests, value_meters, value_hours, value_subscriptions, value_names, value_times,
        value_ids, value_presences, code_orgs, code_names, code_counts, code_lowest_ids,
        code_highest_ids
    """
    return f"INSERT INTO event_pending ({names}) SELECT {first_id}, {marks} {source}"


async def fold_pending(connection: Any) -> bool:
    """Fold some pending rows in a transaction of its own; False when there is nothing to do."""
    async with connection.transaction():
        if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", FOLD_LOCK):
            return False
        return await _fold(connection)


async def fold_everything(connection: Any) -> None:
    """Fold all that is pending now, inside the caller's transaction; waits for other folders."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", FOLD_LOCK)
    while await _fold(connection):
        pass


async def _fold(connection: Any) -> bool:
    return bool(await connection.fetchval(_FOLD, ROWS_PER_FOLD) == ROWS_PER_FOLD)
