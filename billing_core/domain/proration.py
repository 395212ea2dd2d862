"""Subscription fees: which case applies, and the share of a period that is paid."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from billing_core.domain.calendar import SubscriptionTimes, Window, days_between, local_date
from billing_core.domain.money import exact_context, round_half_up

FeeCase = Literal["terminated", "after_upgrade", "full", "first"]


@dataclass(frozen=True, slots=True)
class FeeFacts:
    """What decides how a subscription fee is computed.

    `terminated`, `upgraded` and `has_successor` are about this row's end (upgraded: it ended in
    favour of a dearer plan); `has_predecessor` and `predecessor_upgraded` about its start.
    `invoiced_at_most_once`: not more than one invoice of the row that is not deleted.
    `billed_before`: an earlier subscription fee of the row exists. `backdated`: it was created on a
    later UTC day than it started.
    """

    pay_in_advance: bool
    anniversary: bool
    terminated: bool = False
    upgraded: bool = False
    has_successor: bool = False
    has_predecessor: bool = False
    predecessor_upgraded: bool = False
    invoiced_at_most_once: bool = True
    billed_before: bool = False
    backdated: bool = False
    started_before_previous_period: bool = False


def fee_case(facts: FeeFacts) -> FeeCase:
    """Return the first matching row of `docs/rules/subscriptions.md` 4.2."""
    if (
        facts.terminated
        and not facts.pay_in_advance
        and (facts.upgraded or not facts.has_successor)
    ):
        return "terminated"
    if facts.predecessor_upgraded and facts.invoiced_at_most_once:
        return "after_upgrade"
    whole_first_period = facts.pay_in_advance and facts.anniversary and not facts.has_predecessor
    late = facts.backdated and (facts.pay_in_advance or facts.started_before_previous_period)
    if whole_first_period or facts.billed_before or late:
        return "full"
    return "first"


def billed_days(
    times: SubscriptionTimes, start: datetime, last: datetime, minus_days: int = 0
) -> int:
    """Count the local days from `start` to `last` (inclusive), less `minus_days`, not below 0."""
    return max(days_between(start, last, times.tz) - minus_days, 0)


@dataclass(frozen=True, slots=True)
class PaidDays:
    """The days that a subscription fee is for, of those of the whole period.

    The period is that of the grid in which they begin (`docs/rules/subscriptions.md` 0.1 and 4.2).
    """

    days: int
    period_days: int

    def cents(self, amount_cents: int) -> int:
        """Return the fee in minor units, rounded once, at this amount for a whole period."""
        with exact_context():
            return round_half_up(Decimal(self.days * amount_cents) / self.period_days)


def paid_days(
    case: FeeCase,
    times: SubscriptionTimes,
    window: Window,
    *,
    upgraded: bool = False,
    trial_end: datetime | None = None,
) -> PaidDays:
    """Return the days that the fee of one invoice line is for; all of them where it is whole.

    `window` is the line's fee window; `upgraded` takes the last day off a terminated row. Days
    before `trial_end` are free, and a period in which a trial ends is paid by the day
    (`docs/rules/subscriptions.md` 4.2).
    """
    trial = trial_end if trial_end is not None and trial_end > window.start else None
    start = min(trial or window.start, window.last)
    whole = times.grid().length(local_date(start, times.tz))
    if trial is not None and trial >= window.last:
        return PaidDays(0, whole)
    if case == "full" and trial is None:
        return PaidDays(whole, whole)
    minus_days = 1 if case == "terminated" and upgraded else 0
    return PaidDays(billed_days(times, start, window.last, minus_days), whole)
