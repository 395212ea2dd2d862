"""What a subscription has used since it began, under whatever plan (metering.md 5.4)."""

from collections.abc import Sequence
from datetime import datetime

from billing_core.domain.errors import NotFound
from billing_core.domain.thresholds import completions
from billing_core.ports import EventStore
from billing_core.services import usage_thresholds
from billing_core.services.metering import Wanted
from billing_core.services.pricing import price_windows, total_cents
from billing_core.services.shapes.subscriptions import current_window
from billing_core.store import lifetime_usage, subscriptions
from billing_core.store import usage_thresholds as threshold_store
from billing_core.store.tables import Subscription
from billing_core.store.unit import Unit
from billing_core.wire.lifetime_usage import LifetimeUsageChange, LifetimeUsageOut, ThresholdOut


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


async def before_cents(unit: Unit, subscription: Subscription, since: datetime) -> int:
    """Return the usage of all earlier periods, in minor units: used elsewhere, and invoiced.

    `since` is when the running period began: charges in advance of it are in current usage.
    """
    invoiced = await lifetime_usage.invoiced_cents(unit, subscription, since)
    return subscription.historical_usage_amount_cents + invoiced


async def _out(unit: Unit, events: EventStore, subscription: Subscription) -> LifetimeUsageOut:
    current, running_since = 0, None
    if subscription.status == "active":
        # charges in advance are in current usage: what is invoiced of this period counts once
        window = current_window(subscription, unit.now)
        running_since = window.start
        wanted = Wanted(subscription, window, subscription.plan.charges)
        (charges,) = await price_windows(unit, events, [wanted])
        current = total_cents(charges)
    historical = subscription.historical_usage_amount_cents
    invoiced = await lifetime_usage.invoiced_cents(unit, subscription, running_since)
    return LifetimeUsageOut(
        lago_id=subscription.id,
        lago_subscription_id=subscription.id,
        external_subscription_id=subscription.external_id,
        external_historical_usage_amount_cents=historical,
        invoiced_usage_amount_cents=invoiced,
        current_usage_amount_cents=current,
        from_datetime=subscription.subscription_at,
        to_datetime=unit.now,
        usage_thresholds=await _thresholds(unit, subscription, historical + invoiced + current),
    )


async def _thresholds(unit: Unit, subscription: Subscription, total: int) -> list[ThresholdOut]:
    """Return how far a total has come, and when each threshold was seen to be reached."""
    rows = await usage_thresholds.in_force(unit, subscription)
    if not rows:
        return []
    fixed = [row.amount_cents for row in rows if not row.recurring]
    recurring = next((row.amount_cents for row in rows if row.recurring), None)
    reached = await threshold_store.reached(unit, subscription)
    return [
        ThresholdOut(
            amount_cents=one.amount_cents,
            completion_ratio=one.ratio,
            reached_at=_reached_at(one.amount_cents, reached) if one.ratio == 1 else None,
        )
        for one in completions(fixed, recurring, total)
    ]


def _reached_at(amount_cents: int, reached: Sequence[tuple[int, datetime]]) -> datetime | None:
    return next((at for lifetime, at in reached if lifetime >= amount_cents), None)


async def _subscription(unit: Unit, external_id: str) -> Subscription:
    found = await subscriptions.newest(unit, external_id, "active")
    found = found or await subscriptions.any_newest(unit, external_id)
    if found is None:
        raise NotFound("lifetime_usage")
    return found
