"""The questions asked of the SQLite event log, inside one read transaction.

Each answer is one row of JSON: the driver takes the interpreter lock for every row it steps to,
and beside a busy event loop each of those may cost milliseconds.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from billing_core.store.events.answers import Question, RawEvent
from billing_core.store.events.participation import MeterKey, RegisteredMeter
from billing_core.store.events.raw_usage import StoredUsageEvent
from billing_core.store.events.records import series_of
from billing_core.store.events.rollups import HOUR, LastOperation
from billing_core.store.events.sqlite_meters import TallyRow, read_meter, read_tally
from billing_core.store.events.windows import Span

ENUMERATED_BUCKETS = 800
FIND_METERS = """
    SELECT org, code, meter, metric_id, aggregation, field_name, dimensions, cursor_id, boundary_id
    FROM meters WHERE org = ? AND code = ? ORDER BY meter
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
_OF_BUCKETS = """
    LEFT JOIN event_groups AS long
      ON substr(kept.group_key, 1, 1) = '#'
     AND long.meter = kept.meter AND long.group_key = kept.group_key
    WHERE kept.meter = ? AND kept.grain = ?
      AND kept.bucket IN (SELECT value FROM json_each(?)) AND kept.external_subscription_id = ?
"""
TALLIES = f"""
    SELECT json_group_array(json_array(kept.group_key, long.texts, json_array(
      n, total, greatest, moment, amount, newest_at, newest_id, newest
    ))) FROM rollups AS kept {_OF_BUCKETS}
"""  # noqa: S608 - text of this module
VALUES = f"""
    SELECT json_group_array(json_array(
      kept.group_key, long.texts, value, json_array(last_at, last_id, is_present)
    )) FROM value_sets AS kept {_OF_BUCKETS}
"""  # noqa: S608 - text of this module
FOLDED_EVENTS = """
    SELECT json_group_array(json_array(
      e.ts, e.id, e.properties, e.precise_total_amount_cents
    ))
    FROM event_series AS s CROSS JOIN events AS e ON e.id = s.id
    WHERE s.series = :series AND s.ts >= :start AND s.ts < :end
      AND e.org = :org AND e.external_subscription_id = :subscription AND e.code = :code
      AND e.deleted_at IS NULL
"""
TAIL_EVENTS = """
    SELECT json_group_array(json_array(ts, id, properties, precise_total_amount_cents))
    FROM events NOT INDEXED
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

_tallies_decoder = msgspec.json.Decoder(list[tuple[str, str | None, TallyRow]])
_values_decoder = msgspec.json.Decoder(list[tuple[str, str | None, str, tuple[int, int, int]]])
_raw_decoder = msgspec.json.Decoder(list[RawEvent])
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

    def find_meters(self, key: MeterKey) -> list[RegisteredMeter]:
        """Return the meters of a code as they are registered now."""
        return [meter for _, meter in map(read_meter, self.query(FIND_METERS, key))]

    def add_tallies(self, question: Question, grain: int, span: Span) -> None:
        """Add the rollup rows of a range of buckets to a question."""
        (rows,) = self._of_buckets(TALLIES, question, grain, span)
        for group_key, text, row in _tallies_decoder.decode(rows):
            question.add_tally(group_key, text, read_tally(row))

    def add_values(self, question: Question, grain: int, span: Span) -> None:
        """Add the value set rows of a range of buckets to a question."""
        (rows,) = self._of_buckets(VALUES, question, grain, span)
        for group_key, text, value, (at_us, event_id, is_present) in _values_decoder.decode(rows):
            operation = LastOperation(at_us, event_id, bool(is_present))
            question.add_value(group_key, text, value, operation)

    def is_filled(self, question: Question, hour: int) -> bool:
        """Tell whether any folded event of an hour takes part."""
        (rows,) = self._of_buckets(TALLIES, question, HOUR, (hour, hour + 1))
        return bool(rows != "[]")

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
        return _raw_decoder.decode(rows)

    def _of_buckets(self, statement: str, question: Question, grain: int, span: Span) -> tuple[str]:
        meter = question.meter.meter
        parameters = (meter, grain, self._buckets(meter, grain, span), question.subscription)
        row: tuple[str] = self._connection.execute(statement, parameters).fetchone()
        return row

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
