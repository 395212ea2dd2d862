"""Minimum commitments: docs/rules/subscriptions.md 6 and the examples C7 to C13."""

from datetime import UTC, datetime, timedelta

import pytest

from billing_core.domain.calendar import Interval, Kind, SubscriptionTimes, Window
from billing_core.domain.commitments import Missing, reconciled
from tests.support.evaluator import minor


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def row(  # noqa: PLR0913 - what the examples differ in
    interval: Interval,
    start: str,
    *,
    end: str | None = None,
    anniversary: bool = False,
    in_advance: bool = False,
    bill_charges_monthly: bool = False,
) -> SubscriptionTimes:
    return SubscriptionTimes(
        interval=interval,
        anniversary=anniversary,
        pay_in_advance=in_advance,
        subscription_at=utc(start),
        started_at=utc(start),
        terminated_at=utc(end) if end else None,
        tz="UTC",
        bill_charges_monthly=bill_charges_monthly,
    )


@pytest.mark.parametrize(
    ("times", "at", "kind", "reached", "expected"),
    [
        pytest.param(
            row("monthly", "2024-02-28T10:00"), "2024-03-01", "periodic", 3690, 65_276, id="C7"
        ),
        pytest.param(
            row("monthly", "2024-02-28T10:00", anniversary=True),
            "2024-03-28",
            "periodic",
            13_000,
            987_000,
            id="C8",
        ),
        pytest.param(
            row("quarterly", "2024-03-12"), "2024-04-01", "periodic", 5198, 214_582, id="C9"
        ),
        pytest.param(
            row("weekly", "2024-03-12"), "2024-03-18", "periodic", 11_571, 845_572, id="C9-weekly"
        ),
        pytest.param(
            row("yearly", "2024-03-05", bill_charges_monthly=True),
            "2025-01-01",
            "periodic",
            17_051,
            808_086,
            id="C10",
        ),
        pytest.param(
            row("monthly", "2024-02-28", in_advance=True),
            "2024-03-01",
            "periodic",
            7690,
            61_276,
            id="C11",
        ),
        pytest.param(
            row("weekly", "2023-02-01", in_advance=True, end="2023-02-15T10:00"),
            "2023-02-15T10:00",
            "terminated",
            100_000,
            328_571,
            id="C12",
        ),
        pytest.param(
            row("monthly", "2024-05-01", end="2024-06-01"),
            "2024-06-01T00:15:49",
            "downgraded",
            10_000,
            990_000,
            id="C13",
        ),
    ],
)
def test_c7_to_c13(
    times: SubscriptionTimes, at: str, kind: Kind, reached: int, expected: int
) -> None:
    period = reconciled(times, utc(at), kind)
    assert period is not None
    missing = Missing(1_000_000, reached, period.days, period.period_days)
    assert missing.amount_cents == expected
    assert minor(missing.steps(100), 100) == expected


def test_the_day_of_an_upgrade_is_the_next_plans() -> None:
    times = row("monthly", "2024-06-01", end="2024-06-11T10:00")
    days = [
        period.days
        for upgraded in (False, True)
        if (period := reconciled(times, utc("2024-06-11T10:00"), "terminated", upgraded=upgraded))
    ]
    assert days == [11, 10]


def test_nothing_is_reconciled_at_a_start_and_in_the_months_of_a_split_plan() -> None:
    split = row("yearly", "2024-03-05", bill_charges_monthly=True)
    assert reconciled(split, utc("2024-06-01"), "periodic") is None
    assert reconciled(split, utc("2024-03-05"), "starting") is None


def test_more_than_agreed_is_no_credit() -> None:
    assert Missing(100, 101, 30, 30).amount_cents == 0
    assert Missing(0, 0, 30, 30).amount_cents == 0


def test_a_period_holds_what_was_billed_by_the_days_of_another_zone() -> None:
    period = reconciled(row("monthly", "2024-01-10"), utc("2024-03-01"), "periodic")
    assert period is not None
    february = Window(utc("2024-02-01"), utc("2024-03-01"))
    for hours in (-14, 0, 14):
        moved = timedelta(hours=hours)
        assert period.holds(Window(february.start + moved, february.end + moved))
    assert not period.holds(Window(utc("2024-01-10"), utc("2024-02-01")))
    assert not period.holds(Window(utc("2024-03-01"), utc("2024-04-01")))
