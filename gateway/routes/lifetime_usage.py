"""Lifetime usage of a subscription: operations tagged `subscriptions`."""

from litestar import get, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.ports import EventStore
from billing_core.services import lifetime_usage
from billing_core.store.unit import Unit
from billing_core.wire.lifetime_usage import LifetimeUsageChange, LifetimeUsageOut
from gateway.http import Answer, Gives, Operation, Takes, one

ROOT = "lifetime_usage"
PATH = "/subscriptions/{external_id:str}/lifetime_usage"
ONE = Gives(ROOT, LifetimeUsageOut)


@get(PATH, operation_id="getSubscriptionLifetimeUsage", opt=Operation(ONE).opt())
async def find_lifetime_usage(
    unit: NamedDependency[Unit], events: NamedDependency[EventStore], external_id: FromPath[str]
) -> Answer:
    """Return what a subscription has used since it began."""
    return one(ROOT, await lifetime_usage.get(unit, events, external_id))


@put(
    PATH,
    operation_id="updateSubscriptionLifetimeUsage",
    opt=Operation(ONE, Takes(ROOT, LifetimeUsageChange), refuses=(400, 404, 413, 422)).opt(),
)
async def update_lifetime_usage(
    unit: NamedDependency[Unit],
    events: NamedDependency[EventStore],
    external_id: FromPath[str],
    payload: NamedDependency[LifetimeUsageChange],
) -> Answer:
    """Set what was used before the subscription was here."""
    return one(ROOT, await lifetime_usage.update(unit, events, external_id, payload))


RESOURCE = "lifetime_usage"
TAG = "subscriptions"
HANDLERS = [find_lifetime_usage, update_lifetime_usage]
