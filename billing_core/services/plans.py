"""What can be done with plans."""

from typing import Any

from billing_core.domain.errors import Invalid, NotFound, Problems
from billing_core.services import charges, fixed_charges, plan_changes, taxes
from billing_core.services.shapes import catalog as shapes
from billing_core.store import catalog, invoices
from billing_core.store.tables import Plan
from billing_core.store.unit import Unit
from billing_core.wire.pages import Page
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
MAX_METADATA_KEYS = 50
DELETE_TOPIC = "plans.delete"
WATCH_TOPIC = "events.watch"  # which codes are priced in advance may have changed


async def create(unit: Unit, data: PlanIn) -> Plan:
    """Create a plan with its charges of both kinds (subscriptions.md 1.1)."""
    _refuse_unsupported(data)
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
    await unit.session.refresh(plan, ["charges", "fixed_charges"])
    await charges.replace(unit, plan, data.charges or [], live=False)
    await fixed_charges.replace(unit, plan, data.fixed_charges or [], live=False)
    if data.tax_codes is not None:
        await taxes.assign(unit, OWNER, plan.id, data.tax_codes)
    await unit.session.refresh(plan, ["charges", "fixed_charges"])
    unit.promise(WATCH_TOPIC, {})
    unit.emit("plan.created", "plan", (await shapes.plan(unit, plan)).model_dump())
    return plan


async def get(unit: Unit, code: str) -> Plan:
    """Return a live plan, or refuse."""
    plan = await catalog.plan_by_code(unit, code)
    if plan is None:
        raise NotFound("plan")
    return plan


async def page(unit: Unit, wanted: Page) -> tuple[list[Plan], int]:
    """List plans."""
    return await catalog.plans_page(unit, wanted)


async def update(unit: Unit, code: str, data: PlanChange) -> Plan:
    """Change a plan. Once subscribed, what defines its periods stays (subscriptions.md 1.2)."""
    plan = await get(unit, code)
    _refuse_unsupported(data)
    live = await catalog.plan_is_subscribed(unit, plan.id)
    given = data.given()
    for name in REQUIRED:
        if name in given and given[name] is None:
            raise Invalid.field(name, "value_is_mandatory")
    amount_before = plan.amount_cents
    await _change_fields(unit, plan, given, live=live)
    if plan.interval not in SPLIT_INTERVALS:
        plan.bill_charges_monthly = None
        plan.bill_fixed_charges_monthly = None
    if "metadata" in given:
        plan.custom_metadata = data.metadata
    if data.tax_codes is not None:
        await taxes.assign(unit, OWNER, plan.id, data.tax_codes)
    if data.charges is not None:
        await charges.replace(unit, plan, data.charges, live=live)
    if data.fixed_charges is not None:
        await fixed_charges.replace(unit, plan, data.fixed_charges, live=live)
    if plan.amount_cents != amount_before:
        await unit.flush()
        await unit.session.refresh(plan, ["charges", "fixed_charges"])
        await plan_changes.price_changed(
            unit, plan
        )  # locks customers, so before drafts are flagged
    await changed(unit, plan)
    return plan


async def changed(unit: Unit, plan: Plan) -> None:
    """Say that a plan or a part of it changed: its drafts are recomputed, webhooks tell it."""
    plan.updated_at = unit.now
    await unit.flush()
    await unit.session.refresh(plan, ["charges", "fixed_charges"])
    await invoices.flag_drafts(unit, plan_id=plan.id)
    unit.promise(WATCH_TOPIC, {})
    unit.emit("plan.updated", "plan", (await shapes.plan(unit, plan)).model_dump())


async def delete(unit: Unit, code: str) -> Plan:
    """Ask for deletion: answered at once, finished by a job that ends live subscriptions."""
    plan = await get(unit, code)
    plan.pending_deletion = True
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


def _refuse_unsupported(data: PlanIn | PlanChange) -> None:
    # what is not billed yet is refused: a bill that silently ignores a rule would be wrong
    problems = Problems()
    for name in ("usage_thresholds", "minimum_commitment", "trial_period"):
        if getattr(data, name):
            problems.add(name, "unsupported_value")
    if data.metadata is not None and len(data.metadata) > MAX_METADATA_KEYS:
        problems.add("metadata", "invalid_count")
    problems.check()
