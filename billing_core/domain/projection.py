"""Projection: what a period will cost if usage goes on as it began."""

from decimal import Decimal
from typing import Any, NamedTuple

from billing_core.domain.charges import NOTHING, Price, Steps, Terms, Usage, charge_price
from billing_core.domain.charges.steps import ratio_step
from billing_core.domain.money import exact_context, quantize

UNIT_PLACES = 2


class Projection(NamedTuple):
    """Projected units, two decimals, and their unrounded price."""

    units: Decimal
    price: Price


def project(
    terms: Terms, usage: Usage, elapsed_days: int, period_days: int, aggregation: str = "sum_agg"
) -> Projection:
    """Extend usage from the elapsed days (today counts) to all days of the period.

    Where quantities make the price, the projected units are priced; percentages, dynamic and custom
    prices and prorated tiers grow in proportion, fixed parts included. No usage stays no usage, at
    no price. Usage of recurring metrics is not projected: do not call it for them. Source:
    `docs/rules/metering.md` 5.3, but by exact division.
    """
    if not usage.units:
        return Projection(usage.units, NOTHING)
    elapsed, period = Decimal(min(max(elapsed_days, 1), period_days)), Decimal(period_days)
    with exact_context():
        units = quantize(usage.units * period / elapsed, UNIT_PLACES)
    if terms.is_projected_by_units and usage.full_units is None:
        return Projection(units, charge_price(terms, Usage(units, usage.events_count), aggregation))
    price = charge_price(terms, usage, aggregation)
    with exact_context():
        amount = price.amount * period / elapsed
    return Projection(units, Price(amount, units, _Grown(price, period, elapsed)))


class _Grown(NamedTuple):
    price: Price
    period: Decimal
    elapsed: Decimal

    def details(self) -> dict[str, Any]:
        return {}

    def steps(self) -> Steps:
        return (ratio_step(self.period, self.elapsed, self.price.steps),)
