"""Subscriptions that start when they are paid: their open invoice, and how the waiting ends.

`succeed` and `fail` are for whoever hears of the payment (`docs/rules/subscriptions.md` 2.5).
"""

from typing import Any
from uuid import UUID

from billing_core.domain.calendar import local_date
from billing_core.ports import EventStore
from billing_core.services import (
    billing_run,
    finalization,
    invoice_build,
    schedule,
    standalone_fees,
    subscription_news,
    subscription_start,
    takeovers,
)
from billing_core.services.fee_lines import BilledLine
from billing_core.store import activation_rules, customers, invoices, subscriptions
from billing_core.store.tables import Invoice, Subscription
from billing_core.store.unit import Unit


async def bill(unit: Unit, events: EventStore, wanted: dict[str, Any]) -> None:
    """Make the open invoice of a subscription that waits; one that asks for nothing is paid.

    `wanted`: subscription_id and whole_period, as promised when it began to wait.
    """
    subscription = await _waiting(unit, UUID(wanted["subscription_id"]))
    if subscription is None:
        return
    line = _line(subscription, whole_period=wanted["whole_period"])
    priced = await invoice_build.price_lines(unit, events, [line])
    invoice = (await invoice_build.compose(unit, [line], priced)).invoice
    await finalization.hold(unit, invoice)
    if not invoice.total_amount_cents:
        await succeed(unit, events, subscription)


async def succeed(unit: Unit, events: EventStore, subscription: Subscription) -> None:
    """Start a subscription that was paid: its invoice becomes final, what it follows ends.

    Nothing happens to one that does not wait (any more).
    """
    waiting = await _waiting(unit, subscription.id)
    if waiting is None:
        return
    await subscription_start.satisfy(unit, waiting)
    invoice = await invoices.open_of_subscription(unit, waiting.id)
    assert invoice is not None, "what waits has an open invoice"
    (line,) = await invoices.lines(unit, invoice.id)
    await finalization.finalize(unit, invoice)
    former = await _former(unit, waiting)
    if former is None:
        await _start(unit, waiting)
    else:
        await takeovers.take_over_paid(unit, former, waiting, whole_period=line.whole_period)
    renewing = _line(waiting, whole_period=line.whole_period)
    priced = await invoice_build.price_lines(unit, events, [renewing])
    await standalone_fees.renew(unit, waiting, priced[waiting.id])


async def fail(unit: Unit, subscription: Subscription, reason: str = "payment_failed") -> None:
    """Cancel a subscription whose payment failed, or did not come in time (timeout).

    Nothing happens to one that does not wait (any more).
    """
    waiting = await _waiting(unit, subscription.id)
    if waiting is not None:
        await subscription_start.give_up(unit, waiting, reason)


async def settle(unit: Unit, events: EventStore, invoice: Invoice, *, is_paid: bool) -> None:
    """Let the subscription of an open invoice start, or be canceled."""
    for line in await invoices.lines(unit, invoice.id):
        if is_paid:
            await succeed(unit, events, line.subscription)
        else:
            await fail(unit, line.subscription)


async def expire_due(unit: Unit) -> None:
    """Cancel what has waited for its payment as long as its rule allows."""
    for found in await subscriptions.by_ids(unit, await activation_rules.expired(unit, unit.now)):
        await fail(unit, found, "timeout")


async def _start(unit: Unit, subscription: Subscription) -> None:
    """Start a first plan. Of the periods that ended while it waited the last one is billed.

    That is what becomes due at the latest billing day; days before it are skipped (14.29).
    """
    assert subscription.started_at is not None, "set when it began to wait"
    await subscription_start.activate(unit, subscription, subscription.started_at)
    today = local_date(unit.now, subscription.customer.applicable_timezone)
    for day in schedule.unbilled_days(subscription, today)[:-1]:
        schedule.set_next(subscription, day)
    await subscription_news.announce(unit, subscription, "subscription.started")
    unit.promise(billing_run.SHARD_TOPIC, {"subscription_ids": [str(subscription.id)]})


async def _waiting(unit: Unit, subscription_id: UUID) -> Subscription | None:
    """Return a subscription that waits for its payment, its customer locked."""
    for found in await subscriptions.by_ids(unit, [subscription_id]):
        await customers.lock(unit, found.customer_id)
    for found in await subscriptions.by_ids(unit, [subscription_id]):  # as of the lock
        if found.status == "incomplete":
            return found
    return None


async def _former(unit: Unit, subscription: Subscription) -> Subscription | None:
    if subscription.previous_subscription_id is None:
        return None
    (former,) = await subscriptions.by_ids(unit, [subscription.previous_subscription_id])
    return former


def _line(subscription: Subscription, *, whole_period: bool) -> BilledLine:
    """Return what is billed of a start: the plan and fixed charges in advance, no usage."""
    assert subscription.started_at is not None, "set when it began to wait"
    return BilledLine(subscription, "subscription_starting", subscription.started_at, whole_period)
