"""Queries about invoices and fees."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, func, or_, select, update

from billing_core.store import customers
from billing_core.store.pages import page_of
from billing_core.store.tables import (
    BillingEntity,
    Charge,
    Customer,
    Fee,
    FeeAppliedTax,
    Invoice,
    InvoiceAppliedTax,
    InvoiceMetadata,
    InvoiceSubscription,
    Subscription,
)
from billing_core.store.unit import Unit
from billing_core.wire.pages import Page

VISIBLE = ("draft", "finalized", "voided", "failed", "pending")
GONE = ("voided", "closed", "deleted")


def add(unit: Unit, row: Any) -> None:
    """Put a new row in the unit."""
    unit.session.add(row)


async def visible(unit: Unit, invoice_id: UUID, *statuses: str) -> Invoice | None:
    """Find an invoice that clients may see, optionally only in these statuses."""
    return await unit.session.scalar(
        select(Invoice).where(Invoice.id == invoice_id, Invoice.status.in_(statuses or VISIBLE))
    )


async def lock(unit: Unit, invoice_id: UUID) -> Invoice | None:
    """Find an invoice and keep others from changing it, or its customer, in this transaction."""
    owner = await unit.session.scalar(select(Invoice.customer_id).where(Invoice.id == invoice_id))
    if owner is None:
        return None
    await customers.lock(unit, owner)
    return await unit.session.scalar(
        select(Invoice)
        .where(Invoice.id == invoice_id)
        .with_for_update(of=Invoice, key_share=True)
        .execution_options(populate_existing=True)
    )


async def open_of_subscription(unit: Unit, subscription_id: UUID) -> Invoice | None:
    """Find, and lock, the open invoice that must be paid before a subscription starts."""
    found = await unit.session.scalar(
        select(Invoice.id)
        .join(InvoiceSubscription, InvoiceSubscription.invoice_id == Invoice.id)
        .where(InvoiceSubscription.subscription_id == subscription_id, Invoice.status == "open")
    )
    return None if found is None else await lock(unit, found)


async def lines(unit: Unit, invoice_id: UUID) -> list[InvoiceSubscription]:
    """Return an invoice's subscription lines, the older subscription first."""
    rows = await unit.session.scalars(
        select(InvoiceSubscription)
        .where(InvoiceSubscription.invoice_id == invoice_id)
        .order_by(InvoiceSubscription.subscription_id)
    )
    return list(rows)


async def fees(unit: Unit, invoice_id: UUID) -> list[Fee]:
    """Return an invoice's fees in the order they were computed."""
    rows = await unit.session.scalars(
        select(Fee)
        .where(Fee.invoice_id == invoice_id, Fee.deleted_at.is_(None))
        .order_by(Fee.position, Fee.id)
    )
    return list(rows)


async def last_sequences(unit: Unit, customer_ids: Iterable[UUID]) -> dict[tuple[UUID, UUID], int]:
    """Return the highest number by customer and entity; the caller holds the customers' locks."""
    rows = await unit.session.execute(
        select(Invoice.customer_id, Invoice.billing_entity_id, func.max(Invoice.sequential_id))
        .where(Invoice.customer_id.in_(sorted(customer_ids)), Invoice.sequential_id.is_not(None))
        .group_by(Invoice.customer_id, Invoice.billing_entity_id)
    )
    return {(row[0], row[1]): row[2] or 0 for row in rows}


async def last_entity_sequence(unit: Unit, entity_id: UUID) -> int:
    """Return the highest per-entity number, serialised by a lock on the entity."""
    await unit.session.scalar(
        select(BillingEntity.id).where(BillingEntity.id == entity_id).with_for_update()
    )
    highest = await unit.session.scalar(
        select(func.max(Invoice.entity_sequential_id)).where(Invoice.billing_entity_id == entity_id)
    )
    return highest or 0


