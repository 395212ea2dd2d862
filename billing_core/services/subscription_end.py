"""Ending a subscription, and what is billed for it."""

from datetime import timedelta

from billing_core.domain.calendar import local_date, start_of_day
from billing_core.domain.states import check_subscription_transition
from billing_core.services import credit_notes, schedule
from billing_core.services.shapes import catalog as catalog_shapes
from billing_core.services.shapes import customers as customer_shapes
from billing_core.services.shapes import entitlements as entitlement_shapes
from billing_core.services.shapes import subscriptions as shapes
from billing_core.store import customers, subscriptions
from billing_core.store.tables import Subscription
from billing_core.store.unit import Unit

INVOICE_TOPIC = "billing.invoice"
ONE_DAY = timedelta(days=1)
WITH_ENTITLEMENTS = frozenset({"subscription.started", "subscription.updated"})


async def end(unit: Unit, subscription: Subscription) -> None:
    """Terminate an active subscription, or cancel a pending one (subscriptions.md 2.6).

    Everything used until now is billed by a final invoice, unless it is to be skipped. A plan that
    waits for its turn is canceled with the present one: asked for again, its end is nothing new.
    What was paid in advance and is not used is credited.
    """
    if subscription.status == "canceled":
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
    await announce(unit, subscription, "subscription.terminated")
    if subscription.status == "canceled" and subscription.previous_subscription_id is not None:
        for present in await subscriptions.by_ids(unit, [subscription.previous_subscription_id]):
            await announce(unit, present, "subscription.updated")


async def cancel_successor(unit: Unit, subscription: Subscription) -> None:
    """Cancel the change of plan that waits for the end of the period, if there is one.

    Nobody was told of that row, so nobody is told of its end: the caller announces the present one.
    """
    waiting = await subscriptions.pending_successors(unit, [subscription.id])
    for successor in waiting.values():
        _cancel(unit, successor)
    await unit.flush()


async def terminate_ended(unit: Unit) -> None:
    """End active subscriptions whose last local day has come, missed days included."""
    until = unit.now + ONE_DAY
    ending = await subscriptions.ending_until(unit, until)
    for customer_id in sorted({one.customer_id for one in ending}):
        await customers.lock(unit, customer_id)
    for subscription in await subscriptions.ending_until(unit, until):
        tz = subscription.customer.applicable_timezone
        ending_at = subscription.ending_at
        assert ending_at is not None
        if local_date(ending_at, tz) <= local_date(unit.now, tz):
            await end(unit, subscription)


def _cancel(unit: Unit, subscription: Subscription) -> None:
    check_subscription_transition(subscription.status, "canceled")  # type: ignore[arg-type]
    subscription.status = "canceled"
    subscription.canceled_at = unit.now
    subscription.updated_at = unit.now


async def announce(unit: Unit, subscription: Subscription, webhook_type: str) -> None:
    """Promise a subscription webhook with its plan and customer (`docs/rules/money.md` 6.2)."""
    payload = (await shapes.out(unit, subscription)).model_dump()
    payload["plan"] = (await catalog_shapes.plan(unit, subscription.plan)).model_dump()
    payload["customer"] = customer_shapes.out(subscription.customer).model_dump()
    if webhook_type in WITH_ENTITLEMENTS:
        found = await entitlement_shapes.of_subscription(unit, subscription)
        payload["entitlements"] = [one.model_dump() for one in found]
    unit.emit(webhook_type, "subscription", payload)


def _promise_invoices(unit: Unit, subscription: Subscription) -> None:
    if subscription.on_termination_invoice != "generate":
        return
    tz = subscription.customer.applicable_timezone
    today = local_date(unit.now, tz)
    unbilled = schedule.unbilled_days(subscription, today)
    # periods that ended unbilled on earlier days are billed for themselves first
    for day in unbilled:
        if day < today:
            _promise(unit, subscription, "subscription_periodic", start_of_day(day, tz))
    # ending on an unbilled billing day, the final invoice covers the period that just ended
    whole_period = today in unbilled
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
