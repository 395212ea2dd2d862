"""Ending a subscription, and what is billed for it."""

from datetime import timedelta

from billing_core.domain.calendar import local_date, start_of_day
from billing_core.domain.states import check_subscription_transition
from billing_core.services import (
    credit_notes,
    schedule,
    subscription_news,
    subscription_start,
    takeovers,
)
from billing_core.services.shapes.subscriptions import times_of
from billing_core.store import customers, subscriptions
from billing_core.store.tables import Subscription
from billing_core.store.unit import Unit

INVOICE_TOPIC = "billing.invoice"
ONE_DAY = timedelta(days=1)


async def end(unit: Unit, subscription: Subscription) -> None:
    """Terminate an active subscription, or cancel a pending one (subscriptions.md 2.6).

    Everything used until now is billed by a final invoice, unless it is to be skipped. A plan that
    waits for its turn is canceled with the present one. What has ended before stays as it is.
    What was paid in advance and is not used is credited.
    """
    if subscription.status in {"canceled", "terminated"}:
        return
    if subscription.status == "incomplete":
        await subscription_start.give_up(unit, subscription, None)
        return
    if subscription.status == "pending":
        _cancel(unit, subscription)
    else:
        await cancel_successor(unit, subscription)
        check_subscription_transition(subscription.status, "terminated")  # type: ignore[arg-type]
        _promise_invoices(unit, subscription)
        subscription.status = "terminated"
        subscription.terminated_at = unit.now
    subscription.updated_at = unit.now
    schedule.stop(subscription)
    await unit.flush()
    if subscription.status == "terminated":
        await credit_notes.credit_unused(unit, subscription, upgraded=False)
    await subscription_news.announce(unit, subscription, "subscription.terminated")
    if subscription.status == "canceled" and subscription.previous_subscription_id is not None:
        for present in await subscriptions.by_ids(unit, [subscription.previous_subscription_id]):
            await subscription_news.announce(unit, present, "subscription.updated")


async def cancel_successor(unit: Unit, subscription: Subscription) -> None:
    """Cancel the change of plan that waits for the end of the period, if there is one.

    Nobody was told of that row, so nobody is told of its end: the caller announces the present one.
    """
    waiting = await subscriptions.waiting_successors(unit, [subscription.id])
    for successor in waiting.values():
        if successor.status == "incomplete":
            await subscription_start.give_up(unit, successor, None)
        else:
            _cancel(unit, successor)
    await unit.flush()


async def terminate_ended(unit: Unit) -> None:
    """End active subscriptions whose last local day has come, missed days included."""
    until = unit.now + ONE_DAY
    ending = await subscriptions.ending_until(unit, until)
    for customer_id in sorted({one.customer_id for one in ending}):
        await customers.lock(unit, customer_id)
    ending = await subscriptions.ending_until(unit, until)
    waiting = await subscriptions.waiting_successors(unit, [one.id for one in ending])
    for subscription in ending:
        successor = waiting.get(subscription.id)
        if successor is not None and successor.status == "incomplete":
            continue  # its end waits for the payment of what follows
        tz = subscription.customer.applicable_timezone
        ending_at = subscription.ending_at
        assert ending_at is not None
        last_day = local_date(ending_at, tz)
        if last_day <= local_date(unit.now, tz):
            # a downgrade of an earlier day comes first, that of the last day is canceled
            await end(unit, await takeovers.catch_up(unit, subscription, last_day - ONE_DAY))


async def announce_ends(unit: Unit) -> None:
    """Tell of arranged ends some weeks before, each at most once on a UTC day (2.6)."""
    for subscription in await subscriptions.to_alert(unit, unit.now.date()):
        schedule.alerted(subscription, unit.now)
        await subscription_news.announce(unit, subscription, "subscription.termination_alert")


def _cancel(unit: Unit, subscription: Subscription) -> None:
    check_subscription_transition(subscription.status, "canceled")  # type: ignore[arg-type]
    subscription.status = "canceled"
    subscription.canceled_at = unit.now
    subscription.updated_at = unit.now


def _promise_invoices(unit: Unit, subscription: Subscription) -> None:
    if subscription.on_termination_invoice != "generate":
        return
    tz = subscription.customer.applicable_timezone
    today = local_date(unit.now, tz)
    unbilled = schedule.unbilled_days(subscription, today)
    # ending on an unbilled billing day, the final invoice covers the period that just ended
    whole_period = today in unbilled and times_of(subscription).grid().is_billing_day(today)
    # what ended unbilled before, also a month of a split plan today, is billed for itself first
    for day in unbilled:
        if day < today or not whole_period:
            _promise(unit, subscription, "subscription_periodic", start_of_day(day, tz))
    _promise(unit, subscription, "subscription_terminating", unit.now, whole_period=whole_period)


def _promise(
    unit: Unit, subscription: Subscription, reason: str, at: object, *, whole_period: bool = False
) -> None:
    unit.promise(
        INVOICE_TOPIC,
        {
            "subscription_id": str(subscription.id),
            "reason": reason,
            "at": str(at),
            "whole_period": whole_period,
        },
    )
