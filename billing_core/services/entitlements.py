"""What can be done with the entitlements of plans and subscriptions (`docs/rules/metering.md` 6).

Everything that changes an owner is told by its own webhook, `plan.updated` or
`subscription.updated`, also when nothing differs from before.
"""

from collections.abc import Mapping
from typing import Any

from billing_core.domain import entitlements as rules
from billing_core.domain.entitlements import Said, Values
from billing_core.domain.errors import NotFound, Problems
from billing_core.services import features, subscription_news
from billing_core.services.shapes import catalog as catalog_shapes
from billing_core.store import entitlements
from billing_core.store.tables import Entitlement, Feature, Plan, Subscription
from billing_core.store.unit import Unit

Wanted = Mapping[str, Mapping[str, Any]]


async def of_plan(unit: Unit, plan: Plan) -> list[Entitlement]:
    """Return what a plan gives, by age of the features."""
    return (await entitlements.of_owners(unit, [plan.id])).get(plan.id, [])


async def get_of_plan(unit: Unit, plan: Plan, feature_code: str) -> Entitlement:
    """Return what a plan gives of a feature; raises `NotFound("entitlement")`."""
    for row in await of_plan(unit, plan):
        if row.feature.code == feature_code:
            return row
    raise NotFound("entitlement")


async def replace_on_plan(unit: Unit, plan: Plan, wanted: Wanted) -> list[Entitlement]:
    """Make a plan give this and nothing else."""
    known, values = await _read(unit, wanted)
    await entitlements.lock(unit, plan)
    await _save_plan(unit, plan, values, known)
    return await of_plan(unit, plan)


async def merge_into_plan(unit: Unit, plan: Plan, wanted: Wanted) -> list[Entitlement]:
    """Make a plan give this as well, or with these values."""
    known, values = await _read(unit, wanted)
    await entitlements.lock(unit, plan)
    before = await entitlements.values_of_plan(unit, plan)
    merged = {code: {**before.get(code, {}), **given} for code, given in values.items()}
    await _save_plan(unit, plan, {**before, **merged}, known)
    return await of_plan(unit, plan)


async def remove_from_plan(unit: Unit, plan: Plan, feature_code: str) -> Entitlement:
    """Take a feature off a plan; return what the plan gave of it."""
    await entitlements.lock(unit, plan)
    row = await get_of_plan(unit, plan, feature_code)
    before = await entitlements.values_of_plan(unit, plan)
    rest = {code: values for code, values in before.items() if code != feature_code}
    await _save_plan(unit, plan, rest, {})
    return row


async def remove_privilege_from_plan(
    unit: Unit, plan: Plan, feature_code: str, privilege_code: str
) -> Entitlement:
    """Take one privilege off what a plan gives of a feature; return the rest."""
    await entitlements.lock(unit, plan)
    row = await get_of_plan(unit, plan, feature_code)
    before = await entitlements.values_of_plan(unit, plan)
    if privilege_code not in before[feature_code]:
        raise NotFound("privilege")
    rest = {k: value for k, value in before[feature_code].items() if k != privilege_code}
    await _save_plan(unit, plan, {**before, feature_code: rest}, {})
    return row


async def merge_into_subscription(unit: Unit, subscription: Subscription, wanted: Wanted) -> None:
    """Give a subscription this beside or instead of what its plan gives."""
    known, values = await _read(unit, wanted)
    await entitlements.lock(unit, subscription)
    plan = await entitlements.values_of_plan(unit, subscription.plan)
    said = await entitlements.said_by(unit, subscription)
    await _save_subscription(unit, subscription, rules.merged(plan, said, values), known)


async def remove_from_subscription(
    unit: Unit, subscription: Subscription, feature_code: str
) -> None:
    """Take a feature off a subscription, whether its plan gives it or not."""
    feature = await features.get(unit, feature_code)
    await entitlements.lock(unit, subscription)
    plan = await entitlements.values_of_plan(unit, subscription.plan)
    said = await entitlements.said_by(unit, subscription)
    if feature_code not in rules.effective(plan, said):
        raise NotFound("entitlement")
    after = rules.without_feature(plan, said, feature_code)
    await _save_subscription(unit, subscription, after, {feature_code: feature})


async def remove_privilege_from_subscription(
    unit: Unit, subscription: Subscription, feature_code: str, privilege_code: str
) -> None:
    """Take one privilege off a subscription, whether its plan gives it or not."""
    feature = await features.get(unit, feature_code)
    await entitlements.lock(unit, subscription)
    plan = await entitlements.values_of_plan(unit, subscription.plan)
    said = await entitlements.said_by(unit, subscription)
    found = rules.effective(plan, said)
    if feature_code not in found:
        raise NotFound("entitlement")
    if privilege_code not in found[feature_code]:
        raise NotFound("privilege")
    after = rules.without_privilege(plan, said, feature_code, privilege_code)
    await _save_subscription(unit, subscription, after, {feature_code: feature})


async def _read(unit: Unit, wanted: Wanted) -> tuple[dict[str, Feature], Values]:
    """Return the named features, and the values as they are stored; raises `Refusal`."""
    known = await entitlements.features_by_codes(unit, wanted.keys())
    if len(known) < len(wanted):
        raise NotFound("feature")
    problems = Problems()
    values = {code: _texts(known[code], given, problems) for code, given in wanted.items()}
    problems.check()
    return known, values


def _texts(feature: Feature, given: Mapping[str, Any], problems: Problems) -> dict[str, str]:
    privileges = {one.code: one for one in feature.privileges}
    if not given.keys() <= privileges.keys():
        raise NotFound("privilege")
    found = {}
    for code, value in given.items():
        privilege = privileges[code]
        text = rules.read_value(privilege.value_type, privilege.config, value)
        if text is None:
            problems.add(f"{code}_privilege_value", rules.refusal_of(privilege.value_type))
        else:
            found[code] = text
    return found


async def _save_plan(unit: Unit, plan: Plan, values: Values, known: Mapping[str, Feature]) -> None:
    await entitlements.save(unit, plan.id, values, known)
    unit.emit("plan.updated", "plan", (await catalog_shapes.plan(unit, plan)).model_dump())


async def _save_subscription(
    unit: Unit, subscription: Subscription, said: Said, known: Mapping[str, Feature]
) -> None:
    await entitlements.save(unit, subscription.id, said, known)
    await subscription_news.announce(unit, subscription, "subscription.updated")
