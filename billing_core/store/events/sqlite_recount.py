"""The recount of a SQLite event log, in one snapshot."""

from collections.abc import Iterator
from uuid import UUID

from billing_core.ports import EventBacklog
from billing_core.store.events.participation import Definition, MeterKey
from billing_core.store.events.recount import (
    BUILDS,
    State,
    backlog_of,
    compare,
    count_again,
)
from billing_core.store.events.rollups import LastOperation, RollupKey, ValueKey
from billing_core.store.events.sqlite_meters import TALLY_COLUMNS, read_meter, read_tally
from billing_core.store.events.sqlite_reads import SqliteReads

_OF_ORG = "(:org IS NULL OR org = :org)"
_EVENTS = f"""
    SELECT id, org, external_subscription_id, code, ts, properties, precise_total_amount_cents
    FROM events NOT INDEXED
    WHERE id <= (SELECT folded_id FROM log_state) AND deleted_at IS NULL AND {_OF_ORG}
"""  # noqa: S608 - a literal
_METERS = f"""
    SELECT org, code, meter, metric_id, aggregation, field_name, dimensions, cursor_id, boundary_id
    FROM meters WHERE cursor_id >= boundary_id AND {_OF_ORG}
"""  # noqa: S608 - a literal
_ROLLUPS = f"""
    SELECT meter, grain, bucket, external_subscription_id, group_key, {TALLY_COLUMNS}
    FROM rollups WHERE meter = ?
"""  # noqa: S608 - names of columns
_VALUES = """
    SELECT meter, grain, bucket, external_subscription_id, group_key, value,
           last_at, last_id, is_present
    FROM value_sets WHERE meter = ?
"""
_CODES = f"SELECT org, code, n FROM event_codes WHERE n > 0 AND {_OF_ORG}"  # noqa: S608 - a literal
_INDEXES = {
    "event_keys": """
        SELECT (SELECT count(*) FROM event_keys),
               (SELECT count(*) FROM event_keys AS i JOIN events AS e ON e.id = i.id
                WHERE e.key = i.key),
               (SELECT count(*) FROM events AS e NOT INDEXED
                JOIN key_slices AS s ON s.slice = (
                  instr('0123456789ABCDEF', substr(hex(substr(e.key, 1, 1)), 1, 1)) - 1
                ) WHERE e.id <= s.folded_id)
    """,
    "distinct keys": """
        SELECT count(*), count(DISTINCT key), count(*) FROM events NOT INDEXED
    """,
    "event_series": """
        SELECT (SELECT count(*) FROM event_series),
               (SELECT count(*) FROM event_series AS i JOIN events AS e ON e.id = i.id
                WHERE e.series = i.series AND e.ts = i.ts AND e.deleted_at IS NULL),
               (SELECT count(*) FROM events NOT INDEXED
                WHERE id <= (SELECT folded_id FROM log_state) AND deleted_at IS NULL)
    """,
    "event_times": """
        SELECT (SELECT count(*) FROM event_times),
               (SELECT count(*) FROM event_times AS i JOIN events AS e ON e.id = i.id
                WHERE e.org = i.org AND e.ts = i.ts AND e.deleted_at IS NULL),
               (SELECT count(*) FROM events NOT INDEXED
                WHERE id <= (SELECT folded_id FROM log_state) AND deleted_at IS NULL)
    """,
}


def backlog(reads: SqliteReads) -> EventBacklog:
    """Return what is not folded yet and the meters that are being built."""
    (unfolded,) = reads.query(
        "SELECT (SELECT coalesce(max(id), 0) FROM events) - folded_id FROM log_state"
    ).fetchone()
    return backlog_of(unfolded, reads.query(BUILDS.format(meters="meters")))


def differences(reads: SqliteReads, org_id: UUID | None) -> list[str]:
    """Name every rollup, value, counter and index that the events contradict."""
    scope = {"org": None if org_id is None else org_id.bytes}
    meters: dict[MeterKey, list[tuple[int, Definition]]] = {}
    for key, meter in map(read_meter, reads.query(_METERS, scope)):
        meters.setdefault(key, []).append((meter.meter, meter.definition))
    counted = State()
    count_again(reads.query(_EVENTS, scope), meters, counted)
    kept = _kept(reads, [meter for several in meters.values() for meter, _ in several])
    kept.codes = {MeterKey(org, code): count for org, code, count in reads.query(_CODES, scope)}
    return [*compare(kept, counted), *_index_differences(reads)]


def _kept(reads: SqliteReads, meters: list[int]) -> State:
    state = State()
    for meter in meters:
        for row in reads.query(_ROLLUPS, (meter,)):
            state.rollups[RollupKey(*row[:5])] = read_tally(row[5:])
        for row in reads.query(_VALUES, (meter,)):
            state.values[ValueKey(*row[:6])] = LastOperation(row[6], row[7], bool(row[8]))
    return state


def _index_differences(reads: SqliteReads) -> Iterator[str]:
    for name, statement in _INDEXES.items():
        entries, true_entries, events = reads.query(statement).fetchone()
        if not entries == true_entries == events:
            yield f"{name}: {entries} entries, {true_entries} true, {events} events"
