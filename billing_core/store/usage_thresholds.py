"""Queries about usage thresholds."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select

from billing_core.store.tables import (
    AppliedUsageThreshold,
    Invoice,
    InvoiceSubscription,
    Subscription,
    UsageThreshold,
)
from billing_core.store.unit import Unit

# a progressive invoice of nothing may be closed instead of finalized, and was made all the same
MADE = ("finalized", "closed", "failed")


def add(unit: Unit, row: UsageThreshold | AppliedUsageThreshold) -> None:
    """Put a new row in the unit."""
    unit.session.add(row)


async def of_owners(unit: Unit, owner_ids: Iterable[UUID]) -> dict[UUID, list[UsageThreshold]]:
    """Return the thresholds of plans and subscriptions by their owners' ids.

    They rise, the recurring one last; owners without any are left out.
    """
    ids = sorted(set(owner_ids))
    rows = await unit.session.scalars(
        select(UsageThreshold)
        .where(
            or_(UsageThreshold.plan_id.in_(ids), UsageThreshold.subscription_id.in_(ids)),
            UsageThreshold.deleted_at.is_(None),
        )
        .order_by(UsageThreshold.recurring, UsageThreshold.amount_cents)
    )
    found: dict[UUID, list[UsageThreshold]] = {}
    for row in rows:
        owner_id = row.plan_id or row.subscription_id
        assert owner_id is not None, "a threshold has an owner"
        found.setdefault(owner_id, []).append(row)
    return found


async def seen_cents(unit: Unit, subscription_id: UUID, since: datetime) -> int:
    """Return the usage of the charges period around an instant that was looked at for thresholds.

    That is what the period's newest progressive invoice was made for; 0 where there is none.
    """
    found = await unit.session.scalar(
        select(AppliedUsageThreshold.current_usage_amount_cents)
        .join(Invoice, Invoice.id == AppliedUsageThreshold.invoice_id)
        .join(InvoiceSubscription, InvoiceSubscription.invoice_id == Invoice.id)
        .where(
            InvoiceSubscription.subscription_id == subscription_id,
            InvoiceSubscription.charges_from_datetime <= since,
            InvoiceSubscription.charges_to_datetime > since,
            Invoice.status.in_(MADE),
        )
        .order_by(Invoice.id.desc())
        .limit(1)
    )
    return found or 0


async def reached(unit: Unit, subscription: Subscription) -> list[tuple[int, datetime]]:
    """Return the lifetime usage at each time thresholds were reached, the oldest first.

    All rows of the external id that began with this one count.
    """
    rows = await unit.session.execute(
        select(AppliedUsageThreshold.lifetime_usage_amount_cents, AppliedUsageThreshold.created_at)
        .join(Invoice, Invoice.id == AppliedUsageThreshold.invoice_id)
        .join(InvoiceSubscription, InvoiceSubscription.invoice_id == Invoice.id)
        .join(Subscription, Subscription.id == InvoiceSubscription.subscription_id)
        .where(
            Subscription.external_id == subscription.external_id,
            Subscription.subscription_at == subscription.subscription_at,
            Invoice.status.in_(MADE),
        )
        .order_by(AppliedUsageThreshold.created_at, AppliedUsageThreshold.id)
    )
    return [(row[0], row[1]) for row in rows]
