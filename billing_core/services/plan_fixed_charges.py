"""The fixed charges of a plan one by one."""

from billing_core.domain.errors import NotFound
from billing_core.services import fixed_charges, plan_snapshots, plans
from billing_core.store import catalog
from billing_core.store import fixed_charges as fixed_charge_store
from billing_core.store.tables import FixedCharge, Plan
from billing_core.store.unit import Unit
from billing_core.wire.fixed_charges import FixedChargeIn
from billing_core.wire.pages import Page


async def get(unit: Unit, plan_code: str, code: str) -> FixedCharge:
    """Return a fixed charge of a plan; raises `NotFound` for the plan or the charge."""
    return _fixed_charge(await plans.get(unit, plan_code), code)


async def page(unit: Unit, plan_code: str, wanted: Page) -> tuple[list[FixedCharge], int]:
    """List a plan's fixed charges."""
    plan = await plans.get(unit, plan_code)
    return await fixed_charge_store.page(unit, plan.id, wanted)


async def create(unit: Unit, plan_code: str, data: FixedChargeIn) -> FixedCharge:
    """Add a fixed charge to a plan and its running subscriptions."""
    plan = await plans.get_to_change(unit, plan_code)
    before = plan_snapshots.taken(plan, wanted=data.cascade_updates)
    position = max((one.position for one in plan.fixed_charges), default=-1) + 1
    taken = {one.code for one in plan.fixed_charges}
    row, billed_at_once = await fixed_charges.create(unit, plan, data, position, taken)
    fixed_charges.promise_increases(unit, billed_at_once)
    at_once = {row.id} if data.apply_units_immediately else set()
    await plans.changed(unit, plan, before, at_once)
    return row


async def update(unit: Unit, plan_code: str, code: str, data: FixedChargeIn) -> FixedCharge:
    """Change a fixed charge, as far as the plan's subscriptions allow."""
    plan = await plans.get_to_change(unit, plan_code)
    before = plan_snapshots.taken(plan, wanted=data.cascade_updates)
    row = _fixed_charge(plan, code)
    others = {one.code for one in plan.fixed_charges} - {row.code}
    live = await catalog.plan_is_subscribed(unit, plan.id)
    billed_at_once = await fixed_charges.change(unit, row, data, others, live=live)
    fixed_charges.promise_increases(unit, billed_at_once)
    at_once = {row.id} if data.apply_units_immediately else set()
    await plans.changed(unit, plan, before, at_once)
    return row


async def delete(unit: Unit, plan_code: str, code: str, *, cascade: bool = False) -> FixedCharge:
    """Take a fixed charge off a plan; with `cascade` off its overrides, too."""
    plan = await plans.get_to_change(unit, plan_code)
    before = plan_snapshots.taken(plan, wanted=cascade)
    row = _fixed_charge(plan, code)
    row.deleted_at = unit.now
    await plans.changed(unit, plan, before)
    return row


def _fixed_charge(plan: Plan, code: str) -> FixedCharge:
    for row in plan.fixed_charges:
        if row.code == code:
            return row
    raise NotFound("fixed_charge")
