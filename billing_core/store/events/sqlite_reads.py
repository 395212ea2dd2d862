"""The questions asked of the SQLite event log, inside one read transaction.

Each answer is one row of JSON: the driver takes the interpreter lock for every row it steps to,
and beside a busy event loop each of those may cost milliseconds.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from billing_core.store.events.answers import BucketTally, RawEvent, ValueOperation
from billing_core.store.events.participation import Definition, MeterKey, RegisteredMeter
from billing_core.store.events.raw_usage import StoredUsageEvent
from billing_core.store.events.records import series_of
from billing_core.store.events.rollups import NO_GROUP, LastOperation, Tally
from billing_core.store.events.sqlite_meters import read_decimal
from billing_core.store.events.windows import Span

ENUMERATED_BUCKETS = 800
FIND_METER = """
    SELECT meter, metric_id, aggregation, field_name, cursor_id, boundary_id
    FROM meters WHERE org = ? AND code = ?
"""
# From one filled bucket to the next by the primary key, however far apart they lie.
FILLED_BUCKETS = """
    WITH RECURSIVE filled (bucket) AS (
      SELECT min(bucket) FROM rollups WHERE meter = :meter AND grain = :grain AND bucket >= :first
      UNION ALL
      SELECT (SELECT min(bucket) FROM rollups
              WHERE meter = :meter AND grain = :grain AND bucket > filled.bucket)
      FROM filled WHERE filled.bucket < :end
    )
    SELECT json_group_array(bucket) FROM filled WHERE bucket < :end
"""
TALLIES = """
    SELECT json_group_array(json_array(bucket, n, total, greatest)) FROM rollups
    WHERE meter = ? AND grain = ? AND bucket IN (SELECT value FROM json_each(?))
      AND external_subscription_id = ? AND group_key = ?
"""
VALUES = """
    SELECT json_group_array(json_array(value, last_at, last_id, is_present)) FROM value_sets
    WHERE meter = ? AND grain = ? AND bucket IN (SELECT value FROM json_each(?))
      AND external_subscription_id = ? AND group_key = ?
"""
FOLDED_EVENTS = """
    SELECT json_group_array(json_array(e.ts, e.id, e.properties))
    FROM event_series AS s CROSS JOIN events AS e ON e.id = s.id
    WHERE s.series = :series AND s.ts >= :start AND s.ts < :end
      AND e.org = :org AND e.external_subscription_id = :subscription AND e.code = :code
      AND e.deleted_at IS NULL
"""
TAIL_EVENTS = """
    SELECT json_group_array(json_array(ts, id, properties)) FROM events NOT INDEXED
    WHERE id > (SELECT folded_id FROM log_state) AND series = :series
      AND ts >= :start AND ts < :end
      AND org = :org AND external_subscription_id = :subscription AND code = :code
      AND deleted_at IS NULL
"""

# Everything usage may depend on, of folded events and of the tail.
USAGE_EVENTS = """
    SELECT json_group_array(json_array(ts, id, hex(key), transaction_id, properties, amount)) FROM (
      SELECT e.ts, e.id, e.key, e.transaction_id, e.properties,
             e.precise_total_amount_cents AS amount
      FROM event_series AS s CROSS JOIN events AS e ON e.id = s.id
      WHERE s.series = :series AND s.ts >= :start AND s.ts < :end
        AND e.org = :org AND e.external_subscription_id = :subscription AND e.code = :code
        AND e.deleted_at IS NULL
      UNION ALL
      SELECT ts, id, key, transaction_id, properties, precise_total_amount_cents
      FROM events NOT INDEXED
      WHERE id > (SELECT folded_id FROM log_state) AND series = :series
        AND ts >= :start AND ts < :end
        AND org = :org AND external_subscription_id = :subscription AND code = :code
        AND deleted_at IS NULL
    )
