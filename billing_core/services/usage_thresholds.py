"""Usage thresholds of plans and subscriptions: which are valid, and which are in force."""

from collections.abc import Sequence

from billing_core.domain.errors import Invalid, Problems
from billing_core.store import usage_thresholds
from billing_core.store.tables import Plan, Subscription, UsageThreshold
from billing_core.store.unit import Unit
from billing_core.wire.usage_thresholds import UsageThresholdIn

FIELD = "usage_thresholds"
Wish = Sequence[UsageThresholdIn]


def check(wanted: Wish) -> None:
    """Raise `Invalid` for a list that cannot be (`docs/rules/subscriptions.md` 1.1)."""
    problems = Problems()
    if any(one.amount_cents is None for one in wanted):
        problems.add(FIELD, "missing_amount_cents")
    if len({_name(one) for one in wanted}) < len(wanted):
        problems.add(FIELD, "duplicated_values")
    if sum(bool(one.recurring) for one in wanted) > 1:
        problems.add(FIELD, "multiple_recurring_thresholds")
    problems.check()


def refuse_both(own: Wish | None, overriding: Wish | None) -> None:
    """Raise `Invalid` if a subscription is given thresholds in two ways (1.3)."""
    if own is not None and overriding is not None:
        code = ["incompatible_params"]
        raise Invalid({FIELD: code, f"plan_overrides.{FIELD}": code})


async def replace(unit: Unit, owner: Plan | Subscription, wanted: Wish) -> None:
    """Give a plan or a subscription exactly these thresholds; those asked for again keep their ids.

    A subscription without any has those of its plan (8.1). The caller notes the subscriptions whose
    usage is to be looked at (`subscription_activity`).
    """
    check(wanted)
    kept = await usage_thresholds.of_owners(unit, [owner.id])
    known = {(row.amount_cents, row.recurring): row for row in kept.get(owner.id, [])}
    for name in known.keys() - {_name(one) for one in wanted}:
        known[name].deleted_at = unit.now
    for one in wanted:
        row = known.get((one.amount_cents or 0, bool(one.recurring)))
        if row is None:
            usage_thresholds.add(unit, _new(unit, owner, one))
        elif row.threshold_display_name != one.threshold_display_name:
            row.threshold_display_name = one.threshold_display_name
            row.updated_at = unit.now
    await unit.flush()


async def in_force(unit: Unit, subscription: Subscription) -> list[UsageThreshold]:
    """Return the thresholds that bill a subscription: its own, its plan's or the parent plan's.

    They rise, the recurring one last; none where progressive billing is off (8.1).
    """
    if subscription.progressive_billing_disabled:
        return []
    plan = subscription.plan
    owners = [subscription.id, plan.id, plan.parent_id]
    found = await usage_thresholds.of_owners(unit, [one for one in owners if one is not None])
    return next((found[one] for one in owners if one in found), [])


def _new(unit: Unit, owner: Plan | Subscription, wanted: UsageThresholdIn) -> UsageThreshold:
    assert wanted.amount_cents is not None, "the list was checked"
    return UsageThreshold(
        org_id=unit.org_id,
        created_at=unit.now,
        updated_at=unit.now,
        plan_id=owner.id if isinstance(owner, Plan) else None,
        subscription_id=owner.id if isinstance(owner, Subscription) else None,
        amount_cents=wanted.amount_cents,
        recurring=bool(wanted.recurring),
        threshold_display_name=wanted.threshold_display_name,
    )


def _name(wanted: UsageThresholdIn) -> tuple[int | None, bool]:
    return wanted.amount_cents, bool(wanted.recurring)
