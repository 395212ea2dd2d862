"""What was invoiced for usage over all plans that one subscription has had."""

from datetime import datetime

from sqlalchemy import func, select

from billing_core.store.tables import Fee, Invoice, Subscription
from billing_core.store.unit import Unit

COUNTED = ("draft", "finalized")


async def invoiced_cents(
    unit: Unit, subscription: Subscription, before: datetime | None = None
) -> int:
    """Return the sum of charge fees on standing invoices, in minor units without taxes.

    All rows of the external id that began with this one count; with `before` only fees of periods
    that began earlier.
    """
    query = (
        select(func.coalesce(func.sum(Fee.amount_cents), 0))
        .join(Invoice, Invoice.id == Fee.invoice_id)
        .join(Subscription, Subscription.id == Fee.subscription_id)
        .where(
            Subscription.external_id == subscription.external_id,
            Subscription.subscription_at == subscription.subscription_at,
            Subscription.status != "canceled",
            Fee.fee_type == "charge",
            Fee.deleted_at.is_(None),
            Invoice.invoice_type == "subscription",
            Invoice.status.in_(COUNTED),
        )
    )
    if before is not None:
        query = query.where(Fee.from_datetime < before)
    return int(await unit.session.scalar(query) or 0)
