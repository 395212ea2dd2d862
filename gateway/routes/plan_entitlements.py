"""Entitlements of plans: the operations tagged `entitlements` below `/plans`."""

from collections.abc import Iterable
from typing import Any

from litestar import delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.services import entitlements, plans
from billing_core.services.shapes.entitlements import plan_entitlement
from billing_core.store.unit import Unit
from billing_core.wire.entitlements import PlanEntitlementOut, read_entitlements
from gateway.http import Answer, Gives, Operation, one

ROOT = "entitlement"
MANY = "entitlements"
ONE = Operation(Gives(ROOT, PlanEntitlementOut))
ALL = Operation(Gives(MANY, PlanEntitlementOut, many=True))
CHANGE = Operation(Gives(MANY, PlanEntitlementOut, many=True), refuses=(400, 404, 413, 422))


@post(
    "/plans/{code:str}/entitlements",
    operation_id="createEntitlement",
    status_code=200,
    opt=CHANGE.opt(),
)
async def replace_entitlements(
    unit: NamedDependency[Unit], code: FromPath[str], raw_body: NamedDependency[bytes]
) -> Answer:
    """Replace all that a plan gives: features, and values of their privileges."""
    plan = await plans.get(unit, code)
    return _all(await entitlements.replace_on_plan(unit, plan, read_entitlements(raw_body)))


@get("/plans/{code:str}/entitlements", operation_id="findAllEntitlements", opt=ALL.opt())
async def list_entitlements(unit: NamedDependency[Unit], code: FromPath[str]) -> Answer:
    """List what a plan gives."""
    return _all(await entitlements.of_plan(unit, await plans.get(unit, code)))


@patch("/plans/{code:str}/entitlements", operation_id="updateEntitlement", opt=CHANGE.opt())
async def merge_entitlements(
    unit: NamedDependency[Unit], code: FromPath[str], raw_body: NamedDependency[bytes]
) -> Answer:
    """Add to what a plan gives, or change values; everything else stays."""
    plan = await plans.get(unit, code)
    return _all(await entitlements.merge_into_plan(unit, plan, read_entitlements(raw_body)))


@get(
    "/plans/{code:str}/entitlements/{feature_code:str}",
    operation_id="findEntitlement",
    opt=ONE.opt(),
)
async def find_entitlement(
    unit: NamedDependency[Unit], code: FromPath[str], feature_code: FromPath[str]
) -> Answer:
    """Return what a plan gives of a feature."""
    plan = await plans.get(unit, code)
    return one(ROOT, plan_entitlement(await entitlements.get_of_plan(unit, plan, feature_code)))


@delete(
    "/plans/{code:str}/entitlements/{feature_code:str}",
    operation_id="destroyEntitlement",
    status_code=200,
    opt=ONE.opt(),
)
async def delete_entitlement(
    unit: NamedDependency[Unit], code: FromPath[str], feature_code: FromPath[str]
) -> Answer:
    """Take a feature off a plan."""
    plan = await plans.get(unit, code)
    row = await entitlements.remove_from_plan(unit, plan, feature_code)
    return one(ROOT, plan_entitlement(row))


@delete(
    "/plans/{code:str}/entitlements/{feature_code:str}/privileges/{privilege_code:str}",
    operation_id="removeEntitlementPrivilege",
    status_code=200,
    opt=ONE.opt(),
)
async def delete_entitlement_privilege(
    unit: NamedDependency[Unit],
    code: FromPath[str],
    feature_code: FromPath[str],
    privilege_code: FromPath[str],
) -> Answer:
    """Take a privilege off what a plan gives of a feature, and return the rest."""
    plan = await plans.get(unit, code)
    row = await entitlements.remove_privilege_from_plan(unit, plan, feature_code, privilege_code)
    return one(ROOT, plan_entitlement(row))


def _all(rows: Iterable[Any]) -> Answer:
    return one(MANY, [plan_entitlement(row) for row in rows])


RESOURCE = "plan"
TAG = "entitlements"
HANDLERS = [
    replace_entitlements,
    list_entitlements,
    merge_entitlements,
    find_entitlement,
    delete_entitlement,
    delete_entitlement_privilege,
]
