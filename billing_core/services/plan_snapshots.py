"""What a plan says of its prices, before and after: what its overrides may have to follow."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from billing_core.domain.money import plain
from billing_core.store.tables import Plan
from billing_core.store.unit import Unit

TOPIC = "plans.cascade"
PLAN, CHARGE, FILTER, FIXED_CHARGE = "plan", "charge", "filter", "fixed_charge"
Snapshot = dict[tuple[str, UUID], dict[str, Any]]


def taken(plan: Plan, *, wanted: bool | None) -> Snapshot | None:
    """Return what a plan says now, by kind of part and its id, if a cascade is wanted at all."""
    if not wanted:
        return None
    parts: Snapshot = {(PLAN, plan.id): {"amount_cents": plan.amount_cents}}
    for charge in plan.charges:
        parts[CHARGE, charge.id] = {
            "charge_model": charge.charge_model,
            "properties": charge.properties,
        }
        for row in charge.filters:
            parts[FILTER, row.id] = {
                "charge_id": str(charge.id),
                "values": row.values,
                "properties": row.properties,
                "invoice_display_name": row.invoice_display_name,
            }
    for fixed_charge in plan.fixed_charges:
        parts[FIXED_CHARGE, fixed_charge.id] = {
            "charge_model": fixed_charge.charge_model,
            "properties": fixed_charge.properties,
            "units": plain(fixed_charge.units),
        }
    return parts


def promise_cascade(
    unit: Unit, plan: Plan, before: Snapshot, at_once: Collection[UUID] = ()
) -> None:
    """Promise that the plan's overrides follow what differs from before (subscriptions.md 1.4).

    Units of the fixed charges in `at_once` count immediately. What disappeared stands before what
    is new, so that a code may move from one to the other. Changes wait on the plan, in the order
    they were made: whichever job comes first takes them all.
    """
    after = taken(plan, wanted=True) or {}
    steps = [
        {
            "kind": kind,
            "id": str(part_id),
            "was": before.get((kind, part_id)),
            "is": after.get((kind, part_id)),
            "at_once": part_id in at_once,
        }
        for kind, part_id in {**before, **after}
        if before.get((kind, part_id)) != after.get((kind, part_id))
    ]
    if steps:
        plan.pending_cascades = [*plan.pending_cascades, *steps]
        unit.promise(TOPIC, {"plan_id": str(plan.id)})
