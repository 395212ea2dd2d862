"""Pricing units: charges priced in a unit of their own and exchanged when they are billed."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from billing_core.domain.charges import Price, Steps
from billing_core.domain.charges.steps import converted_step
from billing_core.domain.money import PRECISE_PLACES, exact_context, quantize, round_half_up

SUBUNIT = 100  # every pricing unit has two decimals


@dataclass(frozen=True, slots=True)
class Exchanged:
    """A price in a pricing unit and what it is in the plan's currency.

    `amount_cents` (rounded), `precise_amount_cents` (15 decimals), `unit_amount_cents` (cut off)
    and `precise_unit_amount` are the pricing unit's, as `pricing_unit_details` shows them; `price`
    is the currency's.
    """

    amount_cents: int
    precise_amount_cents: Decimal
    unit_amount_cents: int
    precise_unit_amount: Decimal
    price: Price


def exchange(price: Price, rate: Decimal) -> Exchanged:
    """Round a price to hundredths of its pricing unit and exchange them at `rate` (above zero).

    The same in arrears and in advance, whatever the currency. Source: `docs/rules/metering.md` 3.15
    and 8.18.
    """
    unit_amount = price.unit_amount
    with exact_context():
        minor = price.amount * SUBUNIT
        rounded = round_half_up(minor)
        amount = rounded * rate / SUBUNIT
        working = _Exchanged(price, rate)
        return Exchanged(
            amount_cents=rounded,
            precise_amount_cents=quantize(minor, PRECISE_PLACES),
            unit_amount_cents=int(unit_amount * SUBUNIT),
            precise_unit_amount=unit_amount,
            price=Price(amount, price.units, working, unit_amount * rate * price.units),
        )


class _Exchanged(NamedTuple):
    price: Price
    rate: Decimal

    def details(self) -> dict[str, Any]:
        return self.price.details

    def steps(self) -> Steps:
        return (converted_step(SUBUNIT, self.rate, self.price.steps),)
