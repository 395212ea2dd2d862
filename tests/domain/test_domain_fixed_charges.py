"""Units of fixed charges: which count in a period, for how many days, and what they cost."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.domain.calendar import SubscriptionTimes, Window
from billing_core.domain.charges import MODELS, charge_price
from billing_core.domain.fixed_charges import (
    Change,
    Held,
    counting,
    credit_cents,
    held,
    increase_price,
    less_credit,
    prorated_usage,
    running_period,
    whole_units,
)
from billing_core.domain.money import minor_from_major

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)
PERIOD = Window(MARCH, APRIL)
DAY = timedelta(days=1)


def times(tz: str = "UTC", started_at: datetime = MARCH) -> SubscriptionTimes:
    return SubscriptionTimes(
        interval="monthly",
        anniversary=False,
        pay_in_advance=False,
        subscription_at=started_at,
        started_at=started_at,
        terminated_at=None,
        tz=tz,
    )


def change(units: int, day: float) -> Change:
    """Return a change that takes effect on a day of March, 1 being the first midnight."""
    return Change(Decimal(units), MARCH + (day - 1) * DAY)


@pytest.mark.parametrize(
    ("changes", "units"),
    [
        ([], 0),
        ([change(10, -40)], 10),
        ([change(10, 1), change(12, 31.9)], 12),
        ([change(10, 1), change(12, 32)], 10),
        # of those before the period only the one that was made last counts
        ([change(10, -40), change(11, -50)], 11),
        # the newest, although it takes effect before the one that was planned
        ([change(10, -40), change(20, 1), change(5, -10)], 5),
    ],
)
def test_whole_units(changes: list[Change], units: int) -> None:
    assert whole_units(changes, PERIOD) == units


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([], []),
        ([change(10, -40)], [(10, 31)]),
        ([change(20, 1), change(100, 10)], [(20, 9), (100, 22)]),
        ([change(10, 1), change(20, 1.5)], [(10, 0), (20, 31)]),
        # overtaken by a newer one that takes effect earlier
        ([change(10, 1), change(20, 20), change(5, 10)], [(10, 9), (5, 22)]),
    ],
)
def test_held(changes: list[Change], expected: list[tuple[int, int]]) -> None:
    found = held(changes, times(), PERIOD)
    assert [(int(one.units), one.days) for one in found] == expected
    assert {one.period_days for one in found} <= {31}


def test_e45_three_days_of_a_month() -> None:
    begins = MARCH + 28 * DAY + timedelta(hours=15)
    found = held([Change(Decimal(10), begins)], times(), Window(begins, APRIL))
    usage = prorated_usage(found)
    assert (usage.units, usage.shown_units) == (Decimal("0.967742"), Decimal(10))
    price = charge_price(MODELS["standard"].parse({"amount": "310"}), usage)
    assert price.amount == Decimal("300.00002")
    assert int(price.unit_amount * 100) == 3000


def test_e46_nine_days_and_one_of_ten() -> None:
    spans = [Held(Decimal(20), 9, 10), Held(Decimal(100), 1, 10)]
    usage = prorated_usage(spans)
    assert (usage.units, usage.shown_units) == (Decimal(28), Decimal(100))


def test_the_day_of_an_upgrade_is_paid_on_the_next_plan() -> None:
    ended = Window(MARCH, MARCH + 20.5 * DAY)
    (before,) = held([change(100, -40)], times(), ended)
    (after,) = held([change(100, -40)], times(), ended, minus_days=1)
    assert (before.days, after.days) == (21, 20)


def test_days_are_local() -> None:
    zone = "America/New_York"
    begins = datetime(2026, 3, 1, 5, tzinfo=UTC)
    window = running_period(times(zone, begins), begins)
    assert window.end == datetime(2026, 4, 1, 4, tzinfo=UTC)
    late = Change(Decimal(1), datetime(2026, 3, 2, 3, tzinfo=UTC))  # 22:00 of March 1
    assert [one.days for one in held([late], times(zone, begins), window)] == [31]


def test_tiers_of_units_that_are_gone_are_walked_by_the_sum() -> None:
    tiers = [{"from_value": 0, "to_value": None, "per_unit_amount": "31", "flat_amount": "0"}]
    terms = MODELS["graduated"].parse({"graduated_ranges": tiers})
    usage = prorated_usage([Held(Decimal(10), 10, 31), Held(Decimal(0), 21, 31)])
    assert usage.shown_units == 0
    assert minor_from_major(charge_price(terms, usage).amount, "EUR") == 10000


def test_e47_an_increase_is_priced_by_itself() -> None:
    terms = MODELS["standard"].parse({"amount": "10"})
    assert increase_price(terms, Decimal(5)).amount == 50
    by_the_day = increase_price(terms, Held(Decimal(10), 17, 31))
    assert minor_from_major(by_the_day.amount, "EUR") == 5484
    tiers = [
        {"from_value": 0, "to_value": 10, "per_unit_amount": "5", "flat_amount": "2"},
        {"from_value": 11, "to_value": None, "per_unit_amount": "3", "flat_amount": "1"},
    ]
    graduated = MODELS["graduated"].parse({"graduated_ranges": tiers})
    assert increase_price(graduated, Decimal(2)).amount == 12


def test_c23_what_was_paid_on_the_plan_before_is_taken_off() -> None:
    first = datetime(2023, 8, 21, 10, tzinfo=UTC)
    end = datetime(2023, 9, 1, tzinfo=UTC)
    paid = (datetime(2023, 8, 1, 0, 10, tzinfo=UTC), end - timedelta(microseconds=1))
    credit = credit_cents(1500, paid, Window(first, end), "UTC")
    assert credit == 532
    terms = MODELS["standard"].parse({"amount": "10"})
    usage = prorated_usage([Held(Decimal(10), 11, 31)])
    price = less_credit(charge_price(terms, usage), credit, 100)
    assert minor_from_major(price.amount, "EUR") == 3016
    assert less_credit(price, 99999, 100).amount == 0


CHANGES = st.lists(
    st.builds(change, st.integers(0, 50), st.floats(-60, 40, allow_nan=False)), max_size=8
)


@given(CHANGES)
def test_units_held_cover_the_period_once(changes: list[Change]) -> None:
    found = held(changes, times(), PERIOD)
    counted = counting(changes, PERIOD)
    assert sum(one.days for one in found) <= 31
    if any(one.effective_at < PERIOD.start for one in counted):
        assert sum(one.days for one in found) == 31
    assert all(one.days >= 0 for one in found)
    if found:
        assert found[-1].units == whole_units(changes, PERIOD)
    # neither depends on what happens later
    until = [one for one in changes if one.effective_at < PERIOD.end]
    assert held(until, times(), PERIOD) == found


@given(CHANGES)
def test_the_days_of_two_windows_add_up(changes: list[Change]) -> None:
    """A period cut in two bills every unit for as many days as a whole one."""
    in_order = sorted(changes, key=lambda one: one.effective_at)
    cut = MARCH + 10 * DAY
    whole = sum(one.units * one.days for one in held(in_order, times(), PERIOD))
    parts = [
        sum(one.units * one.days for one in held(in_order, times(), Window(*ends)))
        for ends in pairwise((MARCH, cut, APRIL))
    ]
    assert sum(parts) == whole
