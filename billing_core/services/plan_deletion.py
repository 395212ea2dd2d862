"""Finishing the deletion of a plan: live subscriptions end, drafts become final."""

from uuid import UUID

from billing_core.ports import EventStore
from billing_core.services import invoice_build, subscription_end
from billing_core.services.plans import WATCH_TOPIC
from billing_core.store import catalog, customers, entitlements, invoices
from billing_core.store.unit import Unit


async def finish(unit: Unit, events: EventStore, plan_id: UUID) -> None:
    """End the plan's subscriptions and finalize its drafts (subscriptions.md 1.5)."""
    plan = await catalog.plan_by_id(unit, plan_id)
    if plan is None or plan.deleted_at is not None:
        return
    living = await catalog.live_subscriptions_of_plan(unit, plan_id)
    for customer_id in sorted({one.customer_id for one in living}):
        await customers.lock(unit, customer_id)
    for subscription in await catalog.live_subscriptions_of_plan(unit, plan_id):
        await subscription_end.end(unit, subscription)
    for invoice_id in await invoices.drafts_of_plan(unit, plan_id):
        await invoice_build.finalize_draft(unit, events, invoice_id)
    plan.deleted_at = unit.now
    for charge in plan.charges:
        charge.deleted_at = unit.now
    for fixed_charge in plan.fixed_charges:
        fixed_charge.deleted_at = unit.now
    unit.promise(WATCH_TOPIC, {})
    await entitlements.save(unit, plan.id, {}, {})
