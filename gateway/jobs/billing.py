"""Billing jobs: shards of due subscriptions, starts and ends, drafts that become final."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

from billing_core.services import (
    billable_metrics,
    billing_run,
    fixed_charge_billing,
    fixed_charges,
    gating,
    handovers,
    plan_cascades,
    plan_deletion,
    plan_snapshots,
    plans,
    subscription_start,
    takeovers,
    trial_ends,
)
from billing_core.store.tables import Outbox
from billing_core.store.unit import Unit
from gateway.jobs.parts import Parts


async def bill_shard(parts: Parts, unit: Unit, promise: Outbox) -> None:
    """Bill what is still due of a shard."""
    ids = [UUID(text) for text in promise.payload["subscription_ids"]]
    await billing_run.bill_shard(unit, parts.events, ids)


async def bill_now(parts: Parts, unit: Unit, promise: Outbox) -> None:
    """Invoice one start or end of a subscription."""
    await billing_run.bill_now(unit, parts.events, promise.payload)


async def bill_open(parts: Parts, unit: Unit, promise: Outbox) -> None:
    """Invoice the start of a subscription that waits for its payment."""
    await gating.bill(unit, parts.events, promise.payload)


async def bill_increases(_parts: Parts, unit: Unit, promise: Outbox) -> None:
    """Invoice units that were added to what is paid in advance."""
    await fixed_charge_billing.bill_increases(unit, promise.payload)


async def bill_upgrade(parts: Parts, unit: Unit, promise: Outbox) -> None:
    """Invoice both sides of an upgrade."""
    await handovers.bill_upgrade(unit, parts.events, promise.payload)


async def end_trial(parts: Parts, unit: Unit, promise: Outbox) -> None:
    """Bill and tell the end of a trial."""
    await trial_ends.end(unit, parts.events, promise.payload)


async def finalize(parts: Parts, unit: Unit, promise: Outbox) -> None:
    """Finalize drafts whose time has come."""
    ids = [UUID(text) for text in promise.payload["invoice_ids"]]
    await billing_run.finalize_shard(unit, parts.events, ids)


async def forget_events(parts: Parts, unit: Unit, promise: Outbox) -> None:
    """Forget the events of a deleted metric."""
    until = datetime.fromisoformat(promise.payload["until"])
    await parts.events.forget(unit.org_id, promise.payload["code"], until)


async def cascade_plan(_parts: Parts, unit: Unit, promise: Outbox) -> None:
    """Let the overrides of a plan follow it."""
    await plan_cascades.run(unit, UUID(promise.payload["plan_id"]))


async def delete_plan(parts: Parts, unit: Unit, promise: Outbox) -> None:
    """Finish the deletion of a plan."""
    await plan_deletion.finish(unit, parts.events, UUID(promise.payload["plan_id"]))


TOPICS: dict[str, Callable[[Parts, Unit, Outbox], Awaitable[None]]] = {
    billing_run.SHARD_TOPIC: bill_shard,
    billing_run.INVOICE_TOPIC: bill_now,
    subscription_start.OPEN_INVOICE_TOPIC: bill_open,
    fixed_charges.INCREASES_TOPIC: bill_increases,
    takeovers.UPGRADE_TOPIC: bill_upgrade,
    trial_ends.TRIAL_TOPIC: end_trial,
    billing_run.FINALIZE_TOPIC: finalize,
    billable_metrics.FORGET_EVENTS_TOPIC: forget_events,
    plans.DELETE_TOPIC: delete_plan,
    plan_snapshots.TOPIC: cascade_plan,
}
