"""Customers who move to another zone: docs/rules/subscriptions.md 3.3 and the example B14."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.domain.calendar import (
    MICROSECOND,
    Interval,
    SubscriptionTimes,
    Window,
    local_date,
    moved_billing_day,
    next_billing_day,
    start_of_day,
    windows,
)
from billing_core.domain.fixed_charges import Change, held
from billing_core.domain.recurring import span_of

ZONES = ("UTC", "America/New_York", "Asia/Tokyo", "Pacific/Kiritimati", "Pacific/Pago_Pago")
TICK = timedelta(minutes=10)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def moved(zone: str) -> SubscriptionTimes:
    """Return a monthly row that was billed in UTC until February 2022, and then moved."""
    return SubscriptionTimes(
        interval="monthly",
        anniversary=False,
        pay_in_advance=False,
        subscription_at=utc("2021-11-10"),
        started_at=utc("2021-11-10"),
        terminated_at=None,
        tz=zone,
        charges_billed_until=utc("2022-02-01"),
        fixed_charges_billed_until=utc("2022-02-01"),
    )


@pytest.mark.parametrize("zone", ZONES)
def test_b14_the_last_end_is_the_next_start(zone: str) -> None:
    times = moved(zone)
    tick = windows(times, start_of_day(date(2022, 3, 1), zone) + TICK, "periodic")
    assert tick.charges is not None
    assert tick.charges == tick.fixed
    assert tick.charges.start == utc("2022-02-01")
    assert tick.charges.end == start_of_day(date(2022, 3, 1), zone)
    # days are those of February, and no more of them than it has
    span = span_of(times, tick.charges)
    assert (span.first, span.last) == (date(2022, 2, 1), date(2022, 2, 28))
    assert (span.days, span.period_days) == (28, 28)
    (seat,) = held([Change(1, utc("2021-11-10"))], times, tick.charges)  # type: ignore[arg-type]
    assert (seat.days, seat.period_days) == (28, 28)


@pytest.mark.parametrize("zone", ZONES)
def test_that_moment_also_divides_what_is_running_and_what_is_billed_again(zone: str) -> None:
    times = moved(zone)
    for seconds, start in ((-1, "2022-01-01"), (0, "2022-02-01"), (3600, "2022-02-01")):
        now = utc("2022-02-01") + timedelta(seconds=seconds)
        running = windows(times, now, "usage").charges
        assert running is not None
        assert running.start <= now < running.end
        assert (running.start == utc("2022-02-01")) is (start == "2022-02-01")
    again = windows(times, utc("2022-02-01T00:10"), "periodic")
    assert again.charges is not None
    assert again.charges.end == utc("2022-02-01")
    assert again.fee.start == start_of_day(date(2022, 1, 1), zone)


@given(
    interval=st.sampled_from(get_args(Interval)),
    anniversary=st.booleans(),
    monthly=st.sampled_from([(False, False), (True, False), (False, True), (True, True)]),
    start_s=st.integers(0, 3 * 366 * 86_400),
    zones=st.tuples(st.sampled_from(ZONES), st.sampled_from(ZONES)),
    before=st.integers(1, 14),
)
def test_every_instant_is_billed_once(  # noqa: PLR0913 - one argument per dimension
    *,
    interval: Interval,
    anniversary: bool,
    monthly: tuple[bool, bool],
    start_s: int,
    zones: tuple[str, str],
    before: int,
) -> None:
    start = utc("2019-01-01") + timedelta(seconds=start_s)
    times = SubscriptionTimes(
        interval=interval,
        anniversary=anniversary,
        pay_in_advance=False,
        subscription_at=start,
        started_at=start,
        terminated_at=None,
        tz=zones[0],
        bill_charges_monthly=monthly[0],
        bill_fixed_charges_monthly=monthly[1],
    )
    billed: dict[str, list[Window]] = {"charges": [], "fixed": []}
    day = next_billing_day(times, local_date(start, times.tz))
    for number in range(before + 14):
        if number == before:
            ends = {family: found[-1].end for family, found in billed.items() if found}
            times = replace(
                times,
                tz=zones[1],
                charges_billed_until=ends.get("charges"),
                fixed_charges_billed_until=ends.get("fixed"),
            )
            day = moved_billing_day(times, day)
        tick = windows(times, start_of_day(day, times.tz) + TICK, "periodic")
        billed["charges"] += [tick.charges] if tick.charges else []
        billed["fixed"] += [tick.fixed] if tick.fixed else []
        day = next_billing_day(times, day)
    for found in billed.values():
        assert all(one.end - one.start > MICROSECOND for one in found)
        assert all(earlier.end == later.start for earlier, later in pairwise(found))
