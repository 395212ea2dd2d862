"""What PostgreSQL is told to add to rollups, value sets and counters, as arrays of columns."""

from collections.abc import Iterable, Sequence
from typing import Any

from billing_core.store.events.rollups import Deltas

_ROLLUPS = """
    INSERT INTO event_rollups AS kept
      (meter, grain, bucket, external_subscription_id, group_key, n, total, greatest)
    SELECT * FROM unnest({}::int[], {}::smallint[], {}::bigint[], {}::text[], {}::text[],
                         {}::bigint[], {}::numeric[], {}::numeric[])
    ON CONFLICT (meter, external_subscription_id, grain, bucket, group_key) DO UPDATE
    SET n = kept.n + excluded.n,
        total = coalesce(kept.total + excluded.total, kept.total, excluded.total),
        greatest = greatest(kept.greatest, excluded.greatest)
"""
_VALUES = """
    INSERT INTO event_value_sets AS kept
      (meter, grain, bucket, external_subscription_id, group_key, value,
       last_at, last_id, is_present)
    SELECT added.meter, added.grain, added.bucket, added.subscription, added.group_key,
           added.value, added.last_at, {base} + added.last_id, added.is_present
    FROM unnest({}::int[], {}::smallint[], {}::bigint[], {}::text[], {}::text[], {}::text[],
                {}::bigint[], {}::bigint[], {}::boolean[])
      AS added (meter, grain, bucket, subscription, group_key, value, last_at, last_id, is_present)
    ON CONFLICT (meter, external_subscription_id, grain, bucket, group_key, value) DO UPDATE
    SET last_at = excluded.last_at, last_id = excluded.last_id, is_present = excluded.is_present
    WHERE (excluded.last_at, excluded.last_id) > (kept.last_at, kept.last_id)
"""
_CODES = """
    INSERT INTO event_codes AS kept (org, code, shard, n, lowest_id, highest_id)
    SELECT added.org, added.code, {shard}, added.n, {base} + added.lowest, {base} + added.highest
    FROM unnest({}::bytea[], {}::text[], {}::bigint[], {}::bigint[], {}::bigint[])
      AS added (org, code, n, lowest, highest)
    ON CONFLICT (org, code, shard) DO UPDATE
    SET n = kept.n + excluded.n,
        lowest_id = least(kept.lowest_id, excluded.lowest_id),
        highest_id = greatest(kept.highest_id, excluded.highest_id)
"""
ROLLUP_COLUMNS, VALUE_COLUMNS, CODE_COLUMNS = 8, 9, 5


def rollups_statement(first: int) -> str:
    """Return the upsert of rollups; its parameters begin with this number."""
    return _ROLLUPS.format(*_marks(first, ROLLUP_COLUMNS))


def values_statement(first: int, base: str) -> str:
    """Return the upsert of value sets; ids are relative to the expression `base`."""
    return _VALUES.format(*_marks(first, VALUE_COLUMNS), base=base)


def codes_statement(first: int, base: str, shard: str) -> str:
    """Return the upsert of counters; ids are relative to the expression `base`."""
    return _CODES.format(*_marks(first, CODE_COLUMNS), base=base, shard=shard)


def rollup_columns(deltas: Deltas) -> list[Sequence[Any]]:
    """Return the columns of what is added to rollups, ordered by key so that locks are too."""
    rows = [
        (*key, tally.events_count, tally.total, tally.greatest)
        for key, tally in deltas.rollups().items()
    ]
    return columns(rows, ROLLUP_COLUMNS)


def value_columns(deltas: Deltas) -> list[Sequence[Any]]:
    """Return the columns of what is added to value sets, in order."""
    rows = [(*key, *operation) for key, operation in deltas.value_sets().items()]
    return columns(rows, VALUE_COLUMNS)


def code_columns(deltas: Deltas) -> list[Sequence[Any]]:
    """Return the columns of what is added to counters, in order."""
    rows = [
        (*key, count.events_count, count.lowest_id, count.highest_id)
        for key, count in sorted(deltas.codes.items(), key=lambda item: item[0])
    ]
    return columns(rows, CODE_COLUMNS)


async def add_deltas(connection: Any, deltas: Deltas, shard: int) -> None:
    """Add to everything, inside the caller's transaction; the ids in `deltas` are final."""
    if deltas.hours:
        await connection.execute(rollups_statement(1), *rollup_columns(deltas))
    if deltas.values:
        await connection.execute(values_statement(1, "0"), *value_columns(deltas))
    if deltas.codes:
        await connection.execute(codes_statement(2, "0", "$1"), shard, *code_columns(deltas))


def columns(rows: Iterable[Sequence[Any]], count: int) -> list[Sequence[Any]]:
    """Turn rows into columns; `count` of them, even without rows."""
    turned: list[Sequence[Any]] = list(zip(*rows, strict=True))
    return turned or [()] * count


def _marks(first: int, count: int) -> list[str]:
    return [f"${number}" for number in range(first, first + count)]
