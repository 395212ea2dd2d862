"""Changing the plan of a subscription: in which direction, and on which day."""

from datetime import date, datetime

from billing_core.domain.calendar import DAY, Interval, SubscriptionTimes, local_date

PERIODS_PER_YEAR: dict[Interval, int] = {
    "weekly": 52,
    "monthly": 12,
    "quarterly": 4,
    "semiannual": 2,
    "yearly": 1,
}


def yearly_amount_cents(interval: Interval, amount_cents: int) -> int:
    """Return what a plan costs in a year, in minor units of its own currency.

    It only tells upgrades, to a plan that costs as much or more, from downgrades
    (`docs/rules/subscriptions.md` 1.1). Currencies are not exchanged (14.12).
    """
    return amount_cents * PERIODS_PER_YEAR[interval]


def rotation_day(times: SubscriptionTimes, requested_at: datetime, unbilled_from: date) -> date:
    """Return the local day on which a downgrade asked for at an instant takes effect.

    That is the first day of a period of the plan, after the day of the request and not before
    `unbilled_from`, the first billing day that was not billed: what ended before the request is
    billed on the old plan, however late (`docs/rules/subscriptions.md` 2.9). On split plans the
    months in between are no such days.
    """
    earliest = max(unbilled_from, local_date(requested_at, times.tz) + DAY)
    return times.grid().next_start(earliest - DAY)
