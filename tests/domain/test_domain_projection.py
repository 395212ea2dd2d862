"""Projected usage: docs/rules/metering.md 5.3."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.domain.charges import MODELS, NOTHING, Terms, Usage, charge_price
from billing_core.domain.money import minor_from_major
from billing_core.domain.projection import Projection, project
from tests.domain.price_lists import (
    NUMBERS,
    graduated,
    graduated_percentage,
    package,
    percentage,
    standard,
    summed,
    volume,
)

TIERS = [(0, 10, "1", "2"), (11, None, "0.5", "3")]


@pytest.mark.parametrize(
    ("terms", "units", "days", "expected"),
    [
        pytest.param(standard("2"), "10", (15, 30), ("20.00", 4000), id="e50: standard"),
        pytest.param(package("5", 100, 100), "150", (15, 30), ("300.00", 1000), id="e50: package"),
        pytest.param(graduated(TIERS), "8", (15, 30), ("16.00", 1800), id="e50: graduated"),
        pytest.param(
            graduated_percentage([(0, 10, "1", "2"), (11, None, "0.5", "3")]),
            "8",
            (15, 30),
            ("16.00", 416),
            id="e50: graduated percentage",
        ),
        pytest.param(standard("1"), "10", (10, 31), ("31.00", 3100), id="e50: day 10 of 31"),
        pytest.param(volume(TIERS), "8", (15, 30), ("16.00", 1100), id="volume"),
        pytest.param(standard("1"), "1", (3, 31), ("10.33", 1033), id="units of two decimals"),
        pytest.param(standard("1"), "10", (40, 31), ("10.00", 1000), id="after the period"),
        pytest.param(standard("1"), "10", (0, 31), ("310.00", 31000), id="before its first day"),
    ],
)
def test_projection(
    terms: Terms, units: str, days: tuple[int, int], expected: tuple[str, int]
) -> None:
    found = project(terms, Usage(Decimal(units), 1), *days)
    assert (str(found.units), minor_from_major(found.price.amount, "EUR")) == expected


def test_percentages_and_dynamic_amounts_grow_in_proportion() -> None:
    terms = percentage(rate="1.3", fixed_amount="2")
    assert project(terms, summed(50, 100, 250, 400), 10, 30).price.amount == Decimal("55.2")
    usage = Usage(Decimal(1), 1, amount_cents=Decimal(500), subunit=100)
    assert project(MODELS["dynamic"].parse({}), usage, 10, 30).price.amount == 15


def test_no_usage_stays_free_of_flat_amounts() -> None:
    found = project(graduated(TIERS), Usage(Decimal(0), 0), 15, 30)
    assert found == Projection(Decimal(0), NOTHING)


@given(NUMBERS.filter(bool), st.integers(1, 400))
def test_the_last_day_projects_what_is_there(units: Decimal, days: int) -> None:
    terms = graduated_percentage(TIERS)
    usage = Usage(units, 1)
    assert project(terms, usage, days, days).price.amount == charge_price(terms, usage).amount
