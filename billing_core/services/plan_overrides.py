"""Overrides: what one subscription has otherwise than its plan (`docs/rules/subscriptions.md` 1.3).

An override is a plan of its own below the plan. Whoever changes that of a subscription holds its
customer's lock.
"""

from collections.abc import Iterable
from typing import TypeVar
from uuid import UUID

from billing_core.domain.errors import Invalid, NotFound
from billing_core.services import (
    charges,
    fixed_charges,
    plan_changes,
    plans,
    subscription_activity,
    trials,
)
from billing_core.store import catalog, invoices, plan_overrides
from billing_core.store import fixed_charges as fixed_charge_store
from billing_core.store.tables import (
    Charge,
    ChargeFilter,
    FixedCharge,
    FixedChargeUnits,
    Plan,
    Subscription,
)
from billing_core.store.unit import Unit
from billing_core.wire.plan_overrides import PlanOverridesIn

Part = TypeVar("Part", Charge, ChargeFilter, FixedCharge)
ALWAYS = ("name", "invoice_display_name", "description", "amount_cents")
ONLY_NEW = ("amount_currency", "trial_period")
REQUIRED = ("name", "amount_cents", "amount_currency")


async def override(unit: Unit, subscription: Subscription, wanted: PlanOverridesIn) -> None:
    """Give a subscription what it is to have otherwise than its plan.

    Numbers of units alone need no plan of its own. One it has already is changed in place, as any
    plan with a subscription: its currency and trial stay. Raises `NotFound` for a charge that is
    not the plan's, and `Invalid` or `Forbidden` as plans do.
    """
    if not wanted.model_fields_set:
        return
    plan = subscription.plan
    if plan.parent_id is None and wanted.is_only_units:
        for one in wanted.fixed_charges or []:
            row = part_of(plan.fixed_charges, one.id, "fixed_charge")
            if one.units is not None:
                at_once = bool(one.apply_units_immediately)
                await fixed_charges.set_own_units(
                    unit, subscription, row, one.units, immediately=at_once
                )
        return
    amount_before, is_new = plan.amount_cents, plan.parent_id is None
    own = await own_plan(unit, subscription)
    await _apply(unit, own, wanted, is_new=is_new)
    if subscription.started_at is not None:
        await trials.schedule(unit, subscription)
    await changed(unit, own)
    if own.amount_cents != amount_before:
        await plan_changes.price_changed(unit, own)


async def overridden(unit: Unit, plan: Plan, wanted: PlanOverridesIn | None) -> Plan:
    """Return the plan a subscription changes to: an override of it where one is wanted."""
    if wanted is None or not wanted.model_fields_set:
        return plan
    own, _ = await _copy(unit, plan)
    await _apply(unit, own, wanted, is_new=True)
    await changed(unit, own)
    return own


async def own_plan(unit: Unit, subscription: Subscription) -> Plan:
    """Return the override a subscription lives on; the first time one is made of its plan.

    It says what the plan says, so that nothing is priced otherwise for it: units the subscription
    has of its own become those of the override, what it has paid in advance stays paid.
    """
    if subscription.plan.parent_id is not None:
        return subscription.plan
    own, copies = await _copy(unit, subscription.plan)
    units = await fixed_charge_store.own_units(unit, subscription.id)
    for row in own.fixed_charges:
        if row.parent_id in units:
            row.units = units[row.parent_id].units
    await plan_overrides.forget_own_units(unit, subscription.id)
    subscription.plan_id, subscription.plan = own.id, own
    await plan_overrides.move(unit, subscription.id, copies)
    return own


async def changed(unit: Unit, own: Plan) -> None:
    """Let everything see what changed of an override: its drafts are computed again.

    It has no webhook of its own: it shares the code of its plan, whose listeners would take it for
    that. The subscription's webhook tells it.
    """
    own.updated_at = unit.now
    await unit.flush()
    await unit.session.refresh(own, plans.PARTS)
    await invoices.flag_drafts(unit, plan_id=own.id)
    await subscription_activity.note_plan(unit, own.id)
    unit.promise(plans.WATCH_TOPIC, {})


def part_of(rows: Iterable[Part], part_id: UUID | None, resource: str) -> Part:
    """Return the part of a plan that an id means: its own, or that of the one it copies."""
    for row in rows:
        if part_id is not None and part_id in {row.id, row.parent_id}:
            return row
    raise NotFound(resource)


async def _copy(unit: Unit, plan: Plan) -> tuple[Plan, dict[UUID | None, UUID]]:
    """Copy a plan below itself; taxes of the plan itself are not copied (1.3).

    Also returns which charge, filter or fixed charge became which.
    """
    own = catalog.copy(unit, plan, parent_id=plan.id, pending_cascades=[])
    await unit.flush()
    taken: set[str] = set()
    copies: dict[UUID | None, UUID] = {}
    for charge in plan.charges:
        made = await charges.copy(unit, own, charge, taken)
        taken.add(made.code)
        copies[charge.id] = made.id
        copies |= {row.parent_id: row.id for row in made.filters}
    taken = set()
    for row in plan.fixed_charges:
        copy = await fixed_charges.copy(unit, own, row, taken)
        taken.add(copy.code)
        copies[row.id] = copy.id
    await unit.session.refresh(own, plans.PARTS)
    return own, copies


async def _apply(unit: Unit, own: Plan, wanted: PlanOverridesIn, *, is_new: bool) -> None:
    given = wanted.given()
    for name in REQUIRED:
        if name in given and given[name] is None:
            raise Invalid.field(name, "value_is_mandatory")
    for name in (*ALWAYS, *ONLY_NEW) if is_new else ALWAYS:
        if name in given:
            setattr(own, name, given[name])
    if "metadata" in given:
        own.custom_metadata = wanted.metadata
    await plans.assign_parts(unit, own, wanted)
    for one in wanted.charges or []:
        await charges.override(unit, part_of(own.charges, one.id, "charge"), one)
    billed_at_once: list[FixedChargeUnits] = []
    for priced in wanted.fixed_charges or []:
        row = part_of(own.fixed_charges, priced.id, "fixed_charge")
        billed_at_once += await fixed_charges.override(unit, row, priced)
    fixed_charges.promise_increases(unit, billed_at_once)
