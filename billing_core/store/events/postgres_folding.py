"""From pending blocks of events to rollups, value sets and counters.

A flush stores its events and the block of ids they have. Whoever folds takes blocks off the list
and adds what their events amount to, in one transaction; readers add up rollups and the events of
pending blocks in one snapshot, so they always see the truth.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from billing_core.store.events.participation import Definition, MeterKey, RegisteredMeter
from billing_core.store.events.rollups import Deltas, Folding, foldings_of

FOLD_LOCK = 7_305_101_001  # our advisory lock; one process folds at a time
BLOCKS_PER_FOLD = 2048
EVENTS_PER_FOLD = 32_768
_TAKE = f"""
    WITH chosen AS (
      SELECT first_id FROM (
        SELECT first_id, sum(n) OVER (ORDER BY first_id) - n AS before
        FROM (SELECT * FROM event_pending ORDER BY first_id LIMIT {BLOCKS_PER_FOLD}) AS oldest
      ) AS counted WHERE before < {EVENTS_PER_FOLD}
    )
    DELETE FROM event_pending USING chosen WHERE event_pending.first_id = chosen.first_id
    RETURNING event_pending.first_id, event_pending.n
"""  # noqa: S608 - two numbers of this module
FOLDED_COLUMNS = (
    "id, org, external_subscription_id, code, ts, properties, precise_total_amount_cents"
)
_EVENTS = """
    SELECT event.id, event.org, event.external_subscription_id, event.code, event.ts,
           event.properties, event.precise_total_amount_cents
    FROM unnest($1::bigint[], $2::int[]) AS block (first_id, n)
    CROSS JOIN LATERAL (
      SELECT * FROM events AS one
      WHERE one.id > block.first_id AND one.id <= block.first_id + block.n OFFSET 0
    ) AS event
    WHERE event.deleted_at IS NULL
"""
_ROLLUPS = """
    INSERT INTO event_rollups AS kept
      (meter, grain, bucket, external_subscription_id, group_key,
       n, total, greatest, moment, amount, newest_at, newest_id, newest)
    SELECT * FROM unnest($1::int[], $2::smallint[], $3::bigint[], $4::text[], $5::text[],
                         $6::bigint[], $7::numeric[], $8::numeric[], $9::numeric[],
                         $10::numeric[], $11::bigint[], $12::bigint[], $13::numeric[])
    ON CONFLICT (meter, external_subscription_id, grain, bucket, group_key) DO UPDATE
    SET n = kept.n + excluded.n,
        total = coalesce(kept.total + excluded.total, kept.total, excluded.total),
        greatest = greatest(kept.greatest, excluded.greatest),
        moment = coalesce(kept.moment + excluded.moment, kept.moment, excluded.moment),
        amount = coalesce(kept.amount + excluded.amount, kept.amount, excluded.amount),
        (newest_at, newest_id, newest) = (
          SELECT pair.at, pair.id, pair.number FROM (VALUES
            (kept.newest_at, kept.newest_id, kept.newest),
            (excluded.newest_at, excluded.newest_id, excluded.newest)) AS pair (at, id, number)
          ORDER BY pair.at DESC NULLS LAST, pair.id DESC LIMIT 1
        )
"""
_PLAIN_ROLLUPS = """
    INSERT INTO event_rollups AS kept
      (meter, grain, bucket, external_subscription_id, group_key, n, total)
    SELECT * FROM unnest($1::int[], $2::smallint[], $3::bigint[], $4::text[], $5::text[],
                         $6::bigint[], $7::numeric[])
    ON CONFLICT (meter, external_subscription_id, grain, bucket, group_key) DO UPDATE
    SET n = kept.n + excluded.n,
        total = coalesce(kept.total + excluded.total, kept.total, excluded.total)
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
_CODES = """
    INSERT INTO event_codes AS kept (org, code, n, lowest_id, highest_id)
    SELECT * FROM unnest($1::bytea[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
    ON CONFLICT (org, code) DO UPDATE
    SET n = kept.n + excluded.n,
        lowest_id = least(kept.lowest_id, excluded.lowest_id),
        highest_id = greatest(kept.highest_id, excluded.highest_id)
"""
_GROUPS = """
    INSERT INTO event_groups (meter, group_key, texts)
    SELECT * FROM unnest($1::int[], $2::text[], $3::text[]) ON CONFLICT DO NOTHING
"""
_METERS = """
    SELECT meter, org, code, metric_id, aggregation, field_name, dimensions, cursor_id, boundary_id
    FROM event_meters
"""