"""

_tallies_decoder = msgspec.json.Decoder(list[tuple[int, int, str | None, str | None]])
_values_decoder = msgspec.json.Decoder(list[tuple[str, int, int, int]])
_raw_decoder = msgspec.json.Decoder(list[tuple[int, int, str]])
_usage_decoder = msgspec.json.Decoder(list[tuple[int, int, str, str, str, str | None]])


class SqliteReads:
    """One read-only connection. Not to be used by two threads at once."""

    def __init__(self, database: Path) -> None:
        self._connection = sqlite3.connect(
            f"{database.resolve().as_uri()}?mode=ro",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
        )
        self._connection.execute("PRAGMA cache_size = -16384")
        self._filled: dict[tuple[int, int, Span], str] = {}

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @contextmanager
    def snapshot(self) -> Iterator["SqliteReads"]:
        """Read one state of the log, whatever is committed meanwhile."""
        self._connection.execute("BEGIN")
        self._filled.clear()
        try:
            yield self
        finally:
            self._connection.execute("COMMIT")

    def query(self, statement: str, parameters: Any = ()) -> sqlite3.Cursor:
        """Run a statement of another module of this store."""
        return self._connection.execute(statement, parameters)

    def find_meter(self, key: MeterKey) -> RegisteredMeter | None:
        """Return a meter as it is registered now."""
        row = self._connection.execute(FIND_METER, key).fetchone()
        if row is None:
            return None
        meter, metric_id, aggregation, field_name, cursor_id, boundary_id = row
        definition = Definition(aggregation, field_name)
        return RegisteredMeter(meter, UUID(bytes=metric_id), definition, cursor_id, boundary_id)

    def tallies(self, meter: int, grain: int, span: Span, subscription: str) -> list[BucketTally]:
        """Return the rollup rows of a range of buckets."""
        buckets = self._buckets(meter, grain, span)
        parameters = (meter, grain, buckets, subscription, NO_GROUP)
        (rows,) = self._connection.execute(TALLIES, parameters).fetchone()
        return [
            BucketTally(grain, bucket, Tally(count, read_decimal(total), read_decimal(greatest)))
            for bucket, count, total, greatest in _tallies_decoder.decode(rows)
        ]

    def values(self, meter: int, grain: int, span: Span, subscription: str) -> list[ValueOperation]:
        """Return the value set rows of a range of buckets."""
        buckets = self._buckets(meter, grain, span)
        parameters = (meter, grain, buckets, subscription, NO_GROUP)
        (rows,) = self._connection.execute(VALUES, parameters).fetchone()
        return [
            ValueOperation(value, LastOperation(last_at, last_id, bool(is_present)))
            for value, last_at, last_id, is_present in _values_decoder.decode(rows)
        ]

    def folded_events(self, key: MeterKey, subscription: str, span_us: Span) -> list[RawEvent]:
        """Return the live events of a series that rollups cover, in a range of microseconds."""
        return self._raw(FOLDED_EVENTS, key, subscription, span_us)

    def tail_events(self, key: MeterKey, subscription: str, span_us: Span) -> list[RawEvent]:
        """Return the live events of a series that rollups do not cover yet."""
        return self._raw(TAIL_EVENTS, key, subscription, span_us)

    def usage_events(
        self, key: MeterKey, subscription: str, span_us: Span
    ) -> Iterator[StoredUsageEvent]:
        """Return the live events of a series, folded or not, in a range of microseconds."""
        parameters = _of_series(key, subscription, span_us)
        (rows,) = self._connection.execute(USAGE_EVENTS, parameters).fetchone()
        for at, event_id, digits, name, properties, amount in _usage_decoder.decode(rows):
            yield StoredUsageEvent(at, event_id, bytes.fromhex(digits), name, properties, amount)

    def _raw(
        self, statement: str, key: MeterKey, subscription: str, span_us: Span
    ) -> list[RawEvent]:
        parameters = _of_series(key, subscription, span_us)
        (rows,) = self._connection.execute(statement, parameters).fetchone()
        return [RawEvent(*row) for row in _raw_decoder.decode(rows)]

    def _buckets(self, meter: int, grain: int, span: Span) -> str:
        """Return the buckets to look at as JSON: all of a short range, the filled of a long."""
        address = (meter, grain, span)
        known = self._filled.get(address)
        if known is not None:
            return known
        if span[1] - span[0] <= ENUMERATED_BUCKETS:
            found = msgspec.json.encode(list(range(*span))).decode()
        else:
            parameters = {"meter": meter, "grain": grain, "first": span[0], "end": span[1]}
            (found,) = self._connection.execute(FILLED_BUCKETS, parameters).fetchone()
        self._filled[address] = found
        return found


def _of_series(key: MeterKey, subscription: str, span_us: Span) -> dict[str, Any]:
    return {
        "series": series_of(key.org_id, subscription, key.code),
        "start": span_us[0],
        "end": span_us[1],
        "org": key.org_id,
        "subscription": subscription,
        "code": key.code,
    }
