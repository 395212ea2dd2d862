"""Telling those who asked what became of a subscription."""

from typing import Any

from billing_core.services.shapes import catalog as catalog_shapes
from billing_core.services.shapes import customers as customer_shapes
from billing_core.services.shapes import entitlements as entitlement_shapes
from billing_core.services.shapes import subscriptions as shapes
from billing_core.store.tables import Subscription
from billing_core.store.unit import Unit

WITH_ENTITLEMENTS = frozenset({"subscription.started", "subscription.updated"})


async def announce(unit: Unit, subscription: Subscription, webhook_type: str, **more: Any) -> None:
    """Promise a subscription webhook with its plan and customer (`docs/rules/money.md` 6.2).

    `more` is put into the subscription's object.
    """
    payload = (await shapes.out(unit, subscription)).model_dump()
    payload["plan"] = (await catalog_shapes.plan(unit, subscription.plan)).model_dump()
    payload["customer"] = customer_shapes.out(subscription.customer).model_dump()
    if webhook_type in WITH_ENTITLEMENTS:
        found = await entitlement_shapes.of_subscription(unit, subscription)
        payload["entitlements"] = [one.model_dump() for one in found]
    unit.emit(webhook_type, "subscription", payload | more)