async def page(unit: Unit, filters: Mapping[str, Any], wanted: Page) -> tuple[list[Invoice], int]:
    """List visible invoices, newest first."""
    query = _by_columns(select(Invoice).where(Invoice.status.in_(VISIBLE)), filters)
    query = _by_ranges(query, filters)
    return await page_of(unit, query, wanted, Invoice.created_at.desc(), Invoice.id.desc())


def _by_columns(query: Select[Any], filters: Mapping[str, Any]) -> Select[Any]:
    if filters.get("external_customer_id"):
        owners = select(Customer.id).where(Customer.external_id == filters["external_customer_id"])
        query = query.where(Invoice.customer_id.in_(owners))
    for name, column in (
        ("currency", Invoice.currency),
        ("invoice_type", Invoice.invoice_type),
        ("status", Invoice.status),
        ("payment_status", Invoice.payment_status),
    ):
        if filters.get(name):
            query = query.where(column == filters[name])
    for name, column in (
        ("status[]", Invoice.status),
        ("statuses[]", Invoice.status),
        ("payment_status[]", Invoice.payment_status),
        ("payment_statuses[]", Invoice.payment_status),
    ):
        if filters.get(name):
            query = query.where(column.in_(filters[name]))
    for name, flag in (
        ("payment_overdue", Invoice.payment_overdue),
        ("self_billed", Invoice.self_billed),
    ):
        if filters.get(name) in {"true", "false"}:
            query = query.where(flag.is_(filters[name] == "true"))
    return _by_relations(query, filters)


def _by_relations(query: Select[Any], filters: Mapping[str, Any]) -> Select[Any]:
    if filters.get("payment_dispute_lost") in {"true", "false"}:
        lost = Invoice.payment_dispute_lost_at
        wants = filters["payment_dispute_lost"] == "true"
        query = query.where(lost.is_not(None) if wants else lost.is_(None))
    if term := filters.get("search_term"):
        like = "%" + term.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        owners = select(Customer.id).where(
            or_(
                *(
                    column.ilike(like, escape="\\")
                    for column in (Customer.name, Customer.external_id, Customer.email)
                )
            )
        )
        query = query.where(
            or_(Invoice.number.ilike(like, escape="\\"), Invoice.customer_id.in_(owners))
        )
    if filters.get("billing_entity_codes[]"):
        entities = select(BillingEntity.id).where(
            BillingEntity.code.in_(filters["billing_entity_codes[]"])
        )
        query = query.where(Invoice.billing_entity_id.in_(entities))
    return query


def _by_ranges(query: Select[Any], filters: Mapping[str, Any]) -> Select[Any]:
    if (day := filters.get("issuing_date_from")) is not None:
        query = query.where(Invoice.issuing_date >= day)
    if (day := filters.get("issuing_date_to")) is not None:
        query = query.where(Invoice.issuing_date <= day)
    if (amount := filters.get("amount_from")) is not None:
        query = query.where(Invoice.total_amount_cents >= amount)
    if (amount := filters.get("amount_to")) is not None:
        query = query.where(Invoice.total_amount_cents <= amount)
    for name, value in filters.items():
        if name.startswith("metadata[") and name.endswith("]"):
            with_key = select(InvoiceMetadata.invoice_id).where(
                InvoiceMetadata.key == name[len("metadata[") : -1]
            )
            if value:
                query = query.where(Invoice.id.in_(with_key.where(InvoiceMetadata.value == value)))
            else:
                query = query.where(Invoice.id.not_in(with_key))
    return query


async def drop_computed(unit: Unit, invoice_id: UUID) -> None:
    """Delete the fees and taxes of a draft, to be computed anew."""
    ids = select(Fee.id).where(Fee.invoice_id == invoice_id)
    await unit.session.execute(delete(FeeAppliedTax).where(FeeAppliedTax.fee_id.in_(ids)))
    await unit.session.execute(delete(Fee).where(Fee.invoice_id == invoice_id))
    await unit.session.execute(
        delete(InvoiceAppliedTax).where(InvoiceAppliedTax.invoice_id == invoice_id)
    )


