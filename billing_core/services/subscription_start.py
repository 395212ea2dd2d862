"""A subscription begins: what is the same for a first plan and for one that takes over."""

from datetime import datetime

from billing_core.domain.states import check_subscription_transition
from billing_core.services import fixed_charges, schedule
from billing_core.store.tables import Subscription
from billing_core.store.unit import Unit


async def activate(unit: Unit, subscription: Subscription, started_at: datetime) -> None:
    """Make a pending subscription active and put it on the biller's list.

    Raises `NotAllowed` for one in another status. A row it takes over from has ended before.
    """
    check_subscription_transition(subscription.status, "active")  # type: ignore[arg-type]
    subscription.status = "active"
    subscription.started_at = started_at
    subscription.activated_at = unit.now
    subscription.updated_at = unit.now
    schedule.start(subscription)
    await fixed_charges.begin(unit, subscription)
