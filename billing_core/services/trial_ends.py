"""The end of a trial: what is paid in advance begins then, and it is told."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from billing_core.ports import EventStore
from billing_core.services import invoice_build, paid_fees, subscription_news
from billing_core.services.fee_lines import BilledLine
from billing_core.store import billed, customers, subscriptions
from billing_core.store.unit import Unit

TRIAL_TOPIC = "billing.trial"
MOST_DUE = 100_000


async def promise_due(unit: Unit) -> None:
    """Promise the end of every trial that is over and was not noticed yet."""
    for subscription_id in await subscriptions.trials_over(unit, unit.now, MOST_DUE):
        unit.promise(TRIAL_TOPIC, {"subscription_id": str(subscription_id)})


async def end(unit: Unit, events: EventStore, wanted: Mapping[str, Any]) -> None:
    """Bill the rest of the period in advance and tell that a trial is over, once.

    Where the trial was over before the row began, as after a change of plan, its first day counts.
    Nothing is billed if that was paid already: the renewal of the same local day bills it, or the
    start did (`docs/rules/subscriptions.md` 5). `wanted` is what was promised.
    """
    (subscription,) = await subscriptions.by_ids(unit, [UUID(wanted["subscription_id"])])
    await customers.lock(unit, subscription.customer_id)
    (subscription,) = await subscriptions.by_ids(unit, [subscription.id])
    ends_at, started_at = subscription.trial_ends_at, subscription.started_at
    if subscription.status != "active" or subscription.trial_ended_at is not None:
        return
    if ends_at is None or started_at is None or ends_at > unit.now:
        return
    # as of the end itself, however late it is noticed: the fee is that of its period
    at = max(ends_at, started_at, subscription.created_at)
    is_paid = await billed.has_subscription_fee_at(unit, subscription.id, at)
    if subscription.plan.pay_in_advance and not is_paid:
        line = BilledLine(subscription, "subscription_starting", at)
        priced = await invoice_build.price_lines(unit, events, [line])
        await invoice_build.create(unit, [line], priced)
        await paid_fees.regroup(unit, [line])
    subscription.trial_ended_at = ends_at
    subscription.updated_at = unit.now
    await unit.flush()
    await subscription_news.announce(unit, subscription, "subscription.trial_ended")
