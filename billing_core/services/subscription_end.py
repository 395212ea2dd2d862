"""Ending a subscription, and what is billed for it."""

from datetime import timedelta

from billing_core.domain.calendar import local_date, start_of_day
from billing_core.domain.states import check_subscription_transition
from billing_core.services import schedule
from billing_core.services.shapes import catalog as catalog_shapes
from billing_core.services.shapes import customers as customer_shapes
from billing_core.services.shapes import entitlements as entitlement_shapes
from billing_core.services.shapes import subscriptions as shapes
from billing_core.store import subscriptions
from billing_core.store.tables import Subscription
from billing_core.store.unit import Unit

INVOICE_TOPIC = "billing.invoice"
ONE_DAY = timedelta(days=1)
WITH_ENTITLEMENTS = frozenset({"subscription.started", "subscription.updated"})


async def end(unit: Unit, subscription: Subscription) -> None:
    """Terminate an active subscription, or cancel a pending one (subscriptions.md 2.6).

    Everything used until now is billed by a final invoice, unless it is to be skipped.
    """
    if subscription.status == "pending":
        check_subscription_transition("pending", "canceled")
        subscription.status = "canceled"
        subscription.canceled_at = unit.now
    else:
        check_subscription_transition(subscription.status, "terminated")  # type: ignore[arg-type]
        _promise_invoices(unit, subscription)
        subscription.status = "terminated"
        subscription.terminated_at = unit.now
    subscription.updated_at = unit.now
    schedule.stop(subscription)
    await unit.flush()
    await announce(unit, subscription, "subscription.terminated")


async def terminate_ended(unit: Unit) -> None:
    """End active subscriptions whose last local day has come, missed days included."""
    for subscription in await subscriptions.ending_until(unit, unit.now + ONE_DAY):
        tz = subscription.customer.applicable_timezone
        ending_at = subscription.ending_at
        assert ending_at is not None
        if local_date(ending_at, tz) <= local_date(unit.now, tz):
            await end(unit, subscription)


async def announce(unit: Unit, subscription: Subscription, webhook_type: str) -> None:
    """Promise a subscription webhook with its plan and customer (`docs/rules/money.md` 6.2)."""
    payload = shapes.out(subscription, unit.now).model_dump()
    payload["plan"] = (await catalog_shapes.plan(unit, subscription.plan)).model_dump()
    payload["customer"] = customer_shapes.out(subscription.customer).model_dump()
    if webhook_type in WITH_ENTITLEMENTS:
        found = await entitlement_shapes.of_subscription(unit, subscription)
        payload["entitlements"] = [one.model_dump() for one in found]
    unit.emit(webhook_type, "subscription", payload)


def _promise_invoices(unit: Unit, subscription: Subscription) -> None:
    if subscription.on_termination_invoice != "generate":
        return
    times = shapes.times_of(subscription)
    today = local_date(unit.now, times.tz)
    day = subscription.next_billing_on
    # periods that ended unbilled on earlier days are billed for themselves first
    while day is not None and day < today:
        _promise(unit, subscription, "subscription_periodic", start_of_day(day, times.tz))
        schedule.set_next(subscription, day)
        day = subscription.next_billing_on
    # ending on an unbilled billing day, the final invoice covers the period that just ended
    _promise(unit, subscription, "subscription_terminating", unit.now, whole_period=day == today)


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