class Registry(NamedTuple):
    """All meters and watched codes as of a version."""

    version: int
    meters: dict[MeterKey, list[RegisteredMeter]]
    foldings: dict[MeterKey, list[Folding]]
    watched: frozenset[MeterKey]


NO_REGISTRY = Registry(0, {}, {}, frozenset())


async def load_registry(connection: Any, known: Registry = NO_REGISTRY) -> Registry:
    """Return the registry as it is now, the known one if nothing changed.

    Exact only where nobody can change it meanwhile: under the fold lock, or in a snapshot.
    """
    version = await connection.fetchval("SELECT version FROM event_registry")
    if version == known.version:
        return known
    meters: dict[MeterKey, list[RegisteredMeter]] = {}
    for row in await connection.fetch(_METERS):
        key = MeterKey(row["org"], row["code"])
        meters.setdefault(key, []).append(registered(row))
    watched = await connection.fetch("SELECT org, code FROM event_watched_codes")
    pairs = [(key, meter) for key, several in meters.items() for meter in several]
    return Registry(
        version, meters, foldings_of(pairs), frozenset(MeterKey(*row) for row in watched)
    )


def registered(row: Any) -> RegisteredMeter:
    """Return a meter from its row."""
    return RegisteredMeter(
        row["meter"],
        UUID(int=row["metric_id"].int),
        Definition(row["aggregation"], row["field_name"], tuple(row["dimensions"])),
        row["cursor_id"],
        row["boundary_id"],
    )


class Folder:
    """Folds pending blocks; remembers the registry between two folds."""

    def __init__(self) -> None:
        self._registry = NO_REGISTRY

    async def fold(self, connection: Any) -> int:
        """Fold some blocks in a transaction of its own; returns how many events, 0 for none.

        Another process that folds at the moment makes it 0 as well.
        """
        async with connection.transaction():
            if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", FOLD_LOCK):
                return 0
            return await self._fold(connection)

    async def settle(self, connection: Any) -> None:
        """Fold all that is pending; waits for others who fold."""
        async with connection.transaction():
            await self.fold_everything(connection)

    async def fold_everything(self, connection: Any) -> None:
        """Fold all that is pending now, inside the caller's transaction, and keep the fold lock."""
        await connection.execute("SELECT pg_advisory_xact_lock($1)", FOLD_LOCK)
        while await self._fold(connection):
            pass

    async def _fold(self, connection: Any) -> int:
        blocks = await connection.fetch(_TAKE)
        if not blocks:
            return 0
        self._registry = await load_registry(connection, self._registry)
        bounds = list(zip(*blocks, strict=True))
        events = await connection.fetch(_EVENTS, *bounds)
        deltas = Deltas()
        deltas.fold(events, self._registry.foldings, self._registry.watched)
        await add_deltas(connection, deltas)
        return sum(bounds[1])


async def add_deltas(connection: Any, deltas: Deltas) -> None:
    """Add what events amount to, inside the caller's transaction and in the order of keys."""
    if deltas.groups:
        groups = sorted((*key, text) for key, text in deltas.groups.items())
        await connection.execute(_GROUPS, *columns(groups, 3))
    if deltas.hours:
        await _add_tallies(connection, deltas)
    if deltas.values:
        values = [(*key, *operation) for key, operation in deltas.value_sets().items()]
        await connection.execute(_VALUES, *columns(values, 9))
    if deltas.codes:
        codes = sorted(
            (*key, count.events_count, count.lowest_id, count.highest_id)
            for key, count in deltas.codes.items()
        )
        await connection.execute(_CODES, *columns(codes, 5))
    if deltas.due:
        await connection.execute(
            "INSERT INTO event_due (id) SELECT * FROM unnest($1::bigint[])", sorted(deltas.due)
        )


async def _add_tallies(connection: Any, deltas: Deltas) -> None:
    plain: list[Sequence[Any]] = []
    others: list[Sequence[Any]] = []
    for key, tally in deltas.rollups().items():
        parts = (tally.greatest, tally.moment, tally.amount, *(tally.newest or (None,) * 3))
        if parts == (None,) * len(parts):
            plain.append((*key, tally.events_count, tally.total))
        else:
            others.append((*key, tally.events_count, tally.total, *parts))
    if plain:
        await connection.execute(_PLAIN_ROLLUPS, *columns(plain, 7))
    if others:
        await connection.execute(_ROLLUPS, *columns(others, 13))


def columns(rows: Iterable[Sequence[Any]], count: int) -> list[Sequence[Any]]:
    """Turn rows into columns; `count` of them, even without rows."""
    turned: list[Sequence[Any]] = list(zip(*rows, strict=True))
    return turned or [()] * count
