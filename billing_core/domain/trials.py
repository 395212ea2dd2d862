"""Trials: until when the subscription fee of a plan is free, and whether one is due on a day."""

from datetime import date, datetime, timedelta
from decimal import Decimal

from billing_core.domain.calendar import local_date
from billing_core.domain.money import exact_context

MICROSECONDS_PER_DAY = 86_400_000_000


def trial_end(first_started_at: datetime, trial_days: Decimal | None) -> datetime | None:
    """Return the instant at which a trial ends, None for a plan without one.

    A day of a trial is 24 hours, and `trial_days` may be fractional. They count from the start of
    the first subscription of the same customer and external id, so that neither a change of plan
    nor an end and a new beginning gives another trial (`docs/rules/subscriptions.md` 5).
    """
    if not trial_days:
        return None
    with exact_context():
        return first_started_at + timedelta(microseconds=int(trial_days * MICROSECONDS_PER_DAY))


def is_free(ends_at: datetime | None, today: date, tz: str) -> bool:
    """Tell whether a trial leaves a line that is billed on a local day without a fee.

    The day on which the trial ends is not free: what is billed on it pays from that instant on
    (`docs/rules/subscriptions.md` 4.1).
    """
    return ends_at is not None and local_date(ends_at, tz) > today
