"""Projected usage: what the current period will come to if it goes on as it began."""

from dataclasses import dataclass, replace
from decimal import Decimal

from billing_core.domain.calendar import days_between
from billing_core.domain.money import exact_context, quantize
from billing_core.domain.projection import UNIT_PLACES, project
from billing_core.ports import EventStore
from billing_core.services.pricing import PricedFee, fee_of
from billing_core.services.shapes.usage import UsagePart, projected_charge
from billing_core.services.usage import UsageWish, priced_usage, pricing_unit_of, usage_part
from billing_core.store.unit import Unit
from billing_core.wire.usage import ProjectedUsageOut


@dataclass(frozen=True, slots=True)
class _Growth:
    """The days of a charges window, and how many of them have begun."""

    elapsed_days: int
    period_days: int

    def of(self, units: Decimal) -> Decimal:
        with exact_context():
            return quantize(units * self.period_days / self.elapsed_days, UNIT_PLACES)

    def part(self, fee: PricedFee) -> UsagePart:
        """Return a fee's usage with its projection; recurring usage stays what it is."""
        part = usage_part(fee)
        metering = fee.metering
        if metering.metric.recurring:
            return replace(
                part,
                projected_units=part.units,
                projected_amount_cents=part.amount_cents,
                projected_breakdowns=part.breakdowns,
            )
        projection = project(
            metering.tariff.terms_of(fee.measured.bucket),
            fee.measured.usage,
            self.elapsed_days,
            self.period_days,
            metering.metric.aggregation_type,
        )
        return replace(
            part,
            projected_units=self.of(part.units),
            projected_amount_cents=fee_of(metering, fee.measured, projection.price).amount_cents,
            projected_breakdowns={
                pairs: self.of(units) for pairs, units in part.breakdowns.items()
            },
        )


async def projected(
    unit: Unit, events: EventStore, external_customer_id: str, wish: UsageWish
) -> ProjectedUsageOut:
    """Return current usage and its projection to the end of the charges period.

    Every amount is the sum of its parts, up to the total (`docs/rules/metering.md` 5.3 and 8.23).
    Raises what `usage.priced_usage` does.
    """
    usage = await priced_usage(unit, events, external_customer_id, wish)
    window, tz = usage.window, usage.subscription.customer.applicable_timezone
    period_days = days_between(window.start, window.last, tz)
    elapsed_days = days_between(window.start, unit.now, tz)
    growth = _Growth(min(max(elapsed_days, 1), period_days), period_days)
    shown = [
        projected_charge(
            charge.charge,
            [growth.part(fee) for fee in charge.fees],
            usage.subscription.plan.amount_currency,
            pricing_unit_of(charge.charge),
        )
        for charge in usage.charges
    ]
    return ProjectedUsageOut(
        **usage.totals(),
        projected_amount_cents=sum(one.projected_amount_cents for one in shown),
        charges_usage=shown,
    )
