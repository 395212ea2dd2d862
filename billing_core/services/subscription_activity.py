"""Whose usage has changed: noted when events come and prices change, looked at once a minute.

Nothing happens per event. Once a minute the event store is asked whom events came for, and those
are noted whom thresholds or alerts watch; a job then looks at each of them once, however many
events it had (`docs/rules/subscriptions.md` 9).
"""

from collections.abc import Iterable
from uuid import UUID

from billing_core.store import activities, wallet_refreshes
from billing_core.store.unit import Unit

LOOK_TOPIC = "subscriptions.activity"
EVALUATE_TOPIC = "subscriptions.evaluate"
SHARD_SIZE = 20


async def note(unit: Unit, names: Iterable[str]) -> None:
    """Note those of these subscriptions, by external id, whose usage is watched.

    Their customers are noted where they have wallets, for what usage leaves of these.
    """
    wanted = set(names)
    await activities.note(unit, await activities.watched(unit, names=wanted))
    await _note_wallets(unit, await wallet_refreshes.customers_of(unit, names=wanted))


async def note_all(unit: Unit) -> None:
    """Note every subscription of the organization whose usage is watched."""
    await activities.note(unit, await activities.watched(unit))
    await _note_wallets(unit, await wallet_refreshes.customers_of(unit))


async def note_plan(unit: Unit, plan_id: UUID) -> None:
    """Note the watched subscriptions on a plan, or on an override of it, that has changed."""
    await activities.note(unit, await activities.watched(unit, plan_id=plan_id))
    await _note_wallets(unit, await wallet_refreshes.customers_of(unit, plan_id=plan_id))


async def promise_evaluations(unit: Unit) -> None:
    """Promise a look at every subscription that was noted, in shards."""
    names = await activities.take(unit)
    for start in range(0, len(names), SHARD_SIZE):
        unit.promise(EVALUATE_TOPIC, {"external_ids": names[start : start + SHARD_SIZE]})


async def _note_wallets(unit: Unit, customer_ids: Iterable[UUID]) -> None:
    await wallet_refreshes.note(unit, customer_ids, promised=False)
