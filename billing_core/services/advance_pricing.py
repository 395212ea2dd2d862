"""The price of one event in advance: from what a period was charged so far to what it is now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from hashlib import blake2b
from typing import Any
from uuid import UUID

from billing_core.domain.advance import HighWater, Rise, advance_price, prorated_rise
from billing_core.domain.calendar import MICROSECOND, Window, days_between
from billing_core.domain.charges import Price, Usage
from billing_core.domain.filters import TARGET_WALLET, Bucket
from billing_core.domain.metrics import numeric, property_text
from billing_core.domain.money import exact_context
from billing_core.domain.recurring import double_ratio
from billing_core.ports import (
    NO_USAGE,
    EventPosition,
    EventStore,
    Meter,
    MeteredEvent,
    MeteredUsage,
    UsageQuery,
)
from billing_core.services.measures import Measured
from billing_core.services.metering import Metering, Wanted
from billing_core.services.pricing import PricedFee, fee_of
from billing_core.services.tariffs import Narrowing, Tariff, tariff_of
from billing_core.store import advance_fees
from billing_core.store.tables import Charge, HighWaterMark, Subscription
from billing_core.store.unit import Unit
from billing_core.wire.codec import encode

ZERO = Decimal(0)
ONE = Decimal(1)
MILLISECOND_US = 1000
DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class Happening:
    """An event that is charged for, at its place among all; `properties` decoded."""

    position: EventPosition
    properties: Mapping[str, Any]
    precise_total_amount_cents: Decimal | None


@dataclass(frozen=True)
class Sale:
    """A charge in advance of a subscription in the period that an event falls in."""

    subscription: Subscription
    charge: Charge
    window: Window
    meter: Meter
    tariff: Tariff = field(init=False)

    def __post_init__(self) -> None:
        """Read the terms once."""
        object.__setattr__(self, "tariff", tariff_of(self.charge))

    @cached_property
    def metering(self) -> Metering:
        """The charge over its period, as fees show it."""
        wanted = Wanted(self.subscription, self.window, [self.charge])
        return Metering(wanted, self.window, self.tariff, {})

    @property
    def place_id(self) -> UUID:
        """The charge that marks are kept under: an override's copy goes on where the plan's was."""
        return self.charge.parent_id or self.charge.id

    @property
    def aggregation(self) -> str:
        """How the metric folds events."""
        return self.charge.metric.aggregation_type

    def bucket_of(self, properties: Mapping[str, Any]) -> Bucket:
        """Return the filter and group of an event, by the rule that arrears follow."""
        keys = self.tariff.buckets.dimensions()
        return self.tariff.buckets.of({key: property_text(properties.get(key)) for key in keys})

    def value_of(self, properties: Mapping[str, Any]) -> str | None:
        """Return what the metric reads, None for an event that takes no part in it.

        Sums need a number, unique counts a value that is not blank; counts read nothing.
        """
        if self.aggregation == "count_agg":
            return ""
        text = property_text(properties.get(self.charge.metric.field_name or ""))
        if text is None or not text.strip():
            return None
        return None if self.aggregation == "sum_agg" and numeric(text) is None else text

    def query(self, end: datetime, last: EventPosition | None = None) -> UsageQuery:
        """Ask for the usage by bucket before `end`: of the period, or since ever if recurring."""
        # events belong to a subscription to the millisecond (docs/rules/metering.md 1.6)
        start = self.window.start
        start = start.replace(microsecond=start.microsecond // MILLISECOND_US * MILLISECOND_US)
        return UsageQuery(
            self.subscription.external_id,
            self.meter,
            None if self.charge.metric.recurring else start,
            end,
            self.tariff.buckets.namer(self.meter.dimensions),
            last,
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a bucket of a sale stands before an event.

    `base` are the units that were there before the first event that was charged, `events_count` the
    events up to now, `high` the mark of what was charged since.
    """

    base: Decimal
    events_count: int
    high: HighWater

    @classmethod
    def before(cls, mark: HighWaterMark | None, usage: MeteredUsage) -> "Standing":
        """Go on from a mark, or begin one on top of the usage there is."""
        if mark is None:
            return cls(max(usage.units, ZERO), usage.events_count, HighWater())
        return cls(mark.base_units, mark.events_count, HighWater(mark.current, mark.maximum))


