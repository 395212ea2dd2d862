"""What can be done with plans."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from billing_core.domain.errors import Invalid, NotFound
from billing_core.services import (
    charges,
    commitments,
    fixed_charges,
    plan_changes,
    plan_snapshots,
    subscription_activity,
    taxes,
    usage_thresholds,
)
from billing_core.services.shapes import catalog as shapes
from billing_core.store import catalog, invoices
from billing_core.store.tables import Plan
from billing_core.store.unit import Unit
from billing_core.wire.pages import Page
from billing_core.wire.plan_overrides import PlanOverridesIn
from billing_core.wire.plans import PlanChange, PlanIn

OWNER = "plan"
SPLIT_INTERVALS = frozenset({"yearly", "semiannual"})
PLAIN = frozenset({"name", "invoice_display_name", "description", "amount_cents"})
ONLY_UNUSED = frozenset(
    {
        "code",
        "interval",
        "amount_currency",
        "trial_period",
        "pay_in_advance",
        "bill_charges_monthly",
        "bill_fixed_charges_monthly",
    }
)
REQUIRED = ("name", "code", "interval", "amount_cents", "amount_currency", "pay_in_advance")
PARTS = ("charges", "fixed_charges", "minimum_commitment")
DELETE_TOPIC = "plans.delete"
WATCH_TOPIC = "events.watch"  # which codes are priced in advance may have changed


async def create(unit: Unit, data: PlanIn) -> Plan:
    """Create a plan with its charges of both kinds (subscriptions.md 1.1)."""
    if await catalog.plan_by_code(unit, data.code):
        raise Invalid.field("code", "value_already_exist")
    plan = Plan(
        org_id=unit.org_id,
        created_at=unit.now,
        updated_at=unit.now,
        name=data.name,
        code=data.code,
        invoice_display_name=data.invoice_display_name,
        interval=data.interval,
        description=data.description,
        amount_cents=data.amount_cents,
        amount_currency=data.amount_currency,
        trial_period=data.trial_period,
        pay_in_advance=data.pay_in_advance,
        custom_metadata=data.metadata,
        bill_charges_monthly=_split(data.interval, data.bill_charges_monthly),
        bill_fixed_charges_monthly=_split(data.interval, data.bill_fixed_charges_monthly),
    )
    catalog.add(unit, plan)
    await unit.flush()
    await unit.session.refresh(plan, PARTS)
    await charges.replace(unit, plan, data.charges or [], live=False)
    await fixed_charges.replace(unit, plan, data.fixed_charges or [], live=False)
    await assign_parts(unit, plan, data)
    await unit.session.refresh(plan, PARTS)
    unit.promise(WATCH_TOPIC, {})
    unit.emit("plan.created", "plan", (await shapes.plan(unit, plan)).model_dump())
    return plan


async def get(unit: Unit, code: str) -> Plan:
    """Return a live plan, or refuse."""
    plan = await catalog.plan_by_code(unit, code)
    if plan is None:
        raise NotFound("plan")
    return plan


async def get_to_change(unit: Unit, code: str) -> Plan:
    """Return a live plan with its row locked, or refuse: one change follows the other."""
    plan = await catalog.lock_plan(unit, (await get(unit, code)).id)
    if plan is None:
        raise NotFound("plan")
    return plan


async def page(unit: Unit, wanted: Page) -> tuple[list[Plan], int]:
    """List plans."""
    return await catalog.plans_page(unit, wanted)


async def update(unit: Unit, code: str, data: PlanChange) -> Plan:
    """Change a plan. Once subscribed, what defines its periods stays (subscriptions.md 1.2)."""
    plan = await get_to_change(unit, code)
    live = await catalog.plan_is_subscribed(unit, plan.id)
    given = data.given()
    for name in REQUIRED:
        if name in given and given[name] is None:
            raise Invalid.field(name, "value_is_mandatory")
    before = plan_snapshots.taken(plan, wanted=data.cascade_updates)
    amount_before = plan.amount_cents
    await _change_fields(unit, plan, given, live=live)
    if plan.interval not in SPLIT_INTERVALS:
        plan.bill_charges_monthly = None
        plan.bill_fixed_charges_monthly = None
    if "metadata" in given:
        plan.custom_metadata = data.metadata
    await assign_parts(unit, plan, data)
    if data.charges is not None:
        await charges.replace(unit, plan, data.charges, live=live)
    at_once: Collection[UUID] = ()
    if data.fixed_charges is not None:
        at_once = await fixed_charges.replace(unit, plan, data.fixed_charges, live=live)
    if plan.amount_cents != amount_before:
        await unit.flush()
        await unit.session.refresh(plan, PARTS)
        await plan_changes.price_changed(
            unit, plan
        )  # locks customers, so before drafts are flagged
    await changed(unit, plan, before, at_once)
    return plan


async def assign_parts(unit: Unit, plan: Plan, data: PlanIn | PlanChange | PlanOverridesIn) -> None:
    """Give a plan the taxes, the commitment and the thresholds that were sent, each as a whole."""
    if data.tax_codes is not None:
        await taxes.assign(unit, OWNER, plan.id, data.tax_codes)
    if data.minimum_commitment is not None:
        await commitments.assign(unit, plan, data.minimum_commitment)
    if data.usage_thresholds is not None:
        await usage_thresholds.replace(unit, plan, data.usage_thresholds)


async def changed(
    unit: Unit,
    plan: Plan,
    before: plan_snapshots.Snapshot | None = None,
    at_once: Collection[UUID] = (),
) -> None:
    """Say that a plan or a part of it changed: its drafts are recomputed, webhooks tell it.

    With what it said `before`, its overrides are to follow; units of the fixed charges in `at_once`
    count for them immediately.
    """
    plan.updated_at = unit.now
    await unit.flush()
    await unit.session.refresh(plan, PARTS)
    await invoices.flag_drafts(unit, plan_id=plan.id)
    await subscription_activity.note_plan(unit, plan.id)
    if before is not None:
        plan_snapshots.promise_cascade(unit, plan, before, at_once)
    unit.promise(WATCH_TOPIC, {})
    await announce_update(unit, plan)


async def announce_update(unit: Unit, plan: Plan) -> None:
    """Promise the webhook of a plan that was changed."""
    unit.emit("plan.updated", "plan", (await shapes.plan(unit, plan)).model_dump())


async def delete(unit: Unit, code: str) -> Plan:
    """Ask for deletion: answered at once, finished by a job that ends live subscriptions."""
    plan = await get_to_change(unit, code)
    for one in (plan, *await catalog.overrides_of(unit, plan.id)):
        one.pending_deletion = True
    unit.promise(DELETE_TOPIC, {"plan_id": str(plan.id)})
    unit.emit("plan.deleted", "plan", (await shapes.plan(unit, plan)).model_dump())
    return plan


async def _change_fields(unit: Unit, plan: Plan, given: dict[str, Any], *, live: bool) -> None:
    taken = not live and given.get("code", plan.code) != plan.code
    if taken and await catalog.plan_by_code(unit, given["code"]):
        raise Invalid.field("code", "value_already_exist")
    for name, value in given.items():
        if name in PLAIN or (name in ONLY_UNUSED and not live):
            setattr(plan, name, value)


def _split(interval: str, flag: bool | None) -> bool | None:  # noqa: FBT001 - the flag itself
    return bool(flag) if interval in SPLIT_INTERVALS else None
