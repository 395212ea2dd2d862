"""Jobs of wallets: what usage leaves of them, and who waits to know."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from billing_core.clock import wall_now
from billing_core.services import wallet_balances, wallet_ledger
from billing_core.store import outbox
from billing_core.store.tables import Outbox
from billing_core.store.unit import Unit
from gateway.jobs import activity
from gateway.jobs.parts import Parts


async def look(parts: Parts, org_id: UUID, promise: Outbox) -> None:
    """Note whom events came for, and promise a look at the wallets of all who were noted."""
    await activity.notice(parts)
    async with parts.units.open(org_id) as unit:
        locked = await outbox.lock(unit, promise.id)
        if locked is not None:
            await wallet_balances.promise_waiting(unit)
            locked.done_at = wall_now()


async def refresh(parts: Parts, unit: Unit, promise: Outbox) -> None:
    """Look at the wallets of a shard of customers; when that has failed, at each by itself."""
    ids = promise.payload["customer_ids"]
    if promise.attempts and len(ids) > 1:
        for customer_id in ids:
            unit.promise(wallet_ledger.REFRESH_TOPIC, {"customer_ids": [customer_id]})
        return
    await wallet_balances.refresh(unit, parts.events, [UUID(text) for text in ids])


TRANSACTIONAL: dict[str, Callable[[Parts, Unit, Outbox], Awaitable[None]]] = {
    wallet_ledger.REFRESH_TOPIC: refresh
}
TALKING: dict[str, Callable[[Parts, UUID, Outbox], Awaitable[None]]] = {
    wallet_balances.LOOK_TOPIC: look
}
