"""Finishing the deletion of a plan: live subscriptions end, drafts become final."""

from uuid import UUID

from billing_core.ports import EventStore
from billing_core.services import invoice_build, subscription_end, takeovers
from billing_core.services.plans import WATCH_TOPIC
from billing_core.store import catalog, customers, entitlements, invoices
from billing_core.store.tables import Plan
from billing_core.store.unit import Unit


async def finish(unit: Unit, events: EventStore, plan_id: UUID) -> None:
    """End all that lives on the plan: first on its overrides, then on itself.

    The plan is locked before the customers, as by whoever changes it (subscriptions.md 1.5).
    """
    plan = await catalog.lock_plan(unit, plan_id)
    if plan is None:
        return
    family = [*await catalog.overrides_of(unit, plan_id), plan]
    living = [
        subscription
        for one in family
        for subscription in await catalog.live_subscriptions_of_plan(unit, one.id)
    ]
    for customer_id in sorted({one.customer_id for one in living}):
        await customers.lock(unit, customer_id)
    for one in family:
        await _finish(unit, events, one)
    unit.promise(WATCH_TOPIC, {})


async def _finish(unit: Unit, events: EventStore, plan: Plan) -> None:
    for subscription in await catalog.live_subscriptions_of_plan(unit, plan.id):
        present = await takeovers.in_force(unit, subscription)
        if present.plan_id == plan.id:  # it may have left for another plan, unnoticed
            await subscription_end.end(unit, present)
    for invoice_id in await invoices.drafts_of_plan(unit, plan.id):
        await invoice_build.finalize_draft(unit, events, invoice_id)
    plan.deleted_at = unit.now  # not its charges: the final invoices are still to be made of them
    await entitlements.save(unit, plan.id, {}, {})
