"""What features look like, and what plans and subscriptions have of them."""

from collections.abc import Iterable
from uuid import UUID

from billing_core.domain.entitlements import Entitled, cast, effective
from billing_core.store import entitlements
from billing_core.store.tables import Entitlement, Feature, Privilege, Subscription
from billing_core.store.unit import Unit
from billing_core.wire.entitlements import (
    FeatureOut,
    PlanEntitlementOut,
    PlanPrivilegeOut,
    PrivilegeOut,
    SubscriptionEntitlementOut,
    SubscriptionPrivilegeOut,
)


def feature(row: Feature) -> FeatureOut:
    """Return the wire model of a feature."""
    return FeatureOut.of(row, privileges=[PrivilegeOut.of(one) for one in row.privileges])


def plan_entitlement(row: Entitlement) -> PlanEntitlementOut:
    """Return the wire model of what a plan gives of a feature."""
    values = {one.privilege_id: one.value for one in row.values}
    return PlanEntitlementOut.of(
        row.feature,
        privileges=[
            PlanPrivilegeOut.of(one, value=cast(one.value_type, values[one.id]))
            for one in row.feature.privileges
            if one.id in values
        ],
    )


async def of_plans(unit: Unit, plan_ids: Iterable[UUID]) -> dict[UUID, list[PlanEntitlementOut]]:
    """Return what each plan gives, with one query; plans that give nothing are left out."""
    found = await entitlements.of_owners(unit, plan_ids)
    return {plan_id: [plan_entitlement(row) for row in rows] for plan_id, rows in found.items()}


async def of_subscription(
    unit: Unit, subscription: Subscription
) -> list[SubscriptionEntitlementOut]:
    """Return what a subscription has, by age of the features (`docs/rules/metering.md` 6)."""
    plan = await entitlements.values_of_plan(unit, subscription.plan)
    found = effective(plan, await entitlements.said_by(unit, subscription))
    features = await entitlements.features_by_codes(unit, found.keys())
    rows = sorted(features.values(), key=lambda row: (row.created_at, row.id))
    return [_entitlement(row, found[row.code]) for row in rows]


def _entitlement(row: Feature, found: dict[str, Entitled]) -> SubscriptionEntitlementOut:
    shown = [_privilege(one, found[one.code]) for one in row.privileges if one.code in found]
    overrides = {one.code: one.value for one in shown if one.override_value is not None}
    return SubscriptionEntitlementOut.of(row, privileges=shown, overrides=overrides)


def _privilege(row: Privilege, found: Entitled) -> SubscriptionPrivilegeOut:
    return SubscriptionPrivilegeOut.of(
        row,
        value=cast(row.value_type, found.value),
        plan_value=cast(row.value_type, found.plan_value),
        override_value=cast(row.value_type, found.override_value),
    )