@dataclass(frozen=True, slots=True)
class Step:
    """What one event does to a bucket: `rise` from `standing`.

    `amount_cents` is the event's precise amount; `values` are the numbers of the events up to and
    with this one, where the terms need them.
    """

    standing: Standing
    rise: Rise
    amount_cents: Decimal
    values: Sequence[Decimal]

    def usages(self, sale: Sale) -> tuple[Usage, Usage]:
        """Return the usage that is priced without and with the event."""
        with exact_context():
            units = self.standing.base + self.rise.billed
            before = units - self.rise.delta
        if sale.aggregation == "sum_agg":
            count = len(self.values) or self.standing.events_count + 1
            counts = (count - 1, count)
        else:
            counts = (int(before), int(units))
        return (
            Usage(
                before, counts[0], self.values[:-1], amount_cents=ZERO, subunit=self.subunit(sale)
            ),
            Usage(
                units,
                counts[1],
                self.values,
                amount_cents=self.amount_cents,
                subunit=self.subunit(sale),
            ),
        )

    @staticmethod
    def subunit(sale: Sale) -> int:
        """Return how many minor units make one of what the charge is priced in."""
        return sale.metering.subunit


async def charged(
    unit: Unit, events: EventStore, sale: Sale, happening: Happening
) -> PricedFee | None:
    """Price an event and move the mark of its bucket on; None if it takes no part in the metric.

    The caller holds the customer's lock and has checked that the event was not charged before:
    events are charged in the order they are dealt with, each from mark to mark, so that the fees of
    a period add up to the price of its highest mark (`docs/rules/metering.md` 3.16).
    """
    text = sale.value_of(happening.properties)
    if text is None:
        return None
    bucket = sale.bucket_of(happening.properties)
    mark = await _mark(unit, sale, bucket)
    value, usage = await _reading(unit, events, sale, happening, bucket, text, mark)
    standing = Standing.before(mark, usage)
    step = Step(
        standing,
        standing.high.after(value),
        happening.precise_total_amount_cents or ZERO,
        await _values(unit, events, sale, happening, bucket),
    )
    _move(unit, sale, bucket, mark, step)
    return priced(sale, bucket, step, price_of(sale, bucket, step, happening.position.at))


async def standing_now(unit: Unit, events: EventStore, sale: Sale, bucket: Bucket) -> Standing:
    """Return where a bucket stands with everything that its period knows; nothing is written."""
    (usage,) = await events.usage(unit.org_id, [sale.query(sale.window.end)])
    return Standing.before(await _mark(unit, sale, bucket), usage.get(bucket, NO_USAGE))


async def events_of(
    unit: Unit, events: EventStore, query: UsageQuery, bucket: Bucket
) -> list[MeteredEvent]:
    """Return the events of one bucket, oldest first."""
    found = await events.events(unit.org_id, query)
    return [event for event in found if query.bucket_of(event.group) == bucket]


def price_of(sale: Sale, bucket: Bucket, step: Step, at: datetime) -> Price:
    """Price the step: the usage with the event less the usage without it."""
    terms, subunit = sale.tariff.terms_of(bucket), step.subunit(sale)
    before, after = step.usages(sale)
    if sale.charge.prorated:
        span, delta = sale.metering.span, step.rise.delta
        ratio = double_ratio(days_between(at, sale.window.last, span.tz), span.period_days)
        before = Usage(ZERO, 0, full_units=ZERO)
        after = Usage(prorated_rise(delta, ratio), 1, full_units=delta)
    return advance_price(terms, before, after, sale.aggregation, subunit=subunit)


