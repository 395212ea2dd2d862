"""The job that looks at the events of the last full hour."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from billing_core.clock import wall_now
from billing_core.services import event_checks
from billing_core.store import outbox
from billing_core.store.tables import Outbox
from gateway.jobs.parts import Parts


async def check(parts: Parts, org_id: UUID, promise: Outbox) -> None:
    """Look at the events, then tell and remember in one transaction."""
    async with parts.units.read(org_id) as unit:
        task = await event_checks.prepare(unit)
    found = None if task is None else await event_checks.look(parts.events, org_id, task)
    async with parts.units.open(org_id) as unit:
        locked = await outbox.lock(unit, promise.id)
        if locked is None:
            return
        locked.done_at = wall_now()
        if found is not None:
            await event_checks.record(unit, found)


TOPICS: dict[str, Callable[[Parts, UUID, Outbox], Awaitable[None]]] = {
    event_checks.CHECK_TOPIC: check
}
