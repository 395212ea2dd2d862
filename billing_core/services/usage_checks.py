"""The look at subscriptions whose usage has changed: thresholds first, then alerts."""

from collections.abc import Sequence

from billing_core.ports import EventStore
from billing_core.services import alerts, progressive_billing
from billing_core.services.metering import Wanted
from billing_core.services.pricing import price_windows
from billing_core.services.shapes.subscriptions import current_window
from billing_core.store import customers, subscriptions
from billing_core.store.unit import Unit


async def look(unit: Unit, events: EventStore, names: Sequence[str]) -> None:
    """Compare the usage of active subscriptions, by external id, with what watches it.

    Looking again finds nothing new. Customers are locked in one order, so that two looks that share
    some wait for each other.
    """
    found = [await subscriptions.newest(unit, name, "active") for name in names]
    rows = [row for row in found if row is not None]
    for customer_id in sorted({row.customer_id for row in rows}):
        await customers.lock(unit, customer_id)
    fresh = await subscriptions.by_ids(unit, [row.id for row in rows])
    active = [row for row in fresh if row.status == "active"]
    wanted = [Wanted(row, current_window(row, unit.now), row.plan.charges) for row in active]
    for one, priced in zip(wanted, await price_windows(unit, events, wanted), strict=True):
        await progressive_billing.check(unit, one.subscription, priced)
        await alerts.evaluate(unit, events, one.subscription, priced)
