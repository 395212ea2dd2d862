"""Queries about credit notes and their use on invoices."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Select, case, func, or_, select

from billing_core.store import customers, invoices
from billing_core.store.pages import page_of
from billing_core.store.tables import (
    BillingEntity,
    Credit,
    CreditNote,
    CreditNoteItem,
    Customer,
    Fee,
    Invoice,
)
from billing_core.store.unit import Unit
from billing_core.wire.pages import Page


def add(unit: Unit, row: Any) -> None:
    """Put a new row in the unit."""
    unit.session.add(row)


async def visible(unit: Unit, note_id: UUID) -> CreditNote | None:
    """Find a note that clients may see: drafts are not shown."""
    return await unit.session.scalar(
        select(CreditNote).where(CreditNote.id == note_id, CreditNote.status == "finalized")
    )


async def lock(unit: Unit, note_id: UUID) -> CreditNote | None:
    """Find a visible note and keep others from using or changing it in this transaction."""
    found = await visible(unit, note_id)
    if found is None:
        return None
    await customers.lock(unit, found.customer_id)
    await invoices.lock(unit, found.invoice_id)
    return await unit.session.scalar(
        select(CreditNote)
        .where(CreditNote.id == note_id, CreditNote.status == "finalized")
        .execution_options(populate_existing=True)
    )


async def page(
    unit: Unit, filters: Mapping[str, Any], wanted: Page
) -> tuple[list[CreditNote], int]:
    """List visible notes, newest first."""
    query = select(CreditNote).where(CreditNote.status == "finalized")
    for name, column in (
        ("currency", CreditNote.currency),
        ("reason", CreditNote.reason),
        ("credit_status", CreditNote.credit_status),
        ("refund_status", CreditNote.refund_status),
    ):
        if filters.get(name):
            query = query.where(column == filters[name])
    query = _by_ranges(_by_relations(query, filters), filters)
    return await page_of(unit, query, wanted, CreditNote.created_at.desc(), CreditNote.id.desc())


def _by_relations(query: Select[Any], filters: Mapping[str, Any]) -> Select[Any]:
    if filters.get("external_customer_id"):
        owners = select(Customer.id).where(Customer.external_id == filters["external_customer_id"])
        query = query.where(CreditNote.customer_id.in_(owners))
    if term := filters.get("search_term"):
        like = "%" + term.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        names = (Customer.name, Customer.external_id, Customer.email)
        owners = select(Customer.id).where(
            or_(*(column.ilike(like, escape="\\") for column in names))
        )
        query = query.where(
            or_(CreditNote.number.ilike(like, escape="\\"), CreditNote.customer_id.in_(owners))
        )
    found = _invoices(filters)
    return query if found is None else query.where(CreditNote.invoice_id.in_(found))


def _invoices(filters: Mapping[str, Any]) -> Select[Any] | None:
    """Return which invoices the notes must be on, None for any."""
    query = select(Invoice.id)
    if filters.get("invoice_number"):
        query = query.where(Invoice.number == filters["invoice_number"])
    if filters.get("self_billed") in {"true", "false"}:
        query = query.where(Invoice.self_billed.is_(filters["self_billed"] == "true"))
    if filters.get("billing_entity_codes[]"):
        entities = select(BillingEntity.id).where(
            BillingEntity.code.in_(filters["billing_entity_codes[]"])
        )
        query = query.where(Invoice.billing_entity_id.in_(entities))
    return query if query.whereclause is not None else None


def _by_ranges(query: Select[Any], filters: Mapping[str, Any]) -> Select[Any]:
    if (day := filters.get("issuing_date_from")) is not None:
        query = query.where(CreditNote.issuing_date >= day)
    if (day := filters.get("issuing_date_to")) is not None:
        query = query.where(CreditNote.issuing_date <= day)
    if (amount := filters.get("amount_from")) is not None:
        query = query.where(CreditNote.total_amount_cents >= amount)
    if (amount := filters.get("amount_to")) is not None:
        query = query.where(CreditNote.total_amount_cents <= amount)
    return query


async def available(
    unit: Unit, customer_ids: Iterable[UUID]
) -> dict[tuple[UUID, str], list[CreditNote]]:
    """Return the notes that may pay invoices, by customer and currency, the oldest first.

    Source: `docs/rules/money.md` 3.14. The caller holds the customers' locks, so that the balances
    stay as they are read.
    """
    rows = await unit.session.scalars(
        select(CreditNote)
        .where(
            CreditNote.customer_id.in_(sorted(set(customer_ids))),
            CreditNote.status == "finalized",
            CreditNote.credit_status == "available",
            CreditNote.balance_amount_cents > 0,
        )
        .order_by(CreditNote.created_at, CreditNote.id)
        .execution_options(populate_existing=True)
    )
    found: dict[tuple[UUID, str], list[CreditNote]] = {}
    for row in rows:
        found.setdefault((row.customer_id, row.currency), []).append(row)
    return found


async def on_invoice(unit: Unit, invoice_id: UUID, *statuses: str) -> list[CreditNote]:
    """Return the notes of an invoice in these statuses, in order of creation."""
    rows = await unit.session.scalars(
        select(CreditNote)
        .where(CreditNote.invoice_id == invoice_id, CreditNote.status.in_(statuses))
        .order_by(CreditNote.sequential_id)
    )
    return list(rows)


async def next_sequence(unit: Unit, invoice_id: UUID) -> int:
    """Return the next number of a note on an invoice; the caller holds the customer's lock."""
    highest = await unit.session.scalar(
        select(func.max(CreditNote.sequential_id)).where(CreditNote.invoice_id == invoice_id)
    )
    return (highest or 0) + 1


