"""Minimum spend: docs/rules/metering.md 3.14."""

from decimal import Decimal

import pytest

from billing_core.domain.money import minor_from_major
from billing_core.domain.pricing_units import exchange
from billing_core.domain.true_up import true_up


def lift(minimum: int, days: int, period_days: int, used: int, precise: str) -> tuple[int, str]:
    found = true_up(minimum, days, period_days, used, Decimal(precise), subunit=100)
    assert found is not None
    return minor_from_major(found.price.amount, "EUR"), str(found.precise_minor)


@pytest.mark.parametrize(
    ("fee", "expected"),
    [
        pytest.param((1000, 25, 28, 800, "800"), (93, "92.857142857142857"), id="e43"),
        pytest.param((1000, 15, 31, 200, "200"), (284, "283.870967741935484"), id="e43: 15 of 31"),
        pytest.param((1000, 30, 30, 0, "0"), (1000, "1000.000000000000000"), id="no usage"),
        pytest.param((1000, 30, 30, 800, "799.6"), (200, "200.400000000000000"), id="rounded fees"),
        pytest.param((999, 1, 2, 499, "499"), (1, "0.500000000000000"), id="half a cent"),
    ],
)
def test_true_up(fee: tuple[int, int, int, int, str], expected: tuple[int, str]) -> None:
    assert lift(*fee) == expected


@pytest.mark.parametrize("used", [1000, 1001])
def test_a_reached_minimum_needs_no_fee(used: int) -> None:
    assert true_up(1000, 30, 30, used, Decimal(used), subunit=100) is None


def test_a_true_up_is_one_unit_at_its_amount() -> None:
    found = true_up(1000, 30, 30, 250, Decimal(250), subunit=100)
    assert found is not None
    assert (found.price.units, found.price.unit_amount) == (Decimal(1), Decimal("7.5"))
    assert found.price.details == {}


def test_a_currency_without_minor_units() -> None:
    found = true_up(1000, 1, 3, 33, Decimal(33), subunit=1)
    assert found is not None
    assert minor_from_major(found.price.amount, "JPY") == 300


def test_e44_a_minimum_in_a_pricing_unit() -> None:
    found = true_up(1000, 30, 30, 700, Decimal(700), subunit=100)
    assert found is not None
    exchanged = exchange(found.price, Decimal("0.25"))
    assert exchanged.amount_cents == 300
    assert minor_from_major(exchanged.price.amount, "EUR") == 75
