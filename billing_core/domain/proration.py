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


def prorated_amount(
    times: SubscriptionTimes,
    start: datetime,
    last: datetime,
    amount_cents: int,
    minus_days: int = 0,
) -> Decimal:
    """Return the unrounded share of a full period's amount for some of its days, in minor units.

    Days from `start` to `last` (an inclusive end) times the amount, divided by the days of the
    whole grid period that contains `start` (`docs/rules/subscriptions.md` 0.1 and 4.2).
    `minus_days` is 1 for a row that ended by an upgrade: that day is paid on the new plan.
    """
    days = billed_days(times, start, last, minus_days)
    period_days = times.grid().length(local_date(start, times.tz))
    with exact_context():
        return Decimal(days * amount_cents) / period_days


def subscription_fee_cents(  # noqa: PLR0913 - the six things a fee depends on, two of them rare
    case: FeeCase,
    times: SubscriptionTimes,
    window: Window,
    amount_cents: int,
    *,
    upgraded: bool = False,
    trial_end: datetime | None = None,
) -> int:
    """Return the fee of one invoice line in minor units, rounded once.

    `window` is the line's fee window and `amount_cents` the plan's amount for a full period;
    `upgraded` takes the last day off a terminated row. Days before `trial_end` are free, and a
    period in which a trial ends is paid by the day (`docs/rules/subscriptions.md` 4.2).
    """
    start = window.start
    by_the_day = case != "full"
    if trial_end is not None and trial_end > start:
        if trial_end >= window.last:
            return 0
        start, by_the_day = trial_end, True
    if not by_the_day:
        return amount_cents
    minus_days = 1 if case == "terminated" and upgraded else 0
    return round_half_up(prorated_amount(times, start, window.last, amount_cents, minus_days))
