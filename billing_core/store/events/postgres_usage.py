"""Usage out of the PostgreSQL event log: a handful of statements for any number of queries."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from billing_core.ports import MeteredUsage, UsageQuery
from billing_core.store.events.answers import (
    ZERO,
    BucketTally,
    RawEvent,
    hour_span_us,
    newest_filled,
    newest_number,
    read_tally,
    spans_from_newest,
)
from billing_core.store.events.participation import (
    LATEST,
    UNIQUE,
    MeterKey,
    RegisteredMeter,
    definition_of,
)
from billing_core.store.events.postgres_meters import find_meters
from billing_core.store.events.postgres_pending import PENDING_HOURS, PENDING_VALUES
from billing_core.store.events.postgres_rollups import columns
from billing_core.store.events.raw_usage import StoredUsageEvent, window_us
from billing_core.store.events.records import series_of
from billing_core.store.events.rollups import (
    DAY,
    HOUR,
    HOURS_PER_DAY,
    NO_GROUP,
    Folding,
    Tally,
    folding_of,
)
from billing_core.store.events.windows import Span, WindowParts, cut

TALLIES = f"""
    SELECT asked.position, asked.grain, asked.first, asked.last, sum(kept.n)::bigint AS n,
           sum(kept.total) AS total, max(kept.greatest) AS greatest, max(kept.bucket) AS newest
    FROM unnest($1::int[], $2::int[], $3::text[], $4::smallint[], $5::bigint[], $6::bigint[])
      AS asked (position, meter, subscription, grain, first, last)
    JOIN event_rollups AS kept
      ON kept.meter = asked.meter AND kept.external_subscription_id = asked.subscription
     AND kept.grain = asked.grain AND kept.bucket >= asked.first AND kept.bucket < asked.last
     AND kept.group_key = '{NO_GROUP}'
    GROUP BY asked.position, asked.grain, asked.first, asked.last
"""  # noqa: S608 - a literal
VALUES = f"""
    SELECT position, count(*) FILTER (WHERE is_present) AS units FROM (
      SELECT DISTINCT ON (position, value) position, value, is_present FROM (
        SELECT asked.position, kept.value, kept.last_at, kept.last_id, kept.is_present
        FROM unnest($1::int[], $2::int[], $3::text[], $4::smallint[], $5::bigint[], $6::bigint[])
          AS asked (position, meter, subscription, grain, first, last)
        JOIN event_value_sets AS kept
          ON kept.meter = asked.meter AND kept.external_subscription_id = asked.subscription
         AND kept.grain = asked.grain AND kept.bucket >= asked.first AND kept.bucket < asked.last
         AND kept.group_key = '{NO_GROUP}'
        UNION ALL
        SELECT * FROM unnest($7::int[], $8::text[], $9::bigint[], $10::bigint[], $11::boolean[])
        UNION ALL
        SELECT asked.position, operation.value, operation.last_at,
               pending.first_id + operation.last_id, operation.is_present
        FROM event_pending AS pending, {PENDING_VALUES}
        JOIN unnest($12::int[], $13::int[], $14::text[], $15::bigint[], $16::bigint[])
          AS asked (position, meter, subscription, first, last)
          ON operation.meter = asked.meter AND operation.subscription = asked.subscription
         AND operation.hour >= asked.first AND operation.hour < asked.last
      ) AS operations
      ORDER BY position, value, last_at DESC, last_id DESC
    ) AS newest GROUP BY position
"""  # noqa: S608 - a literal
PENDING = f"""
    SELECT asked.position, hour.hour, hour.n, hour.total, hour.greatest
    FROM event_pending AS pending, {PENDING_HOURS}
    JOIN unnest($1::int[], $2::int[], $3::text[], $4::bigint[], $5::bigint[])
      AS asked (position, meter, subscription, first, last)
      ON hour.meter = asked.meter AND hour.subscription = asked.subscription
     AND hour.hour >= asked.first AND hour.hour < asked.last
