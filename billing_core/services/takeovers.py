"""One plan takes over from another: at once, at the end of a period, or when it is paid.

Every function here wants the customer's lock held, so that one change follows the other.
"""

from datetime import date, datetime

from billing_core.domain.calendar import local_date, start_of_day
from billing_core.domain.plan_changes import rotation_day
from billing_core.domain.states import check_subscription_transition
from billing_core.services import schedule, subscription_news, subscription_start
from billing_core.services.shapes.subscriptions import times_of
from billing_core.store import subscriptions
from billing_core.store.tables import Subscription
from billing_core.store.unit import Unit

UPGRADE_TOPIC = "billing.upgrade"


async def hand_over(
    unit: Unit, former: Subscription, successor: Subscription, at: datetime
) -> None:
    """Let a pending successor take over from an active subscription at an instant."""
    check_subscription_transition(former.status, "terminated")  # type: ignore[arg-type]
    former.status = "terminated"
    former.terminated_at = at
    former.updated_at = unit.now
    schedule.stop(former)
    successor.historical_usage_amount_cents = former.historical_usage_amount_cents
    await unit.flush()  # before the next row: one external id has one active row
    await subscription_start.activate(unit, successor, at)
    await subscription_news.announce(unit, former, "subscription.terminated")
    await subscription_news.announce(unit, successor, "subscription.started")


async def upgrade(unit: Unit, former: Subscription, successor: Subscription) -> None:
    """Let the next plan take over now, unless it must be paid first; a job bills both sides.

    Periods of the old plan that ended unbilled are remembered: they are billed first.
    """
    if await subscription_start.hold(unit, successor, unit.now):
        return
    unbilled = schedule.unbilled_days(former, local_date(unit.now, times_of(former).tz))
    await hand_over(unit, former, successor, unit.now)
    _promise_bill(unit, former, successor, unbilled)


async def in_force(unit: Unit, subscription: Subscription) -> Subscription:
    """Return what a subscription has become today, where a downgrade has come unnoticed."""
    if subscription.status != "active":
        return subscription
    today = local_date(unit.now, subscription.customer.applicable_timezone)
    return await catch_up(unit, subscription, today)


async def catch_up(unit: Unit, former: Subscription, through: date) -> Subscription:
    """Carry out a downgrade whose local day has come unnoticed; return the row in force.

    What is asked for now is asked of the plan that should be there. Days after `through` are left
    to the biller (`docs/rules/subscriptions.md` 2.9, 14.2).
    """
    successor = (await subscriptions.pending_successors(unit, [former.id])).get(former.id)
    if successor is None or former.next_billing_on is None:
        return former
    times = times_of(former)
    day = rotation_day(times, successor.created_at, former.next_billing_on)
    if day > through:
        return former
    at = start_of_day(day, times.tz)
    if await subscription_start.hold(unit, successor, at, whole_period=True):
        return former
    unbilled = schedule.unbilled_days(former, day - schedule.ONE_DAY)
    await hand_over(unit, former, successor, at)
    _promise_bill(unit, former, successor, unbilled, whole_period=True)
    return successor


async def take_over_paid(
    unit: Unit, former: Subscription, successor: Subscription, *, whole_period: bool
) -> None:
    """Let a row that waited for its payment take over, as of the instant it is billed from.

    With `whole_period` it began with a period: the last one of the old plan is billed whole.
    """
    at = successor.started_at
    assert at is not None, "set when it began to wait"
    last_day = local_date(at, times_of(former).tz)
    if whole_period:
        last_day -= schedule.ONE_DAY
    unbilled = schedule.unbilled_days(former, last_day)
    await hand_over(unit, former, successor, at)
    _promise_bill(unit, former, successor, unbilled, paid=True, whole_period=whole_period)


def _promise_bill(
    unit: Unit,
    former: Subscription,
    successor: Subscription,
    unbilled: list[date],
    **how: bool,
) -> None:
    unit.promise(
        UPGRADE_TOPIC,
        {
            "former_id": str(former.id),
            "successor_id": str(successor.id),
            "unbilled_days": [str(day) for day in unbilled],
            **how,
        },
    )
