"""From rollup rows and raw events to the usage in a window."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from billing_core.ports import MeteredUsage
from billing_core.store.events.participation import (
    COUNT,
    LATEST,
    MAX,
    SUM,
    Reading,
)
from billing_core.store.events.rollups import HOUR_US, LastOperation, Tally
from billing_core.store.events.windows import Span, WindowParts

ZERO = Decimal(0)


class RawEvent(NamedTuple):
    """A stored event in the order in which events count: by instant, then by ingestion."""

    timestamp_us: int
    id: int
    properties: str


class NewestNumber(NamedTuple):
    """A number and its place in the order of events."""

    timestamp_us: int
    id: int
    number: Decimal


class BucketTally(NamedTuple):
    """One rollup row."""

    grain: int
    bucket: int
    tally: Tally


class ValueOperation(NamedTuple):
    """One value set row."""

    value: str
    operation: LastOperation


def read_tally(
    aggregation: str,
    buckets: Iterable[BucketTally],
    events: Iterable[RawEvent],
    read: Callable[[str], Reading | None],
) -> MeteredUsage:
    """Add up count, sum or max; for latest only the number of events is meaningful."""
    whole = Tally()
    for bucket in buckets:
        whole.merge(bucket.tally)
    for event in events:
        reading = read(event.properties)
        if reading is not None:
            whole.add(aggregation, reading.number)
    units = {
        COUNT: Decimal(whole.events_count),
        SUM: whole.total or ZERO,
        MAX: whole.greatest or ZERO,
        LATEST: ZERO,
    }[aggregation]
    return MeteredUsage(units, whole.events_count)


def read_values(
    rows: Iterable[ValueOperation],
    events: Iterable[RawEvent],
    read: Callable[[str], Reading | None],
) -> MeteredUsage:
    """Count the values whose newest operation in the window is not a remove.

    An operation equal to the one before it changes nothing and a leading remove counts for nothing
    (`docs/rules/metering.md` 2.2), so each value counts one or zero by its newest operation alone.
    """
    newest: dict[str, LastOperation] = {}
    for value, operation in rows:
        if value not in newest or operation > newest[value]:
            newest[value] = operation
    for event in events:
        reading = read(event.properties)
        if reading is not None:
            operation = LastOperation(event.timestamp_us, event.id, reading.is_present)
            if reading.value not in newest or operation > newest[reading.value]:
                newest[reading.value] = operation
    units = sum(operation.is_present for operation in newest.values())
    return MeteredUsage(Decimal(units), units)


def newest_number(
    events: Iterable[RawEvent], read: Callable[[str], Reading | None]
) -> NewestNumber | None:
    """Return the newest event that takes part, with its number."""
    for event in sorted(events, reverse=True):
        reading = read(event.properties)
        if reading is not None and reading.number is not None:
            return NewestNumber(event.timestamp_us, event.id, reading.number)
    return None


def newest_filled(buckets: Sequence[BucketTally], grain: int, span: Span | None) -> int | None:
    """Return the highest bucket of a span in which any event took part."""
    if span is None:
        return None
    return max(
        (
            row.bucket
            for row in buckets
            if row.grain == grain and span[0] <= row.bucket < span[1] and row.tally.events_count
        ),
        default=None,
    )


def spans_from_newest(parts: WindowParts) -> tuple[Span | None, Span | None, Span | None]:
    """Return (hours after the days, days, hours before the days); hours alone count as after."""
    if parts.days is None:
        return (parts.hours[0] if parts.hours else None), None, None
    first_day_hour = parts.days[0] * 24
    before = [span for span in parts.hours if span[0] < first_day_hour]
    after = [span for span in parts.hours if span[0] >= first_day_hour]
    return (after[0] if after else None), parts.days, (before[0] if before else None)


def hour_span_us(hour: int) -> Span:
    """Return the microseconds of one hour bucket."""
    return hour * HOUR_US, (hour + 1) * HOUR_US
