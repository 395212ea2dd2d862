"""Prorated volume and graduated prices: docs/rules/metering.md 2.5 and 3.7."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.domain.charges import NOTHING, Terms, Usage, charge_price
from billing_core.domain.money import minor_from_major
from tests.domain.price_lists import (
    AMOUNTS,
    Tiers,
    graduated,
    next_rows,
    prorated_usages,
    standard,
    volume,
)
from tests.support.evaluator import worth

CLASSIC = graduated([(0, 5, "10", "100"), (6, 15, "5", "50"), (16, None, "2", "0")])
ADJACENT = graduated([(0, 5, "10", "0"), (5, 15, "5", "0"), (15, None, "2", "0")])
VOLUME = volume([(0, 100, "2", "10"), (101, 200, "1", "0"), (201, None, "0.5", "50")])


def prorated(*events: tuple[int, str]) -> Usage:
    """Return usage of events of full units, each there for a fraction of the period."""
    shares = [(Fraction(full), full * Fraction(ratio)) for full, ratio in events]
    pairs = [(_decimal(full), _decimal(units)) for full, units in shares]
    full_units = _decimal(sum((full for full, _ in shares), Fraction(0)))
    units = _decimal(sum((units for _, units in shares), Fraction(0)))
    return Usage(units, len(pairs), full_units=full_units, events=pairs)


def _decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / value.denominator


SEATS = [(2, "21/30"), (5, "15/30"), (-6, "11/30")]


@pytest.mark.parametrize(
    ("terms", "events", "cents"),
    [
        pytest.param(CLASSIC, SEATS[:1], 11400, id="e33"),
        pytest.param(CLASSIC, SEATS[:2], 18400, id="e33: crossing a border"),
        pytest.param(CLASSIC, SEATS, 16567, id="e33: going back"),
        # differs-from-lago.md: what leaves a tier is credited at that tier's price
        pytest.param(CLASSIC, [(18, "1"), (-8, "1/2")], 24050, id="e33b"),
        pytest.param(ADJACENT, [(7, "1"), (-3, "1/2")], 5000, id="e33b: adjacent bounds"),
        pytest.param(CLASSIC, [(75, "1")], 37000, id="e34: next month"),
        pytest.param(CLASSIC, [(75, "1"), (20, "15/31")], 38935, id="e34"),
        pytest.param(CLASSIC, [], 10000, id="no units: the first flat amount"),
        pytest.param(CLASSIC, [(6, "1"), (-6, "1")], 10000, id="none left: the first flat amount"),
        pytest.param(CLASSIC, [(9, "0"), (2, "1")], 12000, id="gone before the period"),
        pytest.param(CLASSIC, [(9, "0"), (-9, "0"), (2, "1")], 12000, id="its removal too"),
        pytest.param(CLASSIC, [(7, "1"), (-3, "0"), (2, "1/2")], 21750, id="left at its end"),
        pytest.param(CLASSIC, [(4, "1/2"), (-4, "3/4"), (5, "1/4")], 10250, id="in all below zero"),
        pytest.param(CLASSIC, [(9, "1"), (-10, "1/9")], 15000, id="ends below zero: flats alone"),
    ],
)
def test_prorated_graduated(terms: Terms, events: list[tuple[int, str]], cents: int) -> None:
    price = charge_price(terms, prorated(*events))
    assert minor_from_major(price.amount, "EUR") == cents
    assert price.details == {}


def test_the_unit_amount_is_that_of_a_full_unit() -> None:
    assert charge_price(CLASSIC, prorated(*SEATS[:2])).unit_amount == Decimal("26.285714285714286")
    half = Usage(Decimal("7.5"), 1, full_units=Decimal(15))
    assert charge_price(standard("4"), half).amount == 30
    assert charge_price(standard("4"), half).unit_amount == 2
    below = Usage(Decimal("7.5"), 2, full_units=Decimal(-2))
    assert charge_price(standard("4"), below).unit_amount == 0


def test_e11_full_units_choose_the_tier_of_a_volume() -> None:
    usage = Usage(Decimal("198.6"), 1, full_units=Decimal(300))
    price = charge_price(VOLUME, usage)
    assert price.amount == Decimal("149.3")
    assert price.unit_amount.quantize(Decimal("1e-5")) == Decimal("0.49767")
    assert price.details["per_unit_total_amount"] == "99.3"
    below = Usage(Decimal("198.6"), 2, full_units=Decimal(-1))
    assert charge_price(VOLUME, below) == NOTHING


def by_single_units(terms: Tiers, usage: Usage) -> Fraction:
    """Price each unit on its own, as it comes and goes: the meaning of 3.7 for whole units."""

    def tier_of(unit: int) -> int:
        return next(n for n, row in enumerate(terms) if row[1] is None or unit <= row[1])

    money, total, peak = Fraction(0), 0, 0
    for full, part in usage.events:
        if not full or (not part and (full > 0 or total + full < 0)):
            continue
        ratio, step = Fraction(part) / Fraction(full), 1 if full > 0 else -1
        for _ in range(abs(int(full))):
            unit = total + 1 if step > 0 else total
            money += step * ratio * Fraction(terms[tier_of(unit)][2])
            total += step
        peak = max(peak, total)
    if not usage.units:
        return Fraction(terms[0][3])
    money = max(money, Fraction(0)) if total >= 0 else Fraction(0)
    return money + sum(Fraction(row[3]) for row in terms[: tier_of(peak) + 1])


@given(st.lists(st.integers(1, 12), max_size=4), st.lists(AMOUNTS, min_size=10), prorated_usages())
def test_each_unit_pays_its_tier_for_its_days(
    widths: list[int], amounts: list[str], usage: Usage
) -> None:
    bounds = [0]
    for width in widths:
        bounds.append(bounds[-1] + width)
    flats = amounts[5:]
    tiers: Tiers = [
        (low, high, amounts[place], flats[place])
        for place, (low, high) in enumerate(zip(bounds, [*bounds[1:], None], strict=True))
    ]
    price = charge_price(graduated(tiers), usage)
    if usage.units < 0:
        assert price == NOTHING
    else:
        expected = by_single_units(tiers, usage)
        assert abs(Fraction(price.amount) - expected) < Fraction(1, 10**300)
        assert worth(price.steps) == expected


@given(next_rows(gap=1), st.lists(st.integers(1, 10**5), min_size=1, max_size=6))
def test_whole_periods_cost_what_unprorated_units_do(tiers: Tiers, additions: list[int]) -> None:
    terms, units = graduated(tiers), Decimal(sum(additions))
    pairs = [(Decimal(full), Decimal(full)) for full in additions]
    whole = Usage(units, len(pairs), full_units=units, events=pairs)
    assert charge_price(terms, whole).amount == charge_price(terms, Usage(units, 1)).amount