def priced(sale: Sale, bucket: Bucket, step: Step, price: Price) -> PricedFee:
    """Return what a fee shows of one event at a price."""
    _, after = step.usages(sale)
    shown = step.rise.shown_units
    metering, bucket = _as_shown(sale, bucket)
    measured = Measured(bucket, Usage(shown, 1), after.units, shown, step.standing.base, {})
    return fee_of(metering, measured, price)


def _as_shown(sale: Sale, bucket: Bucket) -> tuple[Metering, Bucket]:
    """Leave an absent target wallet out of the group (`docs/rules/metering.md` 3.13)."""
    grouped = sale.tariff.grouped_by(bucket)
    if grouped.get(TARGET_WALLET, "") is not None:
        return sale.metering, bucket
    tariff = tariff_of(sale.charge, Narrowing({TARGET_WALLET: frozenset()}))
    kept = tuple(text for key, text in grouped.items() if key != TARGET_WALLET)
    metering = Metering(sale.metering.wanted, sale.window, tariff, {})
    return metering, Bucket(bucket.filter, kept)


async def _reading(  # noqa: PLR0913, PLR0917 - one event at one place
    unit: Unit,
    events: EventStore,
    sale: Sale,
    happening: Happening,
    bucket: Bucket,
    text: str,
    mark: HighWaterMark | None,
) -> tuple[Decimal, MeteredUsage]:
    """Return what an event adds to its bucket, and the usage before it as far as it is needed.

    Whether a unique value is new, gone or neither shows in the usage before and after the event.
    """
    at, order = happening.position.at, happening.position.order
    is_unique = sale.aggregation == "unique_count_agg"
    orders = ([order - 1] if mark is None or is_unique else []) + ([order] if is_unique else [])
    queries = [sale.query(at + MICROSECOND, EventPosition(at, one)) for one in orders]
    found = [
        answer.get(bucket, NO_USAGE)
        for answer in (await events.usage(unit.org_id, queries) if queries else [])
    ]
    before = found[0] if found else NO_USAGE
    if is_unique:
        return found[1].units - before.units, before
    return (ONE if sale.aggregation == "count_agg" else numeric(text) or ZERO), before


async def _values(
    unit: Unit, events: EventStore, sale: Sale, happening: Happening, bucket: Bucket
) -> list[Decimal]:
    if sale.aggregation == "count_agg" or not sale.tariff.terms_of(bucket).needs_values:
        return []
    query = sale.query(happening.position.at + MICROSECOND, happening.position)
    found = await events_of(unit, events, query, bucket)
    return [numeric(event.value) or ZERO for event in found]


async def _mark(unit: Unit, sale: Sale, bucket: Bucket) -> HighWaterMark | None:
    return await advance_fees.mark(
        unit, sale.subscription.id, sale.place_id, sale.window.start, _name(sale, bucket)
    )


def _move(unit: Unit, sale: Sale, bucket: Bucket, mark: HighWaterMark | None, step: Step) -> None:
    if mark is None:
        mark = HighWaterMark(
            org_id=unit.org_id,
            created_at=unit.now,
            updated_at=unit.now,
            subscription_id=sale.subscription.id,
            charge_id=sale.place_id,
            from_datetime=sale.window.start,
            bucket=_name(sale, bucket),
            base_units=step.standing.base,
            events_count=step.standing.events_count,
            current=ZERO,
        )
        advance_fees.add(unit, mark)
    mark.events_count += 1
    mark.current, mark.maximum = step.rise.state.current, step.rise.state.maximum
    mark.updated_at = unit.now


def _name(sale: Sale, bucket: Bucket) -> str:
    """Return a short name of a bucket: group values may be long."""
    row = sale.tariff.filter_of(bucket)
    group = sale.tariff.grouped_by(bucket)
    # a copy of a filter goes on where that was
    return blake2b(
        encode([row and (row.parent_id or row.id), group]), digest_size=DIGEST_BYTES
    ).hexdigest()