async def credited(unit: Unit, fee_ids: Iterable[UUID]) -> dict[UUID, Decimal]:
    """Return what notes have taken back of fees, voided notes included (money.md 3.4)."""
    rows = await unit.session.execute(
        select(CreditNoteItem.fee_id, CreditNoteItem.precise_amount_cents)
        .join(CreditNote, CreditNote.id == CreditNoteItem.credit_note_id)
        .where(CreditNoteItem.fee_id.in_(sorted(set(fee_ids))), CreditNote.status != "deleted")
    )
    found: dict[UUID, Decimal] = {}
    for fee_id, amount in rows:
        found[fee_id] = found.get(fee_id, Decimal(0)) + amount
    return found


async def credits_on(unit: Unit, invoice_ids: Iterable[UUID]) -> dict[UUID, list[Credit]]:
    """Return what notes paid of invoices, by invoice, in the order in which they were used."""
    rows = await unit.session.scalars(
        select(Credit)
        .where(Credit.invoice_id.in_(sorted(invoice_ids)), Credit.given_back.is_(False))
        .order_by(Credit.id)
    )
    found: dict[UUID, list[Credit]] = {}
    for row in rows:
        found.setdefault(row.invoice_id, []).append(row)
    return found


async def last_subscription_fee(unit: Unit, subscription_id: UUID) -> Fee | None:
    """Return the newest subscription fee of a subscription that stands on an invoice."""
    return await unit.session.scalar(
        select(Fee)
        .where(
            Fee.subscription_id == subscription_id,
            Fee.fee_type == "subscription",
            Fee.invoice_id.is_not(None),
            Fee.deleted_at.is_(None),
        )
        .order_by(Fee.created_at.desc(), Fee.id.desc())
        .limit(1)
    )


async def all_after(unit: Unit, after: UUID | None, limit: int) -> Sequence[CreditNote]:
    """Walk all notes by key, for `tallygate verify`."""
    query = select(CreditNote).order_by(CreditNote.id).limit(limit)
    if after is not None:
        query = query.where(CreditNote.id > after)
    return (await unit.session.scalars(query)).all()


async def used(unit: Unit, note_ids: Iterable[UUID]) -> dict[UUID, int]:
    """Return what notes have paid, less what they got back."""
    signed = case((Credit.given_back, -Credit.amount_cents), else_=Credit.amount_cents)
    rows = await unit.session.execute(
        select(Credit.credit_note_id, func.sum(signed))
        .where(Credit.credit_note_id.in_(sorted(set(note_ids))))
        .group_by(Credit.credit_note_id)
    )
    return {note_id: int(amount) for note_id, amount in rows}


async def sums_on(
    unit: Unit, invoice_ids: Sequence[UUID]
) -> tuple[dict[UUID, int], dict[UUID, int]]:
    """Return, by invoice, what notes paid of it and what its own notes offset."""
    paid = await unit.session.execute(
        select(Credit.invoice_id, func.sum(Credit.amount_cents))
        .where(Credit.invoice_id.in_(invoice_ids), Credit.given_back.is_(False))
        .group_by(Credit.invoice_id)
    )
    offset = await unit.session.execute(
        select(CreditNote.invoice_id, func.sum(CreditNote.offset_amount_cents))
        .where(CreditNote.invoice_id.in_(invoice_ids), CreditNote.status == "finalized")
        .group_by(CreditNote.invoice_id)
    )
    return {row[0]: int(row[1]) for row in paid}, {row[0]: int(row[1]) for row in offset}
