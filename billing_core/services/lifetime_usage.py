"""What a subscription has used since it began, under whatever plan (metering.md 5.4)."""

from billing_core.domain.errors import NotFound
from billing_core.ports import EventStore
from billing_core.services.metering import Wanted
from billing_core.services.pricing import price_windows
from billing_core.services.shapes.subscriptions import current_window
from billing_core.store import lifetime_usage, subscriptions
from billing_core.store.tables import Subscription
from billing_core.store.unit import Unit
from billing_core.wire.lifetime_usage import LifetimeUsageChange, LifetimeUsageOut


async def get(unit: Unit, events: EventStore, external_id: str) -> LifetimeUsageOut:
    """Return the lifetime usage of the active subscription, else of the newest one, or refuse."""
    return await _out(unit, events, await _subscription(unit, external_id))


async def update(
    unit: Unit, events: EventStore, external_id: str, data: LifetimeUsageChange
) -> LifetimeUsageOut:
    """Set what was used elsewhere before; everything else is computed."""
    subscription = await _subscription(unit, external_id)
    subscription.historical_usage_amount_cents = data.external_historical_usage_amount_cents
    await unit.flush()
    return await _out(unit, events, subscription)


async def _out(unit: Unit, events: EventStore, subscription: Subscription) -> LifetimeUsageOut:
    current, running_since = 0, None
    if subscription.status == "active":
        # charges in advance are in current usage: what is invoiced of this period counts once
        window = current_window(subscription, unit.now)
        running_since = window.start
        wanted = Wanted(subscription, window, subscription.plan.charges)
        (charges,) = await price_windows(unit, events, [wanted])
        current = sum(fee.amount_cents for charge in charges for fee in charge.fees)
    return LifetimeUsageOut(
        lago_id=subscription.id,
        lago_subscription_id=subscription.id,
        external_subscription_id=subscription.external_id,
        external_historical_usage_amount_cents=subscription.historical_usage_amount_cents,
        invoiced_usage_amount_cents=await lifetime_usage.invoiced_cents(
            unit, subscription, running_since
        ),
        current_usage_amount_cents=current,
        from_datetime=subscription.subscription_at,
        to_datetime=unit.now,
        usage_thresholds=[],
    )


async def _subscription(unit: Unit, external_id: str) -> Subscription:
    found = await subscriptions.newest(unit, external_id, "active")
    found = found or await subscriptions.any_newest(unit, external_id)
    if found is None:
        raise NotFound("lifetime_usage")
    return found
