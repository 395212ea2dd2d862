"""Queries about progressive invoices, and what others leave off because of them."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import delete, func, select

from billing_core.domain.calendar import Window
from billing_core.store.invoices import GONE
from billing_core.store.tables import (
    Charge,
    CreditNote,
    Fee,
    Invoice,
    InvoiceSubscription,
    ProgressiveCredit,
)
from billing_core.store.unit import Unit

KIND = "progressive_billing"


def add(unit: Unit, row: ProgressiveCredit) -> None:
    """Put a new row in the unit."""
    unit.session.add(row)


async def standing(
    unit: Unit, subscription_id: UUID, window: Window, *, apart_from: UUID
) -> list[Invoice]:
    """Return the progressive invoices made of a subscription in a charges window, in order.

    One made at the very end belongs to it too, as a subscription that ends is billed at once,
    unless it is of the period that begins there.
    """
    rows = await unit.session.scalars(
        select(Invoice)
        .join(InvoiceSubscription, InvoiceSubscription.invoice_id == Invoice.id)
        .where(
            InvoiceSubscription.subscription_id == subscription_id,
            InvoiceSubscription.billed_at >= window.start,
            InvoiceSubscription.billed_at <= window.end,
            InvoiceSubscription.charges_from_datetime < window.end,
            Invoice.invoice_type == KIND,
            Invoice.status.in_(("finalized", "failed")),
            Invoice.id != apart_from,
        )
        .order_by(Invoice.id)
    )
    return list(rows)


async def billed(unit: Unit, subscription_ids: Iterable[UUID]) -> frozenset[UUID]:
    """Return which of these subscriptions were ever billed progressively."""
    rows = await unit.session.scalars(
        select(InvoiceSubscription.subscription_id)
        .where(
            InvoiceSubscription.subscription_id.in_(sorted(subscription_ids)),
            InvoiceSubscription.invoicing_reason == KIND,
        )
        .distinct()
    )
    return frozenset(rows)


async def credits_on(
    unit: Unit, invoice_ids: Iterable[UUID]
) -> dict[UUID, list[ProgressiveCredit]]:
    """Return what invoices leave off, by invoice."""
    rows = await unit.session.scalars(
        select(ProgressiveCredit)
        .where(ProgressiveCredit.invoice_id.in_(sorted(invoice_ids)))
        .order_by(ProgressiveCredit.id)
    )
    found: dict[UUID, list[ProgressiveCredit]] = {}
    for row in rows:
        found.setdefault(row.invoice_id, []).append(row)
    return found


async def drop_credits(unit: Unit, invoice_id: UUID) -> None:
    """Forget what an invoice leaves off: it is computed anew."""
    await unit.session.execute(
        delete(ProgressiveCredit).where(ProgressiveCredit.invoice_id == invoice_id)
    )


async def taken_cents(unit: Unit, ids: Sequence[UUID], invoice_id: UUID) -> int:
    """Return what standing invoices, but for `invoice_id` and these themselves, left off."""
    found = await unit.session.scalar(
        select(func.sum(ProgressiveCredit.amount_cents))
        .join(Invoice, Invoice.id == ProgressiveCredit.invoice_id)
        .where(
            ProgressiveCredit.progressive_invoice_id.in_(ids),
            ProgressiveCredit.invoice_id.not_in([*ids, invoice_id]),
            Invoice.status.not_in(GONE),
        )
    )
    return int(found or 0)


async def credited_cents(unit: Unit, ids: Sequence[UUID]) -> int:
    """Return what notes took back of these invoices before taxes; voided notes took nothing."""
    found = await unit.session.scalar(
        select(func.sum(CreditNote.sub_total_excluding_taxes_amount_cents)).where(
            CreditNote.invoice_id.in_(ids),
            CreditNote.status != "deleted",
            CreditNote.credit_status.is_distinct_from("voided"),
        )
    )
    return int(found or 0)


async def original_charges(unit: Unit, fees: Iterable[Fee]) -> dict[UUID, UUID]:
    """Return the charge each charge of these fees was copied from, itself where it was not."""
    rows = await unit.session.execute(
        select(Charge.id, Charge.parent_id).where(
            Charge.id.in_(sorted({fee.charge_id for fee in fees if fee.charge_id}))
        )
    )
    return {charge_id: parent_id or charge_id for charge_id, parent_id in rows}
