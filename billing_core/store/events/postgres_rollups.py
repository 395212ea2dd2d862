"""What PostgreSQL is told to add to rollups and value sets, as arrays of columns."""

from collections.abc import Iterable, Sequence
from typing import Any

from billing_core.store.events.rollups import Deltas

_ROLLUPS = """
    INSERT INTO event_rollups AS kept
      (meter, grain, bucket, external_subscription_id, group_key, n, total, greatest)
    SELECT * FROM unnest($1::int[], $2::smallint[], $3::bigint[], $4::text[], $5::text[],
                         $6::bigint[], $7::numeric[], $8::numeric[])
    ON CONFLICT (meter, external_subscription_id, grain, bucket, group_key) DO UPDATE
    SET n = kept.n + excluded.n,
        total = coalesce(kept.total + excluded.total, kept.total, excluded.total),
        greatest = greatest(kept.greatest, excluded.greatest)
"""
_VALUES = """
    INSERT INTO event_value_sets AS kept
      (meter, grain, bucket, external_subscription_id, group_key, value,
       last_at, last_id, is_present)
    SELECT * FROM unnest($1::int[], $2::smallint[], $3::bigint[], $4::text[], $5::text[],
                         $6::text[], $7::bigint[], $8::bigint[], $9::boolean[])
    ON CONFLICT (meter, external_subscription_id, grain, bucket, group_key, value) DO UPDATE
    SET last_at = excluded.last_at, last_id = excluded.last_id, is_present = excluded.is_present
    WHERE (excluded.last_at, excluded.last_id) > (kept.last_at, kept.last_id)
"""
_ROLLUP_COLUMNS, _VALUE_COLUMNS = 8, 9


async def add_deltas(connection: Any, deltas: Deltas) -> None:
    """Add to rollups and value sets, inside the caller's transaction and in the order of keys."""
    if deltas.hours:
        rows = [
            (*key, tally.events_count, tally.total, tally.greatest)
            for key, tally in deltas.rollups().items()
        ]
        await connection.execute(_ROLLUPS, *columns(rows, _ROLLUP_COLUMNS))
    if deltas.values:
        values = [(*key, *operation) for key, operation in deltas.value_sets().items()]
        await connection.execute(_VALUES, *columns(values, _VALUE_COLUMNS))


def columns(rows: Iterable[Sequence[Any]], count: int) -> list[Sequence[Any]]:
    """Turn rows into columns; `count` of them, even without rows."""
    turned: list[Sequence[Any]] = list(zip(*rows, strict=True))
    return turned or [()] * count
