"""The steps of a price, added up again by an evaluator that has never seen the models."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.domain.advance import advance_price
from billing_core.domain.charges import MODELS, Price, Terms, Usage, charge_price
from billing_core.domain.money import minor_from_major
from billing_core.domain.pricing_units import exchange
from billing_core.domain.projection import project
from billing_core.domain.true_up import true_up
from tests.domain.price_lists import (
    AMOUNTS,
    Tiers,
    any_terms,
    graduated,
    next_rows,
    package,
    percentage,
    prorated_usages,
    standard,
    summed,
    usages,
    volume,
)
from tests.support.evaluator import KINDS, as_json, minor, worth

AGGREGATIONS = ["sum_agg", "count_agg", "max_agg", "unique_count_agg", "weighted_sum_agg"]
NEGLIGIBLE = Fraction(1, 10**300)  # what a division to 400 digits may leave behind


def check(price: Price, currency: str = "EUR", subunit: int = 100) -> None:
    steps = as_json(price.steps)
    assert abs(worth(steps) - Fraction(price.amount)) < NEGLIGIBLE
    assert minor(steps, subunit) == minor_from_major(price.amount, currency)


@given(any_terms(), usages(), st.sampled_from(AGGREGATIONS))
def test_every_price_adds_up(terms: Terms, usage: Usage, aggregation: str) -> None:
    price = charge_price(terms, usage, aggregation)
    check(price)
    check(price, "JPY", 1)
    check(price, "KWD", 1000)


@given(next_rows(gap=1), prorated_usages())
def test_prorated_tiers_add_up(tiers: Tiers, usage: Usage) -> None:
    check(charge_price(graduated(tiers), usage))
    check(charge_price(volume(tiers), usage))
    check(charge_price(standard(tiers[0][2]), usage))


@given(any_terms(), usages(), usages(), st.sampled_from(AGGREGATIONS))
def test_prices_in_advance_add_up(
    terms: Terms, before: Usage, after: Usage, aggregation: str
) -> None:
    check(advance_price(terms, before, after, aggregation, subunit=100))


@given(any_terms(), usages(), st.integers(1, 31), AMOUNTS.map(Decimal))
def test_exchanged_and_projected_prices_add_up(
    terms: Terms, usage: Usage, elapsed: int, rate: Decimal
) -> None:
    check(exchange(charge_price(terms, usage), rate).price)
    projected = project(terms, usage, elapsed, 31).price
    check(projected)
    check(exchange(projected, rate).price, "JPY", 1)


@given(st.integers(1, 10**9), st.integers(0, 31), st.integers(0, 10**9), AMOUNTS.map(Decimal))
def test_true_ups_add_up(minimum: int, days: int, used: int, rate: Decimal) -> None:
    found = true_up(minimum, days, 31, used, Decimal(used), subunit=100)
    if found is not None:
        check(found.price)
        check(exchange(found.price, rate).price)


def test_a_tie_between_two_cents_survives_thirds() -> None:
    """Three thirds of a cent and a half: as decimals they would fall short of one and a half."""
    terms = graduated([(0, 1, "0.01", "0"), (1, 2, "0.01", "0"), (2, None, "0.01", "0")])
    events = [(Decimal(3), Decimal(1)), (Decimal(1), Decimal("0.5"))]
    price = charge_price(terms, Usage(Decimal("1.5"), 2, full_units=Decimal(4), events=events))
    assert minor_from_major(price.amount, "EUR") == 2
    check(price)


def test_the_steps_read_like_the_price_list() -> None:
    terms = graduated([(0, 10, "10", "2"), (11, None, "5", "3")])
    first = {"from_value": "0.0", "to_value": "10.0"}
    second = {"from_value": "11.0", "to_value": None}
    assert charge_price(terms, Usage(Decimal("10.5"), 3)).steps == (
        {"kind": "units", "units": "10.0", "price": "10.0", **first},
        {"kind": "flat", "times": 1, "amount": "2.0", **first},
        {"kind": "units", "units": "0.5", "price": "5.0", **second},
        {"kind": "flat", "times": 1, "amount": "3.0", **second},
    )
    assert charge_price(package("5", 100, 100), Usage(Decimal(201), 1)).steps == (
        {"kind": "packages", "units": "201.0", "free": "100.0", "size": "100.0", "price": "5.0"},
    )


def test_limits_are_explained_by_what_holds_not_by_event() -> None:
    terms = percentage(
        rate="2.99", per_transaction_min_amount="1.75", per_transaction_max_amount="12"
    )
    assert charge_price(terms, summed(10, 80, 10000, 20)).steps == (
        {"kind": "percent", "units": "80.0", "rate": "2.99"},
        {"kind": "flat", "times": 1, "amount": "0.0", "reason": "event"},
        {"kind": "flat", "times": 2, "amount": "1.75", "reason": "minimum", "units": "30.0"},
        {"kind": "flat", "times": 1, "amount": "12.0", "reason": "maximum", "units": "10000.0"},
    )
    million = charge_price(terms, Usage(Decimal(10**6), 10**6), "count_agg")
    assert million.amount == 1_750_000
    assert [step.get("times") for step in million.steps] == [None, 0, 10**6]
    free = percentage(
        rate="10", free_units_per_total_aggregation="30", per_transaction_max_amount="5"
    )
    assert charge_price(free, summed(20, 25, 100)).steps == (
        {"kind": "free", "units": "30.0", "events": 1},
        {"kind": "percent", "units": "15.0", "rate": "10.0"},
        {"kind": "flat", "times": 1, "amount": "0.0", "reason": "event"},
        {"kind": "flat", "times": 1, "amount": "5.0", "reason": "maximum", "units": "100.0"},
    )


def test_days_of_a_period_bound_the_steps_of_prorated_tiers() -> None:
    terms = graduated([(0, 500, "2", "0"), (501, None, "1", "0")])
    pairs = [(Decimal(1), Decimal(day % 31) / 31) for day in range(5000)]
    units = sum((part for _, part in pairs), Decimal(0))
    usage = Usage(units, 5000, full_units=Decimal(5000), events=pairs)
    price = charge_price(terms, usage)
    assert len(price.steps) <= 2 * 31 + 2
    check(price)


@pytest.mark.parametrize("model", MODELS)
def test_the_vocabulary_is_closed(model: str) -> None:
    usage = Usage(Decimal(3), 1, [Decimal(3)], amount_cents=Decimal(1), subunit=100)
    price = charge_price(MODELS[model].parse({}), usage)
    assert {step["kind"] for step in price.steps} <= KINDS.keys()
