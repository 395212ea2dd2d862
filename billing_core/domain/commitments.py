"""Minimum commitments: what is missing when a period brought in less than was agreed."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from billing_core.domain.calendar import (
    Kind,
    SubscriptionTimes,
    Window,
    end_of_day,
    local_date,
    windows,
)
from billing_core.domain.charges.steps import Step, minor_step, minus_step, ratio_step
from billing_core.domain.money import exact_context, round_half_up
from billing_core.domain.proration import billed_days


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The period of a plan that an invoice line compares with the commitment.

    `window` is the part of it that the subscription was there for, `whole_end` the end of all of
    it; `days` of its `period_days` count.
    """

    window: Window
    whole_end: datetime
    days: int
    period_days: int

    def holds(self, covered: Window) -> bool:
        """Tell whether something that was billed for a window belongs to the period.

        Its middle decides: an edge may lie some hours off after the customer moved to another zone.
        """
        return self.window.start <= covered.middle < self.whole_end


@dataclass(frozen=True, slots=True)
class Missing:
    """What a period is short of its commitment; amounts are minor units of one currency."""

    commitment_cents: int
    reached_cents: int
    days: int
    period_days: int

    @property
    def amount_cents(self) -> int:
        """The commitment for the days that count, rounded once, less what the period brought in."""
        with exact_context():
            agreed = Decimal(self.commitment_cents * self.days) / self.period_days
        return max(round_half_up(agreed) - self.reached_cents, 0)

    def steps(self, subunit: int) -> list[Step]:
        """Say how the amount comes about (`docs/rules/metering.md` 3.18)."""
        agreed = minor_step(Decimal(self.commitment_cents), subunit, reason="minimum commitment")
        steps = [ratio_step(Decimal(self.days), Decimal(self.period_days), [agreed])]
        if self.reached_cents:
            reached = minor_step(Decimal(self.reached_cents), subunit, reason="fees of the period")
            steps.append(minus_step([reached]))
        return steps


def reconciled(
    times: SubscriptionTimes, at: datetime, kind: Kind, *, upgraded: bool = False
) -> Reconciled | None:
    """Return which period a line billed at `at` reconciles, None for one that reconciles none.

    That is the period of the plan that has ended, in advance as in arrears, and where the
    subscription ends the part of it that is over; its last day is the next plan's if that was an
    upgrade. A start has nothing behind it, and of the ticks of a split plan only the one that opens
    a period looks back (`docs/rules/subscriptions.md` 6).
    """
    day = times.day_of(at)
    if kind == "starting" or (kind == "periodic" and not times.grid().is_billing_day(day)):
        return None
    window = windows(replace(times, pay_in_advance=False), at, kind).fee
    first_day = local_date(window.start, times.tz)
    _, last_day = times.grid().period(first_day)
    return Reconciled(
        window=window,
        whole_end=end_of_day(last_day, times.tz),
        days=billed_days(times, window.start, window.last, minus_days=1 if upgraded else 0),
        period_days=times.grid().length(first_day),
    )
