"""Meters of the PostgreSQL event log: registered once for all processes, backfilled in steps."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from billing_core.store.events.participation import (
    Definition,
    MeterKey,
    RegisteredMeter,
    is_replaced,
)
from billing_core.store.events.postgres_folding import (
    FOLD_LOCK,
    FOLDED_COLUMNS,
    Folder,
    add_deltas,
    registered,
)
from billing_core.store.events.rollups import Deltas, folding_of

BACKFILL_EVENTS = 10_000
_METERS = "SELECT * FROM event_meters WHERE org = $1 AND code = $2 ORDER BY meter"


async def find_meters(connection: Any, key: MeterKey) -> list[RegisteredMeter]:
    """Return the meters of a code as they are now, the oldest first."""
    return [registered(row) for row in await connection.fetch(_METERS, *key)]


async def register(
    connection: Any, key: MeterKey, metric_id: UUID, definition: Definition
) -> RegisteredMeter:
    """Make sure a meter that covers this exists; its backfill may still be to do.

    What is pending is folded first and later blocks are folded with the new meter, so the boundary
    between its backfill and live events is exact: the lock on the list of pending blocks waits for
    the flushes that have drawn one and holds up new ones for that moment.
    """
    known = _covering(await find_meters(connection, key), definition)
    if known is not None and known.metric_id == metric_id:
        return known
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", FOLD_LOCK)
        known = _covering(await find_meters(connection, key), definition)
        await _announce(connection)
        if known is not None:
            await connection.execute(
                "UPDATE event_meters SET metric_id = $1 WHERE meter = $2", metric_id, known.meter
            )
            return known._replace(metric_id=metric_id)
        await connection.execute("LOCK TABLE event_pending IN SHARE MODE")
        await Folder().fold_everything(connection)
        row = await connection.fetchrow(
            """
            INSERT INTO event_meters (org, code, metric_id, aggregation, field_name, dimensions,
                                      cursor_id, boundary_id)
            SELECT $1, $2, $3, $4, $5, $6,
                   coalesce(min(lowest_id) - 1, 0), coalesce(max(highest_id), 0)
            FROM event_codes WHERE org = $1 AND code = $2
            RETURNING *
            """,
            *(*key, metric_id, *definition),
        )
        return registered(row)


async def backfill(connection: Any, meter: int) -> bool:
    """Fold the next stretch of earlier events; True when nothing is left to do.

    A meter that has become complete replaces those of its code that it covers, and those that read
    something else.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", FOLD_LOCK)
        row = await connection.fetchrow("SELECT * FROM event_meters WHERE meter = $1", meter)
        if row is None:
            return True
        key, known = MeterKey(row["org"], row["code"]), registered(row)
        cursor_id = known.cursor_id
        if not known.is_complete:
            cursor_id = await _fold_stretch(connection, key, known)
            await connection.execute(
                "UPDATE event_meters SET cursor_id = $1 WHERE meter = $2", cursor_id, meter
            )
        if cursor_id < known.boundary_id:
            return False
        await _announce(connection)
        others = [each for each in await find_meters(connection, key) if each.meter != meter]
        await _drop(connection, [each for each in others if is_replaced(each, known)])
        return True


async def _fold_stretch(connection: Any, key: MeterKey, meter: RegisteredMeter) -> int:
    events = await connection.fetch(
        f"SELECT {FOLDED_COLUMNS} FROM events"  # noqa: S608 - names of columns
        " WHERE id > $1 AND id <= $2 AND org = $3 AND code = $4 AND deleted_at IS NULL"
        " ORDER BY id LIMIT $5",
        *(meter.cursor_id, meter.boundary_id, *key, BACKFILL_EVENTS),
    )
    deltas = Deltas()
    deltas.fold(map(tuple, events), {key: [folding_of(meter.meter, meter.definition)]})
    deltas.codes.clear()  # they were counted when they arrived
    await add_deltas(connection, deltas)
    is_last = len(events) < BACKFILL_EVENTS
    cursor_id: int = meter.boundary_id if is_last else events[-1]["id"]
    return cursor_id


async def unfinished(connection: Any) -> int | None:
    """Return a meter whose backfill is not complete, if there is one."""
    meter: int | None = await connection.fetchval(
        "SELECT meter FROM event_meters WHERE cursor_id < boundary_id ORDER BY meter LIMIT 1"
    )
    return meter


async def forget(connection: Any, key: MeterKey, until_us: int, now_us: int) -> int:
    """Soft-delete a code's events created up to an instant; returns how many.

    Its meters go with them. Nobody can register one anew before this is committed, so a backfill
    never sees events that are about to go.
    """
    async with connection.transaction():
        await Folder().fold_everything(connection)
        await _announce(connection)
        await _drop(connection, await find_meters(connection, key))
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


async def watch(connection: Any, org_id: bytes, codes: Iterable[str]) -> None:
    """Watch exactly these codes of an organization from now on."""
    async with connection.transaction():
        await Folder().fold_everything(connection)
        await _announce(connection)
        await connection.execute("DELETE FROM event_watched_codes WHERE org = $1", org_id)
        await connection.execute(
            "INSERT INTO event_watched_codes (org, code) SELECT $1, unnest($2::text[])",
            *(org_id, sorted(codes)),
        )


def _covering(meters: Iterable[RegisteredMeter], definition: Definition) -> RegisteredMeter | None:
    found = [meter for meter in meters if meter.definition.covers(definition)]
    return max(found, key=lambda meter: meter.is_complete, default=None)


async def _announce(connection: Any) -> None:
    """Tell everybody who remembers the registry that it has changed."""
    await connection.execute("UPDATE event_registry SET version = version + 1")


async def _drop(connection: Any, meters: Iterable[RegisteredMeter]) -> None:
    numbers = [meter.meter for meter in meters]
    if not numbers:
        return
    for table in ("event_rollups", "event_value_sets", "event_groups", "event_meters"):
        await connection.execute(
            f"DELETE FROM {table} WHERE meter = ANY ($1)",  # noqa: S608 - four literals
            numbers,
        )
