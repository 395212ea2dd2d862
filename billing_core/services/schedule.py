"""When a subscription is due: its next billing day, as a local date and as an instant."""

from datetime import date, datetime, timedelta

from billing_core.domain.calendar import (
    local_date,
    moved_billing_day,
    next_billing_day,
    start_of_day,
)
from billing_core.services.shapes.subscriptions import times_of
from billing_core.store import subscriptions
from billing_core.store.tables import Subscription
from billing_core.store.unit import Unit

ONE_DAY = timedelta(days=1)
ALERTED_BEFORE = (timedelta(days=45), timedelta(days=15))


def set_next(subscription: Subscription, after: date) -> None:
    """Make the first billing day strictly after a local day the next one."""
    times = times_of(subscription)
    subscription.next_billing_on = next_billing_day(times, after)
    subscription.next_billing_at = start_of_day(subscription.next_billing_on, times.tz)


def start(subscription: Subscription) -> None:
    """Schedule the first billing: never on the day the subscription started (3.5)."""
    times = times_of(subscription)
    set_next(subscription, local_date(times.started_at, times.tz))


def stop(subscription: Subscription) -> None:
    """Take an ended subscription off the biller's list."""
    subscription.next_billing_on = None
    subscription.next_billing_at = None


def unbilled_days(subscription: Subscription, until: date) -> list[date]:
    """Return the billing days up to and with a local day on which nothing was billed."""
    times = times_of(subscription)
    found: list[date] = []
    day = subscription.next_billing_on
    while day is not None and day <= until:
        found.append(day)
        day = next_billing_day(times, day)
    return found


async def jump(unit: Unit) -> None:
    """Follow a test clock that was set: billing days that were jumped over did not happen.

    Real time never jumps: there a missed tick is caught up, whatever the delay (ADR 0013). A clock
    set back makes past days due again, unless they were billed.
    """
    for subscription in await subscriptions.active(unit):
        times = times_of(subscription)
        today = local_date(unit.now, times.tz)
        after = max(today - ONE_DAY, local_date(times.started_at, times.tz))
        billed = await subscriptions.billed_days(unit, subscription.id, after)
        set_next(subscription, after)
        while subscription.next_billing_on in billed:
            set_next(subscription, subscription.next_billing_on)
        plan_alert(subscription, unit.now)


async def resume_former(unit: Unit, successor: Subscription) -> None:
    """Bill a subscription again whose successor gave up: days that were held are made up for."""
    if successor.previous_subscription_id is not None:
        for former in await subscriptions.by_ids(unit, [successor.previous_subscription_id]):
            zone_changed(former)


def plan_alert(subscription: Subscription, now: datetime) -> None:
    """Plan the next warning of an end, on the UTC day of `now` at the earliest (2.6)."""
    _plan_alert(subscription, now.date())


def alerted(subscription: Subscription, now: datetime) -> None:
    """Plan the warning after the one that was given on the UTC day of `now`."""
    _plan_alert(subscription, now.date() + ONE_DAY)


def _plan_alert(subscription: Subscription, earliest: date) -> None:
    ending_at = subscription.ending_at
    days = [ending_at.date() - one for one in ALERTED_BEFORE] if ending_at else []
    coming = [day for day in days if day >= earliest]
    subscription.next_termination_alert_on = min(coming) if coming else None


def zone_changed(subscription: Subscription) -> None:
    """Recompute the next billing day, and when it begins, after the customer moved."""
    if subscription.next_billing_on is None:
        return
    times = times_of(subscription)
    subscription.next_billing_on = moved_billing_day(times, subscription.next_billing_on)
    subscription.next_billing_at = start_of_day(subscription.next_billing_on, times.tz)