async def flag_drafts(unit: Unit, plan_id: UUID | None = None) -> None:
    """Mark drafts whose prices or taxes changed; the refresh job recomputes them."""
    statement = update(Invoice).where(Invoice.status == "draft")
    if plan_id is not None:
        touched = (
            select(InvoiceSubscription.invoice_id)
            .join(Subscription, Subscription.id == InvoiceSubscription.subscription_id)
            .where(Subscription.plan_id == plan_id)
        )
        statement = statement.where(Invoice.id.in_(touched))
    await unit.session.execute(
        statement.values(ready_to_be_refreshed=True).execution_options(synchronize_session=False)
    )


async def drafts_of_customer(unit: Unit, customer_id: UUID) -> list[Invoice]:
    """Return a customer's drafts."""
    rows = await unit.session.scalars(
        select(Invoice).where(Invoice.customer_id == customer_id, Invoice.status == "draft")
    )
    return list(rows)


async def drafts_due(unit: Unit, today: date, limit: int) -> list[UUID]:
    """Return the drafts whose grace period is over."""
    rows = await unit.session.scalars(
        select(Invoice.id)
        .where(Invoice.status == "draft", Invoice.expected_finalization_date <= today)
        .order_by(Invoice.customer_id, Invoice.id)
        .limit(limit)
    )
    return list(rows)


async def drafts_to_refresh(unit: Unit, limit: int) -> list[UUID]:
    """Return the drafts that were flagged."""
    rows = await unit.session.scalars(
        select(Invoice.id)
        .where(Invoice.status == "draft", Invoice.ready_to_be_refreshed)
        .order_by(Invoice.customer_id, Invoice.id)
        .limit(limit)
    )
    return list(rows)


async def newly_overdue(unit: Unit, today: date, limit: int) -> list[Invoice]:
    """Return finalized, unpaid, undisputed invoices whose due date has passed unnoticed."""
    rows = await unit.session.scalars(
        select(Invoice)
        .where(
            Invoice.status == "finalized",
            Invoice.payment_status != "succeeded",
            Invoice.payment_dispute_lost_at.is_(None),
            Invoice.payment_due_date < today,
            Invoice.payment_overdue.is_(False),
        )
        .order_by(Invoice.id)
        .limit(limit)
        .with_for_update(of=Invoice, key_share=True)  # one of two who come tells of it
    )
    return list(rows)


async def due_dates(unit: Unit) -> dict[str, date]:
    """Return the first day on which drafts finalize or invoices become overdue."""
    finalize = await unit.session.scalar(
        select(func.min(Invoice.expected_finalization_date)).where(Invoice.status == "draft")
    )
    overdue = await unit.session.scalar(
        select(func.min(Invoice.payment_due_date)).where(
            Invoice.status == "finalized",
            Invoice.payment_status != "succeeded",
            Invoice.payment_overdue.is_(False),
            Invoice.payment_dispute_lost_at.is_(None),
        )
    )
    found = {"finalize_invoices": finalize, "mark_invoices_as_payment_overdue": overdue}
    return {job: day for job, day in found.items() if day is not None}


async def subscription_fee_days(
    unit: Unit, subscription_ids: Iterable[UUID], before: UUID | None = None
) -> dict[UUID, list[date]]:
    """Return, by subscription, for which billing days standing invoices charge its fee.

    Those made after `before` do not count, so that a draft that is recomputed stays what it was.
    """
    query = (
        select(InvoiceSubscription.subscription_id, InvoiceSubscription.billed_on)
        .join(
            Fee,
            (Fee.invoice_id == InvoiceSubscription.invoice_id)
            & (Fee.subscription_id == InvoiceSubscription.subscription_id),
        )
        .join(Invoice, Invoice.id == InvoiceSubscription.invoice_id)
        .where(
            InvoiceSubscription.subscription_id.in_(sorted(subscription_ids)),
            Fee.fee_type == "subscription",
            Fee.deleted_at.is_(None),
            Invoice.status.not_in(GONE),
        )
    )
    if before is not None:
        query = query.where(Invoice.id < before)
    found: dict[UUID, list[date]] = {}
    for subscription_id, day in await unit.session.execute(query):
        found.setdefault(subscription_id, []).append(day)
    return found


