"""From metered usage to money: the charges of subscriptions, priced for a window."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from billing_core.domain.charges import Noted, Price, charge_price
from billing_core.domain.money import minor_from_major, plain, precise_minor, subunit
from billing_core.domain.pricing_units import Exchanged, exchange
from billing_core.ports import EventStore
from billing_core.services.measures import Measured, measured
from billing_core.services.metering import Metering, Wanted, read
from billing_core.store.tables import Charge, ChargeFilter, PricingUnit
from billing_core.store.unit import Unit

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class PricedFee:
    """The price of one bucket and group of a charge; amounts are minor units of the plan's money.

    `units` are what a fee shows: not prorated, rounded by the metric, never negative.
    `pricing_unit_details` are those of a charge that is priced in a pricing unit.
    """

    metering: Metering
    measured: Measured
    units: Decimal
    price: Price
    amount_cents: int
    precise_amount_cents: Decimal
    unit_amount_cents: int
    pricing_unit_details: dict[str, Any] | None

    @property
    def filter(self) -> ChargeFilter | None:
        """The filter whose events these are, None for the default bucket."""
        return self.metering.tariff.filter_of(self.measured.bucket)

    @property
    def grouped_by(self) -> dict[str, str | None]:
        """The pricing group, a value by key."""
        return self.metering.tariff.grouped_by(self.measured.bucket)

    @property
    def events_count(self) -> int:
        """How many events took part."""
        return self.measured.usage.events_count

    @property
    def is_empty(self) -> bool:
        """Whether an invoice leaves it out (`docs/rules/metering.md` 3.2)."""
        return not (self.units or self.amount_cents or self.events_count)


@dataclass(frozen=True, slots=True)
class PricedCharge:
    """A charge over a window: one fee for every bucket and group, the default bucket last."""

    charge: Charge
    metering: Metering
    fees: list[PricedFee]


async def price_windows(
    unit: Unit, events: EventStore, wanted: Sequence[Wanted]
) -> list[list[PricedCharge]]:
    """Price every wanted charge, with one read of all usage; answers are in the order of `wanted`.

    The fees are exact up to the one rounding to minor units, each by itself
    (`docs/rules/metering.md` 3.2).
    """
    return [
        [
            PricedCharge(
                metering.charge, metering, [priced(metering, one) for one in measured(metering)]
            )
            for metering in meterings
        ]
        for meterings in await read(unit, events, wanted)
    ]


def total_cents(charges: Sequence[PricedCharge]) -> int:
    """Return what priced charges come to in minor units, without taxes and minimum spends."""
    return sum(fee.amount_cents for charge in charges for fee in charge.fees)


def priced(metering: Metering, one: Measured) -> PricedFee:
    """Price one bucket and group."""
    terms = metering.tariff.terms_of(one.bucket)
    return fee_of(metering, one, charge_price(terms, one.usage, metering.metric.aggregation_type))


def fee_of(metering: Metering, one: Measured, price: Price) -> PricedFee:
    """Turn the price of a bucket and group into a fee, by the one rounding.

    A price in a pricing unit is rounded in that unit and then exchanged
    (`docs/rules/metering.md` 3.15).
    """
    currency = metering.currency
    units = ZERO if _is_below_zero(one, price) else one.shown_units
    details = None
    rate, unit = metering.tariff.conversion_rate, metering.charge.pricing_unit
    if rate is not None and unit is not None:
        exchanged = exchange(price, rate)
        details = unit_details(unit, rate, exchanged)
        price = exchanged.price
    return PricedFee(
        metering=metering,
        measured=one,
        units=units,
        price=price,
        amount_cents=minor_from_major(price.amount, currency),
        precise_amount_cents=precise_minor(price.amount, currency),
        unit_amount_cents=int(price.unit_amount * subunit(currency)),
        pricing_unit_details=details,
    )


def unit_details(unit: PricingUnit, rate: Decimal, exchanged: Exchanged) -> dict[str, Any]:
    """Return what a fee keeps of its price in a pricing unit, ready for the wire."""
    return {
        "lago_pricing_unit_id": str(unit.id),
        "pricing_unit_code": unit.code,
        "short_name": unit.short_name,
        "amount_cents": exchanged.amount_cents,
        "precise_amount_cents": plain(exchanged.precise_amount_cents),
        "unit_amount_cents": exchanged.unit_amount_cents,
        "precise_unit_amount": plain(exchanged.precise_unit_amount),
        "conversion_rate": plain(rate),
    }


def _is_below_zero(one: Measured, price: Price) -> bool:
    """Tell whether units or amount were negative, so that the fee shows no units either (3.2)."""
    was_raised = isinstance(price.working, Noted) and bool(price.working.noted)
    return one.usage.units < ZERO or one.shown_units < ZERO or was_raised