"""  # noqa: S608 - text of this package
# `org` is hidden from the planner: without statistics it would take the index of a whole
# organization for as good as that of one series.
RAW_EVENTS = """
    SELECT asked.position, event.ts, event.id, event.properties
    FROM unnest($1::int[], $2::bigint[], $3::bytea[], $4::text[], $5::text[],
                $6::bigint[], $7::bigint[])
      AS asked (position, series, org, subscription, code, first_us, last_us)
    JOIN events AS event
      ON event.series = asked.series AND event.ts >= asked.first_us AND event.ts < asked.last_us
     AND event.org || ''::bytea = asked.org AND event.external_subscription_id = asked.subscription
     AND event.code = asked.code AND event.deleted_at IS NULL
"""
USAGE_EVENTS = """
    SELECT ts, id, key, transaction_id, properties, precise_total_amount_cents FROM events
    WHERE series = $1 AND ts >= $5 AND ts < $6
      AND org || ''::bytea = $2 AND code = $3 AND external_subscription_id = $4
      AND deleted_at IS NULL
"""
ASKED_COLUMNS, RAW_COLUMNS, OPERATION_COLUMNS, WHOLE_COLUMNS = 6, 7, 5, 5


class Question(NamedTuple):
    """A usage query with its meter as it is registered and its window cut into parts."""

    position: int
    query: UsageQuery
    key: MeterKey
    meter: RegisteredMeter
    folding: Folding
    parts: WindowParts

    @property
    def subscription(self) -> str:
        """Whose usage is asked for."""
        return self.query.external_subscription_id

    def spans(self) -> list[tuple[Any, ...]]:
        """Return the ranges of rollup rows as rows of parameters."""
        days = [(DAY, self.parts.days)] if self.parts.days else []
        return [
            (self.position, self.meter.meter, self.subscription, grain, *span)
            for grain, span in [*days, *((HOUR, span) for span in self.parts.hours)]
        ]

    def whole(self) -> tuple[Any, ...]:
        """Return all hours between the edges as a row of parameters."""
        return (self.position, self.meter.meter, self.subscription, *self.parts.whole)

    def raw(self, spans_us: Iterable[Span]) -> list[tuple[Any, ...]]:
        """Return ranges of raw events as rows of parameters."""
        series = series_of(self.key.org_id, self.subscription, self.key.code)
        org_id, code = self.key
        return [
            (self.position, series, org_id, self.subscription, code, *span) for span in spans_us
        ]


async def questions_for(
    connection: Any, org_id: UUID, queries: Sequence[UsageQuery]
) -> list[Question] | set[int]:
    """Pair queries with their meters, or return the positions whose meters are not ready."""
    codes = sorted({query.meter.code for query in queries})
    meters = await find_meters(connection, org_id.bytes, codes)
    questions: list[Question] = []
    missing: set[int] = set()
    for position, query in enumerate(queries):
        key = MeterKey(org_id.bytes, query.meter.code)
        definition = definition_of(query.meter)
        meter = meters.get(key)
        if meter is None or not meter.is_complete or meter.definition != definition:
            missing.add(position)
            continue
        parts = cut(*window_us(query))
        folding = folding_of(meter.meter, definition)
        questions.append(Question(position, query, key, meter, folding, parts))
    return missing or questions


async def answer(connection: Any, questions: Sequence[Question]) -> list[MeteredUsage]:
    """Return the usage of every question, in order."""
    edges = await _raw(
        connection, [row for question in questions for row in question.raw(question.parts.edges)]
    )
    sets = [each for each in questions if each.folding.aggregation == UNIQUE]
    units = await _distinct(connection, sets, edges) if sets else {}
    tallied = [each for each in questions if each.folding.aggregation != UNIQUE]
    buckets = await _tallies(connection, [row for each in tallied for row in each.spans()])
    pending = await _pending(connection, [each.whole() for each in tallied])
    answers = []
    for question in questions:
        position = question.position
        if question.folding.aggregation == UNIQUE:
            found = units.get(position, 0)
            answers.append(MeteredUsage(Decimal(found), found))
            continue
        events, rows = edges.get(position, []), buckets.get(position, [])
        fresh = pending.get(position, [])
        usage = read_tally(
            question.folding.aggregation, [*rows, *fresh], events, question.folding.read
        )
        if question.folding.aggregation == LATEST:
            newest = await _latest(connection, question, rows, fresh, events)
            usage = MeteredUsage(max(newest, ZERO), usage.events_count)
        answers.append(usage)
    return answers


async def usage_events(
    connection: Any, key: MeterKey, subscription: str, span_us: Span
) -> list[StoredUsageEvent]:
    """Return the live events of a series in a range of microseconds."""
    series = series_of(key.org_id, subscription, key.code)
    rows = await connection.fetch(USAGE_EVENTS, series, *key, subscription, *span_us)
    return [StoredUsageEvent(*row) for row in rows]


async def _raw(connection: Any, asked: list[tuple[Any, ...]]) -> dict[int, list[RawEvent]]:
    found: dict[int, list[RawEvent]] = {}
    if asked:
        for position, *event in await connection.fetch(RAW_EVENTS, *columns(asked, RAW_COLUMNS)):
            found.setdefault(position, []).append(RawEvent(*event))
    return found


async def _tallies(connection: Any, asked: list[tuple[Any, ...]]) -> dict[int, list[BucketTally]]:
    """Return one sum per range, filed under its newest filled bucket."""
    found: dict[int, list[BucketTally]] = {}
    if asked:
        for row in await connection.fetch(TALLIES, *columns(asked, ASKED_COLUMNS)):
            tally = Tally(row["n"], row["total"], row["greatest"])
            bucket = BucketTally(row["grain"], row["newest"], tally)
            found.setdefault(row["position"], []).append(bucket)
    return found


async def _pending(connection: Any, asked: list[tuple[Any, ...]]) -> dict[int, list[BucketTally]]:
    """Return what is not folded yet, hour by hour; the edges are read from raw events."""
    found: dict[int, list[BucketTally]] = {}
    if asked:
        for row in await connection.fetch(PENDING, *columns(asked, WHOLE_COLUMNS)):
            tally = Tally(row["n"], row["total"], row["greatest"])
            bucket = BucketTally(HOUR, row["hour"], tally)
            found.setdefault(row["position"], []).append(bucket)
    return found


async def _distinct(
    connection: Any,
    questions: Sequence[Question],
    edges: dict[int, list[RawEvent]],
) -> dict[int, int]:
    operations = [
        (question.position, reading.value, event.timestamp_us, event.id, reading.is_present)
        for question in questions
        for event in edges.get(question.position, [])
        if (reading := question.folding.read(event.properties)) is not None
    ]
    asked = [row for question in questions for row in question.spans()]
    rows = await connection.fetch(
        VALUES,
        *columns(asked, ASKED_COLUMNS),
        *columns(operations, OPERATION_COLUMNS),
        *columns([question.whole() for question in questions], WHOLE_COLUMNS),
    )
    return {row["position"]: row["units"] for row in rows}


async def _latest(
    connection: Any,
    question: Question,
    buckets: list[BucketTally],
    pending: list[BucketTally],
    edges: list[RawEvent],
) -> Decimal:
    """Return the newest number: that of the newest filled hour, or one at the edges."""
    after, days, before = spans_from_newest(question.parts)
    hour = newest_filled(buckets, HOUR, after)
    if hour is None and (day := newest_filled(buckets, DAY, days)) is not None:
        span = day * HOURS_PER_DAY, (day + 1) * HOURS_PER_DAY
        asked = [(0, question.meter.meter, question.subscription, HOUR, *span)]
        hour = newest_filled((await _tallies(connection, asked))[0], HOUR, span)
    if hour is None:
        hour = newest_filled(buckets, HOUR, before)
    hours = [hour, newest_filled(pending, HOUR, question.parts.whole)]
    newest_hour = max((each for each in hours if each is not None), default=None)
    events = list(edges)
    if newest_hour is not None:
        found = await _raw(connection, question.raw([hour_span_us(newest_hour)]))
        events += found.get(question.position, [])
    newest = newest_number(events, question.folding.read)
    return newest.number if newest else ZERO
