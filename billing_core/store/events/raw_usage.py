"""Usage straight from events: the meaning that rollups must equal, and the way without them."""

from collections.abc import Hashable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from billing_core.domain.metrics import closing_second, fold, numeric, property_text
from billing_core.ports import MeteredEvent, MeteredUsage, UsageQuery
from billing_core.store.events.participation import (
    COUNT,
    EXACT,
    OPERATION_FIELD,
    SUM,
    UNIQUE,
    WEIGHTED,
    exact_number,
    fact_of_event,
)
from billing_core.store.events.records import instant, micros

_properties = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)
_MICROSECOND = timedelta(microseconds=1)


class StoredUsageEvent(NamedTuple):
    """The columns of an event that usage may depend on."""

    timestamp_us: int
    id: int
    key: bytes
    transaction_id: str
    properties: str
    precise_total_amount_cents: str | None


def metered_events(query: UsageQuery, stored: Iterable[StoredUsageEvent]) -> list[MeteredEvent]:
    """Return the events that take part, oldest first."""
    found = []
    for row in sorted(stored):
        event = _metered(query, row)
        if _takes_part(query, event):
            found.append(event)
    return found


def usage_of(query: UsageQuery, events: Iterable[MeteredEvent]) -> dict[Hashable, MeteredUsage]:
    """Aggregate events that take part, by bucket (`docs/rules/metering.md` 2.2)."""
    buckets: dict[Hashable, list[MeteredEvent]] = {}
    for event in events:
        bucket = query.bucket_of(event.group)
        if bucket is not None:
            buckets.setdefault(bucket, []).append(event)
    return {bucket: _usage(query, members) for bucket, members in buckets.items()}


def window_us(query: UsageQuery) -> tuple[int, int]:
    """Return a query's window in microseconds; since ever begins before all events."""
    start = query.start or datetime.min.replace(tzinfo=UTC)
    return micros(start), micros(query.end)


def _metered(query: UsageQuery, row: StoredUsageEvent) -> MeteredEvent:
    properties = _properties.decode(row.properties)
    amount = row.precise_total_amount_cents
    return MeteredEvent(
        id=UUID(bytes=row.key),
        transaction_id=row.transaction_id,
        at=instant(row.timestamp_us),
        order=row.id,
        value=property_text(properties.get(query.meter.field_name or "")),
        operation=property_text(properties.get(OPERATION_FIELD)),
        group=tuple(property_text(properties.get(key)) for key in query.meter.dimensions),
        precise_total_amount_cents=None if amount is None else Decimal(amount),
    )


def _takes_part(query: UsageQuery, event: MeteredEvent) -> bool:
    last = query.last
    if last is not None and (event.at, event.order) > (last.at, last.order):
        return False
    if query.meter.aggregation == UNIQUE:
        return event.value is not None
    return query.meter.aggregation == COUNT or numeric(event.value) is not None


def _usage(query: UsageQuery, events: Sequence[MeteredEvent]) -> MeteredUsage:
    aggregation = query.meter.aggregation
    folded = fold(
        SUM if aggregation == WEIGHTED else aggregation, [fact_of_event(event) for event in events]
    )
    if aggregation == UNIQUE:
        return MeteredUsage(folded.units, folded.events_count)
    amounts = [event.precise_total_amount_cents or Decimal(0) for event in events]
    unit_seconds = Decimal(0)
    if aggregation == WEIGHTED:
        end = closing_second(query.end)
        unit_seconds = exact_number(
            (numeric(event.value) or Decimal(0), (end - event.at) // _MICROSECOND)
            for event in events
        ).scaleb(-6, EXACT)
    return MeteredUsage(
        folded.units, folded.events_count, unit_seconds, exact_number((a, 1) for a in amounts)
    )
