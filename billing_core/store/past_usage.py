"""Queries about what was billed for usage."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select

from billing_core.store.tables import (
    Charge,
    Customer,
    Fee,
    Invoice,
    InvoiceSubscription,
    Subscription,
)
from billing_core.store.unit import Unit
from billing_core.wire.pages import Page

# the one bills no usage, the other some that its period's invoice lists in full
UNLISTED = ("subscription_starting", "progressive_billing")
BILLED = ("draft", "finalized", "failed", "pending")


async def periods(
    unit: Unit,
    external_customer_id: str,
    external_subscription_id: str,
    most: int | None,
    page: Page,
) -> tuple[list[tuple[InvoiceSubscription, Invoice]], int]:
    """List the charges periods billed to a subscription on standing invoices, newest first.

    `most` is how many there are at most, over all pages; None for no limit.
    """
    query = (
        select(InvoiceSubscription, Invoice)
        .join(Invoice, Invoice.id == InvoiceSubscription.invoice_id)
        .join(Subscription, Subscription.id == InvoiceSubscription.subscription_id)
        .join(Customer, Customer.id == Subscription.customer_id)
        .where(
            Customer.external_id == external_customer_id,
            Customer.deleted_at.is_(None),
            Subscription.external_id == external_subscription_id,
            Invoice.status.in_(BILLED),
            InvoiceSubscription.invoicing_reason.not_in(UNLISTED),
            InvoiceSubscription.charges_from_datetime.is_not(None),
        )
    )
    counted = query.with_only_columns(func.count())
    total = await unit.session.scalar(counted) or 0
    total = total if most is None else min(total, most)
    rows = await unit.session.execute(
        query.order_by(
            InvoiceSubscription.charges_from_datetime.desc(), InvoiceSubscription.id.desc()
        )
        .limit(max(min(page.size, total - page.offset), 0))
        .offset(page.offset)
    )
    return [(row[0], row[1]) for row in rows], total


async def usage_fees(unit: Unit, invoice_ids: Sequence[UUID]) -> list[tuple[Fee, Charge]]:
    """Return the charge fees on some invoices with their charges, in order; no true-ups."""
    rows = await unit.session.execute(
        select(Fee, Charge)
        .join(Charge, Charge.id == Fee.charge_id)
        .where(
            Fee.invoice_id.in_(invoice_ids),
            Fee.fee_type == "charge",
            Fee.true_up_parent_fee_id.is_(None),
            Fee.deleted_at.is_(None),
        )
        .order_by(Fee.position, Fee.id)
    )
    return [(row[0], row[1]) for row in rows]


async def taxes_of_invoices(unit: Unit, invoice_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Return the sum of the taxes of all fees on each invoice, in minor units."""
    rows = await unit.session.execute(
        select(Fee.invoice_id, func.sum(Fee.taxes_amount_cents))
        .where(Fee.invoice_id.in_(invoice_ids), Fee.deleted_at.is_(None))
        .group_by(Fee.invoice_id)
    )
    return {invoice_id: int(total) for invoice_id, total in rows if invoice_id is not None}
