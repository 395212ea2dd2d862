"""Usage out of the PostgreSQL event log: a statement or three for any number of queries."""

from collections.abc import Iterable, Sequence
from typing import Any

from billing_core.store.events.answers import Question, RawEvent
from billing_core.store.events.participation import LATEST, UNIQUE, MeterKey
from billing_core.store.events.postgres_folding import columns
from billing_core.store.events.raw_usage import StoredUsageEvent
from billing_core.store.events.records import series_of
from billing_core.store.events.rollups import LastOperation, NewestNumber, Tally
from billing_core.store.events.windows import Span

_ASKED = """
    unnest($1::int[], $2::int[], $3::text[], $4::smallint[], $5::bigint[], $6::bigint[])
      AS asked (position, meter, subscription, grain, first, last)
"""
_OF_ASKED = """
      ON kept.meter = asked.meter AND kept.external_subscription_id = asked.subscription
     AND kept.grain = asked.grain AND kept.bucket >= asked.first AND kept.bucket < asked.last
"""
# Only long groups have their text elsewhere.
_TEXTS = """
    CASE WHEN found.group_key LIKE '#%' THEN (
      SELECT long.texts FROM event_groups AS long
      WHERE long.meter = found.meter AND long.group_key = found.group_key
    ) END
"""
ROLLED = f"""
    SELECT found.position, found.group_key, {_TEXTS} AS texts, found.n, NULL::bigint,
           found.total, found.greatest, found.moment, found.amount
    FROM (
      SELECT asked.position, asked.meter, kept.group_key, sum(kept.n)::bigint AS n,
             sum(kept.total) AS total, max(kept.greatest) AS greatest,
             sum(kept.moment) AS moment, sum(kept.amount) AS amount
      FROM {_ASKED} JOIN event_rollups AS kept {_OF_ASKED}
      GROUP BY asked.position, asked.meter, kept.group_key
    ) AS found
"""  # noqa: S608 - text of this module
NEWEST = f"""
    SELECT found.position, found.group_key, {_TEXTS}, found.newest_at, found.newest_id, found.newest
    FROM (
      SELECT DISTINCT ON (asked.position, kept.group_key) asked.position, kept.*
      FROM {_ASKED} JOIN event_rollups AS kept {_OF_ASKED} AND kept.newest_at IS NOT NULL
      ORDER BY asked.position, kept.group_key, kept.newest_at DESC, kept.newest_id DESC
    ) AS found
"""  # noqa: S608 - text of this module
# `org` is hidden from the planner: without statistics it would take the index of a whole
# organization for as good as that of one series.
_OF_SERIES = """
     AND event.org || ''::bytea = asked.org AND event.external_subscription_id = asked.subscription
     AND event.code = asked.code AND event.deleted_at IS NULL
"""
_EVENT = """
    SELECT asked.position, event.properties, event.precise_total_amount_cents, event.ts, event.id,
           NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric
"""
EDGES = f"""
    {_EVENT}
    FROM unnest($7::int[], $8::bigint[], $9::bytea[], $10::text[], $11::text[],
                $12::bigint[], $13::bigint[])
      AS asked (position, series, org, subscription, code, first_us, last_us)
    JOIN events AS event
      ON event.series = asked.series AND event.ts >= asked.first_us AND event.ts < asked.last_us
     {_OF_SERIES}
"""
# OFFSET keeps the planner from beginning with the series, whose history may be long.
TAIL = f"""
    {_EVENT}
    FROM event_pending AS block
    CROSS JOIN LATERAL (
      SELECT * FROM events AS one
      WHERE one.id > block.first_id AND one.id <= block.first_id + block.n OFFSET 0
    ) AS event
    JOIN unnest($14::int[], $15::bigint[], $16::bytea[], $17::text[], $18::text[],
                $19::bigint[], $20::bigint[])
      AS asked (position, series, org, subscription, code, first_us, last_us)
      ON event.series = asked.series AND event.ts >= asked.first_us AND event.ts < asked.last_us
     {_OF_SERIES}
"""  # noqa: S608 - text of this module
_VERSION = """
    SELECT -1, NULL::text, NULL::text, version, NULL::bigint,
           NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric FROM event_registry
"""
ANSWER = f"""
    SELECT 0 AS kind, * FROM ({_VERSION}) AS version
    UNION ALL SELECT 1, * FROM ({ROLLED}) AS rolled
    UNION ALL SELECT 2, * FROM ({EDGES}) AS edges
    UNION ALL SELECT 2, * FROM ({TAIL}) AS tail
"""  # noqa: S608 - text of this module
VALUES = f"""
    SELECT found.position, found.group_key, {_TEXTS}, found.value,
           found.last_at, found.last_id, found.is_present
    FROM (
      SELECT DISTINCT ON (asked.position, kept.group_key, kept.value) asked.position, kept.*
      FROM {_ASKED} JOIN event_value_sets AS kept {_OF_ASKED}
      ORDER BY asked.position, kept.group_key, kept.value, kept.last_at DESC, kept.last_id DESC
    ) AS found
"""  # noqa: S608 - text of this module
# Where nothing is kept apart only the number of present values matters, and it stays here.
PRESENT = f"""
    SELECT position, count(*) FILTER (WHERE is_present) AS units FROM (
      SELECT DISTINCT ON (position, value) position, value, is_present FROM (
        SELECT asked.position, kept.value, kept.last_at, kept.last_id, kept.is_present
        FROM {_ASKED} JOIN event_value_sets AS kept {_OF_ASKED}
        UNION ALL
        SELECT * FROM unnest($7::int[], $8::text[], $9::bigint[], $10::bigint[], $11::boolean[])
      ) AS operations
      ORDER BY position, value, last_at DESC, last_id DESC
    ) AS newest GROUP BY position
"""  # noqa: S608 - text of this module
USAGE_EVENTS = """
    SELECT ts, id, key, transaction_id, properties, precise_total_amount_cents FROM events
    WHERE series = $1 AND ts >= $5 AND ts < $6
      AND org || ''::bytea = $2 AND code = $3 AND external_subscription_id = $4
      AND deleted_at IS NULL
"""
_KIND_ROLLED = 1
_SPAN_COLUMNS, _RAW_COLUMNS, _OPERATION_COLUMNS = 6, 7, 5
_PER_DIMENSION = frozenset({UNIQUE, LATEST})


