"""Lists of raw events out of the SQLite event log."""

import heapq
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

from billing_core.ports import Activity, DueEvent, EventFilter, StoredEvent
from billing_core.store.events.records import (
    STORED_COLUMNS,
    key_range,
    micros,
    series_of,
    stored_event,
)
from billing_core.store.events.sqlite_reads import SqliteReads

EARLIEST_US, LATEST_US = -(2**63), 2**63 - 1
_COLUMNS = ", ".join(f"e.{name}" for name in STORED_COLUMNS.split(", "))
_CONDITIONS = """
    e.org = :org AND e.deleted_at IS NULL AND e.ts BETWEEN :first AND :last
    AND (:code IS NULL OR e.code = :code)
    AND (:subscription IS NULL OR e.external_subscription_id = :subscription)
"""
FIND = f"""
    SELECT {_COLUMNS}, e.id FROM event_keys AS k CROSS JOIN events AS e ON e.id = k.id
    WHERE k.key BETWEEN :lowest AND :highest
      AND e.org = :org AND e.transaction_id = :transaction_id AND e.deleted_at IS NULL
    UNION ALL
    SELECT {_COLUMNS}, e.id FROM events AS e NOT INDEXED
    WHERE e.id > (SELECT min(folded_id) FROM key_slices)
      AND e.org = :org AND e.transaction_id = :transaction_id AND e.deleted_at IS NULL
"""  # noqa: S608 - names of columns
# The unary plus keeps the planner from sorting everything by something it thinks cheaper.
BY_TIME = f"""
    SELECT {_COLUMNS} FROM event_times AS t CROSS JOIN events AS e ON e.id = t.id
    WHERE t.org = :org AND t.ts BETWEEN :first AND :last AND {_CONDITIONS}
    ORDER BY t.ts DESC, +e.transaction_id LIMIT :limit
"""  # noqa: S608 - names of columns
BY_SERIES = f"""
    SELECT {_COLUMNS} FROM event_series AS s CROSS JOIN events AS e ON e.id = s.id
    WHERE s.series = :series AND s.ts BETWEEN :first AND :last AND {_CONDITIONS}
    ORDER BY s.ts DESC, +e.transaction_id LIMIT :limit
"""  # noqa: S608 - names of columns
TAIL = f"""
    SELECT {_COLUMNS} FROM events AS e NOT INDEXED
    WHERE e.id > (SELECT folded_id FROM log_state) AND {_CONDITIONS}
    ORDER BY e.ts DESC, e.transaction_id LIMIT :limit
"""  # noqa: S608 - names of columns
COUNT_TAIL = f"""
    SELECT count(*) FROM events AS e NOT INDEXED
    WHERE e.id > (SELECT folded_id FROM log_state) AND {_CONDITIONS}
"""  # noqa: S608 - names of columns
COUNT_TIMES = "SELECT count(*) FROM event_times WHERE org = :org AND ts BETWEEN :first AND :last"
COUNT_TIMES_OF_CODE = f"""
    SELECT count(*) FROM event_times AS t CROSS JOIN events AS e ON e.id = t.id
    WHERE t.org = :org AND t.ts BETWEEN :first AND :last AND {_CONDITIONS}
"""  # noqa: S608 - names of columns
COUNT_SERIES = """
    SELECT count(*) FROM event_series WHERE series = :series AND ts BETWEEN :first AND :last
"""
COUNT_CODES = """
    SELECT coalesce(sum(n), 0) FROM event_codes
    WHERE org = :org AND (:code IS NULL OR code = :code)
"""
DUE = f"""
    SELECT e.id, e.org, {_COLUMNS} FROM due_events AS d CROSS JOIN events AS e ON e.id = d.id
    WHERE e.deleted_at IS NULL ORDER BY d.id LIMIT ?
"""  # noqa: S608 - names of columns
INGESTED = f"""
    SELECT e.id, {_COLUMNS} FROM events AS e NOT INDEXED
    WHERE e.id > ? AND e.org = ? AND e.deleted_at IS NULL ORDER BY e.id LIMIT ?
"""  # noqa: S608 - names of columns
ACTIVITY = """
    SELECT org, external_subscription_id, count(*), max(id) FROM (
      SELECT id, org, external_subscription_id FROM events NOT INDEXED
      WHERE id > ? ORDER BY id LIMIT ?
    ) GROUP BY org, external_subscription_id
"""
CODES = "SELECT code FROM event_codes WHERE org = ?"


class _Wanted(NamedTuple):
    """A filter ready for the statements above; `series` is None without a subscription."""

    parameters: dict[str, Any]
    series: list[int] | None
    is_any_time: bool


