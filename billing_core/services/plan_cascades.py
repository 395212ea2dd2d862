"""Overrides follow their plan where they still say what it said (subscriptions.md 1.4).

A step says what one part of the plan was and what it is now; null where there was, or is, none.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from billing_core.domain.charges.terms import GROUP_KEYS
from billing_core.services import (
    charge_filters,
    charges,
    fixed_charges,
    plan_changes,
    plan_snapshots,
    plans,
    subscription_activity,
)
from billing_core.store import catalog, customers, invoices, plan_overrides
from billing_core.store.tables import (
    Charge,
    ChargeFilter,
    FixedCharge,
    FixedChargeUnits,
    Plan,
)
from billing_core.store.unit import Unit

Part = TypeVar("Part", Charge, ChargeFilter, FixedCharge)
OF_FILTERS = ("values", "properties", "invoice_display_name")


class Step:
    """One change of the plan, as it was promised."""

    def __init__(self, stored: Mapping[str, Any]) -> None:
        self.kind = str(stored["kind"])
        self.part_id = UUID(stored["id"])
        self.was: Mapping[str, Any] | None = stored["was"]
        self.now: Mapping[str, Any] | None = stored["is"]
        self.at_once = bool(stored["at_once"])


async def run(unit: Unit, plan_id: UUID) -> None:
    """Let the overrides of a plan that somebody lives on follow all that waits, in its order.

    Run again, it finds nothing waiting. The plan is locked before the customers, as by whoever
    changes its price.
    """
    plan = await catalog.lock_plan(unit, plan_id)
    if plan is None or not plan.pending_cascades:
        return
    steps = [Step(one) for one in plan.pending_cascades]
    plan.pending_cascades = []
    for customer_id in await plan_overrides.customers_on_overrides(unit, plan.id):
        await customers.lock(unit, customer_id)
    for child in await plan_overrides.lived_on(unit, plan.id):
        await _follow(unit, plan, child, steps)
    await subscription_activity.note_plan(unit, plan.id)
    unit.promise(plans.WATCH_TOPIC, {})


async def _follow(unit: Unit, plan: Plan, child: Plan, steps: Iterable[Step]) -> None:
    amount_before = child.amount_cents
    billed_at_once: list[FixedChargeUnits] = []
    for step in steps:
        billed_at_once += await FOLLOWED[step.kind](unit, plan, child, step)
        await unit.flush()
        await unit.session.refresh(child, plans.PARTS)
    fixed_charges.promise_increases(unit, billed_at_once)
    child.updated_at = unit.now
    await unit.flush()
    if child.amount_cents != amount_before:
        await plan_changes.price_changed(unit, child)
    await invoices.flag_drafts(unit, plan_id=child.id)


async def _plan(_unit: Unit, _plan: Plan, child: Plan, step: Step) -> list[FixedChargeUnits]:
    if step.was and step.now and child.amount_cents == step.was["amount_cents"]:
        child.amount_cents = step.now["amount_cents"]
    return []


async def _charge(unit: Unit, plan: Plan, child: Plan, step: Step) -> list[FixedChargeUnits]:
    """Follow a charge; the keys its usage is told apart by are those of the plan in any case."""
    own, source = _copy_of(child.charges, step), _named(plan.charges, step)
    if step.now is None:
        _delete(unit, own)
    elif step.was is None:
        if own is None and source is not None:
            await charges.copy(unit, child, source, {one.code for one in child.charges})
    elif own is not None and own.charge_model == step.was["charge_model"]:
        _reprice(own, step.was, step.now)
        own.updated_at = unit.now
    return []


def _reprice(own: Charge, was: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    if now["charge_model"] != was["charge_model"]:
        return
    if own.properties == was["properties"]:
        own.properties = now["properties"]
        return
    forced = {key: value for key, value in now["properties"].items() if key in GROUP_KEYS}
    kept = {key: value for key, value in own.properties.items() if key not in GROUP_KEYS}
    own.properties = {**kept, **forced}


async def _filter(unit: Unit, plan: Plan, child: Plan, step: Step) -> list[FixedChargeUnits]:
    charge_id = UUID((step.now or step.was or {})["charge_id"])
    owner = next((one for one in child.charges if one.parent_id == charge_id), None)
    if owner is None:
        return []  # it went with its charge
    own = _copy_of(owner.filters, step)
    if step.now is None:
        _delete(unit, own)
    elif step.was is None:
        source = _named([row for one in plan.charges for row in one.filters], step)
        taken = any(
            charge_filters.same_values(row.values, step.now["values"]) for row in owner.filters
        )
        if source is not None and own is None and not taken:
            catalog.copy(unit, source, charge_id=owner.id, parent_id=source.id)
    elif own is not None:
        for name in OF_FILTERS:
            if getattr(own, name) == step.was[name]:
                setattr(own, name, step.now[name])
        own.updated_at = unit.now
    await charge_filters.reload(unit, owner)
    return []


async def _fixed_charge(unit: Unit, plan: Plan, child: Plan, step: Step) -> list[FixedChargeUnits]:
    """Follow a fixed charge; its price and its units are compared as one."""
    own, source = _copy_of(child.fixed_charges, step), _named(plan.fixed_charges, step)
    if step.now is None:
        _delete(unit, own)
    elif step.was is None:
        if own is None and source is not None:
            taken = {one.code for one in child.fixed_charges}
            made = await fixed_charges.copy(unit, child, source, taken)
            return await fixed_charges.spread(unit, made, immediately=step.at_once)
    elif own is not None and _says(own, step.was):
        own.properties, own.updated_at = step.now["properties"], unit.now
        units = Decimal(step.now["units"])
        return await fixed_charges.set_units(unit, own, units, immediately=step.at_once)
    return []


def _says(own: FixedCharge, was: Mapping[str, Any]) -> bool:
    return (own.charge_model, own.properties, own.units) == (
        was["charge_model"],
        was["properties"],
        Decimal(was["units"]),
    )


def _copy_of(rows: Iterable[Part], step: Step) -> Part | None:
    return next((row for row in rows if row.parent_id == step.part_id), None)


def _named(rows: Iterable[Part], step: Step) -> Part | None:
    return next((row for row in rows if row.id == step.part_id), None)


def _delete(unit: Unit, own: Charge | ChargeFilter | FixedCharge | None) -> None:
    if own is not None:
        own.deleted_at = unit.now


FOLLOWED: dict[str, Callable[[Unit, Plan, Plan, Step], Awaitable[list[FixedChargeUnits]]]] = {
    plan_snapshots.PLAN: _plan,
    plan_snapshots.CHARGE: _charge,
    plan_snapshots.FILTER: _filter,
    plan_snapshots.FIXED_CHARGE: _fixed_charge,
}