async def fees_page(unit: Unit, filters: Mapping[str, Any], wanted: Page) -> tuple[list[Fee], int]:
    """List fees, newest first."""
    query: Select[Any] = select(Fee).where(Fee.deleted_at.is_(None))
    for name, column in (
        ("fee_type", Fee.fee_type),
        ("payment_status", Fee.payment_status),
        ("external_subscription_id", Fee.external_subscription_id),
        ("currency", Fee.amount_currency),
        ("event_transaction_id", Fee.event_transaction_id),
    ):
        if filters.get(name):
            query = query.where(column == filters[name])
    if filters.get("external_customer_id"):
        owners = select(Customer.id).where(Customer.external_id == filters["external_customer_id"])
        query = query.where(Fee.customer_id.in_(owners))
    if filters.get("billable_metric_code"):
        code = filters["billable_metric_code"]
        charges = select(Charge.id).where(Charge.metric.has(code=code))
        query = query.where(Fee.charge_id.in_(charges))
    for name, instant in (
        ("created_at", Fee.created_at),
        ("succeeded_at", Fee.succeeded_at),
        ("failed_at", Fee.failed_at),
        ("refunded_at", Fee.refunded_at),
    ):
        if filters.get(name + "_from") is not None:
            query = query.where(instant >= filters[name + "_from"])
        if filters.get(name + "_to") is not None:
            query = query.where(instant <= filters[name + "_to"])
    return await page_of(unit, query, wanted, Fee.created_at.desc(), Fee.id.desc())


async def fee(unit: Unit, fee_id: UUID) -> Fee | None:
    """Find a fee."""
    return await unit.session.scalar(select(Fee).where(Fee.id == fee_id, Fee.deleted_at.is_(None)))


async def true_ups_on(unit: Unit, invoice_ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """Return the true-up fees on some invoices, each by the fee it completes."""
    rows = await unit.session.execute(
        select(Fee.true_up_parent_fee_id, Fee.id).where(
            Fee.invoice_id.in_(sorted(set(invoice_ids))),
            Fee.true_up_parent_fee_id.is_not(None),
            Fee.deleted_at.is_(None),
        )
    )
    return {completed: fee_id for completed, fee_id in rows if completed is not None}


async def all_after(unit: Unit, after: UUID | None, limit: int) -> Sequence[Invoice]:
    """Walk all invoices by key, for `tallygate verify`."""
    query = select(Invoice).order_by(Invoice.id).limit(limit)
    if after is not None:
        query = query.where(Invoice.id > after)
    return (await unit.session.scalars(query)).all()


async def drafts_of_plan(unit: Unit, plan_id: UUID) -> list[UUID]:
    """Return the drafts that bill a plan."""
    rows = await unit.session.scalars(
        select(InvoiceSubscription.invoice_id)
        .join(Subscription, Subscription.id == InvoiceSubscription.subscription_id)
        .join(Invoice, Invoice.id == InvoiceSubscription.invoice_id)
        .where(Subscription.plan_id == plan_id, Invoice.status == "draft")
        .distinct()
    )
    return list(rows)


async def numbering(unit: Unit) -> list[tuple[UUID, int, int]]:
    """Return (customer, numbered invoices, highest number) per customer and billing entity."""
    rows = await unit.session.execute(
        select(
            Invoice.customer_id,
            func.count(Invoice.sequential_id),
            func.max(Invoice.sequential_id),
        )
        .where(Invoice.sequential_id.is_not(None))
        .group_by(Invoice.customer_id, Invoice.billing_entity_id)
    )
    return [(row[0], row[1], row[2] or 0) for row in rows]
