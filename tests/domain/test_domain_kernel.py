"""Periods and fees against the reference kernel of docs/rules/subscriptions.md 16."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

from hypothesis import given
from hypothesis import strategies as st

from billing_core.domain.calendar import (
    MICROSECOND,
    Interval,
    Kind,
    SubscriptionTimes,
    Window,
    local_date,
    windows,
)
from billing_core.domain.proration import PaidDays, billed_days

RULES = Path(__file__).parents[2] / "docs/rules/subscriptions.md"
# where midnight always exists: the kernel knows no others
ZONES = ["UTC", "America/New_York", "Asia/Kolkata", "Asia/Tokyo", "Europe/Paris"]
HALF = Fraction(1, 2)
KINDS: tuple[Kind, ...] = ("periodic", "usage", "terminated", "upgraded", "downgraded")


def kernel() -> dict[str, Any]:
    """Return what the code block of the appendix defines."""
    _, _, appendix = RULES.read_text().partition("## 16.")
    code = appendix.partition("```python\n")[2].partition("```")[0]
    defined: dict[str, Any] = {}
    exec(compile(code, str(RULES), "exec"), defined)  # noqa: S102 - our own page
    return defined


KERNEL = kernel()


def shown(window: Window | None) -> tuple[datetime, datetime] | None:
    return None if window is None else (window.start, window.last)


def as_kernel(times: SubscriptionTimes) -> dict[str, Any]:
    return {
        "interval": times.interval,
        "calendar": not times.anniversary,
        "pia": times.pay_in_advance,
        "subscription_at": times.subscription_at,
        "started_at": times.started_at,
        "terminated_at": times.terminated_at,
        "tz": times.tz,
        "charges_monthly": times.bill_charges_monthly,
        "fixed_monthly": times.bill_fixed_charges_monthly,
    }


@st.composite
def rows(draw: st.DrawFn) -> SubscriptionTimes:
    """Return a subscription that starts at its anchor or later, and ends."""
    anchor = datetime(2019, 1, 1, tzinfo=UTC) + timedelta(
        seconds=draw(st.integers(0, 6 * 366 * 86400))
    )
    started_at = anchor + timedelta(seconds=draw(st.sampled_from([0, 1, 40])) * 86_399)
    lived = timedelta(seconds=draw(st.integers(1, 3 * 366 * 86400)))
    return SubscriptionTimes(
        interval=draw(st.sampled_from(get_args(Interval))),
        anniversary=draw(st.booleans()),
        pay_in_advance=draw(st.booleans()),
        subscription_at=anchor,
        started_at=started_at,
        terminated_at=started_at + lived,
        tz=draw(st.sampled_from(ZONES)),
        bill_charges_monthly=draw(st.booleans()),
        bill_fixed_charges_monthly=draw(st.booleans()),
    )


@given(times=rows(), kind=st.sampled_from(KINDS), days=st.integers(0, 800))
def test_windows_are_those_of_the_kernel(
    *, times: SubscriptionTimes, kind: Kind, days: int
) -> None:
    assert times.terminated_at is not None
    at = times.started_at + timedelta(days=days)
    if kind != "periodic":  # a tick does not know an end, anything else is billed before or at it
        at = min(at, times.terminated_at) if kind == "usage" else times.terminated_at
    found = windows(times, at, kind)
    fee, charges, fixed = KERNEL["windows"](as_kernel(times), at, kind)
    assert shown(found.fee) == fee
    for ours, theirs in ((found.charges, charges), (found.fixed, fixed)):
        # only ticks within a split period leave a family out: an end bills both (14.8)
        if theirs is not None or kind == "periodic":
            assert shown(ours) == theirs


@given(
    times=rows(),
    amount=st.integers(0, 10**8),
    length=st.integers(0, 400),
    minus=st.integers(0, 1),
)
def test_fees_are_those_of_the_kernel(
    *, times: SubscriptionTimes, amount: int, length: int, minus: int
) -> None:
    start = times.started_at
    last = start + timedelta(days=length) - MICROSECOND
    whole = times.grid().length(local_date(start, times.tz))
    paid = PaidDays(billed_days(times, start, last, minus), whole)
    expected = KERNEL["prorated"](as_kernel(times), start, last, amount, minus)
    exact = Fraction(paid.days * amount, whole)
    # the kernel counts in binary fractions, which may miss a half
    assert paid.cents(amount) == expected or exact % 1 == HALF
    assert abs(paid.cents(amount) - expected) <= 1
