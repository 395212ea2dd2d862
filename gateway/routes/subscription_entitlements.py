"""Entitlements of subscriptions: the operations tagged `entitlements` below `/subscriptions`."""

from litestar import delete, get, patch
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.services import entitlements, subscriptions
from billing_core.services.shapes.entitlements import of_subscription
from billing_core.store.unit import Unit
from billing_core.wire.entitlements import SubscriptionEntitlementOut, read_entitlements
from gateway.http import Answer, Filters, Gives, Operation, one

MANY = "entitlements"
GIVES = Gives(MANY, SubscriptionEntitlementOut, many=True)
QUERY = ("subscription_status",)
REST = Operation(GIVES, query=QUERY, refuses=(404, 422))
CHANGE = Operation(GIVES, query=QUERY, refuses=(400, 404, 413, 422))


@get(
    "/subscriptions/{external_id:str}/entitlements",
    operation_id="findAllSubscriptionEntitlements",
    opt=REST.opt(),
)
async def list_entitlements(
    unit: NamedDependency[Unit], external_id: FromPath[str], filters: NamedDependency[Filters]
) -> Answer:
    """List what a subscription has: from its plan, and its own."""
    subscription = await subscriptions.get(unit, external_id, _status(filters))
    return one(MANY, await of_subscription(unit, subscription))


@patch(
    "/subscriptions/{external_id:str}/entitlements",
    operation_id="updateSubscriptionEntitlements",
    opt=CHANGE.opt(),
)
async def merge_entitlements(
    unit: NamedDependency[Unit],
    external_id: FromPath[str],
    filters: NamedDependency[Filters],
    raw_body: NamedDependency[bytes],
) -> Answer:
    """Add to what a subscription has, or override its plan; everything else stays."""
    subscription = await subscriptions.get(unit, external_id, _status(filters))
    wanted = read_entitlements(raw_body)
    await entitlements.merge_into_subscription(unit, subscription, wanted)
    return one(MANY, await of_subscription(unit, subscription))


@delete(
    "/subscriptions/{external_id:str}/entitlements/{feature_code:str}",
    operation_id="destroySubscriptionEntitlement",
    status_code=200,
    opt=REST.opt(),
)
async def delete_entitlement(
    unit: NamedDependency[Unit],
    external_id: FromPath[str],
    feature_code: FromPath[str],
    filters: NamedDependency[Filters],
) -> Answer:
    """Take a feature off a subscription, its plan's or its own, and list the rest."""
    subscription = await subscriptions.get(unit, external_id, _status(filters))
    await entitlements.remove_from_subscription(unit, subscription, feature_code)
    return one(MANY, await of_subscription(unit, subscription))


@delete(
    "/subscriptions/{external_id:str}/entitlements/{feature_code:str}"
    "/privileges/{privilege_code:str}",
    operation_id="destroySubscriptionEntitlementPrivilege",
    status_code=200,
    opt=REST.opt(),
)
async def delete_entitlement_privilege(
    unit: NamedDependency[Unit],
    external_id: FromPath[str],
    feature_code: FromPath[str],
    privilege_code: FromPath[str],
    filters: NamedDependency[Filters],
) -> Answer:
    """Take a privilege off a subscription, its plan's or its own, and list the rest."""
    subscription = await subscriptions.get(unit, external_id, _status(filters))
    await entitlements.remove_privilege_from_subscription(
        unit, subscription, feature_code, privilege_code
    )
    return one(MANY, await of_subscription(unit, subscription))


def _status(filters: Filters) -> str:
    return filters.get("subscription_status") or filters.get("status") or "active"


RESOURCE = "subscription"
TAG = "entitlements"
HANDLERS = [
    list_entitlements,
    merge_entitlements,
    delete_entitlement,
    delete_entitlement_privilege,
]
