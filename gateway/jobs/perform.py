"""Keeping a promise: the job behind an outbox row, run once in effect however often it is sent."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

from billing_core.clock import wall_now
from billing_core.services import clocks, webhooks
from billing_core.store import outbox
from billing_core.store.tables import Outbox
from billing_core.store.unit import Unit
from gateway.jobs import activity, advance, billing, documents, event_checks, wallets
from gateway.jobs import webhooks as webhook_jobs
from gateway.jobs.parts import Parts

Transactional = Callable[[Parts, Unit, Outbox], Awaitable[None]]
Talking = Callable[[Parts, UUID, Outbox], Awaitable[None]]
BATCH = 100
LONGEST_WAIT_SECONDS = 600
NOT_WAITED_FOR = (webhooks.DELIVER_TOPIC,)


async def _run_job(parts: Parts, unit: Unit, promise: Outbox) -> None:
    job = clocks.job_named(promise.payload["job"])
    if job.work is not None:
        await job.work(unit, parts.events)


# effects and the mark "done" share one transaction: running twice changes nothing
TRANSACTIONAL: dict[str, Transactional] = {
    clocks.RUN_TOPIC: _run_job,
    **billing.TOPICS,
    **activity.TRANSACTIONAL,
    **advance.TRANSACTIONAL,
    **wallets.TRANSACTIONAL,
    **webhook_jobs.TRANSACTIONAL,
}
# these talk to the outside or take long, with no transaction open, and record what came of it later
TALKING: dict[str, Talking] = {
    **activity.TALKING,
    **advance.TALKING,
    **documents.TOPICS,
    **event_checks.TOPICS,
    **wallets.TALKING,
    **webhook_jobs.TALKING,
}
QUEUES = {
    webhooks.DELIVER_TOPIC: "webhook",
    "webhook": "webhook",
    "invoices.pdf": "pdf",
    "billing.shard": "billing",
    "billing.invoice": "billing",
    "billing.upgrade": "billing",
    "billing.trial": "billing",
    "billing.open": "billing",
    "billing.fixed_charges": "billing",
    "invoices.finalize": "billing",
    "job.run": "billing",
    "events.forget": "events",
    "events.watch": "events",
    "events.check": "events",
    "events.charge": "billing",
    "events.charge_one": "billing",
    "plans.delete": "billing",
    "subscriptions.activity": "billing",
    "subscriptions.evaluate": "billing",
    "plans.cascade": "billing",
    "wallets.look": "billing",
    "wallets.refresh": "billing",
}


async def perform(parts: Parts, org_id: UUID, outbox_id: UUID) -> None:
    """Keep one promise; nothing happens when it was kept already."""
    try:
        async with parts.units.open(org_id) as unit:
            promise = await outbox.lock(unit, outbox_id)
            if promise is None:
                return
            transactional = TRANSACTIONAL.get(promise.topic)
            if transactional is not None:
                await transactional(parts, unit, promise)
                promise.done_at = wall_now()
                return
        await TALKING[promise.topic](parts, org_id, promise)
    except Exception as error:
        await _note(parts, org_id, outbox_id, error)
        raise


async def drain(parts: Parts, org_id: UUID) -> int:
    """Keep all promises of an organization that are open, deliveries left out; returns how many.

    The fees of its events in advance are made first, whether they were promised or not; whose usage
    has changed is noted, to be looked at by the job of that.
    """
    kept = 0
    await activity.notice(parts)
    while True:
        await advance.charge_due(parts)
        async with parts.units.read(org_id) as unit:
            ids = await outbox.open_ids(unit, NOT_WAITED_FOR, BATCH)
        if not ids:
            return kept
        for outbox_id in ids:
            await perform(parts, org_id, outbox_id)
        kept += len(ids)


async def _note(parts: Parts, org_id: UUID, outbox_id: UUID, error: Exception) -> None:
    """Put a promise that could not be kept back in the queue, later each time."""
    async with parts.units.open(org_id) as unit:
        promise = await outbox.lock(unit, outbox_id)
        if promise is not None:
            promise.attempts += 1
            promise.last_error = f"{type(error).__name__}: {error}"[:500]
            wait_seconds = min(2**promise.attempts, LONGEST_WAIT_SECONDS)
            promise.due_at = wall_now() + timedelta(seconds=wait_seconds)
            promise.sent_at = None
