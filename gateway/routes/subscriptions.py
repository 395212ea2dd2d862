"""Subscriptions: the operations tagged `subscriptions`."""

from typing import Any

from litestar import delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.services import subscriptions, usage_thresholds
from billing_core.services.shapes import catalog as catalog_shapes
from billing_core.services.shapes import entitlements as entitlement_shapes
from billing_core.services.shapes import subscriptions as shapes
from billing_core.services.shapes import usage_thresholds as threshold_shapes
from billing_core.store.unit import Unit
from billing_core.wire.pages import Page
from billing_core.wire.subscriptions import SubscriptionChange, SubscriptionIn, SubscriptionOut
from gateway.http import Answer, Filters, Gives, Operation, Takes, listed, one

ROOT = "subscription"
ONE = Gives(ROOT, SubscriptionOut)
FILTERS = (
    "external_customer_id",
    "external_id",
    "plan_code",
    "currency",
    "overridden",
    "status[]",
    "billing_entity_codes[]",
)
TERMINATION = ("status", "on_termination_credit_note", "on_termination_invoice")


@post(
    "/subscriptions",
    operation_id="createSubscription",
    status_code=200,
    opt=Operation(ONE, Takes(ROOT, SubscriptionIn), refuses=(400, 404, 413, 422)).opt(),
)
async def create_subscription(
    unit: NamedDependency[Unit], payload: NamedDependency[SubscriptionIn]
) -> Answer:
    """Subscribe a customer to a plan, or change the plan; repeating it returns what is there."""
    subscription = await subscriptions.create(unit, payload)
    return one(ROOT, await _with_plan(unit, subscription))


@get(
    "/subscriptions",
    operation_id="findAllSubscriptions",
    opt=Operation(
        Gives("subscriptions", SubscriptionOut, many=True), query=FILTERS, refuses=(404, 422)
    ).opt(),
)
async def list_subscriptions(
    unit: NamedDependency[Unit], page: NamedDependency[Page], filters: NamedDependency[Filters]
) -> Answer:
    """List subscriptions, newest first; without a status only active ones."""
    rows, total = await subscriptions.page(unit, filters, page)
    return listed("subscriptions", await shapes.several(unit, rows), page, total)


@get(
    "/subscriptions/{external_id:str}",
    operation_id="findSubscription",
    opt=Operation(ONE, query=("status",)).opt(),
)
async def find_subscription(
    unit: NamedDependency[Unit], external_id: FromPath[str], filters: NamedDependency[Filters]
) -> Answer:
    """Return a subscription in the given status, by default the active one."""
    status = filters.get("status") or "active"
    return one(ROOT, await _with_plan(unit, await subscriptions.get(unit, external_id, status)))


@put(
    "/subscriptions/{external_id:str}",
    operation_id="updateSubscription",
    opt=Operation(
        ONE, Takes(ROOT, SubscriptionChange), ("status",), refuses=(400, 404, 405, 413, 422)
    ).opt(),
)
async def update_subscription(
    unit: NamedDependency[Unit],
    external_id: FromPath[str],
    payload: NamedDependency[SubscriptionChange],
    filters: NamedDependency[Filters],
) -> Answer:
    """Change a subscription."""
    row = await subscriptions.update(unit, external_id, payload, filters.get("status"))
    return one(ROOT, await _with_plan(unit, row))


@delete(
    "/subscriptions/{external_id:str}",
    operation_id="destroySubscription",
    status_code=200,
    opt=Operation(ONE, query=TERMINATION, refuses=(404, 405, 422)).opt(),
)
async def delete_subscription(
    unit: NamedDependency[Unit],
    external_id: FromPath[str],
    filters: NamedDependency[Filters],
) -> Answer:
    """End a subscription now and bill what was used; `status=pending` cancels a future one."""
    options = {name: filters.get(name) for name in TERMINATION}
    row = await subscriptions.terminate(unit, external_id, options)
    return one(ROOT, await _with_plan(unit, row))


async def _with_plan(unit: Unit, row: Any) -> dict[str, Any]:
    shape = (await shapes.out(unit, row)).model_dump()
    shape["plan"] = await catalog_shapes.plan(unit, row.plan)
    shape["entitlements"] = await entitlement_shapes.of_subscription(unit, row)
    thresholds = await usage_thresholds.in_force(unit, row)
    shape["applicable_usage_thresholds"] = threshold_shapes.applicable(thresholds)
    return shape


RESOURCE = "subscription"
TAG = "subscriptions"
HANDLERS = [
    create_subscription,
    list_subscriptions,
    find_subscription,
    update_subscription,
    delete_subscription,
]
