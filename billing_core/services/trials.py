"""Trials: until when the subscription fee of a subscription is free."""

from billing_core.domain.trials import trial_end
from billing_core.store import subscriptions
from billing_core.store.tables import Subscription
from billing_core.store.unit import Unit


async def schedule(unit: Unit, subscription: Subscription) -> None:
    """Set when the trial ends of a subscription that has a start, also when its plan changes.

    The trial counts from the first start of the same customer and external id
    (`docs/rules/subscriptions.md` 5). One that is over, and is prolonged, ends once more.
    """
    started_at = subscription.started_at
    assert started_at is not None, "a trial counts from the start"
    subscription.trial_ends_at = None
    if not subscription.plan.trial_period:
        return
    earliest = await subscriptions.first_start(unit, subscription)
    first = min(earliest, started_at) if earliest else started_at
    subscription.trial_ends_at = trial_end(first, subscription.plan.trial_period)
    if subscription.trial_ends_at and subscription.trial_ends_at > unit.now:
        subscription.trial_ended_at = None


def starts_free(subscription: Subscription) -> bool:
    """Tell whether a subscription begins within its trial."""
    ends_at, started_at = subscription.trial_ends_at, subscription.started_at
    return ends_at is not None and started_at is not None and ends_at > started_at
