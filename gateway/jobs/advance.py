"""Jobs of charges in advance: what is watched, and the fees of events that fell due."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from billing_core.clock import wall_now
from billing_core.ports import DueEvent, StoredEvent
from billing_core.services import advance_fees, plans
from billing_core.store import outbox
from billing_core.store.tables import Outbox
from billing_core.store.unit import Unit
from billing_core.wire.dates import parse_instant
from gateway.jobs.parts import Parts

BATCH = 50
AGAIN_AFTER = timedelta(seconds=2)
log = logging.getLogger(__name__)


async def watch(parts: Parts, unit: Unit, promise: Outbox) -> None:
    """Watch what is priced in advance now; running it late or twice changes nothing."""
    _ = promise
    await advance_fees.watch(unit, parts.events)


async def charge(parts: Parts, org_id: UUID, promise: Outbox) -> None:
    """Make the fees of all due events; nothing is left to do where others were faster."""
    await charge_due(parts)
    async with parts.units.open(org_id) as unit:
        locked = await outbox.lock(unit, promise.id)
        if locked is not None:
            locked.done_at = wall_now()


async def charge_one(parts: Parts, unit: Unit, promise: Outbox) -> None:
    """Try an event again that could not be charged with the others."""
    await advance_fees.charge_events(unit, parts.events, [_event(unit.org_id, promise.payload)])


async def charge_due(parts: Parts) -> None:
    """Make the fees of the due events of all organizations, the oldest first, until none is due.

    First the fees commit, then the events leave the list. Whoever dies in between has them come
    again, and finds their fees made (`billing_core.services.advance_fees.charge_events`).
    """
    while due := await parts.events.due(BATCH):
        members: dict[UUID, list[DueEvent]] = {}
        for one in due:
            members.setdefault(one.org_id, []).append(one)
        for org_id, events in members.items():
            await _charge(parts, org_id, events)
        await parts.events.settle_due(one.order for one in due)


async def _charge(parts: Parts, org_id: UUID, due: Sequence[DueEvent]) -> None:
    """Charge an organization's events; those that fail are set aside, alone."""
    try:
        async with parts.units.open(org_id) as unit:
            await advance_fees.charge_events(unit, parts.events, due)
    except Exception:
        log.exception("events of organization %s could not be charged together", org_id)
        for one in due:
            await _charge_alone(parts, org_id, one)


async def _charge_alone(parts: Parts, org_id: UUID, due: DueEvent) -> None:
    try:
        async with parts.units.open(org_id) as unit:
            await advance_fees.charge_events(unit, parts.events, [due])
    except Exception:
        # it must not hold up the others: from now on it is a promise of its own, tried ever later
        log.exception("event %s of organization %s is set aside", due.event.id, org_id)
        async with parts.units.open(org_id) as unit:
            at = wall_now() + AGAIN_AFTER
            unit.promise(advance_fees.CHARGE_ONE_TOPIC, _payload(due), due_at=at)


def _payload(due: DueEvent) -> dict[str, Any]:
    event = due.event
    return {
        "order": due.order,
        "id": str(event.id),
        "transaction_id": event.transaction_id,
        "external_subscription_id": event.external_subscription_id,
        "code": event.code,
        "timestamp": event.timestamp.isoformat(),
        "properties": event.properties.decode(),
        "precise_total_amount_cents": event.precise_total_amount_cents,
        "created_at": event.created_at.isoformat(),
    }


def _event(org_id: UUID, payload: dict[str, Any]) -> DueEvent:
    instants = {name: parse_instant(payload[name]) for name in ("timestamp", "created_at")}
    given: dict[str, Any] = {**payload, **instants}
    order = given.pop("order")
    given["id"] = UUID(given["id"])
    given["properties"] = given["properties"].encode()
    return DueEvent(order, org_id, StoredEvent(**given))


TRANSACTIONAL: dict[str, Callable[[Parts, Unit, Outbox], Awaitable[None]]] = {
    plans.WATCH_TOPIC: watch,
    advance_fees.CHARGE_ONE_TOPIC: charge_one,
}
TALKING: dict[str, Callable[[Parts, UUID, Outbox], Awaitable[None]]] = {
    advance_fees.CHARGE_TOPIC: charge
}
