"""Fixed charges: how many units of one a subscription has in a period, and what they cost.

Source of every rule here: `docs/rules/metering.md` 4.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

from billing_core.domain.calendar import (
    DAY,
    SubscriptionTimes,
    Window,
    days_between,
    local_date,
    windows,
)
from billing_core.domain.charges import Noted, Price, Terms, Usage, charge_price
from billing_core.domain.charges.steps import at_least_step, minor_step, minus_step, ratio_step
from billing_core.domain.money import exact_context, quantize, round_half_up

ZERO = Decimal(0)
SHARE_PLACES = 6


@dataclass(frozen=True, slots=True)
class Change:
    """From an instant on a subscription has this many units."""

    units: Decimal
    effective_at: datetime


@dataclass(frozen=True, slots=True)
class Held:
    """Units that were held for `days` local days of a period of `period_days`."""

    units: Decimal
    days: int
    period_days: int

    @property
    def prorated(self) -> Decimal:
        """Return the units by the day, rounded to six decimals."""
        with exact_context():
            return quantize(self.units * self.days / self.period_days, SHARE_PLACES)


def running_period(times: SubscriptionTimes, at: datetime) -> Window:
    """Return the fixed-charges period of an instant as it is billed in advance.

    It begins with the subscription at the earliest, and does not foresee its end.
    """
    going_on = replace(times, terminated_at=None)
    window = windows(going_on, max(at, times.started_at), "usage").fixed
    assert window is not None, "what runs now always has a window"
    return window


def period_days(times: SubscriptionTimes, window: Window) -> int:
    """Return the days of the whole period that a window is of."""
    grid = times.monthly_grid() if times.fixed_charges_monthly else times.grid()
    return grid.length(local_date(window.middle, times.tz))


def counting(changes: Sequence[Change], window: Window) -> list[Change]:
    """Return the changes that may count in a window, of all in the order they were made.

    They are those that take effect in it, and of the ones before it the one that was made last.
    """
    before = [change for change in changes if change.effective_at < window.start][-1:]
    return [
        change
        for change in changes
        if window.start <= change.effective_at < window.end or change in before
    ]


def whole_units(changes: Sequence[Change], window: Window) -> Decimal:
    """Return the units of a window, however long they were held: those of the newest change."""
    found = counting(changes, window)
    return found[-1].units if found else ZERO


def held(
    changes: Sequence[Change], times: SubscriptionTimes, window: Window, *, minus_days: int = 0
) -> list[Held]:
    """Return for how many local days of a window each number of units was held.

    A change that a newer one overtakes, by taking effect earlier, never was. `minus_days` is 1 for
    a row that ended by an upgrade: that day is paid on the new plan.
    """
    found = counting(changes, window)
    kept = [
        change
        for place, change in enumerate(found)
        if all(later.effective_at >= change.effective_at for later in found[place + 1 :])
    ]
    grid = times.monthly_grid() if times.fixed_charges_monthly else times.grid()
    first_day, _ = grid.period(local_date(window.middle, times.tz))
    days = [
        max(local_date(max(one.effective_at, window.start), times.tz), first_day) for one in kept
    ]
    days.append(local_date(window.last, times.tz) + DAY * (1 - minus_days))
    whole = period_days(times, window)
    return [
        Held(change.units, max((until - since).days, 0), whole)
        for change, (since, until) in zip(kept, pairwise(days), strict=True)
    ]


def prorated_usage(spans: Sequence[Held]) -> Usage:
    """Return what a prorated fixed charge prices: the sum by the day; the newest units are shown.

    Tiers are walked by the newest units, or by the sum where nothing is left of them.
    """
    full = spans[-1].units if spans else ZERO
    with exact_context():
        units = sum((span.prorated for span in spans), ZERO)
    return Usage(units, 0, full_units=full, events=((full or units, units),))


def increase_price(terms: Terms, increase: Decimal | Held) -> Price:
    """Price units that are added in the middle of a period that was paid in advance.

    They are priced by themselves, tiers beginning anew; a prorated charge gives the days left, and
    costs their share.
    """
    if isinstance(increase, Decimal):
        return charge_price(terms, Usage(increase, 0))
    price = charge_price(terms, Usage(increase.units, 0))
    with exact_context():
        amount = price.amount * increase.days / increase.period_days
    steps = ratio_step(Decimal(increase.days), Decimal(increase.period_days), price.steps)
    return Price(amount, increase.units, Noted((steps,)))


def credit_cents(
    paid_cents: int, covered: tuple[datetime, datetime], window: Window, tz: str
) -> int:
    """Return what a fee paid in advance on the plan before is still worth, in minor units.

    `covered` is from when on it paid, and the last instant it paid for; the new plan's first
    period, `window`, takes over (`docs/rules/subscriptions.md` 4.3).
    """
    whole = days_between(*covered, tz)
    if whole <= 0:
        return 0
    with exact_context():
        return round_half_up(
            Decimal(paid_cents) * days_between(window.start, window.last, tz) / whole
        )


def less_credit(price: Price, cents: int, subunit: int) -> Price:
    """Take a credit off a price, down to nothing."""
    if not cents:
        return price
    with exact_context():
        amount = max(price.amount - Decimal(cents) / subunit, ZERO)
    paid = minor_step(Decimal(cents), subunit, reason="paid on the plan before")
    return Price(
        amount, price.units, Noted((at_least_step(ZERO, [*price.steps, minus_step([paid])]),))
    )
