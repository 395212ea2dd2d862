"""Usage out of the SQLite event log, by rollups and the raw events at a window's edges."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from billing_core.ports import MeteredUsage, UsageQuery
from billing_core.store.events.answers import (
    ZERO,
    BucketTally,
    NewestNumber,
    hour_span_us,
    newest_filled,
    newest_number,
    read_tally,
    read_values,
    spans_from_newest,
)
from billing_core.store.events.participation import (
    LATEST,
    UNIQUE,
    MeterKey,
    RegisteredMeter,
    definition_of,
)
from billing_core.store.events.raw_usage import window_us
from billing_core.store.events.rollups import DAY, HOUR, HOURS_PER_DAY, folding_of
from billing_core.store.events.sqlite_reads import SqliteReads
from billing_core.store.events.windows import Span, WindowParts, cut


class Question(NamedTuple):
    """A usage query with its meter as it is registered."""

    query: UsageQuery
    key: MeterKey
    meter: RegisteredMeter


def questions_for(
    reads: SqliteReads, org_id: UUID, queries: Sequence[UsageQuery]
) -> list[Question] | set[int]:
    """Pair queries with their meters, or return the positions whose meters are not ready."""
    known: dict[MeterKey, RegisteredMeter | None] = {}
    questions: list[Question] = []
    missing: set[int] = set()
    for position, query in enumerate(queries):
        key = MeterKey(org_id.bytes, query.meter.code)
        if key not in known:
            known[key] = reads.find_meter(key)
        meter = known[key]
        is_ready = meter is not None and meter.is_complete
        if meter is None or not is_ready or meter.definition != definition_of(query.meter):
            missing.add(position)
        else:
            questions.append(Question(query, key, meter))
    return missing or questions


def answer(reads: SqliteReads, question: Question) -> MeteredUsage:
    """Return the usage of one question."""
    query, key, meter = question
    subscription = query.external_subscription_id
    window = window_us(query)
    parts = cut(*window)
    read = folding_of(meter.meter, meter.definition).read
    events = reads.tail_events(key, subscription, window)
    for edge in parts.edges:
        # An hour without participating events needs no look at the raw ones.
        if _is_filled(reads, meter, subscription, edge):
            events += reads.folded_events(key, subscription, edge)
    if meter.definition.aggregation == UNIQUE:
        rows = [
            row
            for grain, span in _spans(parts)
            for row in reads.values(meter.meter, grain, span, subscription)
        ]
        return read_values(rows, events, read)
    buckets = [
        row
        for grain, span in _spans(parts)
        for row in reads.tallies(meter.meter, grain, span, subscription)
    ]
    usage = read_tally(meter.definition.aggregation, buckets, events, read)
    if meter.definition.aggregation != LATEST:
        return usage
    candidates = newest_number(events, read), _newest_folded(reads, question, parts, buckets)
    newest = max((each for each in candidates if each is not None), default=None)
    return MeteredUsage(max(newest.number, ZERO) if newest else ZERO, usage.events_count)


def _spans(parts: WindowParts) -> list[tuple[int, Span]]:
    days = [(DAY, parts.days)] if parts.days else []
    return [*days, *((HOUR, span) for span in parts.hours)]


def _is_filled(reads: SqliteReads, meter: RegisteredMeter, subscription: str, edge: Span) -> bool:
    hour = edge[0] // hour_span_us(1)[0]
    return bool(reads.tallies(meter.meter, HOUR, (hour, hour + 1), subscription))


def _newest_folded(
    reads: SqliteReads, question: Question, parts: WindowParts, buckets: list[BucketTally]
) -> NewestNumber | None:
    """Return the newest number that whole hours hold; the edges are looked at anyway."""
    query, key, meter = question
    subscription = query.external_subscription_id
    after, days, before = spans_from_newest(parts)
    hour = newest_filled(buckets, HOUR, after)
    if hour is None and (day := newest_filled(buckets, DAY, days)) is not None:
        span = day * HOURS_PER_DAY, (day + 1) * HOURS_PER_DAY
        hour = newest_filled(reads.tallies(meter.meter, HOUR, span, subscription), HOUR, span)
    if hour is None:
        hour = newest_filled(buckets, HOUR, before)
    if hour is None:
        return None
    read = folding_of(meter.meter, meter.definition).read
    return newest_number(reads.folded_events(key, subscription, hour_span_us(hour)), read)
