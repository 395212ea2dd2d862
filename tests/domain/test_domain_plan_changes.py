"""Directions and days of plan changes: docs/rules/subscriptions.md 1.1, 2.9 and 3.6."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from billing_core.domain.calendar import (
    Interval,
    Kind,
    SubscriptionTimes,
    Window,
    end_of_day,
    local_date,
    start_of_day,
    windows,
)
from billing_core.domain.plan_changes import rotation_day, yearly_amount_cents
from billing_core.domain.recurring import span_of

ONE_DAY = timedelta(days=1)
instants = st.datetimes(datetime(2019, 1, 1), datetime(2030, 1, 1)).map(  # noqa: DTZ001 - made aware
    lambda naive: naive.replace(tzinfo=UTC)
)
rows = st.builds(
    SubscriptionTimes,
    interval=st.sampled_from(get_args(Interval)),
    anniversary=st.booleans(),
    pay_in_advance=st.booleans(),
    subscription_at=instants,
    started_at=st.just(datetime(2019, 1, 1, tzinfo=UTC)),
    terminated_at=st.none(),
    tz=st.sampled_from(["UTC", "America/Los_Angeles", "Asia/Kathmandu", "Pacific/Auckland"]),
    bill_charges_monthly=st.booleans(),
)


def used(times: SubscriptionTimes, at: datetime, kind: Kind) -> Window:
    found = windows(times, at, kind).charges
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("interval", "yearly"),
    [("weekly", 5200), ("monthly", 1200), ("quarterly", 400), ("semiannual", 200), ("yearly", 100)],
)
def test_what_a_plan_costs_in_a_year(interval: Interval, yearly: int) -> None:
    assert yearly_amount_cents(interval, 100) == yearly


@given(times=rows, requested_at=instants, unbilled=st.dates(date(2019, 1, 1), date(2030, 1, 1)))
def test_a_downgrade_waits_for_the_first_boundary_that_is_left(
    times: SubscriptionTimes, requested_at: datetime, unbilled: date
) -> None:
    found = rotation_day(times, requested_at, unbilled)
    assert times.grid().is_billing_day(found)
    requested_on = local_date(requested_at, times.tz)
    assert found > requested_on
    assert found >= unbilled
    # no boundary is passed over: the one before was not to be had
    before, _ = times.grid().period(found - ONE_DAY)
    assert before <= requested_on or before < unbilled


@given(
    times=rows.filter(lambda one: not one.charges_monthly),
    came_at=instants,
    until_upgrade=st.timedeltas(timedelta(seconds=1), timedelta(days=400)),
)
def test_the_day_of_an_upgrade_is_paid_once(
    times: SubscriptionTimes, came_at: datetime, until_upgrade: timedelta
) -> None:
    """A unit that came in a period costs its days, upgraded or not."""
    upgraded_at = came_at + until_upgrade
    first, last = times.grid().period(local_date(came_at, times.tz))
    assume(local_date(upgraded_at, times.tz) <= last)
    whole = span_of(times, Window(start_of_day(first, times.tz), end_of_day(last, times.tz)))
    ended = replace(times, terminated_at=upgraded_at)
    former = span_of(ended, used(ended, upgraded_at, "upgraded"), minus_days=1)
    begun = replace(times, started_at=upgraded_at)
    successor = span_of(begun, used(begun, upgraded_at, "usage"))
    day = local_date(came_at, times.tz)
    both = former.ratio_from(day) + successor.ratio_from(successor.first)
    assert abs(both - whole.ratio_from(day)) <= Decimal("1e-19")


def test_a8_the_renewal_day() -> None:
    times = SubscriptionTimes(
        interval="monthly",
        anniversary=True,
        pay_in_advance=True,
        subscription_at=datetime(2023, 7, 19, 12, 12, tzinfo=UTC),
        started_at=datetime(2023, 7, 19, 12, 12, tzinfo=UTC),
        terminated_at=None,
        tz="UTC",
    )
    asked = datetime(2023, 11, 9, tzinfo=UTC)
    assert rotation_day(times, asked, date(2023, 11, 19)) == date(2023, 11, 19)
    # asked for on an unbilled renewal day: that period is the old plan's
    asked = datetime(2023, 11, 19, tzinfo=UTC)
    assert rotation_day(times, asked, date(2023, 11, 19)) == date(2023, 12, 19)
