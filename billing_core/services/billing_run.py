"""The billing run: who is due, in which shards, and one shard's invoices."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from billing_core.domain.calendar import local_date, start_of_day
from billing_core.ports import EventStore
from billing_core.services import (
    consolidation,
    credit_notes,
    finalization,
    fixed_charge_billing,
    handovers,
    invoice_build,
    paid_fees,
)
from billing_core.services.fee_lines import BilledLine
from billing_core.services.shapes.subscriptions import times_of
from billing_core.store import customers, invoices, subscriptions
from billing_core.store.unit import Unit

SHARD_TOPIC = "billing.shard"
INVOICE_TOPIC = "billing.invoice"
FINALIZE_TOPIC = "invoices.finalize"
SHARD_SIZE = 100
MOST_DUE = 100_000
MOST_OVERDUE = 1_000


async def bill_customers(unit: Unit) -> None:
    """Promise the shards of all subscriptions whose billing day has begun.

    A shard keeps all due subscriptions of a customer together, so that they can share an invoice,
    and holds at least `SHARD_SIZE` of them where there are as many. Running it again before the
    shards are done is harmless: a shard bills only what is still due.
    """
    shard: list[str] = []
    last_customer: UUID | None = None
    for subscription_id, customer_id in await subscriptions.due(unit, unit.now, MOST_DUE):
        if len(shard) >= SHARD_SIZE and customer_id != last_customer:
            unit.promise(SHARD_TOPIC, {"subscription_ids": shard})
            shard = []
        shard.append(str(subscription_id))
        last_customer = customer_id
    if shard:
        unit.promise(SHARD_TOPIC, {"subscription_ids": shard})


async def bill_shard(unit: Unit, events: EventStore, ids: Sequence[UUID]) -> None:
    """Bill what is still due of a shard, the oldest missed day first."""
    while owners := await subscriptions.owners_due(unit, ids, unit.now):
        await customers.lock_all(unit, owners)
        fresh = await _still_due(unit, ids)
        changed = await handovers.rotate(unit, fresh)
        active = [line for line in fresh if line.subscription.status == "active"]
        same_plan = await _not_held(unit, active)
        both = [*same_plan, *(line for group in changed for line in group)]
        priced = await invoice_build.price_lines(unit, events, both)
        groups = [*consolidation.periodic(same_plan), *changed]
        await invoice_build.create_all(unit, groups, priced)
        for group in groups:
            await paid_fees.regroup(unit, group)
        for line in same_plan:
            invoice_build.advance(line)
        await unit.flush()


async def bill_now(unit: Unit, events: EventStore, wanted: dict[str, Any]) -> None:
    """Invoice one start or end of a subscription, once.

    `wanted`: subscription_id, reason (`subscription_starting`, `in_advance_charge` for a start that
    bills fixed charges alone, or `subscription_terminating`), at (ISO instant) and whole_period.
    """
    (subscription,) = await subscriptions.by_ids(unit, [UUID(wanted["subscription_id"])])
    await customers.lock(unit, subscription.customer_id)
    line = BilledLine(
        subscription,
        wanted["reason"],
        datetime.fromisoformat(wanted["at"]).astimezone(UTC),
        whole_period=wanted["whole_period"],
    )
    if line.reason == "in_advance_charge":
        await fixed_charge_billing.bill_start(unit, line)
        return
    priced = await invoice_build.price_lines(unit, events, [line])
    await invoice_build.create(unit, [line], priced)
    await paid_fees.regroup(unit, [line])
    if line.reason != "subscription_terminating":
        await credit_notes.credit_late_fee(unit, subscription)


async def finalize_invoices(unit: Unit) -> None:
    """Promise the finalization of drafts whose grace period is over, in shards."""
    today = local_date(unit.now, "UTC")
    ids = [str(found) for found in await invoices.drafts_due(unit, today, MOST_DUE)]
    for start in range(0, len(ids), SHARD_SIZE):
        unit.promise(FINALIZE_TOPIC, {"invoice_ids": ids[start : start + SHARD_SIZE]})


async def finalize_shard(unit: Unit, events: EventStore, ids: Sequence[UUID]) -> None:
    """Finalize the drafts of a shard that still are drafts."""
    for invoice_id in ids:
        await invoice_build.finalize_draft(unit, events, invoice_id)


async def refresh_draft_invoices(unit: Unit, events: EventStore) -> None:
    """Recompute flagged drafts."""
    for invoice_id in await invoices.drafts_to_refresh(unit, SHARD_SIZE * 10):
        invoice = await invoices.lock(unit, invoice_id)
        if invoice is not None and invoice.status == "draft":
            await invoice_build.refresh(unit, events, invoice)


async def _still_due(unit: Unit, ids: Sequence[UUID]) -> list[BilledLine]:
    """Return the lines of the earliest billing day each subscription is still due for."""
    lines: list[BilledLine] = []
    for subscription in await subscriptions.by_ids(unit, ids):
        day = subscription.next_billing_on
        if subscription.status != "active" or day is None or subscription.next_billing_at is None:
            continue
        times = times_of(subscription)
        if start_of_day(day, times.tz) > unit.now:
            continue
        if subscription.ending_at and local_date(subscription.ending_at, times.tz) == day:
            subscription.next_billing_at = None  # that day belongs to the final invoice (2.6)
            continue
        # a missed day is billed as of its own first instant, today's as of the tick
        today = local_date(unit.now, times.tz)
        at = unit.now if day == today else start_of_day(day, times.tz)
        lines.append(BilledLine(subscription, "subscription_periodic", at))
    return lines


async def _not_held(unit: Unit, lines: Sequence[BilledLine]) -> list[BilledLine]:
    """Leave out what is to be followed by a row that waits for its payment (2.5).

    It is billed with the payment, or, where there is none, for the missed days.
    """
    waiting = await subscriptions.waiting_successors(unit, [one.subscription.id for one in lines])
    free = []
    for line in lines:
        successor = waiting.get(line.subscription.id)
        if successor is not None and successor.status == "incomplete":
            line.subscription.next_billing_at = None
        else:
            free.append(line)
    return free


async def mark_overdue(unit: Unit) -> None:
    """Mark finalized, unpaid invoices whose due date has passed (money.md 1.3.7)."""
    today = local_date(unit.now, "UTC")
    for invoice in await invoices.newly_overdue(unit, today, MOST_OVERDUE):
        invoice.payment_overdue = True
        invoice.updated_at = unit.now
        await finalization.announce(unit, invoice, "invoice.payment_overdue")
