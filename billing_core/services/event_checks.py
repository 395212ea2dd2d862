"""The hourly look at the events that came in: which will count for nothing, and why."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from billing_core.domain.metrics import numeric, property_text
from billing_core.ports import EventStore, StoredEvent
from billing_core.store import event_checks, webhooks
from billing_core.store.tables import BillableMetric
from billing_core.store.unit import Unit
from billing_core.wire.codec import decode

CHECK_TOPIC = "events.check"
HOUR = timedelta(hours=1)
LONGEST_CATCH_UP = timedelta(days=1)
PAGE = 1000
MOST_NAMED = 10_000  # transaction ids in one webhook
NUMERIC = frozenset({"sum_agg", "max_agg", "weighted_sum_agg", "latest_agg"})


@dataclass(frozen=True, slots=True)
class Declared:
    """What a metric expects of its events; `filters` are the declared values by key."""

    aggregation: str
    field_name: str | None
    filters: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Task:
    """The events created in `[since, until)`, which are looked for behind the order `after`.

    Without an order there is nothing to look at yet: the next look begins where the log ends now.
    """

    after: int | None
    since: datetime
    until: datetime
    metrics: Mapping[str, Declared]


@dataclass(slots=True)
class Errors:
    """Transaction ids by what is wrong with their events, as one webhook tells them."""

    invalid_code: list[str] = field(default_factory=list)
    missing_aggregation_property: list[str] = field(default_factory=list)
    invalid_filter_values: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many ids there are."""
        lists = (self.invalid_code, self.missing_aggregation_property, self.invalid_filter_values)
        return sum(map(len, lists))

    def payload(self) -> dict[str, Any]:
        """Return the webhook's object; the group keys of old are always null."""
        return {
            "invalid_code": self.invalid_code,
            "missing_aggregation_property": self.missing_aggregation_property,
            "missing_group_key": None,
            "invalid_filter_values": self.invalid_filter_values,
        }


@dataclass(slots=True)
class Found:
    """What a look has found: one batch of errors per webhook, and how far it came."""

    last_order: int
    until: datetime
    batches: list[Errors] = field(default_factory=list)

    def errors(self) -> Errors:
        """Return the batch to add to; a webhook stays of a size that receivers can take."""
        if not self.batches or self.batches[-1].count >= MOST_NAMED:
            self.batches.append(Errors())
        return self.batches[-1]


async def prepare(unit: Unit) -> Task | None:
    """Say what there is to look at up to the last full hour; None where nobody would be told.

    An hour that was missed is looked at with the next one, up to a day; what came before anybody
    listened is not.
    """
    until = _last_full_hour(unit)
    if not await webhooks.count_endpoints(unit):
        return None
    last = await event_checks.last(unit)
    since = until - HOUR
    if last is not None and timedelta() <= until - last.checked_until <= LONGEST_CATCH_UP:
        since = last.checked_until
    metrics = {row.code: _declared(row) for row in await event_checks.live_metrics(unit)}
    return Task(None if last is None else last.last_order, since, until, metrics)


async def begin(unit: Unit, events: EventStore) -> None:
    """Remember where the log ends: from now on somebody listens."""
    await event_checks.note(unit, await events.newest_order(), _last_full_hour(unit))


async def look(events: EventStore, org_id: UUID, task: Task) -> Found:
    """Look at the events page by page (`docs/rules/metering.md` 1.5); no transaction is open."""
    if task.after is None:
        return Found(await events.newest_order(), task.until)
    found = Found(task.after, task.until)
    while page := await events.ingested(org_id, found.last_order, PAGE):
        for order, event in page:
            if event.created_at >= task.until:
                return found
            if event.created_at >= task.since:
                _check(task.metrics.get(event.code), event, found)
            found.last_order = order
    return found


async def record(unit: Unit, found: Found) -> None:
    """Tell what is wrong, if anything is, and remember how far the look came."""
    for errors in found.batches:
        unit.emit("events.errors", "events_errors", errors.payload())
    await event_checks.note(unit, found.last_order, found.until)


def _last_full_hour(unit: Unit) -> datetime:
    return unit.now.replace(minute=0, second=0, microsecond=0)


def _declared(row: BillableMetric) -> Declared:
    filters = {one["key"]: frozenset(one["values"]) for one in row.filters}
    return Declared(row.aggregation_type, row.field_name, filters)


def _check(metric: Declared | None, event: StoredEvent, found: Found) -> None:
    if metric is None:
        found.errors().invalid_code.append(event.transaction_id)
        return
    properties = decode(event.properties)
    if metric.aggregation != "count_agg" and _is_missing(metric, properties):
        found.errors().missing_aggregation_property.append(event.transaction_id)
    if _has_undeclared(metric.filters.items(), properties):
        found.errors().invalid_filter_values.append(event.transaction_id)


def _is_missing(metric: Declared, properties: Mapping[str, Any]) -> bool:
    text = property_text(properties.get(metric.field_name or ""))
    return text is None or (metric.aggregation in NUMERIC and numeric(text) is None)


def _has_undeclared(
    filters: Iterable[tuple[str, frozenset[str]]], properties: Mapping[str, Any]
) -> bool:
    return any(
        key in properties and property_text(properties[key]) not in values
        for key, values in filters
    )
