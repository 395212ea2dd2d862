"""Which lines share an invoice, and which never do (`docs/rules/subscriptions.md` 11)."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence

from billing_core.domain.calendar import local_date
from billing_core.services.fee_lines import BilledLine
from billing_core.store.tables import Subscription

Key = tuple[Hashable, ...]


def periodic(lines: Sequence[BilledLine]) -> list[list[BilledLine]]:
    """Return periodic lines by invoice: those of a customer and day, unless one is to be alone."""
    return _grouped(lines, _of_period)


def of_change(lines: Sequence[BilledLine]) -> list[list[BilledLine]]:
    """Return the lines of one change of plan by invoice: both sides together, where they may."""
    return _grouped(lines, lambda line: _shared(line.subscription))


def _of_period(line: BilledLine) -> Key:
    subscription = line.subscription
    return (
        subscription.customer_id,
        local_date(line.at, line.times.tz),
        None if subscription.consolidate_invoice else subscription.id,
        *_shared(subscription),
    )


def _shared(subscription: Subscription) -> Key:
    """Return what an invoice can have but one of."""
    return (
        subscription.payment_method_type,
        subscription.plan.amount_currency,
        subscription.entity.id,
        subscription.purchase_order_number,
    )


def _grouped(
    lines: Sequence[BilledLine], key: Callable[[BilledLine], Key]
) -> list[list[BilledLine]]:
    groups: dict[Key, list[BilledLine]] = defaultdict(list)
    for line in lines:
        groups[key(line)].append(line)
    return list(groups.values())
