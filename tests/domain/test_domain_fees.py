"""Subscription fees: docs/rules/subscriptions.md 13.2 and 13.3."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.domain.calendar import (
    Interval,
    Kind,
    SubscriptionTimes,
    end_of_day,
    start_of_day,
    windows,
)
from billing_core.domain.proration import (
    FeeCase,
    FeeFacts,
    PaidDays,
    billed_days,
    fee_case,
    paid_days,
)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def row(interval: Interval, start: str, **other: Any) -> SubscriptionTimes:
    end = other.pop("end", None)
    return SubscriptionTimes(
        interval=interval,
        anniversary=other.pop("anniversary", False),
        pay_in_advance=other.pop("in_advance", True),
        subscription_at=utc(other.pop("anchor", start)),
        started_at=utc(start),
        terminated_at=utc(end) if end else None,
        tz=other.pop("tz", "UTC"),
        **other,
    )


def fee(
    times: SubscriptionTimes,
    at: str,
    kind: Kind,
    case: FeeCase,
    amount_cents: int,
    **other: Any,
) -> int:
    window = windows(times, utc(at), kind).fee
    return paid_days(case, times, window, **other).cents(amount_cents)


LA = "America/Los_Angeles"


@pytest.mark.parametrize(
    ("times", "amount", "expected"),
    [
        (row("monthly", "2023-02-08T05:00"), 5000, 3750),  # A1: 21 of 28 days
        (row("monthly", "2023-02-08T05:00", tz=LA), 5000, 3929),  # A2: 22 of 28
        (row("weekly", "2023-06-16T05:00", tz="America/Denver"), 700, 400),  # A4
        (row("weekly", "2023-06-16T05:00", tz="America/Halifax"), 700, 300),
        (row("weekly", "2023-06-16T20:00", tz="Europe/Paris"), 700, 300),
        (row("weekly", "2023-06-16T20:00", tz="Asia/Karachi"), 700, 200),
        (row("monthly", "2024-03-05"), 1000, 871),  # A5: 27 of 31
    ],
)
def test_a1_a2_a4_a5_the_first_calendar_period(
    times: SubscriptionTimes, amount: int, expected: int
) -> None:
    start = times.started_at.replace(tzinfo=None).isoformat()
    case = fee_case(FeeFacts(pay_in_advance=True, anniversary=False))
    assert case == "first"
    assert fee(times, start, "starting", case, amount) == expected


def test_a3_the_first_anniversary_period_is_whole() -> None:
    times = row("monthly", "2023-02-08T05:00", anniversary=True)
    case = fee_case(FeeFacts(pay_in_advance=True, anniversary=True))
    assert fee(times, "2023-02-08T05:00", "starting", case, 5000) == 5000


def test_a7_a8_a_changed_plan_pays_from_the_change_on_the_old_grid() -> None:
    upgraded_to = row("yearly", "2023-09-28", anchor="2023-06-29", anniversary=True)
    facts = FeeFacts(
        pay_in_advance=True, anniversary=True, has_predecessor=True, predecessor_upgraded=True
    )
    assert fee(upgraded_to, "2023-09-28", "starting", fee_case(facts), 12000) == 9016
    downgraded_to = row("yearly", "2023-11-19", anchor="2023-07-19", anniversary=True)
    facts = FeeFacts(pay_in_advance=True, anniversary=True, has_predecessor=True)
    assert fee_case(facts) == "first"
    assert fee(downgraded_to, "2023-11-19", "starting", fee_case(facts), 118800) == 78875


def test_a10_an_upgrade_leaves_its_day_to_the_new_plan() -> None:
    old = row("monthly", "2024-01-01", in_advance=False, end="2024-02-12T06:00")
    facts = FeeFacts(
        pay_in_advance=False, anniversary=False, terminated=True, upgraded=True, has_successor=True
    )
    assert fee_case(facts) == "terminated"
    assert fee(old, "2024-02-12T06:00:01", "upgraded", "terminated", 2900, upgraded=True) == 1100
    new = row("monthly", "2024-02-12T06:00", anchor="2024-01-01", in_advance=False)
    assert fee(new, "2024-03-01", "periodic", "after_upgrade", 29000) == 18000


@pytest.mark.parametrize(
    ("times", "amount", "expected"),
    [
        (row("monthly", "2025-02-08", end="2025-02-21"), 10000, 5000),  # A13: midnight counts
        (
            row(
                "monthly",
                "2023-09-05",
                anniversary=True,
                tz="Europe/Paris",
                end="2023-09-06T00:15",
            ),
            1000,
            67,  # A19
        ),
        (
            row(
                "monthly",
                "2023-09-05",
                anniversary=True,
                tz="America/Bogota",
                end="2023-09-05T05:15",
            ),
            1000,
            67,
        ),
        (row("monthly", "2023-09-01", end="2023-10-01T12:00"), 1000, 32),  # A21: 1 of 31
        (
            row(
                "quarterly",
                "2024-05-20",
                anchor="2024-01-15",
                anniversary=True,
                end="2024-06-20T10:00",
            ),
            91000,
            32000,  # A23: 32 of 91
        ),
        (row("quarterly", "2024-05-20", anchor="2024-01-15", end="2024-06-20T10:00"), 91000, 32000),
        (row("monthly", "2022-12-15", end="2022-12-20T06:00"), 1000, 194),  # A24
    ],
)
def test_a13_a19_a21_a23_a24_ended_rows(
    times: SubscriptionTimes, amount: int, expected: int
) -> None:
    arrears = SubscriptionTimes(
        **{name: getattr(times, name) for name in SubscriptionTimes.__slots__}
        | {"pay_in_advance": False}
    )
    assert times.terminated_at is not None
    at = times.terminated_at.replace(tzinfo=None).isoformat()
    assert fee(arrears, at, "terminated", "terminated", amount) == expected


@pytest.mark.parametrize(
    ("times", "at", "trial_end", "amount", "expected"),
    [
        # C1: 17 of 31 days
        (
            row("monthly", "2024-03-05T12:12"),
            "2024-03-15T13:02",
            "2024-03-15T12:12",
            5_000_000,
            2_741_935,
        ),
        # C3: 12 of 30
        (row("monthly", "2024-03-05"), "2024-04-19T00:35", "2024-04-19", 5_000_000, 2_000_000),
        # C4: 29 of 30
        (
            row("monthly", "2024-03-22T18:12", tz="Asia/Tokyo"),
            "2024-04-01T19:11",
            "2024-04-01T18:12",
            5_000_000,
            4_833_333,
        ),
        # still on trial at the end of the period
        (row("monthly", "2024-03-05"), "2024-03-05", "2024-04-19", 5_000_000, 0),
        # over before the period began
        (row("monthly", "2024-03-05"), "2024-05-01", "2024-04-19", 5_000_000, 5_000_000),
    ],
)
def test_trials(
    times: SubscriptionTimes, at: str, trial_end: str, amount: int, expected: int
) -> None:
    paid = fee(times, at, "starting", "full", amount, trial_end=utc(trial_end))
    assert paid == expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"terminated": True, "pay_in_advance": False}, "terminated"),
        (
            {"terminated": True, "pay_in_advance": False, "has_successor": True},
            "first",  # rotated by a downgrade in its first period
        ),
        (
            {
                "terminated": True,
                "pay_in_advance": False,
                "has_successor": True,
                "billed_before": True,
            },
            "full",
        ),
        ({"has_predecessor": True, "predecessor_upgraded": True}, "after_upgrade"),
        (
            {
                "has_predecessor": True,
                "predecessor_upgraded": True,
                "invoiced_at_most_once": False,
                "billed_before": True,
            },
            "full",
        ),
        ({"anniversary": True}, "full"),
        ({"anniversary": True, "pay_in_advance": False}, "first"),
        ({"backdated": True}, "full"),
        ({"backdated": True, "pay_in_advance": False}, "first"),
        (
            {"backdated": True, "pay_in_advance": False, "started_before_previous_period": True},
            "full",
        ),
    ],
)
def test_fee_cases(facts: dict[str, bool], expected: str) -> None:
    assert fee_case(FeeFacts(**{"pay_in_advance": True, "anniversary": False} | facts)) == expected


@given(
    interval=st.sampled_from(get_args(Interval)),
    anniversary=st.booleans(),
    anchor=st.dates(date(2010, 1, 1), date(2030, 1, 1)),
    today=st.dates(date(2010, 1, 1), date(2030, 1, 1)),
    amount=st.integers(0, 10**9),
    tz=st.sampled_from(["UTC", "America/New_York", "Asia/Beirut"]),
    data=st.data(),
)
def test_cut_periods_add_up(  # noqa: PLR0913 - one argument per dimension
    *,
    interval: Interval,
    anniversary: bool,
    anchor: date,
    today: date,
    amount: int,
    tz: str,
    data: st.DataObject,
) -> None:
    at = f"{anchor}T12:00"
    times = row(interval, at, anniversary=anniversary, tz=tz)
    first, last = times.grid().period(today)
    cut = data.draw(st.dates(first, last))
    moment = timedelta(microseconds=1)
    begin, end = start_of_day(first, tz), end_of_day(last, tz) - moment
    whole = times.grid().length(first)

    def paid(start: datetime, last_instant: datetime, minus_days: int = 0) -> int:
        return billed_days(times, start, last_instant, minus_days)

    assert PaidDays(paid(begin, end), whole).cents(amount) == amount
    through_cut = end_of_day(cut, tz) - moment
    rest = paid(end_of_day(cut, tz), end) if cut < last else 0
    assert paid(begin, through_cut) + rest == whole
    # The day of a change is paid once when the old plan leaves it to the new one.
    old = paid(begin, through_cut - timedelta(hours=1), minus_days=1)
    assert old + paid(start_of_day(cut, tz), end) == whole