def find(reads: SqliteReads, org_id: bytes, transaction_id: str) -> StoredEvent | None:
    """Return the newest live event with that transaction id."""
    lowest, highest = key_range(org_id, transaction_id)
    parameters = {
        "lowest": lowest,
        "highest": highest,
        "org": org_id,
        "transaction_id": transaction_id,
    }
    newest = max(reads.query(FIND, parameters), key=lambda row: row[-1], default=None)
    return None if newest is None else stored_event(newest[:-1])


def is_anything_watched(reads: SqliteReads) -> bool:
    """Tell whether folding may find events that are due."""
    (found,) = reads.query("SELECT EXISTS (SELECT 1 FROM watched_codes)").fetchone()
    return bool(found)


def due(reads: SqliteReads, limit: int) -> list[DueEvent]:
    """Return the oldest events of watched codes that nobody has dealt with."""
    rows = reads.query(DUE, (limit,))
    return [DueEvent(order, UUID(bytes=org), stored_event(tuple(row))) for order, org, *row in rows]


def ingested(
    reads: SqliteReads, org_id: bytes, after: int, limit: int
) -> list[tuple[int, StoredEvent]]:
    """Return the first events behind an order, in the order of ingestion."""
    rows = reads.query(INGESTED, (after, org_id, limit))
    return [(order, stored_event(tuple(row))) for order, *row in rows]


def activity(reads: SqliteReads, after: int | None, limit: int) -> Activity:
    """Tell whom the first events behind an order came for; this file's orders have no gaps."""
    if after is None:
        (newest,) = reads.query("SELECT coalesce(max(id), 0) FROM events").fetchone()
        return Activity(newest)
    rows = list(reads.query(ACTIVITY, (after, limit)))
    names = frozenset((UUID(bytes=org), name) for org, name, *_ in rows if name is not None)
    return Activity(max((row[3] for row in rows), default=after), names)


def newest_order(reads: SqliteReads) -> int:
    """Return the greatest order of ingestion there is."""
    return _number(reads, "SELECT coalesce(max(id), 0) FROM events", {})


def page(
    reads: SqliteReads, org_id: bytes, wanted: EventFilter, limit: int, offset: int
) -> tuple[list[StoredEvent], int]:
    """Return a page, newest first and then by transaction id, and the total count."""
    asked = _asked(reads, org_id, wanted)
    total = _count(reads, asked)
    if offset >= total:
        return [], total
    parameters = {**asked.parameters, "limit": offset + limit}
    sources = [reads.query(TAIL, parameters)]
    if asked.series is None:
        sources.append(reads.query(BY_TIME, parameters))
    else:
        sources += [
            reads.query(BY_SERIES, {**parameters, "series": series}) for series in asked.series
        ]
    merged = heapq.merge(*sources, key=lambda row: (-row[4], row[1]))
    rows = islice(merged, offset, offset + limit)
    return [stored_event(row) for row in rows], total


def _asked(reads: SqliteReads, org_id: bytes, wanted: EventFilter) -> _Wanted:
    subscription, code = wanted.external_subscription_id, wanted.code
    series = None
    if subscription is not None:
        codes = [row[0] for row in reads.query(CODES, (org_id,))] if code is None else [code]
        series = [series_of(org_id, subscription, each) for each in codes]
    first = EARLIEST_US if wanted.timestamp_from is None else micros(wanted.timestamp_from)
    last = LATEST_US if wanted.timestamp_to is None else micros(wanted.timestamp_to)
    parameters = {
        "org": org_id,
        "code": code,
        "subscription": subscription,
        "first": first,
        "last": last,
    }
    is_any_time = wanted.timestamp_from is None and wanted.timestamp_to is None
    return _Wanted(parameters, series, is_any_time)


def _count(reads: SqliteReads, asked: _Wanted) -> int:
    parameters = asked.parameters
    tail = _number(reads, COUNT_TAIL, parameters)
    if asked.series is None and asked.is_any_time:
        return tail + _number(reads, COUNT_CODES, parameters)
    if asked.series is not None:
        found = (
            _number(reads, COUNT_SERIES, {**parameters, "series": series})
            for series in asked.series
        )
        return tail + sum(found)
    if parameters["code"] is None:
        return tail + _number(reads, COUNT_TIMES, parameters)
    return tail + _number(reads, COUNT_TIMES_OF_CODE, parameters)


def _number(reads: SqliteReads, statement: str, parameters: dict[str, Any]) -> int:
    (number,) = reads.query(statement, parameters).fetchone()
    return int(number)
