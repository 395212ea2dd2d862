"""Jobs of usage that is watched: whom events came for, and the look at each of them."""

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from billing_core.clock import wall_now
from billing_core.services import subscription_activity, usage_checks
from billing_core.store import activities, outbox
from billing_core.store.tables import Outbox
from billing_core.store.unit import Unit
from gateway.jobs.parts import Parts

PAGE = 100_000


async def notice(parts: Parts) -> None:
    """Note whom events came for since the last look, of all organizations that watch usage.

    First the notes commit, then the mark moves: whoever dies in between, or looks at the same time,
    has some noted again, which is harmless. Before there is a mark everything watched is noted once
    instead of all events being read.
    """
    async with parts.units.system() as session:
        mark = await activities.mark(session)
        watching = await activities.watching(session)
    if not watching:
        if mark is not None:
            await _set_mark(parts, None)
        return
    if mark is None:
        newest = await parts.events.activity(None, 0)
        for org_id in await _watching(parts):
            async with parts.units.open(org_id) as unit:
                await subscription_activity.note_all(unit)
        await _set_mark(parts, newest.upto)
        return
    while (found := await parts.events.activity(mark, PAGE)).upto != mark:
        watching = await _watching(parts)
        names: dict[UUID, list[str]] = {}
        for org_id, name in found.names:
            if org_id in watching:
                names.setdefault(org_id, []).append(name)
        for org_id, several in names.items():
            async with parts.units.open(org_id) as unit:
                await subscription_activity.note(unit, several)
        mark = found.upto
        await _set_mark(parts, mark)


async def look(parts: Parts, org_id: UUID, promise: Outbox) -> None:
    """Look for activity and promise what follows from it, for whoever lives in real time.

    The organization whose promise it is comes along, be its time frozen.
    """
    await notice(parts)
    async with parts.units.system() as session:
        waiting = await activities.waiting(session)
    for each in {*waiting, org_id}:
        async with parts.units.open(each) as unit:
            await subscription_activity.promise_evaluations(unit)
    async with parts.units.open(org_id) as unit:
        locked = await outbox.lock(unit, promise.id)
        if locked is not None:
            locked.done_at = wall_now()


async def evaluate(parts: Parts, unit: Unit, promise: Outbox) -> None:
    """Look at a shard of subscriptions; when that has failed, at each by itself."""
    names: Sequence[str] = promise.payload["external_ids"]
    if promise.attempts and len(names) > 1:
        for name in names:
            unit.promise(subscription_activity.EVALUATE_TOPIC, {"external_ids": [name]})
        return
    await usage_checks.look(unit, parts.events, names)


async def _watching(parts: Parts) -> set[UUID]:
    """Return who watches usage. Asked after the events, it has all who watched when they came."""
    async with parts.units.system() as session:
        return await activities.watching(session)


async def _set_mark(parts: Parts, order: int | None) -> None:
    async with parts.units.system(write=True) as session:
        await activities.set_mark(session, order)


TRANSACTIONAL: dict[str, Callable[[Parts, Unit, Outbox], Awaitable[None]]] = {
    subscription_activity.EVALUATE_TOPIC: evaluate
}
TALKING: dict[str, Callable[[Parts, UUID, Outbox], Awaitable[None]]] = {
    subscription_activity.LOOK_TOPIC: look
}
