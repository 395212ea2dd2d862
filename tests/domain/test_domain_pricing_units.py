"""Pricing units: docs/rules/metering.md 3.15."""

from decimal import Decimal

import pytest

from billing_core.domain.charges import Usage, charge_price
from billing_core.domain.money import minor_from_major, precise_minor
from billing_core.domain.pricing_units import Exchanged, exchange
from tests.domain.price_lists import package, standard


def exchanged(amount: str, rate: str, units: int = 1) -> Exchanged:
    price = charge_price(standard(amount), Usage(Decimal(units), 1))
    return exchange(price, Decimal(rate))


@pytest.mark.parametrize(
    ("amount", "rate", "unit_cents", "cents", "precise"),
    [
        pytest.param("1.2345", "0.5", 123, 62, "61.5", id="e44"),
        pytest.param("0.004", "100", 0, 0, "0", id="e44: rounded away before the exchange"),
        pytest.param("3", "0.25", 300, 75, "75", id="e44: 300 at a quarter"),
    ],
)
def test_exchange(amount: str, rate: str, unit_cents: int, cents: int, precise: str) -> None:
    found = exchanged(amount, rate)
    assert found.amount_cents == unit_cents
    assert minor_from_major(found.price.amount, "EUR") == cents
    assert precise_minor(found.price.amount, "EUR") == Decimal(precise)


@pytest.mark.parametrize(("currency", "minor"), [("EUR", 246), ("JPY", 2), ("KWD", 2460)])
def test_the_currency_does_not_change_the_pricing_unit(currency: str, minor: int) -> None:
    found = exchanged("1.2345", "2")
    assert (found.amount_cents, found.precise_amount_cents) == (123, Decimal("123.45"))
    assert minor_from_major(found.price.amount, currency) == minor


def test_unit_amounts_of_both_sides() -> None:
    found = exchanged("1.2345", "0.5", units=4)
    assert (found.unit_amount_cents, found.precise_unit_amount) == (123, Decimal("1.2345"))
    assert found.price.unit_amount == Decimal("0.61725")
    assert found.price.units == 4


def test_details_stay_in_the_pricing_unit() -> None:
    price = charge_price(package("5", 100, 100), Usage(Decimal(201), 1))
    found = exchange(price, Decimal("0.1"))
    assert found.price.amount == 1
    assert found.price.details["per_package_unit_amount"] == "5.0"
