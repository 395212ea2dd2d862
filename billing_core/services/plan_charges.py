"""The charges of a plan one by one, and their filters."""

from uuid import UUID

from billing_core.domain.errors import NotFound
from billing_core.services import charge_filters, charges, plan_snapshots, plans
from billing_core.store import catalog
from billing_core.store.tables import Charge, ChargeFilter, Plan
from billing_core.store.unit import Unit
from billing_core.wire.charges import ChargeFilterIn, ChargeIn
from billing_core.wire.pages import Page


async def get(unit: Unit, plan_code: str, code: str) -> Charge:
    """Return a charge of a plan; raises `NotFound` for the plan or the charge."""
    return _charge(await plans.get(unit, plan_code), code)


async def page(unit: Unit, plan_code: str, wanted: Page) -> tuple[list[Charge], int]:
    """List a plan's charges."""
    plan = await plans.get(unit, plan_code)
    return await catalog.charges_page(unit, plan.id, wanted)


async def create(unit: Unit, plan_code: str, data: ChargeIn) -> Charge:
    """Add a charge to a plan."""
    plan = await plans.get_to_change(unit, plan_code)
    before = plan_snapshots.taken(plan, wanted=data.cascade_updates)
    position = max((one.position for one in plan.charges), default=-1) + 1
    charge = await charges.create(unit, plan, data, position, {one.code for one in plan.charges})
    await plans.changed(unit, plan, before)
    return charge


async def update(unit: Unit, plan_code: str, code: str, data: ChargeIn) -> Charge:
    """Change a charge, as far as the plan's subscriptions allow."""
    plan = await plans.get_to_change(unit, plan_code)
    before = plan_snapshots.taken(plan, wanted=data.cascade_updates)
    charge = _charge(plan, code)
    others = {one.code for one in plan.charges} - {charge.code}
    live = await catalog.plan_is_subscribed(unit, plan.id)
    await charges.change(unit, charge, data, others, live=live)
    await plans.changed(unit, plan, before)
    return charge


async def delete(unit: Unit, plan_code: str, code: str, *, cascade: bool = False) -> Charge:
    """Take a charge off a plan; with `cascade` off its overrides, too."""
    plan = await plans.get_to_change(unit, plan_code)
    before = plan_snapshots.taken(plan, wanted=cascade)
    charge = _charge(plan, code)
    charge.deleted_at = unit.now
    await plans.changed(unit, plan, before)
    return charge


async def get_filter(
    unit: Unit, plan_code: str, code: str, filter_id: UUID
) -> tuple[Charge, ChargeFilter]:
    """Return a filter with its charge; raises `NotFound` for whatever is not there."""
    charge = await get(unit, plan_code, code)
    return charge, _filter(charge, filter_id)


async def filters_page(
    unit: Unit, plan_code: str, code: str, wanted: Page
) -> tuple[Charge, list[ChargeFilter], int]:
    """List a charge's filters in the order they are looked at."""
    charge = await get(unit, plan_code, code)
    rows, total = await catalog.filters_page(unit, charge.id, wanted)
    return charge, rows, total


async def create_filter(
    unit: Unit, plan_code: str, code: str, data: ChargeFilterIn
) -> tuple[Charge, ChargeFilter]:
    """Add a filter behind the others of a charge."""
    plan = await plans.get_to_change(unit, plan_code)
    before = plan_snapshots.taken(plan, wanted=data.cascade_updates)
    charge = _charge(plan, code)
    position = max((one.position for one in charge.filters), default=-1) + 1
    row = await charge_filters.create(unit, charge, data, position)
    await _filters_changed(unit, plan, charge, before)
    return charge, row


async def update_filter(
    unit: Unit, plan_code: str, code: str, filter_id: UUID, data: ChargeFilterIn
) -> tuple[Charge, ChargeFilter]:
    """Change a filter."""
    plan = await plans.get_to_change(unit, plan_code)
    before = plan_snapshots.taken(plan, wanted=data.cascade_updates)
    charge = _charge(plan, code)
    row = _filter(charge, filter_id)
    charge_filters.change(unit, charge, row, data)
    await _filters_changed(unit, plan, charge, before)
    return charge, row


async def delete_filter(
    unit: Unit, plan_code: str, code: str, filter_id: UUID, *, cascade: bool = False
) -> tuple[Charge, ChargeFilter]:
    """Take a filter off a charge: its events are priced by the others, or by the charge.

    With `cascade` it goes from the plan's overrides, too.
    """
    plan = await plans.get_to_change(unit, plan_code)
    before = plan_snapshots.taken(plan, wanted=cascade)
    charge = _charge(plan, code)
    row = _filter(charge, filter_id)
    row.deleted_at = unit.now
    await _filters_changed(unit, plan, charge, before)
    return charge, row


async def _filters_changed(
    unit: Unit, plan: Plan, charge: Charge, before: plan_snapshots.Snapshot | None
) -> None:
    charge.updated_at = unit.now
    await charge_filters.reload(unit, charge)
    await plans.changed(unit, plan, before)


def _charge(plan: Plan, code: str) -> Charge:
    for charge in plan.charges:
        if charge.code == code:
            return charge
    raise NotFound("charge")


def _filter(charge: Charge, filter_id: UUID) -> ChargeFilter:
    for row in charge.filters:
        if row.id == filter_id:
            return row
    raise NotFound("charge_filter")
