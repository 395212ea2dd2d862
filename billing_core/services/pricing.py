"""From metered usage to money: the charges of subscriptions, priced for a window."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from billing_core.domain.calendar import Window
from billing_core.domain.charges import MODELS, Price, Usage, charge_price
from billing_core.domain.metrics import apply_rounding, numeric
from billing_core.domain.money import minor_from_major, precise_minor, subunit
from billing_core.ports import NO_USAGE, EventStore, Meter, MeteredUsage, UsageQuery
from billing_core.store.tables import BillableMetric, Charge, Subscription


@dataclass(frozen=True, slots=True)
class PricedCharge:
    """One charge over one window. `units` are rounded by the metric, amounts are minor units."""

    charge: Charge
    units: Decimal
    total_aggregated_units: Decimal
    events_count: int
    price: Price
    amount_cents: int
    precise_amount_cents: Decimal
    unit_amount_cents: int

    @property
    def is_empty(self) -> bool:
        """Whether an invoice leaves it out (`docs/rules/metering.md` 3.2)."""
        return not (self.units or self.amount_cents or self.events_count)


def meter_of(metric: BillableMetric) -> Meter:
    """Return what the event store keeps for a metric."""
    return Meter(metric.id, metric.code, metric.aggregation_type, metric.field_name)


async def price_windows(
    org_id: UUID, events: EventStore, wanted: Sequence[tuple[Subscription, Window | None]]
) -> list[list[PricedCharge]]:
    """Price every charge of each subscription over its window, with one read of all usage.

    A null or collapsed window has no usage charges. Answers are in the order of `wanted`.
    """
    billed = [
        (index, charge, _query(subscription, charge, window))
        for index, (subscription, window) in enumerate(wanted)
        if window is not None and not window.is_empty
        for charge in subscription.plan.charges
    ]
    usages = await events.usage(org_id, [query for _, _, query in billed]) if billed else []
    priced: list[list[PricedCharge]] = [[] for _ in wanted]
    for (index, charge, query), buckets in zip(billed, usages, strict=True):
        usage = buckets.get((), NO_USAGE)
        currency = wanted[index][0].plan.amount_currency
        values = await _values(org_id, events, charge, query, usage)
        priced[index].append(_priced(charge, usage, values, currency))
    return priced


async def _values(
    org_id: UUID, events: EventStore, charge: Charge, query: UsageQuery, usage: MeteredUsage
) -> Sequence[Decimal]:
    terms = MODELS[charge.charge_model].parse(charge.properties)
    if charge.metric.aggregation_type == "count_agg" or not terms.needs_values:
        return ()
    if not usage.events_count:
        return ()
    found = await events.events(org_id, query)
    return [numeric(event.value) or Decimal(0) for event in found]


def _priced(
    charge: Charge, usage: MeteredUsage, values: Sequence[Decimal], currency: str
) -> PricedCharge:
    metric = charge.metric
    terms = MODELS[charge.charge_model].parse(charge.properties)
    units = apply_rounding(usage.units, metric.rounding_function, metric.rounding_precision)
    price = charge_price(terms, Usage(units, usage.events_count, values), metric.aggregation_type)
    if units < 0:
        units = Decimal(0)
    return PricedCharge(
        charge=charge,
        units=units,
        total_aggregated_units=usage.units,
        events_count=usage.events_count,
        price=price,
        amount_cents=minor_from_major(price.amount, currency),
        precise_amount_cents=precise_minor(price.amount, currency),
        unit_amount_cents=int(price.unit_amount * subunit(currency)),
    )


def _query(subscription: Subscription, charge: Charge, window: Window) -> UsageQuery:
    return UsageQuery(
        external_subscription_id=subscription.external_id,
        meter=meter_of(charge.metric),
        start=window.start,
        end=window.end,
    )
