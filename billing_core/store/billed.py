"""Queries about what was billed of a subscription before: its fees, and until when."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, or_, select

from billing_core.domain.calendar import Window
from billing_core.store.invoices import GONE
from billing_core.store.tables import Fee, Invoice, InvoiceSubscription
from billing_core.store.unit import Unit


async def has_subscription_fee_at(unit: Unit, subscription_id: UUID, at: datetime) -> bool:
    """Tell whether a standing invoice charges the subscription fee of an instant."""
    found = await unit.session.scalar(
        select(Fee.id)
        .join(Invoice, Invoice.id == Fee.invoice_id)
        .where(
            Fee.subscription_id == subscription_id,
            Fee.fee_type == "subscription",
            Fee.deleted_at.is_(None),
            Fee.from_datetime <= at,
            Fee.to_datetime > at,
            Invoice.status.not_in(GONE),
        )
        .limit(1)
    )
    return found is not None


async def sums(
    unit: Unit, subscription_id: UUID, fee_types: Iterable[str], invoice_id: UUID
) -> list[tuple[str, Window, int]]:
    """Return what a subscription brought in: (fee type, window, minor units), one of each window.

    Fees that stand alone count like those on standing invoices; those on `invoice_id` do not.
    """
    rows = await unit.session.execute(
        select(Fee.fee_type, Fee.from_datetime, Fee.to_datetime, func.sum(Fee.amount_cents))
        .outerjoin(Invoice, Invoice.id == Fee.invoice_id)
        .where(
            Fee.org_id == unit.org_id,
            Fee.subscription_id == subscription_id,
            Fee.fee_type.in_(sorted(fee_types)),
            Fee.deleted_at.is_(None),
            or_(
                Fee.invoice_id.is_(None),
                (Fee.invoice_id != invoice_id)
                & Invoice.status.not_in(GONE)
                # its usage is billed again with the period
                & (Invoice.invoice_type != "progressive_billing"),
            ),
        )
        .group_by(Fee.fee_type, Fee.from_datetime, Fee.to_datetime)
    )
    return [
        (kind, Window(start, end), int(cents))
        for kind, start, end, cents in rows
        if start is not None and end is not None
    ]


async def until(unit: Unit, subscription_id: UUID) -> tuple[datetime | None, datetime | None]:
    """Return until when ended periods of usage, and of fixed charges, were billed."""
    row = (
        await unit.session.execute(
            select(
                func.max(InvoiceSubscription.charges_to_datetime),
                func.max(InvoiceSubscription.fixed_charges_to_datetime),
            )
            .join(Invoice, Invoice.id == InvoiceSubscription.invoice_id)
            .where(
                InvoiceSubscription.subscription_id == subscription_id,
                InvoiceSubscription.recurring,
                Invoice.status.not_in(GONE),
            )
        )
    ).one()
    return row[0], row[1]
