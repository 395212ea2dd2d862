"""Charges in advance: the worked examples of docs/rules/metering.md 7, event by event."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.domain.advance import HighWater, advance_price, prorated_rise
from billing_core.domain.charges import MODELS, Price, Terms, Usage, charge_price
from billing_core.domain.money import minor_from_major
from tests.domain.price_lists import (
    graduated,
    graduated_percentage,
    package,
    percentage,
    standard,
)

Billed = list[tuple[str, int]]


def priced(terms: Terms, before: Usage, after: Usage, aggregation: str = "sum_agg") -> Price:
    return advance_price(terms, before, after, aggregation, subunit=100)


def bill(terms: Terms, values: list[str], aggregation: str = "sum_agg") -> Billed:
    """Return shown units and cents of the fee of each event."""
    state, fees = HighWater(), []
    numbers = [Decimal(value) for value in values]
    for count, value in enumerate(numbers, start=1):
        rise = state.after(value)
        before = Usage(rise.billed - rise.delta, count - 1, numbers[: count - 1])
        after = Usage(rise.billed, count, numbers[:count])
        amount = priced(terms, before, after, aggregation).amount
        fees.append((str(rise.shown_units), minor_from_major(amount, "EUR")))
        state = rise.state
    return fees


TIERS = graduated([(0, 5, "0.02", "0.01"), (6, None, "0.01", "0.01")])
FLAT = graduated([(0, 10, "10", "2"), (11, None, "5", "3")])


@pytest.mark.parametrize(
    ("terms", "values", "fees"),
    [
        pytest.param(standard("0.004"), "1 1 1", "1=0 1=0 1=0", id="e3"),
        pytest.param(standard("1"), "10 -4 8", "10=1000 0=0 4=400", id="e35"),
        pytest.param(standard("1"), "-10 15 3 10", "0=0 15=1500 3=0 3=300", id="e36"),
        pytest.param(package("100", 2, 3), "3 1 2", "3=0 1=10000 2=10000", id="e37"),
        pytest.param(TIERS, "3 1 2", "3=7 1=2 2=4", id="e38"),
        pytest.param(FLAT, "1 9 1", "1=1200 9=9000 1=800", id="flat amounts with their tiers"),
        pytest.param(FLAT, "0 0 1", "0=0 0=0 1=1200", id="flat with the first unit"),
        pytest.param(FLAT, "1 -1 1 1", "1=1200 0=0 1=0 1=1000", id="and only then"),
    ],
)
def test_sums_in_advance(terms: Terms, values: str, fees: str) -> None:
    found = bill(terms, values.split())
    assert " ".join(f"{units}={cents}" for units, cents in found) == fees


def test_e3_arrears_round_once() -> None:
    assert (
        minor_from_major(charge_price(standard("0.004"), Usage(Decimal(3), 3)).amount, "EUR") == 1
    )


def test_e26_dynamic() -> None:
    terms = MODELS["dynamic"].parse({})
    known = [(0, "0"), (5, "1234.56"), (6, "1236.66")]
    usages = [
        Usage(Decimal(units), number, amount_cents=Decimal(amount), subunit=100)
        for number, (units, amount) in enumerate(known)
    ]
    fees = [
        minor_from_major(priced(terms, before, after).amount, "EUR")
        for before, after in pairwise(usages)
    ]
    assert fees == [1235, 2]


def counted(terms: Terms, events: int, aggregation: str = "count_agg") -> list[int]:
    usages = [Usage(Decimal(number), number) for number in range(events + 1)]
    return [
        minor_from_major(priced(terms, before, after, aggregation).amount, "EUR")
        for before, after in pairwise(usages)
    ]


def test_e39_count() -> None:
    assert counted(graduated([(0, 2, "0", "0"), (3, None, "2", "0")]), 3) == [0, 0, 200]


def test_e40_percentage_with_limits() -> None:
    limits = {"per_transaction_min_amount": "1.75", "per_transaction_max_amount": "2"}
    terms = percentage(rate="1", fixed_amount="0.5", **limits)
    values = [Decimal(value) for value in (100, 1000, 10000, 333)]
    assert [cents for _, cents in bill(terms, ["100", "1000", "10000"])] == [175, 200, 200]
    usage = Usage(sum(values, Decimal(0)), 4, values)
    assert charge_price(terms, usage).amount == Decimal("7.75")


def test_e41_unique_count() -> None:
    # add a, remove a, add a, add b, add b again
    found = bill(standard("12"), ["1", "-1", "1", "1", "0"], "unique_count_agg")
    assert found == [("1", 1200), ("0", 0), ("1", 0), ("1", 1200), ("0", 0)]


def test_e42_prorated_seat() -> None:
    units = prorated_rise(Decimal(1), Decimal(repr(20 / 30)))
    assert units == Decimal("0.66667")
    before = Usage(Decimal(0), 0, full_units=Decimal(0))
    fee = priced(standard("30"), before, Usage(units, 1, full_units=Decimal(1)))
    assert [fee.amount, fee.units, fee.unit_amount] == [Decimal("20.0001"), 1, 20]
    renewal = charge_price(standard("30"), Usage(Decimal(5), 0))
    assert minor_from_major(renewal.amount, "EUR") == 15000


@pytest.mark.parametrize("aggregation", ["count_agg", "unique_count_agg"])
def test_limits_hold_for_each_counted_event(aggregation: str) -> None:
    least = percentage(rate="1", fixed_amount="0.5", per_transaction_min_amount="1.75")
    assert counted(least, 3, aggregation) == [175, 175, 175]
    free = percentage(rate="100", free_units_per_events=2, per_transaction_max_amount="0.4")
    assert counted(free, 4, aggregation) == [0, 0, 40, 40]


def test_an_event_never_costs_less_than_nothing() -> None:
    terms = percentage(rate="10", per_transaction_max_amount="1")
    fee = priced(
        terms, Usage(Decimal(5), 1, [Decimal(5)]), Usage(Decimal(5), 2, [Decimal(5), Decimal(-9)])
    )
    assert fee.amount == 0
    assert [step["kind"] for step in fee.steps] == ["at_least"]


def test_the_unit_amount_is_that_of_the_rounded_amount() -> None:
    fee = priced(standard("0.004"), Usage(Decimal(0), 0), Usage(Decimal(3), 1))
    assert (fee.amount, fee.unit_amount) == (Decimal("0.012"), Decimal("0.003333333333333"))
    again = priced(standard("5"), Usage(Decimal(3), 1), Usage(Decimal(3), 2))
    assert again.amount == again.unit_amount == 0


def test_details_of_percentages_are_differences() -> None:
    terms = percentage(rate="1.3", fixed_amount="2", free_units_per_total_aggregation="250")
    values = [Decimal(value) for value in (50, 100, 250)]
    before, after = Usage(Decimal(150), 2, values[:2]), Usage(Decimal(400), 3, values)
    assert priced(terms, before, after).details == {
        "units": "250.0",
        "free_units": "100.0",
        "free_events": 0,
        "paid_units": "150.0",
        "rate": "1.3",
        "per_unit_total_amount": "1.95",
        "paid_events": 1,
        "fixed_fee_unit_amount": "2.0",
        "fixed_fee_total_amount": "2.0",
        "min_max_adjustment_total_amount": "0.0",
    }


def test_details_of_graduated_percentages_are_differences_tier_by_tier() -> None:
    terms = graduated_percentage([(0, 10, "1", "200"), (11, None, "2", "300")])
    fee = priced(terms, Usage(Decimal(8), 1), Usage(Decimal(13), 2))
    assert fee.amount == Decimal("300.08")
    first, second = fee.details["graduated_percentage_ranges"]
    assert first == _tier(0, 10, "1.0", "0.0", "2.0", "0.01", "0.02")
    assert second == _tier(11, None, "2.0", "300.0", "3.0", "100.02", "300.06")
    start = priced(terms, Usage(Decimal(0), 0), Usage(Decimal(8), 1))
    assert start.amount == Decimal("200.08")
    assert start.details == {
        "graduated_percentage_ranges": [_tier(0, 10, "1.0", "200.0", "8.0", "25.01", "200.08")]
    }


def _tier(start: int, end: int | None, *texts: str) -> dict[str, Any]:
    keys = ("rate", "flat_unit_amount", "units", "per_unit_total_amount", "total_with_flat_amount")
    return {"from_value": start, "to_value": end, **dict(zip(keys, texts, strict=True))}


def test_other_models_show_no_details() -> None:
    for terms in (FLAT, standard("1"), package("1", 1, 0)):
        assert priced(terms, Usage(Decimal(1), 1), Usage(Decimal(3), 2)).details == {}


@given(st.lists(st.decimals(-(10**4), 10**4, places=2), max_size=12))
def test_what_is_billed_is_the_highest_mark(values: list[Decimal]) -> None:
    """Marks that never fall below zero: then all increments make up the highest running total."""
    state, billed, total, highest = HighWater(), Decimal(0), Decimal(0), Decimal(0)
    for value in values:
        step = max(value, -total)
        total += step
        highest = max(highest, total)
        rise = state.after(step)
        assert rise.delta >= 0
        assert rise.shown_units >= rise.delta
        billed += rise.delta
        state = rise.state
        assert billed == rise.billed == highest


@given(st.lists(st.decimals(0, 10**4, places=2), min_size=1, max_size=12))
def test_events_in_advance_add_up_to_the_whole(values: list[Decimal]) -> None:
    total = Decimal(0)
    amount = Decimal(0)
    for count, value in enumerate(values):
        amount += priced(FLAT, Usage(total, count), Usage(total + value, count + 1)).amount
        total += value
    whole = charge_price(FLAT, Usage(total, len(values))).amount if total else 0
    assert amount == whole
