"""Minimum spend: the fee that lifts the usage of a charge to what was agreed for the period."""

from dataclasses import dataclass
from decimal import Decimal

from billing_core.domain.charges import Noted, Price, Step
from billing_core.domain.charges.steps import minor_step, minus_step, ratio_step
from billing_core.domain.money import PRECISE_PLACES, exact_context, quantize

ONE_UNIT = Decimal(1)


@dataclass(frozen=True, slots=True)
class TrueUp:
    """A true-up fee of one unit: its price, unrounded in major units, and its precise amount.

    `precise_minor` has 15 decimals and counts from the precise amounts of the fees it completes,
    while the price counts from their rounded ones.
    """

    price: Price
    precise_minor: Decimal


def true_up(  # noqa: PLR0913 - the minimum, its share of a period, and what counts towards it
    minimum_minor: int,
    days: int,
    period_days: int,
    used_minor: int,
    used_precise_minor: Decimal,
    *,
    subunit: int,
) -> TrueUp | None:
    """Return the fee that completes a minimum, or None where the usage reaches it.

    The minimum holds for `period_days`, of which `days` are billed; `used_minor` is the sum of the
    charge's fees over all buckets and groups. Amounts are minor units of the currency or of the
    pricing unit, of which `subunit` make a major one. Source: `docs/rules/metering.md` 3.14, but by
    exact division.
    """
    with exact_context():
        minimum = Decimal(minimum_minor * days) / period_days
        if used_minor >= minimum:
            return None
        precise = quantize(minimum - used_precise_minor, PRECISE_PLACES)
        amount = (minimum - used_minor) / subunit
    agreed = minor_step(Decimal(minimum_minor), subunit, reason="minimum spend")
    steps: list[Step] = [ratio_step(Decimal(days), Decimal(period_days), [agreed])]
    if used_minor:
        used = minor_step(Decimal(used_minor), subunit, reason="usage")
        steps.append(minus_step([used]))
    return TrueUp(Price(amount, ONE_UNIT, Noted(tuple(steps))), precise)
