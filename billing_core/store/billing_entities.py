"""Queries about what follows a billing entity's settings."""

from uuid import UUID

from sqlalchemy import func, select

from billing_core.store.subscriptions import LIVING
from billing_core.store.tables import (
    BillingEntity,
    Customer,
    Invoice,
    InvoiceSubscription,
    Subscription,
)
from billing_core.store.unit import Unit


def add(unit: Unit, entity: BillingEntity) -> None:
    """Put a new billing entity in the unit."""
    unit.session.add(entity)


async def lock(unit: Unit, entity_id: UUID) -> None:
    """Keep others from numbering an entity's invoices, or changing it, in this transaction."""
    await unit.session.scalar(
        select(BillingEntity.id).where(BillingEntity.id == entity_id).with_for_update()
    )


async def drafts(unit: Unit, entity_id: UUID) -> list[tuple[Invoice, bool]]:
    """Return the locked drafts of an entity's customers, and whether each is periodic."""
    periodic = (
        select(InvoiceSubscription.id)
        .where(InvoiceSubscription.invoice_id == Invoice.id, InvoiceSubscription.recurring)
        .exists()
    )
    rows = await unit.session.execute(
        select(Invoice, periodic)
        .join(Customer, Customer.id == Invoice.customer_id)
        .where(Customer.billing_entity_id == entity_id, Invoice.status == "draft")
        .order_by(Invoice.customer_id, Invoice.id)
        .with_for_update(of=Invoice, key_share=True)
        .execution_options(populate_existing=True)
    )
    return [(row[0], row[1]) for row in rows]


async def in_its_zone(unit: Unit, entity_id: UUID) -> list[Subscription]:
    """Return the living subscriptions whose days are counted in an entity's zone."""
    rows = await unit.session.scalars(
        select(Subscription)
        .join(Customer, Customer.id == Subscription.customer_id)
        .where(
            Customer.billing_entity_id == entity_id,
            Customer.timezone.is_(None),
            Subscription.status.in_(LIVING),
        )
    )
    return list(rows)


async def numbered(unit: Unit, entity_id: UUID) -> tuple[int, Invoice | None]:
    """Return how many invoices of an entity its own counter counts, and the newest uncounted one.

    Self-billed invoices are numbered apart (`docs/rules/money.md` 1.2.3 and 1.2.4).
    """
    counted = (
        Invoice.billing_entity_id == entity_id,
        Invoice.sequential_id.is_not(None),
        Invoice.self_billed.is_(False),
    )
    count = await unit.session.scalar(select(func.count(Invoice.id)).where(*counted))
    newest = await unit.session.scalar(
        select(Invoice)
        .where(*counted, Invoice.entity_sequential_id.is_(None))
        .order_by(Invoice.finalized_at.desc(), Invoice.id.desc())
        .limit(1)
    )
    return count or 0, newest