def needs_snapshot(questions: Iterable[Question]) -> bool:
    """Tell whether answering takes several statements, which must then see one state."""
    return any(question.aggregation in _PER_DIMENSION for question in questions)


async def answer(connection: Any, org_id: bytes, questions: Sequence[Question]) -> int:
    """Add to every question what the log holds; returns the version of the registry as it was."""
    by_position = {question.position: question for question in questions}
    tallied = [question for question in questions if question.aggregation != UNIQUE]
    edges = [row for each in questions for row in _raw(org_id, each, each.parts.edges)]
    tail = [row for each in questions for row in _raw(org_id, each, [each.parts.whole_us])]
    rows = await connection.fetch(
        ANSWER,
        *columns(_spans(tallied), _SPAN_COLUMNS),
        *columns(edges, _RAW_COLUMNS),
        *columns(tail, _RAW_COLUMNS),
    )
    version: int = 0
    for kind, position, text, more, whole, event_id, total, greatest, moment, amount in rows:
        if position < 0:
            version = whole
        elif kind == _KIND_ROLLED:
            tally = Tally(whole, total, greatest, moment, amount)
            by_position[position].add_tally(text, more, tally)
        else:
            by_position[position].add_event(RawEvent(whole, event_id, text, more))
    await _newest(connection, by_position, [q for q in questions if q.aggregation == LATEST])
    sets = [question for question in questions if question.aggregation == UNIQUE]
    await _values(connection, by_position, [q for q in sets if q.meter.definition.dimensions])
    await _present(connection, by_position, [q for q in sets if not q.meter.definition.dimensions])
    return version


async def usage_events(
    connection: Any, key: MeterKey, subscription: str, span_us: Span
) -> list[StoredUsageEvent]:
    """Return the live events of a series in a range of microseconds."""
    series = series_of(key.org_id, subscription, key.code)
    rows = await connection.fetch(USAGE_EVENTS, series, *key, subscription, *span_us)
    return [StoredUsageEvent(*row) for row in rows]


async def _newest(
    connection: Any, by_position: dict[int, Question], questions: Sequence[Question]
) -> None:
    if not questions:
        return
    rows = await connection.fetch(NEWEST, *columns(_spans(questions), _SPAN_COLUMNS))
    for position, group_key, texts, *newest in rows:
        by_position[position].add_tally(group_key, texts, Tally(newest=NewestNumber(*newest)))


async def _values(
    connection: Any, by_position: dict[int, Question], questions: Sequence[Question]
) -> None:
    if not questions:
        return
    rows = await connection.fetch(VALUES, *columns(_spans(questions), _SPAN_COLUMNS))
    for position, group_key, texts, value, *operation in rows:
        by_position[position].add_value(group_key, texts, value, LastOperation(*operation))


async def _present(
    connection: Any, by_position: dict[int, Question], questions: Sequence[Question]
) -> None:
    if not questions:
        return
    operations = [
        (question.position, value, *operation)
        for question in questions
        for value, operation in question.operations()
    ]
    rows = await connection.fetch(
        PRESENT,
        *columns(_spans(questions), _SPAN_COLUMNS),
        *columns(operations, _OPERATION_COLUMNS),
    )
    for question in questions:
        question.forget_operations()
    for position, units in rows:
        by_position[position].add_present(units)


def _spans(questions: Iterable[Question]) -> list[tuple[Any, ...]]:
    """Return the ranges of rollup rows as rows of parameters."""
    return [
        (question.position, question.meter.meter, question.subscription, grain, *span)
        for question in questions
        for grain, span in question.parts.spans
    ]


def _raw(org_id: bytes, question: Question, spans_us: Iterable[Span]) -> list[tuple[Any, ...]]:
    """Return ranges of raw events as rows of parameters."""
    subscription, code = question.subscription, question.query.meter.code
    series = series_of(org_id, subscription, code)
    return [
        (question.position, series, org_id, subscription, code, *span)
        for span in spans_us
        if span[0] < span[1]
    ]
